import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setUpNativeRuntime } from '../scripts/setup/native.ts';
import {
  cacheFolder,
  describeNativeRuntime,
  explainCpu,
  findNativeProblem,
  locateNativeRuntime,
  verifyNativeRuntime,
  type NativeRuntime,
  type NativeSurroundings,
} from '../src/main/nativeRuntime.ts';
import { copyCache, makeNativePayload, makeTemporaryFolder, payloadSurroundings, type NativePayload } from './nativePayload.ts';

const [folder, removeFolder] = makeTemporaryFolder();
const LIBRARY = 'tensorflow/libtensorflow_cc.so.2';
let payload: NativePayload;
let whole: NativeSurroundings;

beforeAll(async () => {
  payload = await makeNativePayload(folder);
  whole = payloadSurroundings(payload, join(folder, 'whole'));
  for (const build of ['cpu', 'gpu'] as const) await setUp(build, whole);
}, 60_000);
afterAll(removeFolder);

function setUp(build: 'cpu' | 'gpu', surroundings: NativeSurroundings): Promise<NativeRuntime> {
  return setUpNativeRuntime({ build, wheels: [payload.wheel], packages: payload.packages, surroundings, report: () => undefined });
}

function located(surroundings: NativeSurroundings): NativeRuntime {
  const runtime = locateNativeRuntime(surroundings);
  if ('problem' in runtime) throw new Error(runtime.problem.what);
  return runtime;
}

function damagedCopy(name: string): { surroundings: NativeSurroundings; runtime: NativeRuntime } {
  const surroundings = payloadSurroundings(payload, copyCache(join(folder, 'whole'), join(folder, name)));
  return { surroundings, runtime: located(surroundings) };
}

test('the cache is below XDG_CACHE_HOME when that is absolute, else below the home folder', () => {
  expect(cacheFolder({ XDG_CACHE_HOME: '/cache', HOME: '/somebody' })).toBe('/cache/transfer-lab');
  expect(cacheFolder({ XDG_CACHE_HOME: 'relative', HOME: '/somebody' })).toBe('/somebody/.cache/transfer-lab');
  expect(cacheFolder({ HOME: '/somebody' })).toBe('/somebody/.cache/transfer-lab');
});

test('the folder changes with every pin that decides its content, and only then', () => {
  const key = describeNativeRuntime('cpu', whole)?.key;
  const { binding } = payload.pins;
  const otherFlags = { ...whole, pins: { ...payload.pins, binding: { ...binding, flags: [...binding.flags, '-O3'] } } };
  expect(key).toMatch(/^tensorflow-0\.0\.1-cpu-linux-x64-[0-9a-f]{12}$/);
  expect(describeNativeRuntime('cpu', { ...whole, environment: {} })?.key).toBe(key);
  expect(describeNativeRuntime('cpu', otherFlags)?.key).not.toBe(key);
  expect(describeNativeRuntime('gpu', whole)?.key).not.toBe(key);
});

test('the GPU build is used when it is set up and a driver is loaded, unless LAB_NATIVE decides', () => {
  const driver = { ...whole, driverFiles: [join(folder, 'whole')] };
  const wanting = (build: string): NativeSurroundings => ({ ...driver, environment: { ...whole.environment, LAB_NATIVE: build } });
  expect(located(whole).build).toBe('cpu');
  expect(located(driver).build).toBe('gpu');
  expect(located(wanting('cpu')).build).toBe('cpu');
  expect(located({ ...wanting('gpu'), driverFiles: [] }).build).toBe('gpu');
  expect(located({ ...driver, environment: { XDG_CACHE_HOME: join(folder, 'nothing') } }).build).toBe('cpu');
});

test('a machine is told why it computes on the CPU', () => {
  const environment = { ...whole.environment, LAB_NATIVE: 'gpu' };
  const driver = { ...whole, driverFiles: [join(folder, 'whole')] };
  expect(explainCpu(located(whole), whole)).toContain('set up but not used, because no NVIDIA driver is loaded');
  expect(explainCpu(located({ ...whole, environment }), whole)).toContain('no NVIDIA driver is loaded');
  expect(explainCpu(located(driver), driver)).toBeUndefined();
  const nothing = payloadSurroundings(payload, join(folder, 'nothing'));
  expect(explainCpu(located(nothing), nothing)).toContain('npm run setup -- --gpu');
});

test('a wrong LAB_NATIVE and an unknown platform are problems with a way out', async () => {
  const wrong = await verifyNativeRuntime({}, { ...whole, environment: { LAB_NATIVE: 'tpu' } });
  expect(wrong).toMatchObject({ verified: false, problem: { what: expect.stringContaining('received "tpu"') as string } });
  const unknown = await verifyNativeRuntime({}, { ...whole, platform: 'plan9-mips' });
  expect(unknown.problem?.what).toContain('for plan9-mips: expected linux-x64');
});

test('a whole runtime is verified, also by its content', async () => {
  expect(findNativeProblem(located(whole))).toBeUndefined();
  const verification = await verifyNativeRuntime({ deep: true }, whole);
  expect(verification).toEqual({ library: 'TensorFlow 0.0.1', build: 'cpu', path: located(whole).path, verified: true });
});

test('a runtime that is not set up says how to set it up', () => {
  const problem = findNativeProblem(located(payloadSurroundings(payload, join(folder, 'nothing'))));
  expect(problem?.what).toContain('is not set up');
  expect(problem?.help).toContain('npm run setup');
});

test('a file of the wrong size is found by the quick check', () => {
  const { runtime } = damagedCopy('longer');
  appendFileSync(join(runtime.path, LIBRARY), 'x');
  expect(findNativeProblem(runtime)?.what).toMatch(/damaged: .*libtensorflow_cc\.so\.2: expected \d+ bytes, received \d+ bytes/);
  rmSync(join(runtime.path, LIBRARY));
  expect(findNativeProblem(runtime)?.what).toContain('received no file');
});

test('a changed byte is found by the deep check only', async () => {
  const { runtime, surroundings } = damagedCopy('changed');
  const content = readFileSync(join(runtime.path, LIBRARY));
  content[1000] = (content[1000] ?? 0) ^ 1;
  writeFileSync(join(runtime.path, LIBRARY), content);
  expect(findNativeProblem(runtime)).toBeUndefined();
  const verification = await verifyNativeRuntime({ deep: true }, surroundings);
  expect(verification.verified).toBe(false);
  expect(verification.problem?.what).toContain('SHA-256');
});

test('a damaged or foreign stamp is a problem, not a crash', () => {
  const { runtime } = damagedCopy('stamp');
  const stamp = join(runtime.path, 'stamp.json');
  const text = readFileSync(stamp, 'utf8');
  for (const content of ['', '{', 'null', '[]', text.replace(runtime.key, 'another'), text.replace('"format": 1', '"format": 2')]) {
    writeFileSync(stamp, content);
    expect(findNativeProblem(runtime)?.what).toContain('damaged');
  }
});

test('set-up repairs a damaged runtime and leaves nothing else behind', async () => {
  const { runtime, surroundings } = damagedCopy('repaired');
  appendFileSync(join(runtime.path, LIBRARY), 'x');
  await setUp('cpu', surroundings);
  expect((await verifyNativeRuntime({ deep: true }, surroundings)).verified).toBe(true);
});
