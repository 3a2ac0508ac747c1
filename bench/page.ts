/**
 * What a person waits for in front of the page, measured in Chromium against browser mode: the start of the lab to a usable table of runs,
 * the image grid at any position, and the table at the size of product.md section 7. The server is the built program, the page's cache is
 * empty at every start, and each time within the page ends with the frame that was painted after the page shows what was asked for.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from '@playwright/test';
import { LabError } from '../src/shared/contract/errors.ts';
import { createStream } from '../src/shared/domain/rng.ts';
import { build, startServer } from '../test/e2e/labHost.ts';
import { fillHistory, type HistorySize } from './historyFixture.ts';
import { clockScript, jump, searchFor, showPicture, sortBy } from './pageClock.ts';
import { summarize, type Summary } from './statistics.ts';

export const pageName = 'page';

interface Limits {
  readonly requiredMs: number | null;
  readonly goalMs: number | null;
}

export interface PageTiming extends Limits {
  readonly name: string;
  readonly milliseconds: Summary;
}

export interface PageBenchResult {
  readonly size: HistorySize;
  readonly browser: string;
  /** Processes that wanted a core in the minute before, from the operating system. */
  readonly load: number;
  readonly timings: readonly PageTiming[];
}

export interface PageBenchOptions {
  readonly size: HistorySize;
  /** Repetitions of a start, of a jump in the grid, and of each act in the table. */
  readonly starts: number;
  readonly jumps: number;
  readonly turns: number;
  readonly signal: AbortSignal;
  readonly report: (line: string) => void;
}

const pictures = 60_000;
const startLimits: Limits = { requiredMs: 3000, goalMs: 2000 };
const gridLimits: Limits = { requiredMs: 200, goalMs: 100 };
const noLimits: Limits = { requiredMs: null, goalMs: null };
/** Words of the drawn history that no two times fit equally many runs in a row. */
const searchedWords = ['odd', 'keep', 'test 7', 'report', 'transfer', 'narrow'];
const patienceMs = 60_000;

