/**
 * Where the TensorFlow runtime lives, which build of it a run uses, and whether what lies there can be trusted.
 *
 * A runtime is a folder in the user's cache, shared by every checkout: the libraries of one TensorFlow build, the
 * tfjs binding compiled against them, and a stamp written last. Its name holds a key over everything that decided its
 * content (pins, sources, flags), so a changed pin is another folder and never a half-updated one.
 *
 * This file only looks. Fetching and compiling is scripts/setup/native.ts; loading the binding is engine/native.ts.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import pinsOfThisVersion from '../../resources/native.json' with { type: 'json' };

export type NativeBuild = 'cpu' | 'gpu';

/** One Python wheel: `keep` and `headers` are path prefixes inside it; headers are needed only while compiling. */
export type WheelPin = {
  readonly package: string;
  readonly version: string;
  readonly platform: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly unpackedBytes: number;
  readonly keep: readonly string[];
  readonly headers: readonly string[];
};

export type BuildPin = { readonly wheels: readonly WheelPin[]; readonly link: readonly string[] };

export type NativePins = {
  readonly format: number;
  readonly tensorflow: string;
  /** The Python whose wheels are fetched, whatever Python this machine has. */
  readonly python: { readonly version: string; readonly implementation: string; readonly abi: string };
  readonly binding: {
    readonly checksums: Readonly<Record<string, string>>;
    readonly sources: readonly string[];
    readonly includes: readonly string[];
    readonly flags: readonly string[];
  };
  readonly builds: Readonly<Record<string, Readonly<Partial<Record<NativeBuild, BuildPin>>>>>;
};

/** What is wrong and what the person can do about it, both complete sentences. */
export type NativeProblem = { readonly what: string; readonly help: string };

export type NativeRuntime = {
  /** For people and records, such as `TensorFlow 2.21.0`. */
  readonly library: string;
  readonly build: NativeBuild;
  readonly key: string;
  /** The runtime's folder; it exists only after set-up. */
  readonly path: string;
  /** The file to load with `require` or `process.dlopen`. */
  readonly binding: string;
};

export type StampedFile = { readonly path: string; readonly sizeBytes: number; readonly sha256: string };

export type NativeStamp = {
  readonly format: number;
  readonly key: string;
  readonly library: string;
  readonly compiler: string;
  readonly builtAt: string;
  readonly files: readonly StampedFile[];
};

export type NativeVerification = {
  readonly library: string;
  readonly build: NativeBuild;
  readonly path: string;
  readonly verified: boolean;
  readonly problem?: NativeProblem;
};

/** Everything the answers depend on; tests pass their own, the product passes nothing. */
export type NativeSurroundings = {
  readonly pins: NativePins;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  /** Files whose presence means that an NVIDIA driver is loaded. */
  readonly driverFiles: readonly string[];
};

export const BINDING_FILE = 'tfjs_binding.node';
export const STAMP_FILE = 'stamp.json';
const STAMP_FORMAT = 1;
const SETUP_HELP = 'Run `npm run setup` in the checkout; it needs Python 3 with pip, g++ and the package registries.';

/** The real machine, with single answers replaced. */
export function nativeSurroundings(replaced: Partial<NativeSurroundings> = {}): NativeSurroundings {
  return {
    pins: pinsOfThisVersion,
    environment: process.env,
    platform: `${process.platform}-${process.arch}`,
    driverFiles: ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/dev/dxg'],
    ...replaced,
  };
}

/** The folder of everything that can be fetched or built again; scripts/toolchain.mjs answers the same for Node 18. */
export function cacheFolder(environment: NativeSurroundings['environment'] = process.env): string {
  const chosen = environment['XDG_CACHE_HOME'];
  if (chosen !== undefined && isAbsolute(chosen)) return join(chosen, 'transfer-lab');
  return join(environment['HOME'] ?? homedir(), '.cache', 'transfer-lab');
}

/** The place of one build, set up or not; undefined when this version pins no such build for the platform. */
export function describeNativeRuntime(build: NativeBuild, surroundings = nativeSurroundings()): NativeRuntime | undefined {
  const { pins, platform, environment } = surroundings;
  const pin = pins.builds[platform]?.[build];
  if (pin === undefined) return undefined;
  const content = createHash('sha256').update(JSON.stringify([STAMP_FORMAT, pins.format, pins.tensorflow, pins.binding, pin]));
  const key = `tensorflow-${pins.tensorflow}-${build}-${platform}-${content.digest('hex').slice(0, 12)}`;
  const path = join(cacheFolder(environment), 'native', key);
  return { library: `TensorFlow ${pins.tensorflow}`, build, key, path, binding: join(path, BINDING_FILE) };
}

/** True when a driver is loaded, which is necessary for the graphics card but does not prove that it can be used. */
export function hasGpuDriver(surroundings = nativeSurroundings()): boolean {
  return surroundings.driverFiles.some((file) => existsSync(file));
}

/**
 * The runtime that a run on this machine uses.
 *
 * LAB_NATIVE=cpu or gpu decides; otherwise the GPU build when it is set up and a driver is loaded, else the CPU build.
 */
export function locateNativeRuntime(surroundings = nativeSurroundings()): NativeRuntime | { readonly problem: NativeProblem } {
  const wanted = surroundings.environment['LAB_NATIVE'];
  if (wanted !== undefined && wanted !== '' && wanted !== 'cpu' && wanted !== 'gpu') {
    const what = `LAB_NATIVE chooses the TensorFlow build: expected cpu or gpu, received ${JSON.stringify(wanted)}.`;
    return { problem: { what, help: 'Set LAB_NATIVE to cpu or gpu, or unset it.' } };
  }
  const gpu = describeNativeRuntime('gpu', surroundings);
  const isGpuReady = wanted !== 'cpu' && gpu !== undefined && existsSync(join(gpu.path, STAMP_FILE)) && hasGpuDriver(surroundings);
  const chosen = wanted === 'gpu' || isGpuReady ? gpu : describeNativeRuntime('cpu', surroundings);
  return chosen ?? { problem: unsupported(wanted === 'gpu' ? 'gpu' : 'cpu', surroundings) };
}

