/**
 * Obtains the pinned Python wheels: from files the person names, else from the package registry through pip.
 *
 * No wheel leaves this file without its SHA-256 having been compared with the pin.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { hashFile, type NativePins, type WheelPin } from '../../src/main/nativeRuntime.ts';
import { findProgram, findReason, runCommand } from './command.ts';
import { SetupError, type Report } from './report.ts';

/** A wheel that is on this disk and is the one that the pin means. */
export type Wheel = { readonly pin: WheelPin; readonly file: string };

const PIP_HELP = 'Install Python 3 with pip (Debian, Ubuntu: `apt install python3 python3-pip`), or name the wheels with `--wheel FILE`.';
const NO_NETWORK = /NewConnectionError|name resolution|Connection refused|ProxyError|unreachable|timed out|ConnectionResetError|SSLError/i;

/** Matches the files a person gave with the pins by checksum, so that their names do not matter. */
export async function identifyWheels(files: readonly string[], pins: readonly WheelPin[]): Promise<Map<WheelPin, string>> {
  const identified = new Map<WheelPin, string>();
  for (const file of files) {
    const received = await hashFile(file).catch((error: unknown) => {
      throw new SetupError(`The wheel ${file} cannot be read.`, 'Check the path given with --wheel.', { cause: error });
    });
    const pin = pins.find((candidate) => candidate.sha256 === received);
    if (pin === undefined) throw wrongChecksum(file, pins.map(describePin).join(' or '), received);
    identified.set(pin, file);
  }
  return identified;
}

/** Fails before anything is fetched when a wheel has to come through pip and there is none. */
export async function findPip(): Promise<string> {
  const python = findProgram(['python3', 'python']);
  if (python === undefined) throw new SetupError('Python 3 was not found: it fetches the TensorFlow wheel.', PIP_HELP);
  const answer = await runCommand(python, ['-m', 'pip', '--version']);
  if (answer.code !== 0) throw new SetupError(`pip was not found: ${python} has no module pip.`, PIP_HELP);
  return python;
}

/** Fetches one wheel into an empty folder and checks it. */
export async function fetchWheel(pin: WheelPin, pins: NativePins, folder: string, report: Report): Promise<Wheel> {
  report(`Downloading ${pin.package} ${pin.version} (${Math.round(pin.sizeBytes / 1e6)} MB) with pip`);
  const file = await downloadWheel(pin, pins, folder);
  const received = await hashFile(file);
  if (received !== pin.sha256) throw wrongChecksum(basename(file), describePin(pin), received);
  return { pin, file };
}

/** Fetches one wheel unchecked, which only the renewal of the pins may use as it is. */
export async function downloadWheel(pin: WheelPin, pins: NativePins, folder: string): Promise<string> {
  const python = await findPip();
  await mkdir(folder, { recursive: true });
  const { version, implementation, abi } = pins.python;
  const target = ['--python-version', version, '--implementation', implementation, '--abi', abi, '--platform', pin.platform];
  // Not kept in pip's own cache: the runtime is the cache, and both together would double the disk space.
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-cache-dir', '--no-deps', '--only-binary=:all:'];
  const wanted = `${pin.package}==${pin.version}`;
  const answer = await runCommand(python, ['-m', 'pip', 'download', ...quiet, ...target, '--dest', folder, wanted]);
  const [name] = (await readdir(folder)).filter((file) => file.endsWith('.whl'));
  if (answer.code !== 0 || name === undefined) throw explainPip(wanted, answer.output);
  return join(folder, name);
}

function explainPip(wanted: string, output: string): SetupError {
  if (/No space left on device|Disk quota exceeded/i.test(output)) {
    return new SetupError(`The disk is full: pip could not store ${wanted}.`, 'Free some space or set XDG_CACHE_HOME to a larger disk.');
  }
  const reason = findReason(output);
  if (NO_NETWORK.test(output)) {
    const help = 'Check the network and the proxy settings of pip, or name a wheel that you already have with `--wheel FILE`.';
    return new SetupError(`pip could not reach its package registry to fetch ${wanted}:\n${reason}`, help);
  }
  return new SetupError(`pip could not fetch ${wanted}:\n${reason}`, 'Check the settings of pip, or name the wheel with `--wheel FILE`.');
}

function wrongChecksum(file: string, expected: string, received: string): SetupError {
  return new SetupError(
    `Wrong checksum: ${file}: expected ${expected}, received SHA-256 ${received}.`,
    'The file is damaged or is another version; fetch it again. Nothing was installed.',
  );
}

function describePin(pin: WheelPin): string {
  return `SHA-256 ${pin.sha256} (${pin.package} ${pin.version}, ${pin.platform})`;
}
