// Features of a phase's frozen layers for its training, validation and test pictures: read from the folder that runs share, or computed
// once and left there. Features of layers that a phase before has trained serve no other run; they, and what the shared folder has no room
// for, lie in memory or in the run's own folder. Where the disk is too full for even that, the phase goes without.
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import type { InputPipeline } from '../../shared/contract/schema.ts';
import { chooseEvaluationBatch } from '../../shared/domain/evaluationBatch.ts';
import type { BatchSource, PictureSource } from '../data/batches.ts';
import { createFeatureSource, writeFeatureFile, writeFeatures, type FeatureTable } from '../data/features.ts';
import type { Executor } from '../engine/executor.ts';
import { planFeatures } from '../engine/featurePlan.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import {
  measureFileSystem,
  openFeatureCache,
  reservedBytes,
  type DiskSpace,
  type FeatureCache,
  type FeatureOrigin,
} from './featureCache.ts';
import { hashPictures, hashPrefix } from './featureKey.ts';
import type { PhasePlan } from './phasePlan.ts';
import type { PhaseData } from './runData.ts';

export interface PhaseFeatures {
  readonly train: BatchSource;
  readonly validation: BatchSource | null;
  readonly test: BatchSource | null;
  /** Null when all were in the shared folder. */
  readonly computed: { readonly images: number; readonly bytes: number; readonly seconds: number; readonly isShared: boolean } | null;
  /** Null when none were; with the runs that made them. */
  readonly reused: { readonly images: number; readonly bytes: number; readonly makers: readonly string[] } | null;
  close(): void;
}

export interface FeatureRequest {
  readonly executor: Executor;
  readonly plan: PhasePlan;
  readonly input: InputPipeline;
  readonly data: PhaseData;
  readonly weights: readonly NamedTensor[];
  /** Used, and removed by close(), for what is not shared. */
  readonly ownFolder: string;
  readonly shared: SharedFeatures | null;
  /** Rows are held in memory up to this many bytes, training pictures first. */
  readonly heldBytes: number;
  /** Called between batches; rejects to give up. */
  readonly breathe: () => Promise<void>;
  readonly measureDisk?: ((folder: string) => DiskSpace) | undefined;
}

export interface SharedFeatures {
  readonly folder: string;
  /** Of the pictures as they reach the network. */
  readonly fingerprint: string;
  readonly origin: Pick<FeatureOrigin, 'madeBy' | 'recipe' | 'base' | 'dataset'>;
}

type PartName = FeatureOrigin['part'];

interface Part {
  readonly name: PartName;
  readonly source: PictureSource;
  readonly bytes: number;
  /** 0 when its rows stay on the disk. */
  readonly heldBytes: number;
  /** In the shared folder; empty without one. */
  readonly key: string;
}

