// The life of a child that takes one command over the IPC channel and ends with an exit code, and how such a child reports.
import { commandSchema, exitCodes, type Report } from '../../shared/contract/worker.ts';
import { startWatchdog } from './watchdog.ts';

/** Resolves when the message is handed over; a parent that is gone is no error here. */
export function report(message: Report): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}

/**
 * Serves the first message that is no stop; `serve` answers the exit code. Stopping is ending at once: on SIGTERM, SIGINT, a stop command and
 * when the parent is gone. Only for work whose leftovers the core throws away.
 */
export function serveOneCommand(serve: (message: unknown) => Promise<number>): void {
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
