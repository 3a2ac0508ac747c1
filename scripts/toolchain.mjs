/**
 * Stage 1 of set-up: the pinned Node and npm, from the package registry, in a folder of the user's cache.
 *
 * Runs on whatever Node from 18 the person has, so it uses built-in modules only and stays JavaScript. The packages are
 * installed by the person's own npm (with their registry and proxy settings) into a folder of its own, which is renamed
 * into place when it is whole: two set-ups at once cost a second download, never a broken tool chain.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const pins = JSON.parse(readFileSync(join(dirname(fileURLToPath(import.meta.url)), 'toolchain.json'), 'utf8'));
const platform = `${process.platform}-${process.arch}`;
const READY_FILE = 'ready.json';
const NO_NETWORK = /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EIDLETIMEOUT|ERR_SOCKET_TIMEOUT|network/;

/** A failure that a person can act on; `help` says what to do. */
export class ToolchainError extends Error {
  constructor(what, help) {
    super(what);
    this.help = help;
  }
}

/** The folder of everything that can be fetched again; src/main/nativeRuntime.ts answers the same for the lab itself. */
export function cacheFolder(environment = process.env) {
  const chosen = environment.XDG_CACHE_HOME;
  if (chosen !== undefined && isAbsolute(chosen)) return join(chosen, 'transfer-lab');
  return join(environment.HOME ?? homedir(), '.cache', 'transfer-lab');
}

/** Makes sure of the tool chain; answers `{ node, npm, path }`: the program, npm's script and the PATH to work with. */
export async function ensureToolchain(report) {
  const pin = pins.node.packages[platform];
  if (pin === undefined) return adoptRunningNode();
  const folder = join(cacheFolder(), 'toolchain', `node-${pins.node.version}-npm-${pins.npm.version}-${platform}`);
  if (!isReady(folder, pin)) {
    report(`Installing Node ${pins.node.version} and npm ${pins.npm.version} into the cache`);
    await install(folder, pin);
  }
  return describe(folder, pin);
}

/** True when the folder is whole: it is renamed into place only when it is, so one size is a sufficient sign. */
function isReady(folder, pin) {
  try {
    const { programBytes } = JSON.parse(readFileSync(join(folder, READY_FILE), 'utf8'));
    const { node, npm } = describe(folder, pin);
    return statSync(node).size === programBytes && existsSync(npm);
  } catch {
    return false;
  }
}

function describe(folder, pin) {
  const packages = join(folder, 'node_modules');
  const node = join(packages, pin.name, ...pin.program.split('/'));
  const path = [dirname(node), join(packages, '.bin'), process.env.PATH ?? ''].join(delimiter);
  return { node, npm: join(packages, 'npm', 'bin', 'npm-cli.js'), path };
}

