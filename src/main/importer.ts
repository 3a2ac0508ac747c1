/**
 * Entry of the importer child: takes one import or materialize command over the IPC channel, reports progress, ends with an exit code.
 *
 * Owns the life of the process: it stops on SIGTERM, SIGINT, a stop command and when its parent is gone, and leaves nothing behind.
 * The work is data/importDataset.ts; renaming the finished folder into place is the core's.
 */
import { rmSync } from 'node:fs';
import { LabError, toWire } from '../shared/contract/errors.ts';
import { type Command, commandSchema, exitCodes } from '../shared/contract/worker.ts';
import { configureDecoder } from './data/images.ts';
import { importBundled, importDataset, type ImportOptions, type ImportResult } from './data/importDataset.ts';
import { report } from './trainer/commandChild.ts';

const PROGRESS_MS = 100;
/** A decoder that does not return within this time after a stop is left behind with the process. */
const STOP_MS = 3000;

type ImporterCommand = Extract<Command, { type: 'import' | 'materialize' }>;

/** Serves the one command of this process; answers the exit code. */
async function serve(message: unknown, stop: AbortSignal): Promise<number> {
  const parsed = commandSchema.safeParse(message);
  if (!parsed.success || (parsed.data.type !== 'import' && parsed.data.type !== 'materialize')) {
    const error = new LabError('bad_usage', 'The importer was given a command that it does not know.', {
      expected: 'import or materialize',
      received: parsed.success ? parsed.data.type : parsed.error.issues.map((issue) => issue.message).join('; '),
      help: 'Start the importer through the program.',
    });
    await report({ type: 'failed', error: toWire(error) });
    return exitCodes.failed;
  }
  stop.addEventListener('abort', () => endLate(parsed.data), { once: true });
  try {
    const { rejected } = await run(parsed.data, { signal: stop, onProgress: throttledProgress() });
    await report({ type: 'imported', rejected: [...rejected] });
    return exitCodes.done;
  } catch (error) {
    if (stop.aborted) {
      await report({ type: 'stopped' });
      return exitCodes.stopped;
    }
    await report({ type: 'failed', error: toWire(error) });
    return exitCodeOf(error);
  }
}

function run(command: ImporterCommand, options: ImportOptions): Promise<ImportResult> {
  if (command.type === 'materialize') return importBundled(command.id, command.resourcesFolder, command.targetFolder, options);
  return importDataset(command, options);
}

function exitCodeOf(error: unknown): number {
  if (!(error instanceof LabError)) return exitCodes.failed;
  if (error.code === 'disk_full') return exitCodes.diskFull;
  return error.code === 'bad_input' ? exitCodes.badInput : exitCodes.failed;
}

function throttledProgress(): (done: number, total: number) => void {
  let last = -Infinity;
  return (done, total) => {
    const now = performance.now();
    if (now - last < PROGRESS_MS) return;
    last = now;
    void report({ type: 'importProgress', done, total });
  };
}

function endLate(command: Command): void {
  const end = (): void => {
    if ('targetFolder' in command) rmSync(command.targetFolder, { recursive: true, force: true });
    process.exit(exitCodes.stopped);
  };
  setTimeout(end, STOP_MS).unref();
}

function main(): void {
  const stop = new AbortController();
  let isBusy = false;
  const end = (code: number): void => {
    process.exitCode = code;
    if (process.connected) process.disconnect();
  };
  const stopNow = (): void => {
    stop.abort();
    if (!isBusy) end(exitCodes.stopped);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stopNow);
  process.on('disconnect', stopNow);
  configureDecoder();
  process.on('message', (message: unknown) => {
    const parsed = commandSchema.safeParse(message);
    if (parsed.success && parsed.data.type === 'stop') stopNow();
    else if (!isBusy) {
      isBusy = true;
      void serve(message, stop.signal).then(end);
    }
  });
}

main();
