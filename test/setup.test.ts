import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { findProgram, findReason } from '../scripts/setup/command.ts';
import { arePackagesInstalled } from '../scripts/setup/installedPackages.ts';
import { withLock } from '../scripts/setup/lock.ts';
import { setUpNativeRuntime } from '../scripts/setup/native.ts';
import { explainNpm } from '../scripts/setup/packages.ts';
import { SetupError } from '../scripts/setup/report.ts';
import { findNativeProblem, locateNativeRuntime, type NativeRuntime, type NativeSurroundings } from '../src/main/nativeRuntime.ts';
import { makeNativePayload, makeTemporaryFolder, payloadSurroundings, replaceWheelPin, type NativePayload } from './nativePayload.ts';

type Ending = { readonly code: number | string | null; readonly errors: string; readonly output: string };

const [folder, removeFolder] = makeTemporaryFolder();
const silent = (): void => undefined;
let payload: NativePayload;
let cacheCount = 0;

beforeAll(async () => {
  payload = await makeNativePayload(folder);
}, 60_000);
afterAll(removeFolder);
afterEach(() => vi.unstubAllEnvs());

function emptyCache(): string {
  return join(folder, `cache-${++cacheCount}`);
}

/** A folder for PATH with these programs: scripts that are given here, or links to the machine's own. */
function makePath(programs: Record<string, string>, linked: readonly string[] = []): string {
  const place = join(folder, `path-${++cacheCount}`);
  mkdirSync(place);
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(place, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(place, name), 0o755);
  }
  const found = linked.map((name) => dirname(findProgram([name]) ?? ''));
  return [place, ...found].join(':');
}

async function setUpFails(surroundings: NativeSurroundings, wheels: readonly string[] = []): Promise<SetupError> {
  const error = await setUpNativeRuntime({ build: 'cpu', wheels, packages: payload.packages, surroundings, report: silent }).catch(
    (reason: unknown) => reason,
  );
  if (error instanceof SetupError) return error;
  throw new Error(`expected a SetupError, received ${JSON.stringify(error)}`);
}

function run(parameters: readonly string[], environment: Record<string, string> = {}): Promise<Ending> {
  return new Promise((finish) => {
    execFile(process.execPath, parameters, { env: { ...process.env, ...environment } }, (error, output, errors) => {
      finish({ code: error === null ? 0 : (error.code ?? null), errors, output });
    });
  });
}

function namesIn(cache: string): string[] {
  return readdirSync(join(cache, 'transfer-lab', 'native'));
}

test('two set-ups at once end with one good folder, built once', async () => {
  const cache = emptyCache();
  const surroundings = payloadSurroundings(payload, cache);
  const settings = JSON.stringify({ build: 'cpu', wheels: [payload.wheel], packages: payload.packages, surroundings });
  const program = `import { setUpNativeRuntime } from ${JSON.stringify(resolve('scripts/setup/native.ts'))}; await setUpNativeRuntime(${settings})`;
  const endings = await Promise.all([1, 2].map(() => run(['--input-type=module', '-e', program])));
  expect(endings.map(({ code }) => code)).toEqual([0, 0]);
  const errors = endings.map((ending) => ending.errors).join('');
  expect(errors.match(/Compiling/g)).toHaveLength(1);
  const runtime = locateNativeRuntime(surroundings) as NativeRuntime;
  expect(findNativeProblem(runtime)).toBeUndefined();
  expect(namesIn(cache)).toEqual([runtime.key]);
});

test('what a killed set-up left behind is removed, and a second set-up does nothing', async () => {
  const cache = emptyCache();
  const surroundings = payloadSurroundings(payload, cache);
  const runtime = locateNativeRuntime(surroundings) as NativeRuntime;
  mkdirSync(`${runtime.path}.unfinished-1`, { recursive: true });
  const lines: string[] = [];
  const setup = { build: 'cpu', wheels: [payload.wheel], packages: payload.packages, surroundings } as const;
  await setUpNativeRuntime({ ...setup, report: (line) => lines.push(line) });
  expect(namesIn(cache)).toEqual([runtime.key]);
  expect(lines.length).toBeGreaterThan(2);
  await setUpNativeRuntime({ ...setup, report: (line) => lines.push(`again: ${line}`) });
  expect(lines.filter((line) => line.startsWith('again'))).toEqual([]);
});

