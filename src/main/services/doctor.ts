// Looks at everything training depends on and says, for each problem, what can be done about it. The self-test runs in a trainer child:
// a host never loads TensorFlow.
import type { DoctorAnswer, Problem } from '../../shared/contract/answers.ts';
import type { Report } from '../../shared/contract/worker.ts';
import { explainCpu, locateNativeRuntime, verifyNativeRuntime } from '../nativeRuntime.ts';
import { describeMachine, measureDisk, readAvailableMemory } from './machine.ts';
import { startChild, type ChildPrograms } from './supervisor.ts';

export interface DoctorSurroundings {
  readonly folder: string;
  readonly programs: ChildPrograms;
  readonly versions: { readonly app: string; readonly sqlite: string };
}

type SelfTest = DoctorAnswer['selfTest'] & { readonly devices: readonly string[] };

const enoughDiskBytes = 2 * 1024 ** 3;
const enoughMemoryBytes = 1024 ** 3;
const setUpHelp = 'Run `npm run setup`; if it happens again, send the output of `lab doctor --deep`.';

/** `deep` also checks the content of the native library. `ok` means that training is possible. */
export async function checkHealth(
  { folder, programs, versions }: DoctorSurroundings,
  deep: boolean,
  signal: AbortSignal,
): Promise<DoctorAnswer> {
  const { problem, library, build, path, verified } = await verifyNativeRuntime({ deep });
  signal.throwIfAborted();
  const selfTest = problem === undefined ? await runSelfTest(programs, signal) : notRun();
  const machine = describeMachine();
  const memory = { totalBytes: machine.memoryBytes, availableBytes: readAvailableMemory() };
  const disk = await measureDisk(folder);
  const problems: Problem[] = [];
  if (problem !== undefined) problems.push({ what: problem.what, help: problem.help });
  else if (!selfTest.ok) problems.push({ what: `The self-test failed: ${selfTest.message}`, help: setUpHelp });
  problems.push(...findShortages(memory.availableBytes, disk.freeBytes), ...explainDevice());
  return {
    ok: verified && selfTest.ok,
    versions: { ...versions, node: process.versions.node, tensorflow: library.replace(/^TensorFlow /, '') },
    native: { library, build, path, verified },
    cpu: machine.cpu,
    devices: selfTest.devices.length > 0 ? [...selfTest.devices] : ['CPU'],
    memory,
    disk,
    selfTest: { ok: selfTest.ok, seconds: selfTest.seconds, message: selfTest.message },
    problems,
  };
}

async function runSelfTest(programs: ChildPrograms, signal: AbortSignal): Promise<SelfTest> {
  const started = performance.now();
  let result: SelfTest | undefined;
  const onReport = (report: Report): void => {
    if (report.type !== 'selfTest') return;
    result = { ok: report.ok, seconds: report.seconds, message: report.message, devices: report.devices ?? [] };
  };
  const child = startChild({ node: programs.node, program: programs.trainer, command: { type: 'selfTest' }, onReport });
  const onAbort = (): void => child.kill();
  signal.addEventListener('abort', onAbort);
  const end = await child.ended;
  signal.removeEventListener('abort', onAbort);
  signal.throwIfAborted();
  if (end.outcome === 'done' && result !== undefined) return result;
  const seconds = (performance.now() - started) / 1000;
  return { ok: false, seconds, message: end.error?.message ?? 'The trainer ended without an answer.', devices: [] };
}

function notRun(): SelfTest {
  return { ok: false, seconds: 0, message: 'Not run: the native library cannot be used.', devices: [] };
}

function findShortages(availableBytes: number, freeBytes: number): Problem[] {
  const problems: Problem[] = [];
  if (availableBytes < enoughMemoryBytes) {
    problems.push({ what: 'Less than 1 GB of memory is available.', help: 'Close other programs before training.' });
  }
  if (freeBytes < enoughDiskBytes) {
    problems.push({
      what: 'Less than 2 GB of disk space is free in the workspace.',
      help: 'Free some space, or choose another --workspace.',
    });
  }
  return problems;
}

function explainDevice(): Problem[] {
  const runtime = locateNativeRuntime();
  if ('problem' in runtime) return [];
  const reason = explainCpu(runtime);
  return reason === undefined || runtime.build === 'cpu'
    ? []
    : [{ what: reason, help: 'Training works, only slower; load the driver to use the graphics card.' }];
}
