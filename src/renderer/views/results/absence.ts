import type { RunDetails } from '../../../shared/contract/answers.ts';

export interface Absence {
  readonly reason: 'noPhase' | 'underWay' | 'unfinished' | 'noTestSet';
  readonly text: string;
  /** There are weights that own pictures can be tried on. */
  readonly canTry: boolean;
}

/** Why a phase has no results on a test set; null when it has. */
export function findAbsence(run: RunDetails, index: number): Absence | null {
  const phase = run.phases[index];
  if (phase === undefined) {
    const count = run.phases.length === 1 ? 'one phase' : `${run.phases.length} phases`;
    return { reason: 'noPhase', text: `${run.name} has ${count}; there is no other.`, canTry: false };
  }
  if (phase.best === null) {
    const isUnderWay = ['running', 'queued', 'paused'].includes(run.state);
    const text = isUnderWay
      ? `The phase ${phase.name} has not finished: its results appear here as soon as it has.`
      : `The phase ${phase.name} was not finished, because the run was ${stateWords[run.state] ?? run.state}. The run says why, and whether it can go on.`;
    return { reason: isUnderWay ? 'underWay' : 'unfinished', text, canTry: false };
  }
  if (phase.predictions !== null && phase.test !== null) return null;
  return {
    reason: 'noTestSet',
    text: `The phase ${phase.name} has no test set: its split left no images to test on. Its curves are with the run.`,
    canTry: phase.weights !== null,
  };
}

const stateWords: Readonly<Record<string, string>> = { failed: 'ended by a failure', finished: 'ended before it' };