test('a wheel with another checksum is refused and nothing is installed', async () => {
  const cache = emptyCache();
  const other = join(folder, 'other.whl');
  writeFileSync(other, 'not the wheel');
  const error = await setUpFails(payloadSurroundings(payload, cache), [other]);
  expect(error.message).toMatch(
    /^Wrong checksum: .*other\.whl: expected SHA-256 [0-9a-f]{64} \(tensorflow-tiny 0\.0\.1, any\), received SHA-256/,
  );
  expect(existsSync(join(cache, 'transfer-lab', 'native'))).toBe(false);
});

test('a wheel that pip delivers with another checksum is refused and removed', async () => {
  const cache = emptyCache();
  const python = 'case "$3" in --version) exit 0;; esac\nwhile [ "$1" != --dest ]; do shift; done; echo tampered > "$2/tampered.whl"';
  vi.stubEnv('PATH', makePath({ python3: python }, ['g++']));
  const error = await setUpFails(payloadSurroundings(payload, cache));
  expect(error.message).toContain('Wrong checksum: tampered.whl');
  expect(namesIn(cache)).toEqual([]);
});

test('changed sources of the binding are refused', async () => {
  const { binding } = payload.pins;
  const pins = { ...payload.pins, binding: { ...binding, checksums: { 'binding/binding.cc': '0'.repeat(64) } } };
  const error = await setUpFails(payloadSurroundings({ ...payload, pins }, emptyCache()), [payload.wheel]);
  expect(error.message).toContain('Wrong checksum: binding/binding.cc');
});

test('a missing compiler, Python or pip is named with the way to get it', async () => {
  vi.stubEnv('CXX', '');
  vi.stubEnv('PATH', makePath({}));
  const surroundings = payloadSurroundings(payload, emptyCache());
  const noCompiler = await setUpFails(surroundings, [payload.wheel]);
  expect(noCompiler.message).toContain('No C++ compiler was found');
  expect(noCompiler.help).toContain('apt install g++');
  vi.stubEnv('PATH', makePath({ 'g++': 'exit 0' }));
  const noPython = await setUpFails(surroundings);
  expect(noPython.message).toContain('Python 3 was not found');
  expect(noPython.help).toContain('--wheel FILE');
  vi.stubEnv('PATH', makePath({ 'g++': 'exit 0', python3: 'echo No module named pip >&2; exit 1' }));
  expect((await setUpFails(surroundings)).message).toContain('pip was not found');
});

test.each([
  ['NewConnectionError: Failed to establish a new connection: name resolution', 'could not reach its package registry', '--wheel FILE'],
  ['OSError: [Errno 28] No space left on device', 'The disk is full', 'XDG_CACHE_HOME'],
  ['ERROR: No matching distribution found', 'could not fetch tensorflow-tiny==0.0.1', 'settings of pip'],
])('when pip says "%s", the person reads "%s"', async (output, what, help) => {
  const python = `case "$3" in --version) exit 0;; esac\necho '${output}' >&2; exit 1`;
  vi.stubEnv('PATH', makePath({ 'g++': 'exit 0', python3: python }));
  const error = await setUpFails(payloadSurroundings(payload, emptyCache()));
  expect(error.message).toContain(what);
  expect(error.help).toContain(help);
});

test('a disk that is too small is refused before anything is fetched', async () => {
  const large = replaceWheelPin(payload, { unpackedBytes: 1e18 });
  const error = await setUpFails(payloadSurroundings(large, emptyCache()), [payload.wheel]);
  expect(error.message).toContain('The disk is full: TensorFlow needs 1000000000');
});

test('a binding that does not compile shows what the compiler said', async () => {
  vi.stubEnv('CXX', 'broken-compiler');
  vi.stubEnv('PATH', makePath({ 'broken-compiler': 'echo expected a semicolon >&2; exit 1' }));
  const error = await setUpFails(payloadSurroundings(payload, emptyCache()), [payload.wheel]);
  expect(error.message).toContain('did not compile:\nexpected a semicolon');
});

test('a runtime of another version is not installed', async () => {
  const cache = emptyCache();
  const other = { ...payload, pins: { ...payload.pins, tensorflow: '9.9.9' } };
  const error = await setUpFails(payloadSurroundings(other, cache), [payload.wheel]);
  expect(error.message).toContain('expected 9.9.9, received 0.0.1');
  expect(namesIn(cache)).toEqual([]);
});

