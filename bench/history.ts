/**
 * The history at the size of product.md section 7: 10,000 runs with 10,000,000 epochs are written to a new workspace, the core is opened on
 * it, and its answers are timed over the memory port, encoding and decoding included. Painting them is not measured here.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as rest } from 'node:timers/promises';
import type { RunQuery } from '../src/shared/contract/methods/runs.ts';
import type { Client } from '../src/shared/rpcClient.ts';
import { startCore, type CoreOptions } from '../src/main/core.ts';
import { fillHistory, type HistorySize } from './historyFixture.ts';
import { summarize, type Summary } from './statistics.ts';

export const historyName = 'history';

export interface HistoryTiming {
  readonly name: string;
  /** Of the whole answer. */
  readonly milliseconds: Summary;
  /** The longest time for which the core did nothing else, over all repetitions. */
  readonly longestBlockMs: number;
  readonly requiredMs: number | null;
  readonly goalMs: number | null;
}

export interface HistoryBenchResult {
  readonly size: HistorySize;
  readonly fillSeconds: number;
  readonly databaseBytes: number;
  readonly openSeconds: number;
  readonly timings: readonly HistoryTiming[];
}

interface Question {
  readonly name: string;
  readonly requiredMs: number | null;
  /** `turn` counts from 0 and varies what is asked, so that no answer is a repetition. */
  readonly ask: (client: Client, turn: number) => Promise<unknown>;
}

const turns = 15;
const sortFields = ['testAccuracy', 'bestValidationAccuracy', 'createdAt', 'seconds', 'name', 'recipe.phases[0].optimizer.learningRate'];
const columns = ['recipe.phases[0].batchSize', 'recipe.phases[0].optimizer.learningRate'];
const twoSettings = [
  { field: 'recipe.phases[0].batchSize', operator: '=', value: 64 },
  { field: 'recipe.phases[0].optimizer.learningRate', operator: '<', value: 0.01 },
] as const;

const sortOf = (turn: number): NonNullable<RunQuery['sort']> => [
  { field: sortFields[turn % sortFields.length] ?? 'name', isDescending: turn % 2 === 0 },
];
const page = (client: Client, query: RunQuery): Promise<unknown> => client.call('runs.query', { columns, ...query });

async function idsOf(client: Client, turn: number, limit: number): Promise<string[]> {
  const { rows } = await client.call('runs.query', { offset: turn * 37, limit });
  return rows.map((row) => row.runId);
}

function listQuestions(chosenIds: readonly string[][]): Question[] {
  const idsAt = (turn: number): string[] => chosenIds[turn] ?? [];
  return [
    { name: 'sorted page of 100 runs', requiredMs: 100, ask: (client, turn) => page(client, { sort: sortOf(turn), offset: turn * 500 }) },
    {
      name: 'page of runs with two settings',
      requiredMs: 100,
      ask: (client, turn) => page(client, { sort: sortOf(turn), filters: [...twoSettings] }),
    },
    { name: 'page of runs with a text', requiredMs: 100, ask: (client, turn) => page(client, { sort: sortOf(turn), text: `odd` }) },
    {
      name: 'one run with its curves',
      requiredMs: 200,
      ask: async (client, turn) => {
        const [run = ''] = idsAt(turn);
        await Promise.all([client.call('runs.show', { run }), client.call('runs.series', { runs: [run] })]);
      },
    },
    {
      name: '100 curves of 250 points',
      requiredMs: 500,
      ask: (client, turn) => client.call('runs.series', { runs: idsAt(turn), maxPoints: 250, metrics: ['validationAccuracy'] }),
    },
    {
      name: 'fields and tags',
      requiredMs: null,
      ask: (client) => Promise.all([client.call('runs.fields', {}), client.call('runs.tags', {})]),
    },
  ];
}

