// The comparison that is looked at: the answer of the lab for the chosen entries, base and rule, with the curves of the entries. It is read
// again when one of its runs changes and when the connection comes back.
import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import { toWire, type WireError } from '../../shared/contract/errors.ts';
import type { LabEvent } from '../../shared/contract/events.ts';
import type { Comparison } from '../../shared/contract/methods/comparison.ts';
import type { LabConnection } from '../connection.ts';
import { useConnection } from '../injection.ts';
import { nothingChosen, writeChoice, type ComparisonChoice } from './comparison/choice.ts';
import { createEntryCurves } from './comparison/entryCurves.ts';

/** Events after which a compared run may say something else. */
const changes: readonly LabEvent['type'][] = [
  'run.epochFinished',
  'run.phaseFinished',
  'run.finished',
  'run.edited',
  'run.trashed',
  'run.restored',
];
const settleMs = 300;

export const useComparisonsStore = defineStore('comparisons', () => {
  const connection = useConnection();
  const choice = shallowRef<ComparisonChoice>(nothingChosen);
  const reader = createReader(connection);
  const read = (): Promise<void> => reader.read(choice.value);
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Reads the comparison unless it is this one already. */
  const show = async (wanted: ComparisonChoice): Promise<void> => {
    const isSame = JSON.stringify(writeChoice(wanted)) === JSON.stringify(writeChoice(choice.value));
    choice.value = wanted;
    if (!isSame || (reader.error.value !== null && !reader.isReading.value)) await read();
  };
  const isShown = (runId: string): boolean =>
    reader.comparison.value?.entries.some((entry) => entry.runId === runId) ?? choice.value.entries.some(({ run }) => run === runId);
  const concerns = (event: LabEvent): boolean => {
    if (event.type === 'runs.purged') return event.runs.some(isShown);
    return 'runId' in event && changes.includes(event.type) && isShown(event.runId);
  };
  connection.onEvent((event) => {
    if (!concerns(event)) return;
    clearTimeout(timer);
    timer = setTimeout(() => void read(), settleMs);
  });
  connection.onConnected(() => {
    if (choice.value.entries.length > 0 && !reader.isReading.value) void read();
  });

  const { comparison, error, isReading, curves } = reader;
  return {
    choice,
    comparison,
    error,
    isReading,
    accuracyCurves: curves.accuracy,
    lossCurves: curves.loss,
    curvesError: curves.error,
    show,
    retry: read,
  };
});

/** Keeps the newest answer; a question that was overtaken is cancelled. */
function createReader(connection: LabConnection) {
  const comparison = shallowRef<Comparison | null>(null);
  const error = shallowRef<WireError | null>(null);
  const isReading = ref(false);
  const curves = createEntryCurves(connection);
  let reading: AbortController | undefined;

  const settle = (answer: Comparison | null, problem: WireError | null): void => {
    comparison.value = answer;
    error.value = problem;
    isReading.value = false;
  };
  const read = async ({ entries, base, rule }: ComparisonChoice): Promise<void> => {
    reading?.abort();
    reading = new AbortController();
    const { signal } = reading;
    if (entries.length === 0) {
      settle(null, null);
      return;
    }
    isReading.value = true;
    try {
      const answer = await connection.call('comparison.show', { entries: [...entries], base, rule }, { signal });
      if (signal.aborted) return;
      settle(answer, null);
      await curves.read(answer.entries, signal);
    } catch (problem) {
      if (!signal.aborted) settle(null, toWire(problem));
    }
  };
  return { comparison, error, isReading, curves, read };
}
