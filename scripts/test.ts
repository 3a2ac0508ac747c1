/**
 * Runs everything that decides whether a change is good, and counts it.
 *
 * `npm test` is this file; `npm run check` is this file with --quick (the unit tests only). Each step counts as one test,
 * each test of vitest as one more; the last line of the output is `N passed, N failed`, with `, N skipped` if there are any.
 * Further arguments go to vitest, as in `npm test -- test/rpc.test.ts`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runEndToEnd, type Count } from './endToEnd.ts';
import { runCommand } from './setup/command.ts';
import { setUpPoppler } from './setup/testPrograms.ts';

type Step = { readonly name: string; readonly parameters: readonly string[]; readonly after?: string };
type VitestFile = { readonly name: string; readonly status: string; readonly assertionResults: readonly { readonly status: string }[] };
type VitestReport = { readonly testResults: readonly VitestFile[] };

const root = resolve(import.meta.dirname, '..');
const isQuick = process.argv.includes('--quick');
const forVitest = process.argv.slice(2).filter((parameter) => parameter !== '--quick');

const TSC = 'node_modules/typescript/bin/tsc';
const STEPS: readonly Step[] = [
  { name: 'build', parameters: ['scripts/setup/main.ts', 'build'] },
  { name: 'lint', parameters: ['node_modules/eslint/bin/eslint.js', '--max-warnings', '0', '.'] },
  { name: 'types', parameters: [TSC, '--project', '.'] },
  // Needs the build, which writes the types of the components that templates use.
  { name: 'types page', parameters: ['node_modules/vue-tsc/bin/vue-tsc.js', '--noEmit', '--project', 'src/renderer'], after: 'build' },
  { name: 'types preload', parameters: [TSC, '--project', 'src/preload'] },
  { name: 'types tests', parameters: [TSC, '--project', 'test/renderer'] },
  { name: 'types e2e', parameters: [TSC, '--project', 'test/e2e'] },
  { name: 'format', parameters: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'] },
  { name: 'repository', parameters: ['scripts/checkRepository.ts'] },
];
/** Types and lint are single-threaded and take longest, so they run beside each other on the two cores CI has. */
const STEPS_AT_ONCE = 2;

const startedAt = Date.now();
const count = await runSteps();
if (!isQuick) await setUpPoppler((line) => write(`set-up: ${line}`)).catch((error: unknown) => write(String(error)));
const tests = await runVitest();
const walks = isQuick || forVitest.length > 0 ? { passed: 0, failed: 0, skipped: 0 } : await runEndToEnd(root, write);
const total = sum([count, tests, walks]);
write(`\nfinished after ${formatSeconds(startedAt)}`);
write(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exitCode = total.failed > 0 ? 1 : 0;

async function runSteps(): Promise<Count> {
  const ends = new Map<string, PromiseWithResolvers<void>>(STEPS.map(({ name }) => [name, Promise.withResolvers()]));
  const waiting = [...STEPS];
  const result: Count = { passed: 0, failed: 0, skipped: 0 };
  const work = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      if (step.after !== undefined) await ends.get(step.after)?.promise;
      const stepStartedAt = Date.now();
      const answer = await runCommand(process.execPath, step.parameters, { cwd: root });
      if (answer.code === 0) result.passed++;
      else result.failed++;
      write(`${answer.code === 0 ? 'passed' : 'FAILED'}  ${step.name.padEnd(14)} ${formatSeconds(stepStartedAt)}`);
      if (answer.code !== 0) write(answer.output.trimEnd());
      ends.get(step.name)?.resolve();
    }
  };
  await Promise.all(Array.from({ length: STEPS_AT_ONCE }, work));
  return result;
}

function sum(counts: readonly Count[]): Count {
  const add = (name: keyof Count): number => counts.reduce((total, one) => total + one[name], 0);
  return { passed: add('passed'), failed: add('failed'), skipped: add('skipped') };
}

/** The output goes through as it comes, because the tests take minutes; the numbers come from the report file. */
async function runVitest(): Promise<Count> {
  const folder = mkdtempSync(join(tmpdir(), 'transfer-lab-tests-'));
  try {
    const reportFile = join(folder, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
    const projects = isQuick ? ['--project', 'unit'] : [];
    const parameters = ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...projects, ...forVitest];
    const code = await new Promise<number>((finish) => {
      // TensorFlow's notices would bury the results; its warnings and errors stay.
      const environment = { TF_CPP_MIN_LOG_LEVEL: '1', ...process.env };
      const child = spawn(process.execPath, parameters, { cwd: root, env: environment, stdio: ['ignore', 'inherit', 'inherit'] });
      child.on('error', () => finish(1));
      child.on('close', (exitCode) => finish(exitCode ?? 1));
    });
    return countTests(reportFile, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function countTests(reportFile: string, code: number): Count {
  const result: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const file of readVitestReport(reportFile).testResults) {
    const failedBefore = result.failed;
    for (const { status } of file.assertionResults) {
      if (status === 'passed') result.passed++;
      else if (status === 'failed') result.failed++;
      else result.skipped++;
    }
    // A file that cannot even be loaded has no tests, but it has failed.
    if (file.status === 'failed' && result.failed === failedBefore) result.failed++;
  }
  // An unhandled error or a crash of vitest fails no test of its own.
  if (code !== 0 && result.failed === 0) result.failed++;
  return result;
}

function readVitestReport(file: string): VitestReport {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as VitestReport;
  } catch {
    return { testResults: [] };
  }
}

function formatSeconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}
