/**
 * Entry of the report child: takes one layOut command over the IPC channel, writes the files, says which, ends with an exit code.
 *
 * Owns the life of the process: it stops on SIGTERM, SIGINT, a stop command and when its parent is gone. What a report says is decided by
 * the core; how it looks is reporter/*.ts. Its folders are temporary ones of the core, which removes what a stopped child leaves.
 */
import { LabError, toWire } from '../shared/contract/errors.ts';
import { commandSchema, exitCodes, type Report } from '../shared/contract/worker.ts';
import { layOut } from './reporter/layOut.ts';
import { startWatchdog } from './trainer/watchdog.ts';

async function serve(message: unknown): Promise<number> {
  try {
    const parsed = commandSchema.safeParse(message);
    if (!parsed.success || parsed.data.type !== 'layOut') {
      throw new LabError('internal', 'The report program was given a command that it does not know.', {
        expected: 'layOut',
        received: parsed.success ? parsed.data.type : parsed.error.message.slice(0, 300),
      });
    }
    await report({ type: 'laidOut', files: await layOut(parsed.data) });
    return exitCodes.done;
  } catch (error) {
    const wire = toWire(error);
    await report({ type: 'failed', error: wire });
    return wire.code === 'disk_full' ? exitCodes.diskFull : exitCodes.failed;
  }
}

/** Resolves when the message is handed over; a parent that is gone is no error here. */
function report(message: Report): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}

function main(): void {
  // Laying out cannot be asked to pause, and what it leaves is thrown away: stopping is ending.
  const stopNow = (): void => process.exit(exitCodes.stopped);
  let isBusy = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stopNow);
  process.on('disconnect', stopNow);
  process.on('message', (message: unknown) => {
    const parsed = commandSchema.safeParse(message);
    if (parsed.success && parsed.data.type === 'stop') stopNow();
    else if (!isBusy) {
      isBusy = true;
      void serve(message).then((code) => process.exit(code));
    }
  });
  startWatchdog();
}

main();
