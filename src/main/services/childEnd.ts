import { LabError } from '../../shared/contract/errors.ts';
import { exitCodes } from '../../shared/contract/worker.ts';

export interface ChildEnd {
  /** died: it ended without saying why, so that what it last saved still counts. */
  readonly outcome: 'done' | 'stopped' | 'failed' | 'died';
  readonly error: LabError | null;
  readonly stderr: readonly string[];
}

export interface ChildFacts {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly spawnError: Error | undefined;
  readonly isKilledByUs: boolean;
  /** The error the child itself reported. */
  readonly failedReport: LabError | undefined;
  /** Why the core could not go on with this child. */
  readonly failure: LabError | undefined;
  readonly stderr: readonly string[];
}

/** What an end means: reserved exit codes of contract/worker.ts, a reported error, or a death with its most likely cause. */
export function classifyEnd(facts: ChildFacts): ChildEnd {
  const { exitCode, failure, failedReport, stderr } = facts;
  if (facts.spawnError !== undefined) {
    return {
      outcome: 'failed',
      error: new LabError('internal', `A child program could not be started: ${facts.spawnError.message}.`),
      stderr,
    };
  }
  if (failure !== undefined) return { outcome: failure.code === 'disk_full' ? 'died' : 'failed', error: failure, stderr };
  if (exitCode === exitCodes.diskFull || failedReport?.code === 'disk_full') {
    const message = failedReport?.message ?? 'The disk is full.';
    return { outcome: 'died', error: new LabError('disk_full', message, { help: 'Free some space, then resume the run.' }), stderr };
  }
  if (failedReport !== undefined) return { outcome: 'failed', error: failedReport, stderr };
  if (exitCode === exitCodes.done) return { outcome: 'done', error: null, stderr };
  if (exitCode === exitCodes.stopped) return { outcome: 'stopped', error: null, stderr };
  return { outcome: 'died', error: describeDeath(facts), stderr };
}

/** TensorFlow's greetings on standard error, which say nothing about what went wrong. */
export function isLibraryNoise(line: string): boolean {
  return line.trim() === '' || line.startsWith('WARNING: All log messages before absl') || /^I\d{4} \d\d:\d\d:\d\d/.test(line);
}

function describeDeath(facts: ChildFacts): LabError {
  const last = facts.stderr.slice(-5).join('\n').slice(-1500);
  const help = 'What was saved last is kept: resume the run. If it happens again, run `lab doctor`.';
  return new LabError('trainer_died', `The training process ended unexpectedly: ${findCause(facts)}.`, {
    help,
    ...(last === '' ? {} : { received: last }),
  });
}

function findCause({ exitCode, signal, isKilledByUs, stderr }: ChildFacts): string {
  if (stderr.some((line) => line.includes('Reached heap limit') || line.includes('JavaScript heap out of memory'))) {
    return 'it ran out of JavaScript memory';
  }
  if (isKilledByUs) return 'it did not answer to stop and was ended';
  if (signal === 'SIGKILL') return 'it was killed from outside, most often because the memory of the machine ran out';
  if (signal === 'SIGSEGV' || signal === 'SIGBUS' || exitCode === 3221225477) return 'it crashed inside a native library';
  if (signal !== null) return `it received ${signal}`;
  return `exit code ${exitCode ?? 'unknown'}`;
}
