// Work on many runs: in small pieces, so that the lab stays quick, with progress and a way to end it.
import { shallowRef, type ShallowRef } from 'vue';

export interface Progress {
  readonly label: string;
  readonly done: number;
  readonly total: number;
}

/** What is done sooner shows no progress. */
const quickMs = 400;

export interface BulkWork {
  /** Null while nothing is under way that takes its time. */
  readonly progress: ShallowRef<Progress | null>;
  /** What was done stays done when it is cancelled; answers these parts. */
  each<Part>(label: string, parts: readonly Part[], work: (part: Part) => Promise<unknown>): Promise<readonly Part[]>;
  /** One piece of work that tells how far it is. */
  one<Value>(
    label: string,
    work: (signal: AbortSignal, onProgress: (done: number, total: number) => void) => Promise<Value>,
  ): Promise<Value>;
  cancel(): void;
}

export function createBulkWork(): BulkWork {
  const progress = shallowRef<Progress | null>(null);
  let control = new AbortController();
  const one: BulkWork['one'] = async (label, work) => {
    control = new AbortController();
    const beganMs = performance.now();
    const show = (done: number, total: number): void => {
      if (performance.now() - beganMs > quickMs) progress.value = { label, done, total };
    };
    try {
      return await work(control.signal, show);
    } finally {
      progress.value = null;
    }
  };
  return {
    progress,
    one,
    each: (label, parts, work) =>
      one(label, async (signal, onProgress) => {
        const done: (typeof parts)[number][] = [];
        for (const part of parts) {
          if (signal.aborted) break;
          await work(part);
          done.push(part);
          onProgress(done.length, parts.length);
        }
        return done;
      }),
    cancel: () => control.abort(),
  };
}

/** Pieces of at most `length`. */
export function inPieces<Value>(values: readonly Value[], length: number): readonly (readonly Value[])[] {
  return Array.from({ length: Math.ceil(values.length / length) }, (_, index) => values.slice(index * length, (index + 1) * length));
}
