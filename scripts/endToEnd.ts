/** Runs the end-to-end tests: Playwright over browser mode in a Chromium of this machine, and the desktop window where it can open. */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { setUpChromium } from './setup/chromium.ts';
import { explainFileError } from './setup/report.ts';

export type Count = { passed: number; failed: number; skipped: number };

type Suite = { readonly specs: readonly Spec[]; readonly suites?: readonly Suite[] | undefined };
type Spec = z.infer<typeof specSchema>;

const annotationSchema = z.object({ type: z.string(), description: z.string().optional() });
const specSchema = z.object({
  title: z.string(),
  tests: z.array(z.object({ status: z.string(), annotations: z.array(annotationSchema) })),
});
const suiteSchema: z.ZodType<Suite> = z.object({
  specs: z.array(specSchema),
  get suites() {
    return z.array(suiteSchema).optional();
  },
});
/** The part of Playwright's JSON report that is counted. */
const reportSchema = z.object({
  suites: z.array(suiteSchema),
  stats: z.object({ expected: z.int(), unexpected: z.int(), flaky: z.int(), skipped: z.int() }),
});

/** LAB_SKIP_E2E=1 leaves them out and says so; a flaky test counts as failed. */
export async function runEndToEnd(root: string, write: (line: string) => void): Promise<Count> {
  if (process.env['LAB_SKIP_E2E'] === '1') {
    write('\nSKIPPED: the end-to-end tests, because LAB_SKIP_E2E=1 is set. Nothing that people see was tested.');
    return { passed: 0, failed: 0, skipped: 1 };
  }
  try {
    const chromium = await setUpChromium(root, (line) => write(`set-up: ${line}`));
    const reportFile = join(root, 'test-results', 'e2e.json');
    rmSync(reportFile, { force: true });
    const code = await runPlaywright(root, chromium);
    const { count, skipped } = readReport(readFileSync(reportFile, 'utf8'));
    for (const line of skipped) write(`SKIPPED: ${line}`);
    return code !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
  } catch (error) {
    const { message, help } = explainFileError(error, root);
    write(`FAILED  end-to-end tests: ${message}\n${help}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

/** Of Playwright's JSON report: what is counted, and of each test that did not run its title and why. */
export function readReport(text: string): { readonly count: Count; readonly skipped: readonly string[] } {
  const { stats, suites } = reportSchema.parse(JSON.parse(text));
  const count = { passed: stats.expected, failed: stats.unexpected + stats.flaky, skipped: stats.skipped };
  return { count, skipped: suites.flatMap(listSkipped) };
}

function listSkipped({ specs, suites = [] }: Suite): string[] {
  const own = specs.flatMap(({ title, tests }) =>
    tests
      .filter(({ status }) => status === 'skipped')
      .map(({ annotations }) => `${title}: ${annotations.find(({ type }) => type === 'skip')?.description ?? 'no reason was given'}`),
  );
  return [...own, ...suites.flatMap(listSkipped)];
}

function runPlaywright(root: string, chromium: string): Promise<number> {
  const parameters = [join('node_modules', '@playwright', 'test', 'cli.js'), 'test', '--project', 'browser', '--project', 'electron'];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, parameters, {
      cwd: root,
      env: { ...process.env, LAB_CHROMIUM: chromium },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', () => resolve(1));
    child.on('close', (code) => resolve(code ?? 1));
  });
}
