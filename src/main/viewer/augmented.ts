// Pictures as training sees them, for people: every tile goes through the conversion, the transforms and the mixing of the training path,
// before scaling, and is shown clipped to 0..255. Converted pictures are remembered, so that a moved slider costs only its own work.
import { createHash } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import { LabError } from '../../shared/contract/errors.ts';
import type { ViewerAnswer, ViewerRequest } from '../../shared/contract/viewer.ts';
import type { PreviewTile } from '../../shared/contract/preview.ts';
import { describeTransform } from '../../shared/domain/augmentWords.ts';
import { applyTransform, createBatchAugmenter } from '../data/augment.ts';
import { mixPicture } from '../data/augmentMix.ts';
import { createPictureForm, type PictureForm } from '../data/pictureForm.ts';
import { createPhaseShelf } from './augmentedPhase.ts';
import { planTiles, type Form, type PlannedTile } from './augmentedTiles.ts';
import { encode, readPixels } from './pictures.ts';
import type { OpenStore } from './stores.ts';

export interface AugmentedPictures {
  /** Throws `not_found` for a picture or batch that does not exist and `limit_exceeded` for more than a sheet holds. */
  draw(open: OpenStore, request: AugmentedRequest, signal: AbortSignal): Promise<ViewerAnswer<'augmented'>>;
}

type AugmentedRequest = ViewerRequest<'augmented'>;

const mostSheetBytes = 32 * 2 ** 20;
const mostHeldBytes = 64 * 2 ** 20;
/** Long enough for a steady figure, short enough for a slider. */
const measuredMs = 8;
/** A sheet is looked at once: deflating one of photographs would take longer than making its pictures. */
const sheetLevel = 0;
const noFill = { fillMode: 'nearest', cval: 0 } as const;

export function createAugmentedPictures(): AugmentedPictures {
  const viewPhase = createPhaseShelf();
  const convert = createConverter();
  return {
    async draw(open, request, signal) {
      const { augmentation } = request.phase;
      const form = createPictureForm(open.store.manifest.shape, request.input);
      const view = viewPhase(open, request);
      const plan = planTiles(view, { ...request, augmentation, shape: form.shape, count: open.store.count });
      refuseLarge(plan.tiles.length, form);
      const read = ({ index }: Form): Uint8Array => convert(open, request, form, index);
      const make = (one: Form): Float32Array => applyTransform(read(one), form.shape, one.parameters, augmentation ?? noFill);
      const sheet = createSheet(plan.columns, plan.tiles.length, form.shape);
      for (const [position, tile] of plan.tiles.entries()) {
        await breathe();
        signal.throwIfAborted();
        const pixels = make(tile);
        if (tile.mix !== null) mixPicture(pixels, make(tile.mix.partner), form.shape, tile.mix.rule);
        sheet.place(pixels, position);
      }
      const microsecondsPerPicture = measure(request, form, plan.tiles.map(read));
      const png = await encode(sheet.bytes, sheet.shape, sheetLevel);
      return {
        tiles: plan.tiles.map((tile) => describeTile(tile, open.labels)),
        columns: plan.columns,
        tileSize: [form.shape[0], form.shape[1]],
        trainImages: view.indices.length,
        stepsPerEpoch: view.indices.length === 0 ? 0 : view.schedule.steps,
        batchImages: plan.batchImages,
        microsecondsPerPicture,
        png,
        sha256: createHash('sha256').update(png).digest('hex'),
      };
    },
  };
}

/** Pictures of stores in the training's form; the latest stay in memory. */
function createConverter(): (open: OpenStore, request: AugmentedRequest, form: PictureForm, index: number) => Uint8Array {
  const held = new Map<string, Uint8Array>();
  let heldBytes = 0;
  return (open, { fingerprint, input }, form, index) => {
    const key = `${fingerprint} ${form.shape.join('x')} ${input.resize} ${index}`;
    const picture = held.get(key) ?? form.convert(readPixels(open, index).pixels);
    if (!held.delete(key)) heldBytes += picture.length;
    held.set(key, picture);
    for (const [oldest, { length }] of held) {
      if (heldBytes <= mostHeldBytes) break;
      held.delete(oldest);
      heldBytes -= length;
    }
    return picture;
  };
}

function refuseLarge(tiles: number, { shape }: PictureForm): void {
  const each = shape[0] * shape[1] * shape[2];
  if (tiles * each <= mostSheetBytes) return;
  throw new LabError('limit_exceeded', 'The preview would be too large.', {
    expected: `at most ${Math.max(1, Math.floor(mostSheetBytes / each))} pictures of ${shape[0]} x ${shape[1]} pixels`,
    received: String(tiles),
    help: 'Choose fewer pictures or fewer variants.',
  });
}

function createSheet(columns: number, tiles: number, [height, width, channels]: PictureForm['shape']) {
  const rows = Math.ceil(tiles / columns);
  const stride = columns * width * channels;
  // Clamped: this is where values outside 0..255 are cut off.
  const clamped = new Uint8ClampedArray(rows * height * stride);
  return {
    bytes: new Uint8Array(clamped.buffer),
    shape: [rows * height, columns * width, channels] as const,
    place(pixels: Float32Array, position: number): void {
      const start = Math.floor(position / columns) * height * stride + (position % columns) * width * channels;
      for (let row = 0; row < height; row += 1)
        clamped.set(pixels.subarray(row * width * channels, (row + 1) * width * channels), start + row * stride);
    },
  };
}

/** Draws and applies transforms for a few milliseconds; mixing costs too little to count. */
function measure({ phase, seed, position }: AugmentedRequest, { shape }: PictureForm, pictures: readonly Uint8Array[]): number | null {
  const { augmentation } = phase;
  if (augmentation === null) return null;
  const augment = createBatchAugmenter({ augmentation, shape, seed, phase: position });
  const target = new Float32Array(shape[0] * shape[1] * shape[2]);
  const start = performance.now();
  let made = 0;
  let passed: number;
  do {
    const picture = pictures[made % pictures.length] ?? new Uint8Array();
    augment(picture, Uint32Array.of(made), { pass: 0, rows: null }, target);
    made += 1;
    passed = performance.now() - start;
  } while (passed < measuredMs);
  return (1000 * passed) / made;
}

function describeTile({ index, sample, variant, extreme, parameters, mix }: PlannedTile, labels: Uint16Array): PreviewTile {
  const label = (picture: number): number => labels[picture] ?? 0;
  return {
    index,
    label: label(index),
    sample,
    variant,
    extreme,
    parameters: describeTransform(parameters),
    mix:
      mix === null
        ? null
        : {
            kind: mix.rule.pasted === null ? 'mixup' : 'cutmix',
            share: mix.rule.share,
            index: mix.partner.index,
            label: label(mix.partner.index),
          },
  };
}
