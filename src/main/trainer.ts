// Entry of the trainer, a plain Node child process that trains one run, predicts or times a few steps: parses the command, wires executor,
// control and reports, and answers with an exit code of contract/worker.ts. The parent sends commands over Node's IPC channel.
import { commandSchema, exitCodes, type Command, type Report } from '../shared/contract/worker.ts';
import { LabError, toWire } from '../shared/contract/errors.ts';
import { openNativeExecutor } from './engine/native.ts';
import type { Executor } from './engine/executor.ts';
import { findNativeProblem, locateNativeRuntime } from './nativeRuntime.ts';
import { calibrate } from './trainer/calibrate.ts';
import { createControl } from './trainer/control.ts';
import { trainRun } from './trainer/loop.ts';
import { runSelfTest } from './trainer/selfTest.ts';
import { startWatchdog } from './trainer/watchdog.ts';

const control = createControl();
const isSource = import.meta.url.endsWith('.ts');
const augmentWorker = new URL(isSource ? './data/augmentWorker.ts' : './augmentWorker.js', import.meta.url);
let lastSent = Promise.resolve();

function report(message: Report): void {
  lastSent = new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}

/** Leaves after everything sent has reached the parent; messages keep their order, so the last one speaks for all. */
function leave(code: number): void {
  void lastSent.then(() => process.exit(code));
}

function openExecutor(): Executor {
  const runtime = locateNativeRuntime();
  const problem = 'problem' in runtime ? runtime.problem : findNativeProblem(runtime);
  if (problem !== undefined) throw new LabError('native_missing', problem.what, { help: problem.help });
  if ('problem' in runtime) throw new LabError('native_missing', 'The TensorFlow library is not set up.');
  return openNativeExecutor(runtime);
}

async function obey(command: Command): Promise<number> {
  switch (command.type) {
    case 'train': {
      const outcome = await trainRun(command, { executor: openExecutor(), control, report, augmentWorker });
      report({ type: outcome });
      return outcome === 'finished' ? exitCodes.done : exitCodes.stopped;
    }
    case 'selfTest':
      report({ type: 'selfTest', ...runSelfTest(openExecutor()) });
      return exitCodes.done;
    case 'predict': {
      // Loaded here only: training needs no decoder of picture files.
      const { predictPictures } = await import('./trainer/predict.ts');
      report(await predictPictures(command, openExecutor()));
      return exitCodes.done;
    }
    case 'calibrate':
      report(await calibrate(command, { executor: openExecutor(), augmentWorker }));
      return exitCodes.done;
    case 'pause':
    case 'continue':
    case 'stop':
      control.receive(command.type);
      return exitCodes.done;
    case 'import':
    case 'materialize':
    case 'importWeights':
    case 'exportWeights':
    case 'layOut':
      throw new LabError('internal', `The trainer does not obey ${command.type}.`);
  }
}

function fail(error: unknown): void {
  report({ type: 'failed', error: toWire(error) });
  const isDiskFull = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
  leave(isDiskFull ? exitCodes.diskFull : exitCodes.failed);
}

function receive(message: unknown): void {
  const parsed = commandSchema.safeParse(message);
  if (!parsed.success) {
    fail(new LabError('internal', `The trainer received a command it does not understand: ${parsed.error.message}`));
    return;
  }
  const command = parsed.data;
  const isControl = command.type === 'pause' || command.type === 'continue' || command.type === 'stop';
  obey(command).then((code) => {
    if (!isControl) leave(code);
  }, fail);
}

startWatchdog();
process.on('message', receive);
process.on('disconnect', () => process.exit(exitCodes.failed));
process.on('uncaughtException', fail);
// Ctrl-C reaches the whole group; the parent decides what it means and sends `stop`.
process.on('SIGINT', () => undefined);
