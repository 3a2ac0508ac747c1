/**
 * Makes class folders of JPEG pictures like those of document 002, to try its pipeline at real size:
 *
 *   node scripts/data/householdPictures.ts --out household --count 8000 --seed 1
 *
 * Each picture is one of Fashion-MNIST (eight of its ten classes), in a drawn colour, size and place on a drawn background, about 256 x 256
 * pixels. A quarter of them go to test/ and come from Fashion-MNIST's test pictures. Everything is drawn from (seed, part, number), so a
 * smaller count gives the first pictures of a larger one; the bytes of the files also depend on the version of sharp.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { configureDecoder } from '../../src/main/data/images.ts';
import { readIdx } from '../../src/main/data/idx.ts';
import { mapInOrder } from '../../src/main/data/lanes.ts';
import { createStream, type RandomStream } from '../../src/shared/domain/rng.ts';

type Part = 'train' | 'test';

/** Fashion-MNIST's labels; coats and shirts are left out, which people confuse with pullovers too. */
const CLASSES = [
  { label: 9, folder: 'ankle_boot' },
  { label: 8, folder: 'bag' },
  { label: 3, folder: 'dress' },
  { label: 2, folder: 'pullover' },
  { label: 5, folder: 'sandal' },
  { label: 7, folder: 'sneaker' },
  { label: 0, folder: 't-shirt' },
  { label: 1, folder: 'trouser' },
] as const;
const SIDE = 28;
const LANES = 2;
const SOURCE = join(import.meta.dirname, '../../resources/datasets/fashion-mnist');

interface Wanted {
  readonly part: Part;
  readonly folder: string;
  readonly number: number;
  readonly garment: Uint8Array;
}

const { values } = parseArgs({
  options: { out: { type: 'string' }, count: { type: 'string', default: '8000' }, seed: { type: 'string', default: '1' } },
});
const { out } = values;
const [count, seed] = [Number(values.count), Number(values.seed)];
if (out === undefined || !Number.isInteger(count / 32) || count < 32 || count > 32_000 || !Number.isInteger(seed)) {
  throw new Error('Give a folder, and a count from 32 to 32,000 that 32 divides: --out FOLDER --count 8000 --seed 1');
}
mkdirSync(out, { recursive: true });
if (readdirSync(out).length > 0) throw new Error(`The folder ${out} is not empty. Give a new one.`);
configureDecoder();
for (const part of ['train', 'test'] as const) {
  const perClass = (count * (part === 'train' ? 3 : 1)) / 4 / CLASSES.length;
  const wanted = await choose(part, perClass);
  for (const { folder } of CLASSES) mkdirSync(join(out, part, folder), { recursive: true });
  for await (const { path, bytes } of mapInOrder(wanted, LANES, async (one) => ({ path: pathOf(out, one), bytes: await draw(one) }))) {
    writeFileSync(path, bytes);
  }
}
process.stdout.write(`${count} pictures in ${CLASSES.length} classes: ${out}\n`);

function pathOf(folder: string, one: Wanted): string {
  return join(folder, one.part, one.folder, `${String(one.number + 1).padStart(5, '0')}.jpg`);
}

/** The first `perClass` garments of each class. */
async function choose(part: Part, perClass: number): Promise<Wanted[]> {
  const stem = join(SOURCE, part === 'train' ? 'train' : 't10k');
  const source = await readIdx([{ part, pictures: `${stem}-images-idx3-ubyte.gz`, labels: `${stem}-labels-idx1-ubyte.gz` }]);
  const found = new Map<number, number>(CLASSES.map(({ label }) => [label, 0]));
  const wanted: Wanted[] = [];
  for await (const block of source.blocks()) {
    if (wanted.length === perClass * CLASSES.length) break;
    for (const [row, label] of Array.from(block.labels, Number).entries()) {
      const number = found.get(label);
      const one = CLASSES.find((entry) => entry.label === label);
      if (number === undefined || one === undefined || number >= perClass) continue;
      found.set(label, number + 1);
      const garment = block.pixels.slice(row * SIDE * SIDE, (row + 1) * SIDE * SIDE);
      wanted.push({ part, folder: one.folder, number, garment });
    }
  }
  return wanted;
}

async function draw({ part, folder, number, garment }: Wanted): Promise<Uint8Array> {
  const random = createStream(seed, `household ${part} ${folder}`, number);
  const [width, height] = [240 + random.integer(33), 240 + random.integer(33)];
  const side = Math.round(Math.min(width, height) * (0.5 + 0.45 * random.uniform()));
  const [left, top] = [random.integer(width - side + 1), random.integer(height - side + 1)];
  const object = await sharp(paint(garment, random), { raw: { width: SIDE, height: SIDE, channels: 4 } })
    .resize(side, side, { kernel: 'cubic' })
    .raw()
    .toBuffer();
  const cells = 3 + random.integer(14);
  return sharp(background(cells, random), { raw: { width: cells, height: cells, channels: 3 } })
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .composite([{ input: object, raw: { width: side, height: side, channels: 4 }, left, top }])
    .jpeg({ quality: 80 + random.integer(16) })
    .toBuffer();
}

/** The garment in one colour as red, green, blue and opacity; its black surroundings become transparent. */
function paint(garment: Uint8Array, random: RandomStream): Uint8Array {
  const colour = [0, 1, 2].map(() => 40 + random.integer(216));
  const floor = 0.15 + 0.35 * random.uniform();
  const painted = new Uint8Array(garment.length * 4);
  garment.forEach((value, index) => {
    const light = floor + ((1 - floor) * value) / 255;
    colour.forEach((part, channel) => (painted[index * 4 + channel] = Math.round(part * light)));
    painted[index * 4 + 3] = Math.min(255, value * 4);
  });
  return painted;
}

/** A coarse grid around one colour, which becomes soft spots when it is enlarged. */
function background(cells: number, random: RandomStream): Uint8Array {
  const colour = [0, 1, 2].map(() => random.integer(256));
  const spread = 10 + random.integer(60);
  return Uint8Array.from({ length: cells * cells * 3 }, (_, index) =>
    Math.min(255, Math.max(0, Math.round((colour[index % 3] ?? 0) + spread * random.normal()))),
  );
}
