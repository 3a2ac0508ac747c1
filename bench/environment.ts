/**
 * The virtual environment of the Keras side: made once per content of requirements.txt and per Python, kept in the user's cache folder.
 *
 * A stamp written last marks it as complete; without it the folder is made anew. Called by run.ts; knows nothing of measurements.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findProgram, findReason, runCommand, type CommandResult } from '../scripts/setup/command.ts';
import { cacheFolder } from '../src/main/nativeRuntime.ts';
import { LabError } from '../src/shared/contract/errors.ts';

const requirementsFile = join(import.meta.dirname, 'requirements.txt');
const pythonHelp = 'Install Python 3.11, 3.12 or 3.13 with venv and pip (Debian, Ubuntu: `apt install python3 python3-venv python3-pip`).';

/** Where benchmarks keep what they can make again: the virtual environment and dataset stores. */
export function benchFolder(): string {
  return join(cacheFolder(), 'bench');
}

/** Path of a Python with the packages of requirements.txt; throws LabError('unsupported') when Python, venv or a package cannot be had. */
export async function preparePython(report: (line: string) => void): Promise<string> {
  const python = findProgram(['python3', 'python']);
  if (python === undefined) {
    throw new LabError('unsupported', 'Python was not found: the Keras side runs in it.', {
      expected: 'python3 on the PATH',
      received: 'no such program',
      help: pythonHelp,
    });
  }
  const version = await readVersion(python);
  const requirements = readFileSync(requirementsFile);
  const key = createHash('sha256').update(requirements).update(version).digest('hex').slice(0, 12);
  const folder = join(benchFolder(), `keras-${version}-${key}`);
  const program = join(folder, 'bin', 'python');
  const stamp = join(folder, 'complete.json');
  if (existsSync(stamp) && existsSync(program)) return program;
  report(`Keras's Python packages are installed into ${folder} (about 1.7 GB, once).`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  const made = await runCommand(python, ['-m', 'venv', folder]);
  refuse(made, `${python} could not make a virtual environment.`, pythonHelp);
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input', '--no-deps'];
  const installed = await runCommand(program, ['-m', 'pip', 'install', ...quiet, '--requirement', requirementsFile]);
  refuse(installed, 'The Python packages of bench/requirements.txt could not be installed.', 'Check the network and pip, then try again.');
  const checked = await runCommand(program, ['-m', 'pip', 'check', '--disable-pip-version-check']);
  refuse(checked, 'The pins of bench/requirements.txt do not fit together.', 'Correct them: each package must meet what the others need.');
  writeFileSync(stamp, `${JSON.stringify({ python: version, requirements: key })}\n`);
  return program;
}

async function readVersion(python: string): Promise<string> {
  const answer = await runCommand(python, ['-c', 'import sys; print("%d.%d.%d" % sys.version_info[:3])']);
  const version = /^3\.(\d+)\.\d+$/.exec(answer.output.trim());
  const minor = Number(version?.[1]);
  if (version !== null && minor >= 11 && minor <= 13) return version[0];
  throw new LabError('unsupported', `${python} cannot run the Keras side.`, {
    expected: 'Python 3.11, 3.12 or 3.13',
    received: answer.output.trim().slice(0, 500),
    help: pythonHelp,
  });
}

function refuse(answer: CommandResult, message: string, help: string): void {
  if (answer.code === 0) return;
  throw new LabError('unsupported', message, { received: findReason(answer.output), help });
}
