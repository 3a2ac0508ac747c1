// Ctrl-C: the first one asks for an orderly end, the second ends at once. SIGTERM and a closed terminal ask for an orderly end as well.
import { exitStatus } from './command.ts';

export interface Interrupts {
  /** Aborted by the first interrupt. */
  readonly signal: AbortSignal;
  /** What must be noted before the second interrupt ends the process. */
  onSecond: () => void;
  /** Resolves at the next interrupt from now on that does not end the process. */
  next(): Promise<void>;
  /** Something new waits after an orderly end, so that the next interrupt is a first one again. */
  rearm(): void;
  end(): void;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Two signals closer than this are one: a terminal and a wrapper such as npm both pass Ctrl-C on. */
const echoMs = 300;

export function createInterrupts(): Interrupts {
  const controller = new AbortController();
  let lastSignal = Number.NEGATIVE_INFINITY;
  let isAsked = false;
  const waiting: (() => void)[] = [];
  const interrupts: Interrupts = {
    signal: controller.signal,
    onSecond: () => undefined,
    next: () => new Promise((resolve) => waiting.push(resolve)),
    rearm: () => {
      isAsked = false;
    },
    end: () => {
      for (const name of signals) process.off(name, onSignal);
    },
  };
  const onSignal = (): void => {
    const now = performance.now();
    if (now - lastSignal < echoMs) return;
    lastSignal = now;
    if (isAsked) {
      interrupts.onSecond();
      process.exit(exitStatus.interrupted);
    }
    isAsked = true;
    controller.abort();
    for (const resolve of waiting.splice(0)) resolve();
  };
  for (const name of signals) process.on(name, onSignal);
  return interrupts;
}
