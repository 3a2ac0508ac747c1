// The trainer's mailbox: pause, continue and stop arrive as messages and are looked at between steps. The loop hands the event loop a
// turn every 30 ms, because a native call blocks it.
import { setImmediate as nextTurn } from 'node:timers/promises';

export type Wish = 'run' | 'pause' | 'stop';

export interface Control {
  /** What the person wants now. */
  readonly wish: Wish;
  /** Lets messages in when 30 ms have passed since the last time. */
  breathe(): Promise<void>;
  /** Waits until the wish is something else than `pause`. */
  whilePaused(): Promise<void>;
}

export interface ControlledMailbox extends Control {
  receive(message: 'pause' | 'continue' | 'stop'): void;
}

const turnMs = 30;

export function createControl(now: () => number = () => performance.now()): ControlledMailbox {
  let wish: Wish = 'run';
  let lastTurn = now();
  let wake: () => void = () => undefined;
  return {
    get wish() {
      return wish;
    },
    receive(message) {
      // A stop is final: a late `continue` must not revive a run that is being saved.
      if (wish !== 'stop') wish = message === 'continue' ? 'run' : message;
      wake();
    },
    async breathe() {
      if (now() - lastTurn < turnMs) return;
      await nextTurn();
      lastTurn = now();
    },
    async whilePaused() {
      while (wish === 'pause') {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      lastTurn = now();
    },
  };
}
