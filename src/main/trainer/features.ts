// Features of a phase's frozen layers, computed once for its training, validation and test pictures. Bounded memory: rows beyond the
// limit stay on disk. Owns the files in its folder and removes them in close().
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import type { InputPipeline } from '../../shared/contract/schema.ts';
import type { BatchSource } from '../data/batches.ts';
import { createFeatureSource, writeFeatures, type FeatureTable } from '../data/features.ts';
import type { Executor } from '../engine/executor.ts';
import { planFeatures } from '../engine/featurePlan.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import type { PhasePlan } from './phasePlan.ts';
import type { PhaseData } from './runData.ts';

export interface PhaseFeatures {
  readonly train: BatchSource;
  readonly validation: BatchSource | null;
  readonly test: BatchSource | null;
  readonly images: number;
  readonly bytes: number;
  close(): void;
}

export interface FeatureRequest {
  readonly executor: Executor;
  readonly plan: PhasePlan;
  readonly input: InputPipeline;
  readonly data: PhaseData;
  readonly weights: readonly NamedTensor[];
  readonly folder: string;
  /** Rows are held in memory up to this many bytes. */
  readonly heldBytes: number;
  /** Called between batches; rejects to give up. */
  readonly breathe: () => Promise<void>;
}

/** Runs the prefix over all pictures of the phase; everything in `folder` is removed when it fails. */
export async function computeFeatures(request: FeatureRequest): Promise<PhaseFeatures> {
  const { plan, data, folder } = request;
  mkdirSync(folder, { recursive: true });
  const extract = openExtractor(request);
  const tables: FeatureTable[] = [];
  const closeAll = (): void => {
    for (const table of tables) table.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const compute = async (name: string, source: BatchSource<Uint8Array>): Promise<FeatureTable> => {
    const file = join(folder, `${name}.f32`);
    const table = await writeFeatures({
      file,
      shape: plan.prefix.shape,
      source,
      extract: (pixels, count) => extract.run(pixels, count),
      heldBytes: request.heldBytes,
      breathe: request.breathe,
    });
    tables.push(table);
    return table;
  };
  try {
    const batchSize = plan.phase.batchSize;
    const train = createFeatureSource({
      table: await compute('train', data.trainPlain),
      batchSize,
      order: data.order,
      stepsPerEpoch: plan.phase.stepsPerEpoch,
    });
    const test = data.test === null ? null : createFeatureSource({ table: await compute('test', data.test), batchSize: 500 });
    const isSameAsTest = data.validation === data.test;
    const validation =
      data.validation === null
        ? null
        : isSameAsTest
          ? test
          : createFeatureSource({ table: await compute('validation', data.validation), batchSize: 500 });
    const images = tables.reduce((sum, table) => sum + table.count, 0);
    return {
      train,
      validation,
      test,
      images,
      bytes: images * plan.prefix.shape.reduce((product, size) => product * size, 4),
      close: closeAll,
    };
  } catch (error) {
    closeAll();
    throw error;
  } finally {
    extract.close();
  }
}

export interface FeatureExtractor {
  run(pixels: Uint8Array, count: number): Float32Array;
  close(): void;
}

/** The frozen prefix as a session of its own; the caller closes it. */
export function openExtractor(request: Pick<FeatureRequest, 'executor' | 'plan' | 'input' | 'weights'>): FeatureExtractor {
  const { plan } = request;
  const program = planFeatures(plan.network, plan.prefix.length, request.input, plan.precision);
  const session = request.executor.load(program.graph);
  const values = request.weights.filter((weight) => program.assign.has(weight.name));
  const targets = values.flatMap((value) => program.assign.get(value.name) ?? []);
  session.prepare(
    targets.map((target) => target.feed),
    targets.map((target) => target.done),
  )(values);
  const run = session.prepare([program.pixels], [program.features]);
  return {
    run(pixels, count) {
      const data = run([{ shape: [count, ...plan.network.inputShape], data: pixels }])[0]?.data;
      if (!(data instanceof Float32Array)) throw new LabError('internal', 'The frozen layers returned no features.');
      return data;
    },
    close: () => session.close(),
  };
}