/** Needs about a gigabyte of temporary disk at full size; everything is removed afterwards. */
export async function benchHistory(size: HistorySize, report: (line: string) => void): Promise<HistoryBenchResult> {
  const folder = mkdtempSync(join(tmpdir(), 'lab-'));
  try {
    report(`history: writing ${size.runs} runs of ${size.epochsPerRun} epochs`);
    const fillBegan = performance.now();
    fillHistory(folder, size);
    const openBegan = performance.now();
    const core = await startCore(optionsFor(folder));
    if (core === undefined) throw new Error('The new workspace has another owner.');
    const openSeconds = (performance.now() - openBegan) / 1000;
    try {
      const client = await core.connect();
      const timings = await measureAll(client, report);
      const databaseBytes = statSync(join(folder, 'lab.sqlite')).size;
      return { size, fillSeconds: (openBegan - fillBegan) / 1000, databaseBytes, openSeconds, timings };
    } finally {
      await core.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureAll(client: Client, report: (line: string) => void): Promise<HistoryTiming[]> {
  const chosenIds: string[][] = [];
  for (let turn = 0; turn < turns; turn += 1) chosenIds.push(await idsOf(client, turn, 100));
  const timings: HistoryTiming[] = [];
  for (const { name, requiredMs, ask } of listQuestions(chosenIds)) {
    const times: number[] = [];
    const delay = monitorEventLoopDelay({ resolution: 1 });
    await rest(50);
    delay.enable();
    for (let turn = 0; turn < turns; turn += 1) {
      const began = performance.now();
      await ask(client, turn);
      times.push(performance.now() - began);
      await rest(5);
    }
    delay.disable();
    timings.push({
      name,
      milliseconds: summarize(times),
      longestBlockMs: delay.max / 1e6,
      requiredMs,
      goalMs: requiredMs === null ? null : requiredMs / 2,
    });
    report(`history: ${name} ${times.map((time) => time.toFixed(1)).join(' ')} ms`);
  }
  return timings;
}

function optionsFor(folder: string): CoreOptions {
  const source = join(import.meta.dirname, '..', 'src', 'main');
  const children = {
    trainer: 'trainer.ts',
    importer: 'importer.ts',
    viewer: 'viewer.ts',
    reporter: 'reporter.ts',
    converter: 'converter.ts',
  } as const;
  const entries = Object.entries(children).map(([name, file]) => [name, join(source, file)] as const);
  const programs = { node: process.execPath, ...(Object.fromEntries(entries) as Record<keyof typeof children, string>) };
  const resourcesFolder = join(import.meta.dirname, '..', 'resources');
  return { folder, kind: 'bench', programs, resourcesFolder, version: '0.0.0', isOutputValidated: false };
}

/** A table in Markdown; a figure is met when the median is within it. */
export function renderHistory({ size, fillSeconds, databaseBytes, openSeconds, timings }: HistoryBenchResult): string {
  const head = ['what', 'median ms', 'least to most', 'longest block ms', 'required ms', 'goal ms', 'verdict'];
  const rows = timings.map(({ name, milliseconds, longestBlockMs, requiredMs, goalMs }) => [
    name,
    milliseconds.median.toFixed(1),
    `${milliseconds.minimum.toFixed(1)} to ${milliseconds.maximum.toFixed(1)}`,
    longestBlockMs.toFixed(0),
    requiredMs?.toString() ?? '',
    goalMs?.toString() ?? '',
    verdictOf(milliseconds.median, requiredMs, goalMs),
  ]);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    `## History of ${size.runs} runs and ${size.runs * size.epochsPerRun} epochs`,
    '',
    `Written in ${fillSeconds.toFixed(0)} s, ${(databaseBytes / 1e6).toFixed(0)} MB, opened in ${openSeconds.toFixed(2)} s. Answers over the`,
    `memory port, n = ${timings[0]?.milliseconds.n ?? 0} each, all different; painting is not measured here.`,
    '',
    line(head),
    line(head.map(() => '---')),
    ...rows.map(line),
    '',
  ].join('\n');
}

function verdictOf(median: number, required: number | null, goal: number | null): string {
  if (required === null || goal === null) return '';
  if (median <= goal) return 'goal met';
  return median <= required ? 'met' : 'not met';
}
