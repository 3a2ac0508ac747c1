/**
 * Builds the native runtime: fetch the wheels, take the libraries out, compile the binding, stamp, and move into place.
 *
 * Everything happens in a folder beside the target, which is renamed at the end, so a runtime is either whole or absent.
 * src/main/nativeRuntime.ts says where it belongs and whether it is there; this file never decides that.
 */
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  BINDING_FILE,
  STAMP_FILE,
  cacheFolder,
  createNativeStamp,
  describeNativeRuntime,
  findNativeProblem,
  hashFile,
  nativeSurroundings,
  type BuildPin,
  type NativeBuild,
  type NativeRuntime,
  type NativeSurroundings,
  type StampedFile,
} from '../../src/main/nativeRuntime.ts';
import { checkBindingLoads, checkBindingSources, compileBinding, findCompiler } from './binding.ts';
import { withLock } from './lock.ts';
import { SetupError, explainFileError, reportToPerson, type Report } from './report.ts';
import { fetchWheel, findPip, identifyWheels, type Wheel } from './wheels.ts';
import { extractZipEntry, readZipEntries } from './zipArchive.ts';

export type NativeSetup = {
  readonly build: NativeBuild;
  /** Wheels that the person already has; the others come through pip. */
  readonly wheels?: readonly string[];
  /** The folder `node_modules` with the sources of the binding. */
  readonly packages: string;
  readonly report?: Report;
  readonly surroundings?: NativeSurroundings;
};

type Construction = {
  readonly runtime: NativeRuntime;
  readonly pin: BuildPin;
  readonly temporary: string;
  readonly packages: string;
  readonly report: Report;
  readonly surroundings: NativeSurroundings;
};

const SPARE_BYTES = 100_000_000;

/** Makes sure that the runtime is set up; does nothing, in about a millisecond, when it already is. */
export async function setUpNativeRuntime(setup: NativeSetup): Promise<NativeRuntime> {
  const { build, packages, report = reportToPerson, surroundings = nativeSurroundings() } = setup;
  const runtime = describeNativeRuntime(build, surroundings);
  const pin = surroundings.pins.builds[surroundings.platform]?.[build];
  if (runtime === undefined || pin === undefined) {
    const known = Object.keys(surroundings.pins.builds).join(', ');
    const what = `There is no ${build.toUpperCase()} build of TensorFlow for ${surroundings.platform}: expected ${known}.`;
    throw new SetupError(what, 'Use one of these systems.');
  }
  if (findNativeProblem(runtime) === undefined) return runtime;
  const given = await identifyWheels(setup.wheels ?? [], pin.wheels);
  findCompiler();
  if (given.size < pin.wheels.length) await findPip();
  await checkBindingSources(surroundings.pins, packages);
  const locks = join(cacheFolder(surroundings.environment), 'locks');
  return withLock(locks, runtime.key, report, async () => {
    if (findNativeProblem(runtime) === undefined) return runtime;
    const temporary = `${runtime.path}.unfinished-${process.pid}`;
    try {
      await removeLeftovers(runtime);
      await mkdir(temporary, { recursive: true });
      await checkFreeSpace(pin, temporary);
      await construct({ runtime, pin, temporary, packages, report, surroundings }, given);
      await moveIntoPlace(temporary, runtime);
    } catch (error) {
      throw explainFileError(error, runtime.path);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    report(`${runtime.library} (${build.toUpperCase()} build) is ready`);
    return runtime;
  });
}

async function construct(work: Construction, given: Awaited<ReturnType<typeof identifyWheels>>): Promise<void> {
  const { runtime, pin, temporary, packages, report, surroundings } = work;
  const { pins } = surroundings;
  const headers = join(temporary, 'headers');
  const files: StampedFile[] = [];
  for (const wheelPin of pin.wheels) {
    const file = given.get(wheelPin);
    const download = join(temporary, 'download');
    const wheel = file === undefined ? await fetchWheel(wheelPin, pins, download, report) : { pin: wheelPin, file };
    files.push(...(await unpackWheel(wheel, temporary, headers, report)));
    // Removed at once: the GPU build has a dozen wheels, and together they would double the space it needs.
    await rm(download, { recursive: true, force: true });
  }
  const compiler = await compileBinding({ folder: temporary, headers, packages }, pins, pin, report);
  await rm(headers, { recursive: true, force: true });
  await checkBindingLoads(temporary, pins);
  const binding = join(temporary, BINDING_FILE);
  files.push({ path: BINDING_FILE, sizeBytes: await flush(binding), sha256: await hashFile(binding) });
  const stamp = join(temporary, STAMP_FILE);
  await writeFile(stamp, `${JSON.stringify(createNativeStamp(runtime, compiler, files), undefined, 2)}\n`);
  await flush(stamp);
}

async function unpackWheel(wheel: Wheel, folder: string, headers: string, report: Report): Promise<StampedFile[]> {
  report(`Unpacking ${basename(wheel.file)}`);
  const files: StampedFile[] = [];
  for (const entry of await readZipEntries(wheel.file)) {
    if (wheel.pin.keep.some((prefix) => entry.name.startsWith(prefix))) {
      files.push({ path: entry.name, ...(await extractZipEntry(wheel.file, entry, folder)) });
    } else if (wheel.pin.headers.some((prefix) => entry.name.startsWith(prefix))) {
      await extractZipEntry(wheel.file, entry, headers);
    }
  }
  if (files.length === 0) throw new SetupError(`${basename(wheel.file)} holds none of the expected files.`, 'Check resources/native.json.');
  return files;
}

async function checkFreeSpace(pin: BuildPin, folder: string): Promise<void> {
  const unpacked = pin.wheels.reduce((sum, wheel) => sum + wheel.unpackedBytes, 0);
  const needed = unpacked + Math.max(...pin.wheels.map((wheel) => wheel.sizeBytes)) + SPARE_BYTES;
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= needed) return;
  const what = `The disk is full: TensorFlow needs ${toMegabytes(needed)} MB in ${dirname(folder)}, ${toMegabytes(free)} MB are free.`;
  throw new SetupError(what, 'Free some space or set XDG_CACHE_HOME to a larger disk.');
}

/** Unfinished folders of this runtime belong to nobody while this process holds its lock. */
async function removeLeftovers(runtime: NativeRuntime): Promise<void> {
  const folder = dirname(runtime.path);
  if (!existsSync(folder)) return;
  for (const name of await readdir(folder)) {
    if (name.startsWith(`${runtime.key}.`)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function moveIntoPlace(temporary: string, runtime: NativeRuntime): Promise<void> {
  // A damaged runtime is moved away first: a run that still uses it keeps its open files.
  const damaged = `${runtime.path}.damaged-${process.pid}`;
  if (existsSync(runtime.path)) await rename(runtime.path, damaged);
  await rename(temporary, runtime.path);
  await flush(dirname(runtime.path));
  await rm(damaged, { recursive: true, force: true });
}

/** Forces a file or folder onto the disk and answers its size. */
async function flush(path: string): Promise<number> {
  const handle = await open(path);
  try {
    await handle.sync();
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

function toMegabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
