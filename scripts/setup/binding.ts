/**
 * Compiles the tfjs binding against the libraries of a runtime under construction, and proves that it loads.
 *
 * The sources are the ones inside the npm packages; their checksums are pinned because they decide the runtime's key.
 */
import { mkdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { BINDING_FILE, hashFile, type BuildPin, type NativePins } from '../../src/main/nativeRuntime.ts';
import { findProgram, lastLines, runCommand } from './command.ts';
import { SetupError, type Report } from './report.ts';

const COMPILER_HELP = 'Install a C++ compiler (Debian, Ubuntu: `apt install g++`) or name one in CXX, then run it again.';
const LOAD_CHECK = 'const binding = require(process.argv[1]); process.stdout.write(`version=${binding.TF_Version};`)';

/** The compiler that CXX names, else the first usual one in PATH. */
export function findCompiler(): string {
  const chosen = process.env['CXX'];
  const wanted = chosen === undefined || chosen === '' ? ['g++', 'c++', 'clang++'] : [chosen];
  const found = chosen !== undefined && chosen.includes('/') ? chosen : findProgram(wanted);
  if (found === undefined) {
    throw new SetupError(
      `No C++ compiler was found: expected ${wanted.join(', ')} in PATH. It compiles the TensorFlow binding.`,
      COMPILER_HELP,
    );
  }
  return found;
}

/** Compares the installed sources with the pins, so that one key always means one content. */
export async function checkBindingSources(pins: NativePins, packages: string): Promise<void> {
  for (const [file, expected] of Object.entries(pins.binding.checksums)) {
    const received = await hashFile(join(packages, file)).catch(() => 'no file');
    if (received !== expected) {
      throw new SetupError(
        `Wrong checksum: ${file}: expected ${expected}, received ${received}.`,
        'Run `npm ci`; after a change of version, renew resources/native.json with `node scripts/pinNative.ts`.',
      );
    }
  }
}

/** Compiles into `folder`, next to the libraries, and answers the compiler's own description of itself. */
export async function compileBinding(
  paths: { folder: string; headers: string; packages: string },
  pins: NativePins,
  build: BuildPin,
  report: Report,
): Promise<string> {
  const compiler = findCompiler();
  report(`Compiling the TensorFlow binding with ${basename(compiler)}`);
  await mkdir(paths.headers, { recursive: true });
  const unfinished = join(paths.folder, `${BINDING_FILE}.unfinished`);
  const { flags, includes, sources } = pins.binding;
  const libraryFolders = [...new Set(build.link.map((file) => dirname(file)))];
  const answer = await runCommand(compiler, [
    ...flags,
    ...includes.map((folder) => `-I${join(paths.packages, folder)}`),
    `-I${join(paths.headers, 'tensorflow', 'include')}`,
    ...sources.map((file) => join(paths.packages, file)),
    ...libraryFolders.flatMap((folder) => [`-L${join(paths.folder, folder)}`, `-Wl,-rpath,$ORIGIN/${folder}`]),
    ...build.link.map((file) => `-l:${basename(file)}`),
    '-o',
    unfinished,
  ]);
  if (answer.code !== 0) {
    throw new SetupError(`The TensorFlow binding did not compile:\n${lastLines(answer.output)}`, COMPILER_HELP);
  }
  await rename(unfinished, join(paths.folder, BINDING_FILE));
  const version = await runCommand(compiler, ['--version']);
  return version.output.split('\n')[0] ?? basename(compiler);
}

/** Loads the binding in a process of its own: what cannot be loaded here is not installed. */
export async function checkBindingLoads(folder: string, pins: NativePins): Promise<void> {
  const quiet = { TF_CPP_MIN_LOG_LEVEL: '3' };
  const answer = await runCommand(process.execPath, ['-e', LOAD_CHECK, join(folder, BINDING_FILE)], { environment: quiet });
  const received = /version=([^;]*);/.exec(answer.output)?.[1];
  if (answer.code === 0 && received === pins.tensorflow) return;
  if (received !== undefined) {
    throw new SetupError(
      `The TensorFlow runtime has the wrong version: expected ${pins.tensorflow}, received ${received}.`,
      'Check resources/native.json.',
    );
  }
  throw new SetupError(
    `The TensorFlow runtime does not load on this system:\n${lastLines(answer.output)}`,
    'TensorFlow 2.21 needs Linux with glibc 2.27 or newer and, on x86-64, a processor with AVX.',
  );
}
