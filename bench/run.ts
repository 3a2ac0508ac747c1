/**
 * `npm run bench`: our training against Keras on the same TensorFlow, side by side on this machine.
 *
 * Each row of rows.ts is measured by whole processes in turn - ours, Keras with jit_compile auto, Keras without, ours again ... - that
 * start from equal weights and see equal batches. The better Keras counts. Results go to bench/results; no figure fails the program.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { materializeBundled } from '../src/main/data/bundled.ts';
import { toWire, LabError } from '../src/shared/contract/errors.ts';
import { recipeSchema, type Recipe } from '../src/shared/contract/schema.ts';
import { benchAugmentation, type AugmentationBenchResult } from './augment.ts';
import { judge } from './claims.ts';
import { benchFolder, preparePython } from './environment.ts';
import type { KerasVariant, Work } from './exchange.ts';
import { benchHistory, historyName, renderHistory } from './history.ts';
import { fullSize } from './historyFixture.ts';
import { describeOrigin } from './origin.ts';
import { benchPage, pageName, renderPage } from './page.ts';
import { renderReport, type BenchResult } from './report.ts';
import { augmentationName, rows, type Row } from './rows.ts';
import { measureKeras, measureKerasMemory, measureOurs, prepareWork, sideSettings, type Run, type SideTools } from './side.ts';
import { summarizeRow, type RowResult } from './summary.ts';
import { enlargePictures, simplify } from './zooRows.ts';

const resources = join(import.meta.dirname, '..', 'resources');
const resultsFolder = join(import.meta.dirname, 'results');
const seed = 1;
const warmupSteps = 20;

const help = `Usage: npm run bench -- [--quick] [--only NAME]... [--repeats N] [--full]

  --quick      one alternation of 60 steps per row; prints, but stores no result
  --only NAME  only rows whose name contains NAME; may be repeated
  --repeats N  alternations (3)
  --full       also Keras with jit_compile=True, once per row

Rows: ${[...rows.map((row) => row.name), augmentationName, historyName, pageName].join(', ')}
`;

interface Options {
  readonly isQuick: boolean;
  readonly isFull: boolean;
  readonly only: readonly string[];
  readonly repeats: number;
}

const controller = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => controller.abort());

try {
  const options = readOptions();
  if (options === 'help') process.stdout.write(help);
  else await bench(options);
} catch (error) {
  if (controller.signal.aborted) {
    report('Stopped; nothing was stored.');
    process.exitCode = 130;
  } else {
    const { code, message, expected, received, help: advice } = toWire(error);
    const details = { expected, received, help: advice };
    report(`error: ${message}`);
    for (const [name, text] of Object.entries(details)) if (text !== undefined) report(`  ${name}: ${text}`);
    process.exitCode = code === 'bad_usage' ? 2 : 1;
  }
}

function report(line: string): void {
  process.stderr.write(`${line}\n`);
}

function readOptions(): Options | 'help' {
  const options = {
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    repeats: { type: 'string' },
    help: { type: 'boolean', default: false },
  } as const;
  try {
    const { values } = parseArgs({ options });
    if (values.help) return 'help';
    const repeats = z.coerce
      .number()
      .int()
      .min(1)
      .parse(values.repeats ?? (values.quick ? 1 : 3));
    return { isQuick: values.quick, isFull: values.full, only: values.only ?? [], repeats };
  } catch (cause) {
    const received = process.argv.slice(2).join(' ');
    throw new LabError('bad_usage', 'The command line was not understood.', { received, help, cause });
  }
}

async function bench(options: Options): Promise<void> {
  const isChosen = (name: string): boolean => options.only.length === 0 || options.only.some((part) => name.includes(part));
  const chosen = rows.filter((row) => isChosen(row.name));
  const isAugmenting = isChosen(augmentationName);
  const isPeered = chosen.length > 0 || isAugmenting;
  if (!isPeered && !isChosen(historyName) && !isChosen(pageName)) {
    throw new LabError('bad_usage', 'No row has such a name.', { received: options.only.join(', '), help });
  }
  if (isPeered) await benchAgainstKeras(chosen, isAugmenting, options);
  if (isChosen(historyName)) await reportHistory(options);
  if (isChosen(pageName)) await reportPage(options);
}

async function reportHistory(options: Options): Promise<void> {
  const startedAt = new Date().toISOString();
  const result = await benchHistory(options.isQuick ? { runs: 1000, epochsPerRun: 100 } : fullSize, report);
  const origin = describeOrigin();
  const text = renderHistory(result);
  process.stdout.write(text);
  if (!options.isQuick) storeAs(nameOf(startedAt, origin.cpu, [historyName]), { startedAt, origin, ...result }, text);
}

async function reportPage(options: Options): Promise<void> {
  const startedAt = new Date().toISOString();
  const [size, counts] = options.isQuick
    ? [
        { runs: 1000, epochsPerRun: 10 },
        { starts: 2, jumps: 10, turns: 5 },
      ]
    : [fullSize, { starts: 5, jumps: 30, turns: 15 }];
  const result = await benchPage({ size, ...counts, signal: controller.signal, report });
  const origin = describeOrigin();
  const versions = Object.entries(origin.versions).map((entry) => entry.join(' '));
  const text = renderPage(result, [`${origin.cpu}, ${origin.cores} cores`, ...versions].join('; '));
  process.stdout.write(text);
  if (!options.isQuick) storeAs(nameOf(startedAt, origin.cpu, [pageName]), { startedAt, origin, ...result }, text);
}

async function benchAgainstKeras(chosen: readonly Row[], isAugmenting: boolean, options: Options): Promise<void> {
  const startedAt = new Date();
  const python = await preparePython(report);
  const folder = mkdtempSync(join(tmpdir(), 'transfer-lab-bench-'));
  try {
    const tools: SideTools = { python, folder, signal: controller.signal };
    const { raw, failures } = await measureRows(chosen, options, tools);
    const augmentation = isAugmenting ? await augment(python, options, failures) : null;
    finish({ raw, failures, augmentation, options, startedAt });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Failure = BenchResult['failures'][number];

/** A row that fails is reported and leaves the others alone. */
async function measureRows(chosen: readonly Row[], options: Options, tools: SideTools): Promise<{ raw: RowResult[]; failures: Failure[] }> {
  const raw: RowResult[] = [];
  const failures: Failure[] = [];
  for (const row of chosen) {
    try {
      raw.push(await measureRow(row, options, tools));
    } catch (error) {
      if (controller.signal.aborted) throw error;
      const { message, received = '' } = toWire(error);
      // The stored text has the last line only: a trace would carry this machine's paths into the repository.
      failures.push({ name: row.name, message: `${message} ${received.split('\n').at(-1) ?? ''}` });
      report(`${row.name} failed: ${message} ${received}`);
    }
  }
  return { raw, failures };
}

