// Runs one side as a whole separate process in an environment that is the same for both, and reads its one line of JSON.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, join } from 'node:path';
import type { z } from 'zod';
import { LabError } from '../src/shared/contract/errors.ts';
import { measuredSchema, memorySchema, preparedSchema, type KerasVariant, type Measured, type Prepared, type Work } from './exchange.ts';

export interface SideTools {
  readonly python: string;
  /** Scratch; one request file and folder per process. */
  readonly folder: string;
  /** Ends the running process. */
  readonly signal: AbortSignal;
}

/** A measurement and the share of the machine that other programs took meanwhile (0..1). */
export interface Run extends Measured {
  readonly foreignShare: number;
}

/** Settings of TensorFlow, its libraries and Python that a person may have; neither side sees them. */
const removedSettings = /^(?:TF_|XLA_|OMP_|KMP_|MKL_|DNNL_|ONEDNN_|OPENBLAS_|KERAS_|PYTHON|NODE_|VIRTUAL_ENV$|LD_PRELOAD$|MALLOC_)/;

/** What both processes see besides the person's environment; thread counts stay unset, so that both take TensorFlow's default. */
export const sideSettings = {
  TF_ENABLE_ONEDNN_OPTS: '1',
  TF_CPP_MIN_LOG_LEVEL: '2',
  CUDA_VISIBLE_DEVICES: '-1',
  LAB_NATIVE: 'cpu',
  KERAS_BACKEND: 'tensorflow',
} as const;

export function prepareWork(work: Work, tools: SideTools): Promise<Prepared> {
  return runOurs('prepare', work, tools, preparedSchema);
}

export function measureOurs(work: Work, tools: SideTools): Promise<Run> {
  return watchMachine(() => runOurs('measure', work, tools, measuredSchema));
}

export function measureKeras(work: Work, prepared: Prepared, variant: KerasVariant, tools: SideTools): Promise<Run> {
  return watchMachine(() => runKeras('speed', { work, prepared, variant }, tools, measuredSchema));
}

/** Peak bytes of a Keras process that calls fit once, without the warm-up that the clock needs. */
export async function measureKerasMemory(work: Work, prepared: Prepared, tools: SideTools): Promise<number> {
  const variant: KerasVariant = { jit: 'auto', scope: 'phase' };
  return (await runKeras('memory', { work, prepared, variant }, tools, memorySchema)).peakBytes;
}

interface KerasTask {
  readonly work: Work;
  readonly prepared: Prepared;
  readonly variant: KerasVariant;
}

function runKeras<Answer>(purpose: 'speed' | 'memory', task: KerasTask, tools: SideTools, schema: z.ZodType<Answer>): Promise<Answer> {
  const request = { ...task, purpose, startedAt: Date.now() };
  return runSide(tools.python, join(import.meta.dirname, 'keras_side.py'), request, tools, schema);
}

function runOurs<Answer>(action: 'prepare' | 'measure', work: Work, tools: SideTools, schema: z.ZodType<Answer>): Promise<Answer> {
  const request = { do: action, work, folder: join(tools.folder, 'ours'), startedAt: Date.now() };
  return runSide(process.execPath, join(import.meta.dirname, 'ours.ts'), request, tools, schema);
}

async function runSide<Answer>(
  program: string,
  script: string,
  request: unknown,
  tools: SideTools,
  schema: z.ZodType<Answer>,
): Promise<Answer> {
  const file = join(tools.folder, 'request.json');
  writeFileSync(file, JSON.stringify(request));
  const { code, output, errors } = await new Promise<{ code: string; output: string; errors: string }>((resolve, reject) => {
    const kept = Object.entries(process.env).filter(([name]) => !removedSettings.test(name));
    const env = { ...Object.fromEntries(kept), ...sideSettings };
    const child = spawn(program, [script, file], { env, stdio: ['ignore', 'pipe', 'pipe'], signal: tools.signal });
    const chunks = { output: '', errors: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (chunks.output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (chunks.errors += text));
    child.once('error', reject);
    child.once('close', (exitCode, signal) => resolve({ code: String(exitCode ?? signal), ...chunks }));
  });
  const line = output.trimEnd().split('\n').at(-1) ?? '';
  if (code === '0' && line.startsWith('{')) return schema.parse(JSON.parse(line));
  throw new LabError('internal', `${basename(script)} failed.`, {
    expected: 'one line of JSON and exit code 0',
    received: `exit code ${code}: ${errors.trimEnd().split('\n').slice(-15).join('\n')}`,
    help: 'Repeat with --quick and --only to find the cause.',
  });
}

async function watchMachine(measure: () => Promise<Measured>): Promise<Run> {
  const [busyBefore, started] = [readBusySeconds(), performance.now()];
  const measured = await measure();
  const available = ((performance.now() - started) / 1000) * cpus().length;
  const foreign = readBusySeconds() - busyBefore - measured.processCpuSeconds;
  return { ...measured, foreignShare: Math.min(1, Math.max(0, foreign / available)) };
}

/** Processor seconds of all programs since the start of the machine, time stolen by its host included (proc_stat(5), in 1/100 s). */
function readBusySeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '')
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / 100;
}
