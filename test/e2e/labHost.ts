// The lab of one test: browser mode as `serve` starts it, or the desktop program where it can run.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { openElectron, type OpenedDesktop } from './electronApp.ts';

const root = resolve(import.meta.dirname, '../..');
/** The folder of the build under test: LAB_E2E_BUILD in the checkout, else `out`. */
export const build = resolve(root, process.env['LAB_E2E_BUILD'] ?? 'out');

export interface LabHost {
  readonly folder: string;
  /** Where the page begins; in browser mode with a single-use key, so a second window shares the page's context. */
  readonly url: string;
  /** The desktop program; null in browser mode. */
  readonly desktop: OpenedDesktop | null;
  /** True once the lab was ended by `restart` or `kill`. */
  readonly wasAway: boolean;
  /** Ends the server as Ctrl-C does and starts it again on the same workspace and port; for tests with the tag @browser. */
  readonly restart: () => Promise<void>;
  readonly kill: (signal: NodeJS.Signals) => Promise<void>;
  /** Runs a command of the command line in the same workspace; answers what it prints with --json. */
  readonly run: (parameters: readonly string[]) => Promise<string>;
}

export async function startServer(folder: string): Promise<LabHost> {
  let child = launch(folder);
  let url = await readUrl(child);
  let wasAway = false;
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    wasAway = true;
    await end(child, signal);
  };
  return {
    folder,
    get url() {
      return url;
    },
    desktop: null,
    get wasAway() {
      return wasAway;
    },
    restart: async () => {
      await kill('SIGTERM');
      child = launch(folder);
      url = await readUrl(child);
    },
    kill,
    run: (parameters) => runCommand(folder, parameters),
  };
}

/** With a reason, one sentence without its dot, when no window can be opened on this machine. */
export async function startDesktop(folder: string): Promise<LabHost | { readonly reason: string }> {
  const userData = mkdtempSync(join(tmpdir(), 'lab-e2e-desktop-'));
  const desktop = await openElectron({ workspace: folder, userData, buildFolder: build });
  if ('reason' in desktop) {
    rmSync(userData, { recursive: true });
    return desktop;
  }
  const { application, page } = desktop;
  await application.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.setContentSize(1280, 800));
  await page.emulateMedia({ reducedMotion: 'reduce' });
  let wasAway = false;
  return {
    folder,
    url: 'lab://app/',
    desktop,
    get wasAway() {
      return wasAway;
    },
    restart: () => Promise.reject(new Error('The desktop program is page and lab in one: give the test the tag @browser.')),
    kill: async (signal) => {
      wasAway = true;
      if (signal === 'SIGTERM') await application.close();
      else await end(application.process(), signal);
      rmSync(userData, { recursive: true, force: true, maxRetries: 5 });
    },
    run: (parameters) => runCommand(folder, parameters),
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill(signal);
  await ended;
}

function launch(folder: string): ChildProcess {
  const parameters = [join(build, 'main/cli.js'), 'serve', '--workspace', folder, '--no-open', '--json'];
  return spawn(process.execPath, parameters, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
}

async function readUrl(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('The server has no output.');
  for await (const line of createInterface({ input: child.stdout })) {
    child.stdout.resume();
    return (JSON.parse(line) as { url: string }).url;
  }
  throw new Error('The server ended before it was ready.');
}

function runCommand(folder: string, command: readonly string[]): Promise<string> {
  const parameters = [join(build, 'main/cli.js'), ...command, '--workspace', folder, '--json'];
  const child = spawn(process.execPath, parameters, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (output += text.toString()));
  return new Promise((resolve) => child.once('close', () => resolve(output)));
}
