// What is compared: one row per recipe, phase and precision. The figures that rows must reach are in claims.ts.
import type { ZooWork } from './zooRows.ts';

export interface Row {
  readonly name: string;
  readonly recipe: string;
  /** Position in the recipe's phases. */
  readonly phase: number;
  readonly precision: 'float32' | 'mixed_bfloat16';
  /** The frozen phase with cached features is compared with Keras's frozen epoch and with an epoch of everything trained. */
  readonly kind: 'training' | 'frozen';
  /** Null times a whole epoch. */
  readonly timedSteps: number | null;
  /** Set for a row that trains a template's network on enlarged pictures. */
  readonly zoo?: ZooWork;
}

const measured = [
  { label: 'transfer-5to9 full', recipe: 'fashion-transfer-5to9', phase: 0, kind: 'training', timedSteps: null },
  { label: 'transfer-5to9 tuned', recipe: 'fashion-transfer-5to9', phase: 1, kind: 'frozen', timedSteps: null },
  { label: 'test-7', recipe: 'fashion-test-7', phase: 0, kind: 'training', timedSteps: null },
  // An epoch of 860 steps takes minutes here and says no more than these.
  { label: 'test-8', recipe: 'fashion-test-8', phase: 0, kind: 'training', timedSteps: 240 },
  { label: 'test-9', recipe: 'fashion-test-9', phase: 0, kind: 'training', timedSteps: null },
] as const;

const mobileNet = { recipe: 'household-mobilenet-a', phase: 0 } as const;
const vgg16 = { recipe: 'cifar-vgg16-features', phase: 0 } as const;
const large = { side: 224, pictures: 640, batchSize: 32 } as const;
const small = { side: 32, pictures: 3000, batchSize: 30 } as const;
const zoo = [
  { label: 'MobileNet 224 head', ...mobileNet, kind: 'frozen', timedSteps: null, zoo: { ...large, frozenUpTo: 'conv_pw_13_relu' } },
  { label: 'MobileNet 224 last block', ...mobileNet, kind: 'frozen', timedSteps: null, zoo: { ...large, frozenUpTo: 'conv_pw_12_relu' } },
  { label: 'MobileNet 224 full', ...mobileNet, kind: 'training', timedSteps: 12, zoo: { ...large, frozenUpTo: null } },
  { label: 'VGG16 32 features', ...vgg16, kind: 'frozen', timedSteps: null, zoo: { ...small, frozenUpTo: 'block5_pool' } },
  { label: 'VGG16 32 full', ...vgg16, kind: 'training', timedSteps: 40, zoo: { ...small, frozenUpTo: null } },
] as const;

/** Name of the row that is not a training: pictures per second of the augmentation. */
export const augmentationName = 'augmentation';

/** All rows, in the order in which they are measured. */
export const rows: readonly Row[] = [
  ...(['float32', 'mixed_bfloat16'] as const).flatMap((precision) => measured.map((row) => makeRow(row, precision))),
  ...zoo.map((row) => makeRow(row, 'float32')),
];

function makeRow<Part extends { readonly label: string }>(
  { label, ...row }: Part,
  precision: Row['precision'],
): Omit<Part, 'label'> & Pick<Row, 'name' | 'precision'> {
  return { ...row, name: `${label} ${nameOf(precision)}`, precision };
}

function nameOf(precision: Row['precision']): string {
  return precision === 'float32' ? 'float32' : 'bfloat16';
}
