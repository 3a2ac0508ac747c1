// The list of tiles of a preview: which picture under which parameters stands where. Pixels are made from it by augmented.ts.
import { LabError } from '../../shared/contract/errors.ts';
import type { ViewerRequest } from '../../shared/contract/viewer.ts';
import type { Augmentation } from '../../shared/contract/augmentation.ts';
import { drawTransform, neutralTransform, type PictureShape, type TransformParameters } from '../../shared/domain/augment.ts';
import { listExtremes } from '../../shared/domain/augmentExtremes.ts';
import { drawMix, mixes, type RowMix } from '../../shared/domain/augmentMix.ts';
import type { PhaseView } from './augmentedPhase.ts';

/** A picture of the dataset and what is done to it. */
export interface Form {
  readonly index: number;
  readonly parameters: TransformParameters;
}

export interface PlannedTile extends Form {
  readonly sample: number | null;
  readonly variant: number | null;
  readonly extreme: string | null;
  readonly mix: { readonly rule: RowMix; readonly partner: Form } | null;
}

export interface TilePlan {
  readonly tiles: readonly PlannedTile[];
  readonly columns: number;
  readonly batchImages: number | null;
}

export type TileRequest = Pick<ViewerRequest<'augmented'>, 'pictures' | 'extremes' | 'seed' | 'position'> & {
  readonly augmentation: Augmentation | null;
  /** In the training. */
  readonly shape: PictureShape;
  /** Pictures of the dataset. */
  readonly count: number;
};

/** Throws `not_found` for a picture or batch that does not exist, `bad_usage` for extremes of a batch. */
export function planTiles(view: PhaseView, request: TileRequest): TilePlan {
  const planner = createPlanner(view, request);
  const { pictures, extremes } = request;
  if (pictures.kind === 'batch') {
    if (extremes) throw new LabError('bad_usage', 'A batch has no extremes.', { help: 'Choose pictures, or look at the batch as it is.' });
    return planner.batch(pictures);
  }
  if (pictures.kind === 'training' && view.indices.length === 0) throw noTraining();
  const indices = pictures.kind === 'chosen' ? pictures.indices : [...view.indices.subarray(0, pictures.count)];
  const outside = indices.find((index) => index >= request.count);
  if (outside !== undefined) {
    throw new LabError('not_found', `The dataset has no picture ${outside}.`, {
      expected: `0 to ${request.count - 1}`,
      received: String(outside),
      help: 'Choose another picture.',
    });
  }
  const rows = indices.map((index) => (extremes ? planner.extremes(index) : planner.variants(index, pictures.variants)));
  return { tiles: rows.flat(), columns: rows[0]?.length ?? 1, batchImages: null };
}

/** What is drawn for a sample in a pass, with the numbers that the training uses. */
function createDraws({ indices, schedule }: PhaseView, { augmentation, shape, seed, position }: TileRequest) {
  const draw = (pass: number, sample: number): TransformParameters =>
    augmentation === null ? neutralTransform : drawTransform(augmentation, shape, seed, pass, sample, position);
  const drawRows = (epoch: number, step: number, count: number): readonly RowMix[] | null =>
    augmentation === null || !mixes(augmentation) ? null : drawMix(augmentation, shape, { seed, phase: position, epoch, step }, count);
  const formOf = (sample: number, pass: number): Form => ({ index: indices[sample] ?? 0, parameters: draw(pass, sample) });

  /** In the batch of the pass in which the sample comes. */
  const mixOf = (pass: number, sample: number): PlannedTile['mix'] => {
    if (augmentation === null || !mixes(augmentation) || indices.length === 0) return null;
    const { epoch, step, row } = schedule.find(pass, sample);
    const samples = schedule.locate(epoch, step);
    const rule = drawRows(epoch, step, samples.length)?.[row];
    return rule === undefined ? null : { rule, partner: formOf(samples[rule.partner] ?? 0, pass) };
  };
  return { draw, drawRows, formOf, mixOf };
}

function createPlanner(view: PhaseView, request: TileRequest) {
  const { indices, schedule } = view;
  const { augmentation, shape } = request;
  const { draw, drawRows, formOf, mixOf } = createDraws(view, request);
  const plain = (index: number): PlannedTile => ({
    index,
    parameters: neutralTransform,
    sample: sampleOf(index),
    variant: null,
    extreme: null,
    mix: null,
  });
  const sampleOf = (index: number): number | null => {
    const sample = indices.indexOf(index);
    return sample < 0 ? null : sample;
  };
  const variant = (index: number, pass: number): PlannedTile => {
    const sample = sampleOf(index);
    // A number that no training picture has.
    const drawn = sample ?? indices.length + index;
    return { ...plain(index), parameters: draw(pass, drawn), variant: pass, mix: mixOf(pass, sample ?? 0) };
  };
  return {
    variants: (index: number, count: number): PlannedTile[] => [
      plain(index),
      ...Array.from({ length: augmentation === null ? 0 : count }, (_, pass) => variant(index, pass)),
    ],
    extremes(index: number): PlannedTile[] {
      const other = indices.find((candidate) => candidate !== index) ?? index;
      const listed = augmentation === null ? [] : listExtremes(augmentation, shape);
      const tiles = listed.map(({ field, text, parameters, mix }) => ({
        ...plain(index),
        parameters,
        extreme: `${field} ${text}`,
        mix: mix === null ? null : { rule: mix, partner: { index: other, parameters: neutralTransform } },
      }));
      return [plain(index), ...tiles];
    },
    batch({ epoch, step, offset, limit }: { epoch: number; step: number; offset: number; limit: number }): TilePlan {
      if (indices.length === 0) throw noTraining();
      if (step >= schedule.steps) throw noSuch(`step ${step}`, `0 to ${schedule.steps - 1}`);
      const samples = schedule.locate(epoch, step);
      if (offset >= samples.length) throw noSuch(`row ${offset}`, `0 to ${samples.length - 1}`);
      const pass = schedule.passAt(epoch, step);
      const rows = drawRows(epoch, step, samples.length);
      const tiles = Array.from(samples.subarray(offset, offset + limit), (sample, position): PlannedTile => {
        const rule = rows?.[offset + position];
        const mix = rule === undefined ? null : { rule, partner: formOf(samples[rule.partner] ?? 0, pass) };
        return { ...formOf(sample, pass), sample, variant: pass, extreme: null, mix };
      });
      return { tiles, columns: Math.ceil(Math.sqrt(tiles.length)), batchImages: samples.length };
    },
  };
}

function noSuch(what: string, expected: string): LabError {
  return new LabError('not_found', `The training has no ${what}.`, { expected, help: 'Choose another epoch or step.' });
}

function noTraining(): LabError {
  return new LabError('not_found', 'The phase trains on no picture of this dataset.', { help: 'Choose other classes or another split.' });
}
