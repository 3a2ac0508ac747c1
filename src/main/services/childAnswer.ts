import { LabError } from '../../shared/contract/errors.ts';
import type { Command, Report } from '../../shared/contract/worker.ts';
import { startChild } from './supervisor.ts';

export interface ChildQuestion<Type extends Report['type']> {
  readonly node: string;
  readonly program: string;
  readonly command: Command;
  /** The report that answers the command. */
  readonly answer: Type;
  /** What the child's library reads when it is loaded, as for a training. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts a child for one command and resolves with its answer when it has ended; an aborted signal ends it at once. */
export async function askChild<Type extends Report['type']>(
  { node, program, command, answer, environment = {} }: ChildQuestion<Type>,
  signal: AbortSignal,
): Promise<Extract<Report, { type: Type }>> {
  signal.throwIfAborted();
  const answers: Extract<Report, { type: Type }>[] = [];
  const isAnswer = (report: Report): report is Extract<Report, { type: Type }> => report.type === answer;
  const onReport = (report: Report): void => {
    if (isAnswer(report)) answers.push(report);
  };
  const child = startChild({ node, program, command, onReport, environment });
  const onAbort = (): void => child.kill();
  signal.addEventListener('abort', onAbort);
  const end = await child.ended;
  signal.removeEventListener('abort', onAbort);
  signal.throwIfAborted();
  const [found] = answers;
  if (end.outcome === 'done' && found !== undefined) return found;
  if (end.outcome === 'failed' && end.error !== null) throw end.error;
  throw new LabError('internal', end.error?.message ?? 'The child program ended without an answer.', {
    help: 'Try again. If it happens again, run `lab doctor`.',
    received: end.stderr.slice(-3).join('\n'),
  });
}
