/** A TensorFlow of a few kilobytes: real libraries, a real wheel and a real binding, so that set-up runs for real in a second. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { hashFile, nativeSurroundings, type NativePins, type NativeSurroundings, type WheelPin } from '../src/main/nativeRuntime.ts';

export type NativePayload = { readonly wheel: string; readonly packages: string; readonly pins: NativePins };

const LIBRARIES = ['tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'];
const BINDING = `#include <node_api.h>
#include "tensorflow/c/c_api.h"
NAPI_MODULE_INIT() {
  napi_value version;
  napi_create_string_utf8(env, TF_Version(), NAPI_AUTO_LENGTH, &version);
  napi_set_named_property(env, exports, "TF_Version", version);
  return exports;
}
`;

/** Makes a folder that is removed when the caller calls the second value. */
export function makeTemporaryFolder(): [string, () => void] {
  const folder = mkdtempSync(join(tmpdir(), 'transfer-lab-setup-'));
  return [folder, () => rmSync(folder, { recursive: true, force: true })];
}

/** Compiles and packs the payload below `folder`; takes about a second, so tests share one. */
export async function makeNativePayload(folder: string): Promise<NativePayload> {
  const content = join(folder, 'wheel');
  const packages = join(folder, 'node_modules');
  mkdirSync(join(content, 'tensorflow', 'include', 'tensorflow', 'c'), { recursive: true });
  mkdirSync(join(packages, 'binding'), { recursive: true });
  symlinkSync(resolve('node_modules/node-api-headers'), join(packages, 'node-api-headers'));
  writeFileSync(join(packages, 'binding', 'binding.cc'), BINDING);
  writeFileSync(join(content, 'tensorflow/include/tensorflow/c/c_api.h'), 'extern "C" const char* TF_Version();\n');
  const source = join(folder, 'library.cc');
  writeFileSync(source, 'extern "C" const char* TF_Version() { return "0.0.1"; }\n');
  for (const library of LIBRARIES) execFileSync('g++', ['-shared', '-fPIC', source, '-o', join(content, library)]);
  const wheel = join(folder, 'anything.whl');
  execFileSync('python3', ['-m', 'zipfile', '-c', wheel, 'tensorflow/'], { cwd: content });
  const pin = { package: 'tensorflow-tiny', version: '0.0.1', platform: 'any', sha256: await hashFile(wheel), sizeBytes: 9000 };
  return {
    wheel,
    packages,
    pins: await makePins(packages, { ...pin, unpackedBytes: 30_000, keep: LIBRARIES, headers: ['tensorflow/include/'] }),
  };
}

/** The surroundings of a machine whose cache is `cache` and that pins the payload, as CPU and as GPU build. */
export function payloadSurroundings(payload: NativePayload, cache: string, replaced: Partial<NativeSurroundings> = {}): NativeSurroundings {
  const environment = { XDG_CACHE_HOME: cache };
  return nativeSurroundings({ pins: payload.pins, platform: 'linux-x64', driverFiles: [], environment, ...replaced });
}

/** The same payload with one property of its wheel replaced. */
export function replaceWheelPin(payload: NativePayload, replaced: Partial<WheelPin>): NativePayload {
  const build = payload.pins.builds['linux-x64']?.cpu;
  if (build === undefined) throw new Error('the payload has no CPU build');
  const cpu = { ...build, wheels: build.wheels.map((wheel) => ({ ...wheel, ...replaced })) };
  return { ...payload, pins: { ...payload.pins, builds: { 'linux-x64': { cpu } } } };
}

/** Copies a finished cache, so that a test may damage it. */
export function copyCache(from: string, to: string): string {
  cpSync(from, to, { recursive: true });
  return to;
}

async function makePins(packages: string, wheel: WheelPin): Promise<NativePins> {
  const build = { wheels: [wheel], link: LIBRARIES };
  return {
    format: 1,
    tensorflow: '0.0.1',
    python: { version: '3.12', implementation: 'cp', abi: 'cp312' },
    binding: {
      checksums: { 'binding/binding.cc': await hashFile(join(packages, 'binding/binding.cc')) },
      sources: ['binding/binding.cc'],
      includes: ['node-api-headers/include'],
      flags: ['-shared', '-fPIC', '-DNAPI_VERSION=8'],
    },
    builds: { 'linux-x64': { cpu: build, gpu: { ...build, link: [...LIBRARIES].reverse() } } },
  };
}