test('a lock is held by one, waited for aloud, and free once its holder is killed', async () => {
  const locks = join(emptyCache(), 'locks');
  const program = `import { withLock } from ${JSON.stringify(resolve('scripts/setup/lock.ts'))};
    await withLock(${JSON.stringify(locks)}, 'thing', () => {}, async () => { console.log('held'); await new Promise((done) => setTimeout(done, 60_000)); });`;
  const holder = execFile(process.execPath, ['--input-type=module', '-e', program]);
  await new Promise((held) => holder.stdout?.once('data', held));
  const order: string[] = [];
  const waiting = withLock(
    locks,
    'thing',
    (line) => order.push(line),
    () => Promise.resolve(order.push('entered')),
  );
  await vi.waitFor(() => expect(order).toEqual([expect.stringContaining(`process ${holder.pid ?? 0}`)]));
  holder.kill('SIGKILL');
  await waiting;
  expect(order).toHaveLength(2);
});

test('an error inside a lock frees it', async () => {
  const locks = join(emptyCache(), 'locks');
  await expect(withLock(locks, 'thing', silent, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await expect(withLock(locks, 'thing', silent, () => Promise.resolve('yes'))).resolves.toBe('yes');
});

test.each([
  ['npm error code ENOTFOUND', 'package registry was not reached'],
  ['npm error code ENOSPC', 'Free some space'],
  ['npm error code EINTEGRITY', 'something else than package-lock.json expects'],
  ['npm error code EUSAGE can only install packages when in sync', 'npm install'],
  ['npm error anything', 'npm config list'],
])('when npm says "%s", the person reads "%s"', (output, help) => {
  expect(explainNpm(output).help).toContain(help);
});

test('the reason of a failure is shown without stacks and repeated attempts', () => {
  const npm =
    'npm error code ENOTFOUND\nnpm error FetchError: failed\nnpm error     at onSocket (node:1:2)\nnpm error   port: 9\nnpm error }\nnpm error\n';
  expect(findReason(npm)).toBe('npm error code ENOTFOUND\nnpm error FetchError: failed');
  expect(findReason('WARNING: Retrying (Retry(total=4))\nERROR: No matching distribution\n')).toBe('ERROR: No matching distribution');
});

test('packages are taken over only when npm has finished installing exactly the locked ones', () => {
  const root = emptyCache();
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  const here = { os: [process.platform], cpu: [process.arch], optional: true };
  const locked = {
    '': {},
    'node_modules/a': { version: '1.0.0', integrity: 'x' },
    'node_modules/b': { version: '1.0.0', optional: true, os: ['plan9'] },
  };
  const isInstalled = (wanted: object, found: object | undefined): boolean => {
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: wanted }));
    writeFileSync(join(root, 'node_modules', '.package-lock.json'), found === undefined ? '' : JSON.stringify({ packages: found }));
    return arePackagesInstalled(root);
  };
  const found = { 'node_modules/a': { version: '1.0.0', integrity: 'x' } };
  expect(isInstalled(locked, found)).toBe(true);
  expect(isInstalled(locked, undefined)).toBe(false);
  expect(isInstalled(locked, {})).toBe(false);
  expect(isInstalled(locked, { 'node_modules/a': { version: '1.0.0', integrity: 'y' } })).toBe(false);
  expect(isInstalled(locked, { ...found, 'node_modules/c': { version: '1.0.0' } })).toBe(false);
  expect(isInstalled({ ...locked, 'node_modules/d': { version: '1.0.0', ...here } }, found)).toBe(false);
});

const BOOTSTRAP = resolve('scripts/bootstrap.mjs');
const { node: nodePin, npm: npmPin } = JSON.parse(readFileSync('scripts/toolchain.json', 'utf8')) as {
  node: { version: string; packages: Record<string, { name: string; integrity: string } | undefined> };
  npm: { integrity: string };
};
const platformPin = nodePin.packages[`${process.platform}-${process.arch}`];