/** Null when the disk has no room for the features; rejects with what `breathe` rejects with, and leaves nothing open then. */
export async function openFeatures(request: FeatureRequest): Promise<PhaseFeatures | null> {
  const { shared, measureDisk = measureFileSystem } = request;
  const cache = shared === null ? null : openFeatureCache({ folder: shared.folder, measureDisk });
  const parts = listParts(request);
  const tables = new Map<PartName, FeatureTable>();
  const makers = new Set<string>();
  const close = (): void => {
    for (const table of tables.values()) table.close();
    rmSync(request.ownFolder, { recursive: true, force: true });
  };
  try {
    for (const part of parts) {
      const found = await openShared(request, cache, part);
      if (found === null) continue;
      tables.set(part.name, found.table);
      makers.add(found.manifest.madeBy);
    }
    const reused = parts.filter((part) => tables.has(part.name));
    const missing = parts.filter((part) => !tables.has(part.name));
    const started = performance.now();
    const place = choosePlace(missing, cache, () => measureDisk(dirname(request.ownFolder)));
    if (place === 'nowhere') {
      close();
      return null;
    }
    if (missing.length > 0) await computeParts(request, missing, place === 'shared' ? cache : null, tables);
    const seconds = (performance.now() - started) / 1000;
    return {
      ...openSources(request, tables),
      computed: missing.length === 0 ? null : { ...measure(missing), seconds, isShared: place === 'shared' },
      reused: reused.length === 0 ? null : { ...measure(reused), makers: [...makers] },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function listParts({ plan, data, heldBytes, shared, ...request }: FeatureRequest): Part[] {
  const { trainPlain, test, validation } = data;
  const rowBytes = plan.prefix.shape.reduce((product, size) => product * size, 4);
  const prefix = shared === null ? null : hashPrefix({ ...request, plan, fingerprint: shared.fingerprint });
  const sources = { train: trainPlain, test, validation: validation === test ? null : validation };
  let left = heldBytes;
  return (['train', 'test', 'validation'] as const).flatMap((name) => {
    const source = sources[name];
    if (source === null) return [];
    const bytes = source.sampleCount * rowBytes;
    const isHeld = bytes <= left;
    if (isHeld) left -= bytes;
    const key = prefix === null ? '' : hashPictures(prefix, source.indices, source.batchSize);
    return [{ name, source, bytes, heldBytes: isHeld ? bytes : 0, key }];
  });
}

function measure(parts: readonly Part[]): { images: number; bytes: number } {
  const images = parts.reduce((sum, part) => sum + part.source.sampleCount, 0);
  return { images, bytes: parts.reduce((sum, part) => sum + part.bytes, 0) };
}

function openShared({ plan, breathe }: FeatureRequest, cache: FeatureCache | null, { key, source, heldBytes }: Part) {
  return cache === null ? null : cache.open({ key, shape: plan.prefix.shape, labels: source.labels, heldBytes, breathe });
}

function choosePlace(missing: readonly Part[], cache: FeatureCache | null, measureDisk: () => DiskSpace): 'shared' | 'own' | 'nowhere' {
  if (cache?.makeRoom(measure(missing).bytes) === true) return 'shared';
  const { bytes } = measure(missing.filter((part) => part.heldBytes === 0));
  return bytes === 0 || measureDisk().freeBytes >= bytes + reservedBytes ? 'own' : 'nowhere';
}

async function computeParts(
  request: FeatureRequest,
  missing: readonly Part[],
  cache: FeatureCache | null,
  tables: Map<PartName, FeatureTable>,
): Promise<void> {
  const { plan, breathe, shared, ownFolder } = request;
  const extractor = openExtractor(request);
  try {
    for (const part of missing) {
      const extract = (pixels: Uint8Array, count: number): Float32Array => extractor.run(pixels, count);
      const work = { shape: plan.prefix.shape, source: part.source, extract, breathe };
      if (cache !== null && shared !== null) {
        const layer = plan.network.layers[plan.prefix.length - 1]?.name ?? '';
        const about = { layer, part: part.name, images: part.source.sampleCount, shape: [...plan.prefix.shape] };
        await cache.add(part.key, { ...shared.origin, ...about }, (file) => writeFeatureFile({ ...work, file }));
        const added = await openShared(request, cache, part);
        if (added !== null) {
          tables.set(part.name, added.table);
          continue;
        }
      }
      mkdirSync(ownFolder, { recursive: true });
      tables.set(part.name, await writeFeatures({ ...work, file: join(ownFolder, `${part.name}.f32`), heldBytes: part.heldBytes }));
    }
  } finally {
    extractor.close();
  }
}

function openSources({ plan, data }: FeatureRequest, tables: ReadonlyMap<PartName, FeatureTable>) {
  const [train, test, validation] = [tables.get('train'), tables.get('test'), tables.get('validation')];
  if (train === undefined) throw new LabError('internal', 'There are no features of training pictures.');
  const evaluationBatch = chooseEvaluationBatch(plan.network, plan.prefix.length);
  const inOrder = (table: FeatureTable | undefined): BatchSource | null =>
    table === undefined ? null : createFeatureSource({ table, batchSize: evaluationBatch });
  const { batchSize, stepsPerEpoch } = plan.phase;
  const testSource = inOrder(test);
  return {
    train: createFeatureSource({ table: train, batchSize, order: data.order, stepsPerEpoch }),
    test: testSource,
    validation: data.validation !== null && data.validation === data.test ? testSource : inOrder(validation),
  };
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
