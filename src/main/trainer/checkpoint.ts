// Checkpoints of a run: one folder per save with manifest.json (sizes and SHA-256, written last), values.safetensors and, where a better
// epoch is kept, best.safetensors. The reader takes the newest folder that verifies; a damaged one is skipped and said.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LabError } from '../../shared/contract/errors.ts';
import { epochReportSchema } from '../../shared/contract/worker.ts';
import { decodeTensors, encodeTensors, type NamedTensor } from '../engine/safetensors.ts';
import { policyStateSchema } from './policyState.ts';
import { flushFolder, renameFlushed, writeFlushed } from './files.ts';

const kept = 2;

export const progressSchema = z.strictObject({
  phase: z.int().nonnegative(),
  /** Epochs completed in this phase. */
  epoch: z.int().nonnegative(),
  /** Steps done in the epoch after that; not 0 only when the run was stopped in the middle of an epoch. */
  stepInEpoch: z.int().nonnegative(),
  /** Training seconds already spent in the unfinished epoch. */
  partialSeconds: z.number().nonnegative(),
  phaseSeconds: z.number().nonnegative(),
  policies: policyStateSchema,
  epochs: z.array(epochReportSchema),
  isPhaseOver: z.boolean(),
});
export type TrainingProgress = z.infer<typeof progressSchema>;

const manifestSchema = z.strictObject({
  version: z.literal(1),
  runId: z.string(),
  planHash: z.string(),
  progress: progressSchema,
  files: z.array(z.strictObject({ name: z.string(), bytes: z.int(), sha256: z.string() })),
});

export interface Checkpoint {
  readonly progress: TrainingProgress;
  readonly values: readonly NamedTensor[];
  readonly best: readonly NamedTensor[] | null;
}

export interface CheckpointStore {
  /** Atomic; returns after everything is on the disk. Older checkpoints beyond two are removed afterwards. */
  write(checkpoint: Checkpoint): void;
  readNewest(onSkip: (folder: string, reason: string) => void): Checkpoint | null;
}

/** Checkpoints in `folder`, which belongs to one run; `planHash` ties them to recipe, seed and dataset. */
export function openCheckpoints(folder: string, runId: string, planHash: string): CheckpointStore {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith('.writing-'))) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
  return {
    write: (checkpoint) => writeCheckpoint(folder, runId, planHash, checkpoint),
    readNewest: (onSkip) => readNewest(folder, runId, planHash, onSkip),
  };
}

function listCheckpoints(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^checkpoint-\d{8}$/.test(name))
    .sort();
}

function writeCheckpoint(folder: string, runId: string, planHash: string, checkpoint: Checkpoint): void {
  const existing = listCheckpoints(folder);
  const number = Number(existing.at(-1)?.slice('checkpoint-'.length) ?? 0) + 1;
  const name = `checkpoint-${String(number).padStart(8, '0')}`;
  const temporary = join(folder, `.writing-${number}`);
  mkdirSync(temporary);
  const files = [];
  for (const [file, tensors] of [['values.safetensors', checkpoint.values] as const, ['best.safetensors', checkpoint.best] as const]) {
    if (tensors !== null) files.push({ name: file, ...writeFlushed(join(temporary, file), encodeTensors(tensors)) });
  }
  const manifest = { version: 1, runId, planHash, progress: checkpoint.progress, files };
  writeFlushed(join(temporary, 'manifest.json'), [new TextEncoder().encode(JSON.stringify(manifest))]);
  flushFolder(temporary);
  renameFlushed(temporary, join(folder, name));
  for (const old of [...existing, name].slice(0, -kept)) rmSync(join(folder, old), { recursive: true, force: true });
}

function readNewest(folder: string, runId: string, planHash: string, onSkip: (folder: string, reason: string) => void): Checkpoint | null {
  for (const name of listCheckpoints(folder).reverse()) {
    try {
      return readCheckpoint(join(folder, name), runId, planHash);
    } catch (error) {
      onSkip(name, error instanceof Error ? error.message : String(error));
    }
  }
  return null;
}

function readCheckpoint(folder: string, runId: string, planHash: string): Checkpoint {
  const manifest = manifestSchema.parse(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')));
  if (manifest.runId !== runId || manifest.planHash !== planHash) {
    throw new LabError('conflict', 'The checkpoint belongs to another recipe, seed or dataset.', {
      expected: planHash,
      received: manifest.planHash,
    });
  }
  const contents = new Map<string, NamedTensor[]>();
  for (const file of manifest.files) {
    const path = join(folder, file.name);
    if (!existsSync(path)) throw new LabError('bad_input', `${file.name} is missing.`);
    const bytes = readFileSync(path);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (bytes.length !== file.bytes || sha256 !== file.sha256) {
      throw new LabError('bad_input', `${file.name} is damaged.`, { expected: file.sha256, received: sha256 });
    }
    contents.set(file.name, decodeTensors(bytes, file.name).tensors);
  }
  const values = contents.get('values.safetensors');
  if (values === undefined) throw new LabError('bad_input', 'The checkpoint has no values.');
  return { progress: manifest.progress, values, best: contents.get('best.safetensors') ?? null };
}