/** Needs a build, and a gigabyte of temporary disk at full size; everything is removed afterwards. */
export async function benchPage(options: PageBenchOptions): Promise<PageBenchResult> {
  const program = join(build, 'main', 'cli.js');
  if (!existsSync(program)) {
    throw new LabError('not_found', 'The lab is not built.', { expected: program, help: 'Run `npm run build` first.' });
  }
  const folder = mkdtempSync(join(tmpdir(), 'lab-'));
  const [load = 0] = loadavg();
  const browser = await chromium.launch({ executablePath: process.env['LAB_CHROMIUM'] ?? '/usr/bin/chromium' });
  const abandon = (): void => void browser.close();
  options.signal.addEventListener('abort', abandon);
  try {
    const timings = await measureAll(browser, folder, options);
    return { size: options.size, browser: `Chromium ${browser.version()}`, load, timings };
  } finally {
    options.signal.removeEventListener('abort', abandon);
    await browser.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function measureAll(browser: Browser, folder: string, options: PageBenchOptions): Promise<PageTiming[]> {
  const { size, report } = options;
  const timings: PageTiming[] = [];
  const keep = (name: string, times: readonly number[], limits: Limits): void => {
    timings.push({ name, milliseconds: summarize(times), ...limits });
    report(`page: ${name} ${times.map((time) => time.toFixed(0)).join(' ')} ms`);
  };
  const empty = join(folder, 'empty');
  const full = join(folder, 'full');
  // The first start of all makes the workspace; the claim is about a lab that is set up.
  await withPage(browser, empty, () => Promise.resolve());
  const keepStarts = async (name: string, place: string): Promise<void> => {
    const { ready, painted } = await measureStarts(browser, place, options);
    keep(`start to a usable page, ${name}`, painted, startLimits);
    keep('of it until the address is printed', ready, noLimits);
  };
  await keepStarts('no runs', empty);
  keep('image grid of 60,000, random position', await withPage(browser, empty, (page) => measureGrid(page, options)), gridLimits);
  report(`page: writing ${size.runs} runs of ${size.epochsPerRun} epochs`);
  fillHistory(full, size);
  await withPage(browser, full, () => Promise.resolve());
  await keepStarts(`${size.runs} runs`, full);
  await withPage(browser, full, async (page) => {
    keep('runs: sort by another column', await measureSorting(page, options), noLimits);
    keep('runs: jump to the end, then to random rows', await measureRowJumps(page, options), noLimits);
    keep('runs: filter by a word, 200 ms of waiting for more letters included', await measureSearch(page, options), noLimits);
  });
  return timings;
}

/** Milliseconds from the start of the process to the printed address and to the painted page. */
async function measureStarts(
  browser: Browser,
  folder: string,
  { starts }: PageBenchOptions,
): Promise<{ ready: number[]; painted: number[] }> {
  const times = { ready: [] as number[], painted: [] as number[] };
  for (let turn = 0; turn < starts; turn += 1) {
    const began = performance.now();
    await withPage(browser, folder, (_page, readyAt) => {
      times.ready.push(readyAt - began);
      times.painted.push(performance.now() - began);
      return Promise.resolve();
    });
  }
  return times;
}

/** A server and a browser context of its own; `work` begins when the navigation and the runs, or what stands in their place, are painted. */
async function withPage<T>(browser: Browser, folder: string, work: (page: Page, readyAt: number) => Promise<T>): Promise<T> {
  // The browser runs already, as on a desk; the context's cache is empty.
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
  context.setDefaultTimeout(patienceMs);
  const server = await startServer(folder);
  try {
    const readyAt = performance.now();
    await context.addInitScript({ content: clockScript });
    const page = await context.newPage();
    await page.goto(server.url);
    await page.getByRole('navigation', { name: 'Views' }).waitFor();
    await page.getByRole('link', { name: 'Runs', exact: true }).click();
    const rows = page.locator('[role=grid] tbody a[href^="/runs/"]');
    await rows.or(page.getByText('No run was started yet')).first().waitFor();
    await page.evaluate('labClock(() => undefined, () => true)');
    return await work(page, readyAt);
  } finally {
    await context.close();
    await server.kill('SIGTERM');
  }
}

async function measureGrid(page: Page, { jumps }: PageBenchOptions): Promise<number[]> {
  await page.goto(new URL('/datasets/fashion-mnist?split=train', page.url()).href);
  await page.getByRole('status').getByText('60,000 images').waitFor();
  await page.locator('[role=listbox][aria-label=Images][aria-busy=false] [role=option]').first().waitFor();
  const stream = createStream(1, 'page', jumps);
  const times: number[] = [];
  for (let turn = 0; turn < jumps; turn += 1) {
    const position = stream.integer(pictures);
    await page.getByRole('textbox', { name: 'Go to image' }).fill(String(position));
    times.push(await measure(page, showPicture(position)));
  }
  return times;
}

async function measureSorting(page: Page, { turns }: PageBenchOptions): Promise<number[]> {
  const columnCount = await page.locator('[role=grid] thead th button').count();
  const times: number[] = [];
  for (let turn = 0; turn < turns; turn += 1) times.push(await measure(page, sortBy(turn % columnCount)));
  return times;
}

async function measureRowJumps(page: Page, { size, turns }: PageBenchOptions): Promise<number[]> {
  const stream = createStream(1, 'rows', size.runs);
  const times: number[] = [];
  for (let turn = 0; turn < turns; turn += 1) times.push(await measure(page, jump(turn === 0 ? 1 : stream.uniform())));
  return times;
}

async function measureSearch(page: Page, { turns }: PageBenchOptions): Promise<number[]> {
  const times: number[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    times.push(await measure(page, searchFor(searchedWords[turn % searchedWords.length] ?? '')));
  }
  return times;
}

async function measure(page: Page, script: string): Promise<number> {
  return Number(await page.evaluate(script));
}

/** A table in Markdown; a figure is met when the median is within it. */
export function renderPage({ size, browser, load, timings }: PageBenchResult, machine: string): string {
  const head = ['what', 'n', 'median ms', 'least to most', 'required ms', 'goal ms', 'verdict'];
  const rows = timings.map(({ name, milliseconds, requiredMs, goalMs }) => [
    name,
    milliseconds.n.toString(),
    milliseconds.median.toFixed(0),
    `${milliseconds.minimum.toFixed(0)} to ${milliseconds.maximum.toFixed(0)}`,
    requiredMs?.toString() ?? '',
    goalMs?.toString() ?? '',
    verdictOf(milliseconds.median, requiredMs, goalMs),
  ]);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    `## The page, with ${size.runs} runs and ${size.runs * size.epochsPerRun} epochs`,
    '',
    `${machine}; ${browser}. Load before: ${load.toFixed(1)}. Frames per second are not measured here.`,
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
