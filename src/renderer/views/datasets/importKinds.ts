import type { DatasetManifest } from '../../../shared/contract/dataset.ts';

export type KindChoice = DatasetManifest['kind'] | 'automatic';

/** What can be imported, one sentence each. */
export const importKinds: readonly { readonly value: KindChoice; readonly label: string; readonly text: string }[] = [
  { value: 'automatic', label: 'Find out', text: 'The content decides; choose a kind to learn what exactly does not fit.' },
  {
    value: 'folders',
    label: 'Class folders',
    text: 'A folder with one folder per class, or with train and test (and validation) that hold them; PNG, JPEG, WebP, GIF and BMP pictures.',
  },
  { value: 'idx', label: 'IDX files', text: 'Pictures and labels as MNIST has them, plain or .gz; the test pair may be left out.' },
  { value: 'cifar', label: 'CIFAR-10', text: 'The Python or binary archive (.tar.gz) as published, or the folder of its batches.' },
  {
    value: 'csv',
    label: 'CSV list',
    text: 'A .csv with the columns path, label and, if wanted, split (train or test), in one folder with its pictures.',
  },
];

export const kindNames: Readonly<Record<DatasetManifest['kind'], string>> = {
  folders: 'class folders',
  idx: 'IDX',
  cifar: 'CIFAR-10',
  csv: 'CSV list',
};