async function measureRow(row: Row, options: Options, tools: SideTools): Promise<RowResult> {
  const work = await openWork(row, options, tools.folder);
  const prepared = await prepareWork(work, tools);
  const scopes = row.kind === 'frozen' ? (['phase', 'full'] as const) : (['phase'] as const);
  const variants: KerasVariant[] = scopes.flatMap((scope) => (['auto', 'false'] as const).map((jit) => ({ jit, scope })));
  const keras = variants.map((variant) => ({ variant, runs: [] as Run[] }));
  const ours: Run[] = [];
  for (let turn = 1; turn <= options.repeats; turn++) {
    const mine = await measureOurs(work, tools);
    ours.push(mine);
    report(`${row.name} ${turn}/${options.repeats}: ours ${describeRun(mine)}`);
    for (const { variant, runs } of keras) {
      if (isSameAsAuto(variant, keras)) continue;
      const run = await measureKeras(work, prepared, variant, tools);
      runs.push(run);
      report(`${row.name} ${turn}/${options.repeats}: Keras ${variant.scope} jit ${variant.jit} ${describeRun(run)}`);
    }
  }
  if (options.isFull) {
    const variant: KerasVariant = { jit: 'true', scope: 'phase' };
    const run = await measureKeras({ ...work, timedSteps: work.timedSteps ?? 100 }, prepared, variant, tools);
    report(`${row.name}, once: Keras jit true ${describeRun(run)}`);
    keras.push({ variant, runs: [run] });
  }
  const kerasPeakBytes = await measureKerasMemory(work, prepared, tools);
  return { row, hasDropout: prepared.hasDropout, ours, keras: keras.filter(({ runs }) => runs.length > 0), kerasPeakBytes };
}

/** Where Keras resolves `auto` to no compilation, a run without jit would be the same program a second time. */
function isSameAsAuto(variant: KerasVariant, keras: readonly { variant: KerasVariant; runs: readonly Run[] }[]): boolean {
  if (variant.jit !== 'false') return false;
  const auto = keras.find((other) => other.variant.jit === 'auto' && other.variant.scope === variant.scope);
  return auto?.runs[0]?.jitCompile === false;
}