async function install(folder, pin) {
  const unfinished = `${folder}.unfinished-${process.pid}`;
  try {
    removeLeftovers(folder);
    mkdirSync(unfinished, { recursive: true });
    writeFileSync(join(unfinished, 'package.json'), '{"private":true}\n');
    await runSystemNpm([`${pin.name}@${pins.node.version}`, `npm@${pins.npm.version}`], unfinished);
    checkIntegrity(unfinished, pin);
    const { node } = describe(unfinished, pin);
    await checkNodeRuns(node);
    flush(node);
    writeFileSync(join(unfinished, READY_FILE), JSON.stringify({ programBytes: statSync(node).size }));
    moveIntoPlace(unfinished, folder, pin);
  } catch (error) {
    throw explain(error, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function moveIntoPlace(unfinished, folder, pin) {
  if (existsSync(folder) && !isReady(folder, pin)) rmSync(folder, { recursive: true, force: true });
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    // Another set-up was first; what it installed is the same.
    if (!isReady(folder, pin)) throw error;
  }
}

/** Unfinished folders whose process is gone; those of living processes are another set-up at work. */
function removeLeftovers(folder) {
  const parent = dirname(folder);
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent)) {
    const [, owner] = /\.unfinished-(\d+)$/.exec(name) ?? [];
    if (owner !== undefined && !isAlive(Number(owner))) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

function isAlive(processId) {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

async function runSystemNpm(packages, folder) {
  const script = process.env.npm_execpath;
  const isNpm = script !== undefined && script.endsWith('npm-cli.js') && existsSync(script);
  const isWindows = process.platform === 'win32';
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier', '--no-save', '--loglevel=error'];
  // npm's own waits between attempts add up to minutes before a person without a network reads why.
  const patience = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];
  const parameters = ['install', ...quiet, ...patience, '--save-exact', '--prefix', folder, ...packages];
  const answer = isNpm
    ? await run(process.execPath, [script, ...parameters], { cwd: folder })
    : await run(isWindows ? 'npm.cmd' : 'npm', parameters, { cwd: folder, shell: isWindows });
  if (answer.code === 0) return;
  const reason = findReason(answer.output);
  if (answer.code === 127)
    throw new ToolchainError('npm was not found; it comes with Node.', 'Install npm (Debian, Ubuntu: `apt install npm`).');
  if (/ENOSPC|EDQUOT/.test(answer.output)) throw Object.assign(new Error(reason), { code: 'ENOSPC' });
  if (/EINTEGRITY/.test(answer.output)) throw wrongChecksum(packages.join(', '), 'the registry’s checksum', reason);
  const help = NO_NETWORK.test(answer.output)
    ? 'Check the network and the proxy settings of npm: the package registry was not reached.'
    : 'Check the settings of npm: `npm config list`.';
  throw new ToolchainError(`npm could not install ${packages.join(' and ')}:\n${reason}`, help);
}

/** What npm says without its stack; scripts/setup/command.ts says the same in stage 2. */
function findReason(output) {
  const noise = /^npm error *($|at |[{}]|\w+: ['\d]|A complete log)|^npm warn/;
  return output
    .split('\n')
    .filter((line) => line.trim() !== '' && !noise.test(line))
    .slice(0, 8)
    .join('\n');
}

/** npm has checked the archives against the registry; this checks the registry against the pins. */
function checkIntegrity(folder, pin) {
  const { packages } = JSON.parse(readFileSync(join(folder, 'node_modules', '.package-lock.json'), 'utf8'));
  for (const [name, expected] of [
    [pin.name, pin.integrity],
    ['npm', pins.npm.integrity],
  ]) {
    const received = packages[`node_modules/${name}`]?.integrity;
    if (received !== expected) throw wrongChecksum(name, expected, received);
  }
}

async function checkNodeRuns(node) {
  const answer = await run(node, ['--version']);
  if (answer.code === 0 && answer.output.trim() === `v${pins.node.version}`) return;
  throw new ToolchainError(
    `Node ${pins.node.version} does not run on this system: ${answer.output.trim()}`,
    'The lab needs Linux with glibc 2.28 or newer; other C libraries (Alpine) are not supported.',
  );
}

function adoptRunningNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [wantedMajor, wantedMinor] = pins.node.version.split('.').map(Number);
  const npm = process.env.npm_execpath;
  if (major === wantedMajor && minor >= wantedMinor && npm !== undefined && npm.endsWith('npm-cli.js')) {
    return { node: process.execPath, npm, path: [dirname(process.execPath), process.env.PATH ?? ''].join(delimiter) };
  }
  throw new ToolchainError(
    `There is no pinned Node package for ${platform}: expected ${Object.keys(pins.node.packages).join(', ')}.`,
    `Install Node ${pins.node.version} with its npm and run this again through npm.`,
  );
}

function explain(error, folder) {
  if (error instanceof ToolchainError) return error;
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') {
    return new ToolchainError(`The disk is full: writing to ${folder} failed.`, 'Free some space or set XDG_CACHE_HOME to a larger disk.');
  }
  return new ToolchainError(
    `The tool chain could not be installed in ${folder}: ${error.message}`,
    'Make the folder writable or set XDG_CACHE_HOME.',
  );
}

function wrongChecksum(name, expected, received) {
  return new ToolchainError(
    `Wrong checksum: ${name}: expected ${expected}, received ${received}.`,
    'The package registry delivers something else than the pinned package. Nothing was installed.',
  );
}

function flush(file) {
  const descriptor = openSync(file, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function run(program, parameters, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, parameters, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ code: error.code === 'ENOENT' ? 127 : 1, output: error.message }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
