/**
 * What a person waits for behind a slider: a warm viewer child answers 20 pictures of 224x224x3, four of them as they are and four variants
 * of each, with a rotation that differs from request to request. The pictures are smooth with noise, so that the PNG costs what photographs
 * cost. Run alone: node bench/augmentPreview.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createResampler } from '../src/main/data/resample.ts';
import { writeStore } from '../src/main/data/storeWriter.ts';
import { createViewerClient } from '../src/main/services/viewerClient.ts';
import { augmentationSchema } from '../src/shared/contract/augmentation.ts';
import { splitSchema } from '../src/shared/contract/schema.ts';
import { createStream } from '../src/shared/domain/rng.ts';
import { summarize, type Summary } from './statistics.ts';

export interface PreviewBenchResult {
  readonly pictures: number;
  readonly milliseconds: Summary;
  /** Of one thread, as the preview itself tells it. */
  readonly microsecondsPerPicture: number;
  readonly sheetBytes: number;
}

const side = 224;
const stored = 12;
const warmUps = 8;
const never = new AbortController().signal;

/** Starts a viewer of its own and removes what it wrote. */
export async function benchPreview(repeats = 20): Promise<PreviewBenchResult> {
  const folder = mkdtempSync(join(tmpdir(), 'lab-preview-'));
  const viewer = createViewerClient({ node: process.execPath, program: join(import.meta.dirname, '../src/main/viewer.ts') });
  try {
    const { fingerprint } = await writePictures(folder);
    const milliseconds: number[] = [];
    let pictures = 0;
    let microsecondsPerPicture = 0;
    let sheetBytes = 0;
    for (let run = 0; run < warmUps + repeats; run += 1) {
      const start = performance.now();
      const answer = await viewer.ask('augmented', { ...requestOf(20 + run), folder, fingerprint }, never);
      if (run >= warmUps) milliseconds.push(performance.now() - start);
      pictures = answer.tiles.length;
      microsecondsPerPicture = answer.microsecondsPerPicture ?? 0;
      sheetBytes = answer.png.length;
    }
    return { pictures, milliseconds: summarize(milliseconds), microsecondsPerPicture, sheetBytes };
  } finally {
    await viewer.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function requestOf(rotationRange: number) {
  const augmentation = augmentationSchema.parse({
    rotationRange,
    zoomRange: 0.25,
    heightShiftRange: 0.25,
    shearRange: 0.25,
    widthShiftRange: 0.3,
    horizontalFlip: true,
  });
  return {
    split: splitSchema.parse({}),
    input: { size: null, colorMode: null, resize: 'bilinear' as const },
    phase: { classes: null, trainOn: 'train' as const, batchSize: 4, stepsPerEpoch: null, augmentation },
    position: 0,
    seed: 1,
    pictures: { kind: 'training' as const, count: 4, variants: 4 },
    extremes: false,
  };
}

async function writePictures(folder: string): Promise<{ readonly fingerprint: string }> {
  const stream = createStream(1, 'bench/preview');
  const enlarge = createResampler([14, 14, 3], [side, side, 3], 'bilinear');
  const draw = (): Uint8Array => {
    const smooth = enlarge(Uint8Array.from({ length: 14 * 14 * 3 }, () => stream.integer(256)));
    return smooth.map((level) => Math.min(255, Math.max(0, level + (stream.word() & 7) - 4)));
  };
  const pixels = Uint8Array.from(Array.from({ length: stored }, draw).flatMap((picture) => [...picture]));
  const labels = Array.from({ length: stored }, (_, index) => index % 2);
  const draft = {
    id: 'drawn',
    name: 'Drawn',
    kind: 'folders',
    classes: ['a', 'b'],
    shape: [side, side, 3],
    origin: 'a bench',
    licence: null,
  } as const;
  const size = side * side * 3;
  return writeStore(folder, { ...draft, shape: [side, side, 3], sources: () => [] }, [
    { part: 'train', labels: labels.slice(2), pixels: pixels.subarray(2 * size) },
    { part: 'test', labels: labels.slice(0, 2), pixels: pixels.subarray(0, 2 * size) },
  ]);
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await benchPreview())}\n`);
