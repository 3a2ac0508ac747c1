/**
 * Stage 2 of set-up, on the pinned Node: packages, native runtime and build as the verb needs them, then the verb.
 *
 * Called by scripts/bootstrap.mjs with `VERB [ARGUMENTS]`. Every step is silent when it has nothing to do, so this stands in
 * front of each command; the program it ends in replaces this process and thus receives signals and answers directly.
 */
import { existsSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildBundle } from './bundle.ts';
import { desktopSurroundings, findDesktop } from './findElectron.ts';
import { setUpNativeRuntime } from './native.ts';
import { installPackages } from './packages.ts';
import { SetupError, explainFileError, reportToPerson } from './report.ts';

type Verb = { readonly help: string; readonly run: (parameters: string[]) => Promise<void> };

const root = resolve(import.meta.dirname, '..', '..');
const packages = join(root, 'node_modules');
const CLI = join(root, 'out', 'main', 'cli.js');

const verbs: Record<string, Verb> = {
  setup: { help: 'setup [--gpu] [--wheel FILE]...   install everything', run: setUp },
  start: {
    help: 'start [--workspace DIR]           set up, build and open the lab: a window, else the browser',
    run: openLab,
  },
  lab: { help: 'lab COMMAND                       one command of the lab', run: runLab },
  build: { help: 'build                             build the lab into out/', run: build },
  test: {
    help: 'test                              everything that CI runs',
    run: (parameters) => runScript('scripts/test.ts', parameters),
  },
  check: { help: 'check                             the quick part of the tests', run: check },
  bench: { help: 'bench [ARGUMENTS]                 compare with Keras', run: bench },
  format: { help: 'format                            format all sources', run: format },
  node: { help: 'node FILE [ARGUMENTS]             run a file on the pinned Node', run: runFile },
};

try {
  const [name = '', ...parameters] = process.argv.slice(2);
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (verb === undefined) {
    const known = Object.values(verbs).map(({ help }) => `  ${help}`);
    throw new SetupError(`Unknown verb ${JSON.stringify(name)}.`, `Expected one of:\n${known.join('\n')}`);
  }
  await verb.run(parameters);
} catch (error) {
  fail(error);
}

async function setUp(parameters: string[]): Promise<void> {
  const options = { gpu: { type: 'boolean' }, wheel: { type: 'string', multiple: true } } as const;
  const { values } = readOptions(() => parseArgs({ args: parameters, options }));
  await installPackages(root, reportToPerson);
  const wheels = (values.wheel ?? []).map((file) => resolve(callersFolder('setup'), file));
  const runtime = await setUpNativeRuntime({ build: values.gpu === true ? 'gpu' : 'cpu', wheels, packages });
  await buildBundle(root, reportToPerson);
  reportToPerson(`Everything is set up; ${runtime.library} (${runtime.build.toUpperCase()} build) lies in ${runtime.path}`);
}

async function prepare(): Promise<void> {
  await installPackages(root, reportToPerson);
  await setUpNativeRuntime({ build: 'cpu', packages });
}

async function build(): Promise<void> {
  await installPackages(root, reportToPerson);
  await buildBundle(root, reportToPerson);
}

/** The pages that are measured are those of the sources at hand. */
async function bench(parameters: string[]): Promise<void> {
  await build();
  await runScript('bench/run.ts', parameters);
}

async function runLab(parameters: string[]): Promise<void> {
  await prepare();
  await buildBundle(root, reportToPerson);
  process.chdir(callersFolder('lab'));
  replaceProcess([CLI, ...parameters]);
}

/** The desktop window where it can open; else browser mode, which says why and prints its address. */
async function openLab(parameters: string[]): Promise<void> {
  await prepare();
  await buildBundle(root, reportToPerson);
  const desktop = findDesktop(desktopSurroundings(root));
  const isBrowserWanted = parameters.some((parameter) => parameter.startsWith('--') && parameter !== '--workspace');
  process.chdir(callersFolder('start'));
  if ('program' in desktop && !isBrowserWanted) {
    replaceProcess([root, ...parameters], { program: desktop.program, environment: { TRANSFER_LAB_NODE: process.execPath } });
    return;
  }
  if ('reason' in desktop) reportToPerson(`The lab opens in the browser, because ${desktop.reason}.`);
  replaceProcess([CLI, 'serve', ...parameters]);
}

async function runScript(file: string, parameters: string[]): Promise<void> {
  if (!existsSync(join(root, file))) throw new SetupError(`${file} does not exist.`, 'Check that the checkout is complete.');
  await prepare();
  replaceProcess([join(root, file), ...parameters]);
}

function check(parameters: string[]): Promise<void> {
  return runScript('scripts/test.ts', ['--quick', ...parameters]);
}

async function format(parameters: string[]): Promise<void> {
  await installPackages(root, reportToPerson);
  replaceProcess([join(packages, 'prettier', 'bin', 'prettier.cjs'), '--write', ...(parameters.length > 0 ? parameters : ['.'])]);
}

async function runFile(parameters: string[]): Promise<void> {
  const [file, ...rest] = parameters;
  if (file === undefined) throw new SetupError('The verb node needs a file.', 'Example: `node scripts/bootstrap.mjs node FILE`.');
  await prepare();
  replaceProcess([resolve(file), ...rest]);
}

/** npm runs scripts in the checkout; paths on the command line mean the folder in which the person called npm. */
function callersFolder(verb: string): string {
  const isDirectlyFromNpm = process.env['npm_lifecycle_event'] === verb && process.cwd() === root;
  return (isDirectlyFromNpm ? process.env['INIT_CWD'] : undefined) ?? process.cwd();
}

/** Becomes another program, on the same Node if none is named, so that no process stands between it and the signals. */
function replaceProcess(parameters: string[], other?: { readonly program: string; readonly environment: Record<string, string> }): void {
  // Written now, because a replaced process has no end at which Node would write it.
  flushCompileCache();
  const environment = { ...process.env, ...other?.environment };
  delete environment['NODE_COMPILE_CACHE'];
  if (process.execve === undefined) throw new SetupError('This system cannot replace a process.', 'Use Linux or macOS.');
  if (other !== undefined) process.execve(other.program, [other.program, ...parameters], environment);
  process.execve(process.execPath, [process.execPath, '--disable-warning=ExperimentalWarning', ...parameters], environment);
}

function readOptions<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    throw new SetupError(error instanceof Error ? error.message : String(error), 'Usage: `npm run setup -- [--gpu] [--wheel FILE]...`.');
  }
}

function fail(error: unknown): void {
  const { message, help } = explainFileError(error, root);
  const line = JSON.stringify({ error: { code: 'setup_failed', message, help } });
  process.stderr.write(process.argv.includes('--json') ? `${line}\n` : `error: ${message}\n${help}\n`);
  process.exitCode = 1;
}
