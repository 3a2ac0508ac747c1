// Nothing is lost, on the real trainer: the trainer or its parent is killed in the middle, the run is resumed, and the final weights equal
// those of an undisturbed run byte for byte. Whole processes, the command line and the bundled data.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

const commandLine = join(import.meta.dirname, '../src/main/cli.ts');
const eventSchema = z.looseObject({ type: z.string(), runId: z.string().optional() });
type Event = z.infer<typeof eventSchema>;

const folder = mkdtempSync(join(tmpdir(), 'lab-recovery-'));
const recipeFile = join(folder, 'recipe.json');
let straight: Buffer = Buffer.alloc(0);

interface Command {
  readonly child: ChildProcess;
  readonly events: Event[];
  readonly exit: Promise<{ code: number | null; signal: string | null; errors: string }>;
  /** Resolves with the first event that fits, past or future. */
  until(fits: (event: Event) => boolean): Promise<Event>;
}

/** Runs `lab ARGUMENTS --json` from the sources in a process of its own. */
function lab(workspace: string, ...parameters: readonly string[]): Command {
  const child = spawn(process.execPath, [commandLine, ...parameters, '--json', '--workspace', workspace], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const events: Event[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((text) => text.startsWith('{"type"'))) events.push(eventSchema.parse(JSON.parse(line)));
    for (const wake of waiting) wake();
  });
  const exit = new Promise<{ code: number | null; signal: string | null; errors: string }>((resolve) => {
    child.on('close', (code, signal) => {
      resolve({ code, signal, errors });
      for (const wake of waiting) wake();
    });
  });
  const until = (fits: (event: Event) => boolean): Promise<Event> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = events.find(fits);
        if (found !== undefined) resolve(found);
        else if (child.exitCode !== null || child.signalCode !== null) reject(new Error(`The command ended too early: ${errors}`));
      };
      waiting.add(look);
      look();
    });
  return { child, events, exit, until };
}

async function ask(workspace: string, ...parameters: readonly string[]): Promise<unknown> {
  const child = spawn(process.execPath, [commandLine, ...parameters, '--json', '--workspace', workspace], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await new Promise((resolve) => child.on('close', resolve));
  return JSON.parse(text);
}

const isEpoch = (phase: string, epoch: number) => (event: Event) =>
  event.type === 'epoch.finished' && event['phase'] === phase && event['epoch'] === epoch;

function readFinalWeights(workspace: string, runId: string): Buffer {
  return readFileSync(join(workspace, 'runs', runId, 'phases/2/weights.safetensors'));
}

async function stateOf(workspace: string): Promise<string | undefined> {
  const answer = z.looseObject({ runs: z.array(z.looseObject({ state: z.string() })) }).parse(await ask(workspace, 'runs', 'list'));
  return answer.runs[0]?.state;
}

/** Every trainer process that still serves `workspace`, from the process table. */
function findTrainers(workspace: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((id) => {
      try {
        const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? '';
        const line = readFileSync(`/proc/${id}/cmdline`, 'utf8');
        return line.includes('trainer.ts') && readFileSync(`/proc/${parent}/cmdline`, 'utf8').includes(workspace);
      } catch {
        return false;
      }
    });
}

async function resumeAndCompare(workspace: string, runId: string): Promise<void> {
  expect(await stateOf(workspace)).toBe('interrupted');
  const resumed = lab(workspace, 'resume', runId);
  expect(await resumed.exit).toMatchObject({ code: 0 });
  expect(await stateOf(workspace)).toBe('finished');
  expect(readFinalWeights(workspace, runId).equals(straight)).toBe(true);
}

beforeAll(async () => {
  const phase = { optimizer: { type: 'Adam' }, batchSize: 32 };
  const recipe = {
    version: 1,
    id: 'recovery',
    title: 'Recovery',
    dataset: { id: 'mnist-10k', classes: Array.from({ length: 10 }, (_, index) => String(index)), shape: [28, 28, 1] },
    splits: Object.fromEntries(
      ['document', 'sound'].map((name) => [
        name,
        { test: { type: 'count', count: 500 }, validation: { type: 'fraction', fraction: 0.1 }, trainLimit: 3000 },
      ]),
    ),
    network: {
      layers: [
        { type: 'Conv2D', name: 'conv', filters: 8, kernelSize: 3, activation: 'relu' },
        { type: 'MaxPooling2D', name: 'pool' },
        { type: 'Dropout', name: 'drop', rate: 0.25 },
        { type: 'Flatten', name: 'flat' },
        { type: 'Dense', name: 'answer', units: 10, activation: 'softmax' },
      ],
    },
    phases: [
      { name: 'full', ...phase, epochs: 4 },
      { name: 'tuned', ...phase, epochs: 4, trainable: { type: 'freezeUpTo', layer: 'pool' } },
    ],
  };
  writeFileSync(recipeFile, JSON.stringify(recipe));
  const workspace = join(folder, 'straight');
  const run = lab(workspace, 'run', recipeFile, '--seeds', '7');
  expect(await run.exit).toMatchObject({ code: 0 });
  const started = await run.until((event) => event.type === 'run.started');
  straight = readFinalWeights(workspace, started.runId ?? '');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('kill -9', () => {
  it.each([
    ['full', 2],
    ['tuned', 1],
  ])('of the trainer in phase %s after epoch %i loses nothing', async (phase, epoch) => {
    const workspace = join(folder, `trainer-${phase}`);
    const run = lab(workspace, 'run', recipeFile, '--seeds', '7');
    const { runId = '' } = await run.until((event) => event.type === 'run.started');
    await run.until(isEpoch(phase, epoch));
    const trainers = findTrainers(workspace);
    expect(trainers).toHaveLength(1);
    for (const trainer of trainers) process.kill(trainer, 'SIGKILL');
    expect(await run.exit).toMatchObject({ code: 3 });
    expect(run.events.at(-1)).toMatchObject({ type: 'run.failed', state: 'interrupted' });
    await resumeAndCompare(workspace, runId);
  });

  it('of the parent ends the trainer too and loses nothing', async () => {
    const workspace = join(folder, 'parent');
    const run = lab(workspace, 'run', recipeFile, '--seeds', '7');
    const { runId = '' } = await run.until((event) => event.type === 'run.started');
    await run.until(isEpoch('full', 2));
    const trainers = findTrainers(workspace);
    run.child.kill('SIGKILL');
    await run.exit;
    await expect.poll(() => trainers.filter(isAlive), { timeout: 3000 }).toEqual([]);
    await resumeAndCompare(workspace, runId);
  });
});

describe('another terminal', () => {
  it('lists, stops and resumes a run while it trains', async () => {
    const workspace = join(folder, 'terminals');
    // Long enough for two commands to arrive while it trains.
    const longer = ['--set', 'splits.document.trainLimit=null', '--set', 'phases.0.epochs=12'];
    const run = lab(workspace, 'run', recipeFile, ...longer);
    const { runId = '' } = await run.until((event) => event.type === 'run.started');
    await run.until(isEpoch('full', 1));
    expect(await stateOf(workspace)).toBe('running');
    expect(await ask(workspace, 'stop', runId)).toEqual({ runId, state: 'stopped' });
    expect(await run.exit).toMatchObject({ code: 130 });
    const resumed = lab(workspace, 'resume', runId);
    expect(await resumed.exit).toMatchObject({ code: 0 });
    expect(await stateOf(workspace)).toBe('finished');
    expect(resumed.events.filter((event) => event.type === 'epoch.finished').length).toBeLessThan(16);
  });
});

function isAlive(id: number): boolean {
  try {
    return !readFileSync(`/proc/${id}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}