async function openWork(row: Row, options: Options, folder: string): Promise<Work> {
  const template = recipeSchema.parse(JSON.parse(readFileSync(join(resources, 'recipes', `${row.recipe}.json`), 'utf8')));
  const { recipe, datasetFolder } = await openPictures(template, row);
  const phases = recipe.phases.map((phase, index) => (index === row.phase ? { ...phase, precision: row.precision } : phase));
  return {
    recipe: { ...recipe, phases },
    phase: row.phase,
    seed,
    datasetFolder,
    weightsFile: join(folder, 'weights.safetensors'),
    warmupSteps,
    timedSteps: options.isQuick ? 60 : row.timedSteps,
  };
}

async function openPictures(template: Recipe, { zoo }: Row): Promise<{ recipe: Recipe; datasetFolder: string }> {
  const folder = join(benchFolder(), 'datasets');
  mkdirSync(folder, { recursive: true });
  const bundled = zoo === undefined ? template.dataset.id : 'fashion-mnist';
  const datasetFolder = join(folder, bundled);
  await materializeBundled(bundled, join(resources, 'datasets'), datasetFolder);
  if (zoo === undefined) return { recipe: template, datasetFolder };
  const enlarged = join(folder, `pictures-${zoo.side}-${zoo.pictures}`);
  const classes = await enlargePictures(datasetFolder, enlarged, zoo);
  return { recipe: simplify(template, zoo, classes), datasetFolder: enlarged };
}

function describeRun(run: Run): string {
  const step = ((run.seconds / run.steps) * 1000).toFixed(2);
  return `${step} ms per step, ${run.steps} steps, loss ${run.loss.toFixed(5)}, others ${(run.foreignShare * 100).toFixed(0)} %`;
}

async function augment(python: string, options: Options, failures: Failure[]): Promise<AugmentationBenchResult | null> {
  try {
    return await benchAugmentation({ python, repeats: options.repeats, onProgress: (line) => report(`augmentation ${line}`) });
  } catch (error) {
    if (controller.signal.aborted) throw error;
    failures.push({ name: augmentationName, message: toWire(error).message });
    return null;
  }
}

interface Measurements extends Pick<BenchResult, 'raw' | 'failures' | 'augmentation'> {
  readonly options: Options;
  readonly startedAt: Date;
}

function finish({ raw, failures, augmentation, options, startedAt }: Measurements): void {
  const origin = describeOrigin();
  const summaries = raw.map(summarizeRow);
  const augmentationRatio = augmentation?.ratio ?? null;
  const runs = raw.flatMap(({ ours, keras }) => [...keras.flatMap((side) => side.runs), ...ours]);
  // Both sides name their TensorFlow; they are told apart, because equal libraries are what makes this a comparison.
  const sides = raw.flatMap(({ ours, keras }) => [ours[0], keras[0]?.runs[0]]);
  const [ourTensorflow, kerasTensorflow] = sides.map((run) => run?.versions['tensorflow'] ?? '');
  const peerVersions = Object.assign({}, ...runs.map((run) => run.versions), augmentation?.versions) as Record<string, string>;
  const versions = { ...origin.versions, ...peerVersions, tensorflow: `${ourTensorflow ?? ''} (ours), ${kerasTensorflow ?? ''} (Keras)` };
  const result: BenchResult = {
    startedAt: startedAt.toISOString(),
    seconds: (Date.now() - startedAt.getTime()) / 1000,
    commandLine: ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' '),
    origin: { ...origin, versions },
    settings: sideSettings,
    warmupSteps,
    repeats: options.repeats,
    summaries,
    claims: judge({ summaries, augmentationRatio, features: origin.features }),
    augmentation,
    failures,
    raw,
  };
  const text = renderReport(result);
  process.stdout.write(text);
  if (!options.isQuick) store(result, text, options);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

function store(result: BenchResult, text: string, options: Options): void {
  storeAs(nameOf(result.startedAt, result.origin.cpu, options.only), result, text);
}

function nameOf(startedAt: string, cpu: string, parts: readonly string[]): string {
  return [startedAt.slice(0, 10), cpu.replace(/\((?:R|TM)\)/g, ''), ...parts]
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-');
}

function storeAs(name: string, result: object, text: string): void {
  mkdirSync(resultsFolder, { recursive: true });
  writeFileSync(join(resultsFolder, `${name}.json`), `${JSON.stringify(result, undefined, 1)}\n`);
  writeFileSync(join(resultsFolder, `${name}.md`), text);
  report(`Stored in bench/results/${name}.md and .json.`);
}