/** Why a run computes on the CPU, in one sentence; undefined when the GPU build is used and a driver is loaded. */
export function explainCpu(runtime: NativeRuntime, surroundings = nativeSurroundings()): string | undefined {
  if (runtime.build === 'gpu') {
    if (hasGpuDriver(surroundings)) return undefined;
    return 'The GPU build of TensorFlow is in use, but no NVIDIA driver is loaded, so it computes on the CPU.';
  }
  const gpu = describeNativeRuntime('gpu', surroundings);
  if (gpu === undefined || !existsSync(join(gpu.path, STAMP_FILE))) {
    return 'The CPU build of TensorFlow is in use; `npm run setup -- --gpu` adds the GPU build.';
  }
  if (surroundings.environment['LAB_NATIVE'] === 'cpu') return 'LAB_NATIVE=cpu asks for the CPU build of TensorFlow.';
  return 'The GPU build of TensorFlow is set up but not used, because no NVIDIA driver is loaded.';
}

/** Checks presence, stamp and sizes in about a millisecond; undefined means that the runtime may be loaded. */
export function findNativeProblem(runtime: NativeRuntime): NativeProblem | undefined {
  const stamp = readNativeStamp(runtime);
  if ('what' in stamp) return stamp;
  for (const file of stamp.files) {
    const found = statSync(join(runtime.path, file.path), { throwIfNoEntry: false })?.size;
    if (found !== file.sizeBytes) {
      return damaged(runtime, file.path, `${file.sizeBytes} bytes`, found === undefined ? 'no file' : `${found} bytes`);
    }
  }
  return undefined;
}

/** The answer for `doctor`: sizes and stamp, and with `deep` the SHA-256 of every file (reads about a gigabyte). */
export async function verifyNativeRuntime(
  options: { deep?: boolean } = {},
  surroundings = nativeSurroundings(),
): Promise<NativeVerification> {
  const runtime = locateNativeRuntime(surroundings);
  if ('problem' in runtime) {
    return { library: `TensorFlow ${surroundings.pins.tensorflow}`, build: 'cpu', path: '', verified: false, problem: runtime.problem };
  }
  const { library, build, path } = runtime;
  const problem = findNativeProblem(runtime) ?? (options.deep === true ? await findDamagedContent(runtime) : undefined);
  return problem === undefined ? { library, build, path, verified: true } : { library, build, path, verified: false, problem };
}

/** Streams the file, so that a library of 800 MB costs no memory. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** Makes the stamp that set-up writes as the last file of a finished runtime. */
export function createNativeStamp(runtime: NativeRuntime, compiler: string, files: readonly StampedFile[]): NativeStamp {
  return { format: STAMP_FORMAT, key: runtime.key, library: runtime.library, compiler, builtAt: new Date().toISOString(), files };
}

async function findDamagedContent(runtime: NativeRuntime): Promise<NativeProblem | undefined> {
  const stamp = readNativeStamp(runtime);
  if ('what' in stamp) return stamp;
  for (const file of stamp.files) {
    const found = await hashFile(join(runtime.path, file.path));
    if (found !== file.sha256) return damaged(runtime, file.path, `SHA-256 ${file.sha256}`, found);
  }
  return undefined;
}

function readNativeStamp(runtime: NativeRuntime): NativeStamp | NativeProblem {
  const path = join(runtime.path, STAMP_FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    const name = runtime.build === 'gpu' ? 'GPU build' : 'CPU build';
    const help = runtime.build === 'gpu' ? SETUP_HELP.replace('npm run setup', 'npm run setup -- --gpu') : SETUP_HELP;
    return { what: `The ${name} of ${runtime.library} is not set up: expected ${path}.`, help };
  }
  const stamp = parseNativeStamp(text);
  if (stamp === undefined) return damaged(runtime, STAMP_FILE, 'a stamp', 'something else');
  if (stamp.key !== runtime.key) return damaged(runtime, STAMP_FILE, runtime.key, stamp.key);
  return stamp;
}

function parseNativeStamp(text: string): NativeStamp | undefined {
  try {
    const value = JSON.parse(text) as Partial<NativeStamp> | null;
    const isStamp = value?.format === STAMP_FORMAT && typeof value.key === 'string' && Array.isArray(value.files);
    return isStamp ? (value as NativeStamp) : undefined;
  } catch {
    return undefined;
  }
}

function damaged(runtime: NativeRuntime, file: string, expected: string, received: string): NativeProblem {
  const what = `The TensorFlow runtime is damaged: ${join(runtime.path, file)}: expected ${expected}, received ${received}.`;
  return { what, help: `Delete the folder ${runtime.path} and run \`npm run setup${runtime.build === 'gpu' ? ' -- --gpu' : ''}\`.` };
}

function unsupported(build: NativeBuild, { pins, platform }: NativeSurroundings): NativeProblem {
  const supported = Object.keys(pins.builds).filter((name) => pins.builds[name]?.[build] !== undefined);
  return {
    what: `There is no ${build.toUpperCase()} build of TensorFlow ${pins.tensorflow} for ${platform}: expected ${supported.join(' or ')}.`,
    help: 'Use one of these systems.',
  };
}