/** An npm that "installs" a Node which is a shell script, and says that it has these checksums. */
function makeFakeNpm(integrity: string, before = ''): string {
  const place = join(folder, `npm-${++cacheCount}`);
  mkdirSync(place);
  const name = platformPin?.name ?? '';
  const packages = { [`node_modules/${name}`]: { integrity }, 'node_modules/npm': { integrity: npmPin.integrity } };
  const files = {
    [`node_modules/${name}/bin/node`]: `#!/bin/sh\nif [ "$1" = --version ]; then echo v${nodePin.version}; else echo "handed over: $*"; exit 7; fi\n`,
    'node_modules/npm/bin/npm-cli.js': '',
    'node_modules/.package-lock.json': JSON.stringify({ packages }),
  };
  const program = `const fs = require('node:fs'), path = require('node:path'); ${before}
    const folder = process.argv[process.argv.indexOf('--prefix') + 1];
    for (const [name, content] of Object.entries(${JSON.stringify(files)})) {
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      fs.writeFileSync(path.join(folder, name), content, { mode: 0o755 });
    }`;
  writeFileSync(join(place, 'npm-cli.js'), program);
  return join(place, 'npm-cli.js');
}

test('the bootstrap installs the tool chain once, also when two start at once, and ends as its child does', async () => {
  const XDG_CACHE_HOME = emptyCache();
  const environment = { XDG_CACHE_HOME, npm_execpath: makeFakeNpm(platformPin?.integrity ?? '') };
  const endings = await Promise.all([1, 2].map(() => run([BOOTSTRAP, 'lab', '--help'], environment)));
  for (const { code, output } of endings) {
    expect(output).toMatch(/handed over: .*setup\/main\.ts lab --help/);
    expect(code).toBe(7);
  }
  expect(readdirSync(join(XDG_CACHE_HOME, 'transfer-lab', 'toolchain'))).toHaveLength(1);
  const later = await run([BOOTSTRAP, 'lab'], { ...environment, npm_execpath: '/nowhere/npm-cli.js' });
  expect(later).toMatchObject({ code: 7, errors: '' });
});

test('the bootstrap refuses a Node with another checksum and says so without a stack', async () => {
  const XDG_CACHE_HOME = emptyCache();
  const ending = await run([BOOTSTRAP, 'lab'], { XDG_CACHE_HOME, npm_execpath: makeFakeNpm('sha512-other') });
  expect(ending.code).toBe(1);
  expect(ending.errors).toContain(`Wrong checksum: ${platformPin?.name ?? ''}`);
  expect(ending.errors).not.toContain('    at ');
  expect(readdirSync(join(XDG_CACHE_HOME, 'transfer-lab', 'toolchain'))).toEqual([]);
});

test.each([
  ['npm error code ENOTFOUND', 'registry was not reached'],
  ['npm error code ENOSPC', 'The disk is full'],
])('the bootstrap explains "%s"', async (output, text) => {
  const npm = makeFakeNpm('', `console.error(${JSON.stringify(output)}); process.exit(1);`);
  const ending = await run([BOOTSTRAP, 'lab', '--json'], { XDG_CACHE_HOME: emptyCache(), npm_execpath: npm });
  expect(ending.code).toBe(1);
  const lines = ending.errors.trimEnd().split('\n');
  const { error } = JSON.parse(lines.at(-1) ?? '') as { error: { code: string; message: string; help: string } };
  expect(error.code).toBe('setup_failed');
  expect(`${error.message} ${error.help}`).toContain(text);
});

test('the bootstrap says that npm is missing', async () => {
  const ending = await run([BOOTSTRAP, 'lab'], { XDG_CACHE_HOME: emptyCache(), npm_execpath: '', PATH: makePath({}) });
  expect(ending.code).toBe(1);
  expect(ending.errors).toContain('npm was not found');
});

test('both stages look for the cache in the same place', async () => {
  const { cacheFolder } = await import('../src/main/nativeRuntime.ts');
  const program = `import { cacheFolder } from ${JSON.stringify(resolve('scripts/toolchain.mjs'))}; console.log(cacheFolder(JSON.parse(process.argv[1])));`;
  for (const environment of [{ XDG_CACHE_HOME: '/cache' }, { XDG_CACHE_HOME: 'relative', HOME: '/somebody' }, { HOME: '/somebody' }]) {
    const ending = await run(['--input-type=module', '-e', program, JSON.stringify(environment)]);
    expect(ending.output.trim()).toBe(cacheFolder(environment));
  }
});

test('an unknown verb is answered with the verbs that exist', async () => {
  const ending = await run([resolve('scripts/setup/main.ts'), 'frobnicate']);
  expect(ending.code).toBe(1);
  expect(ending.errors).toContain('setup [--gpu] [--wheel FILE]');
});
