// Follows runs from an event on until all of them rest: JSON lines for programs; a progress line, epochs and a table for people. The
// first Ctrl-C stops the runs with their work saved and keeps following until that is done.
import type { RunDetails } from '../../shared/contract/answers.ts';
import { LabError, toWire } from '../../shared/contract/errors.ts';
import type { LabEvent } from '../../shared/contract/events.ts';
import type { RunId } from '../../shared/contract/schema.ts';
import type { Client } from '../../shared/rpcClient.ts';
import { exitStatus, type Invocation } from './command.ts';
import { formatDuration, formatPercent } from './format.ts';
import { toGroupLine, toRunLines } from './runLines.ts';
import { describeEpoch, describePhases, describeProgress } from './runTable.ts';
import { describeError, type Screen } from './screen.ts';

export interface Followed {
  readonly runIds: readonly RunId[];
  readonly group: string | null;
  readonly since: number;
}

type Following = Pick<Invocation, 'client' | 'screen' | 'signal'>;

/** Answers the exit code: the worst of all runs. */
export async function followRuns({ client, screen, signal }: Following, { runIds, group, since }: Followed): Promise<number> {
  const open = new Set<RunId>(runIds);
  const ended = new Map<RunId, RunDetails>();
  const shown = new Map<RunId, RunDetails>();
  let code: number = exitStatus.done;
  const onAbort = (): void => {
    screen.note('Stopping: the work is being saved. Press Ctrl-C again to end at once.');
    void stopRuns(client, screen, [...open].reverse());
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort);
  try {
    for await (const event of client.events(since)) {
      if (!('runId' in event) || !open.has(event.runId)) continue;
      const run = await findDetails(client, event, shown);
      show(screen, event, run);
      const worst = exitCodeOf(event);
      if (worst === undefined) continue;
      code = worse(code, worst);
      ended.set(run.runId, run);
      open.delete(run.runId);
      if (open.size === 0) break;
    }
  } catch (error) {
    if (!(error instanceof LabError) || error.code !== 'connection_lost') throw error;
    for (const runId of open) screen.emit({ type: 'run.failed', runId, state: 'interrupted', error: toWire(error) });
    throw new LabError('trainer_died', 'The process that trained the run is gone.', { help: 'Continue with `lab resume`.', cause: error });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  if (group !== null) showGroup(screen, group, [...ended.values()]);
  return code;
}

/** Details change only with the events that the lines need them for. */
async function findDetails(
  client: Client,
  event: LabEvent & { readonly runId: RunId },
  shown: Map<RunId, RunDetails>,
): Promise<RunDetails> {
  const known = shown.get(event.runId);
  const isNews = event.type === 'run.phaseStarted' || exitCodeOf(event) !== undefined;
  if (known !== undefined && !isNews) return known;
  const details = await client.call('runs.show', { run: event.runId });
  shown.set(event.runId, details);
  return details;
}

async function stopRuns(client: Client, screen: Screen, runIds: readonly RunId[]): Promise<void> {
  for (const runId of runIds) {
    try {
      await client.call('runs.stop', { run: runId });
    } catch (error) {
      // A run that has just finished by itself is no news; its event is on the way.
      if (!(error instanceof LabError) || error.code !== 'conflict') screen.fail(error);
    }
  }
}

function show(screen: Screen, event: LabEvent, run: RunDetails): void {
  for (const line of toRunLines(event, run)) screen.emit(line);
  if (screen.isJson) return;
  switch (event.type) {
    case 'run.started':
    case 'run.continued':
      screen.note(`${run.name}: run ${run.runId}, seed ${run.seed}`);
      break;
    case 'run.progress':
      screen.progress(describeProgress(event, run));
      break;
    case 'run.logged':
      screen.note(event.text);
      break;
    case 'run.featuresComputed':
      screen.note(`Computed the frozen layers for ${event.images} pictures once, in ${formatDuration(event.seconds)}.`);
      break;
    case 'run.epochFinished':
      screen.note(describeEpoch(event, run));
      break;
    case 'run.paused':
      screen.note(`Paused with the work saved. Continue with \`lab resume ${run.runId}\`.`);
      break;
    case 'run.stopped':
      screen.note(`Stopped with the work saved. Continue with \`lab resume ${run.runId}\`.`);
      break;
    case 'run.failed':
    case 'run.interrupted':
      screen.note(describeError(event.error).join('\n'));
      break;
    case 'run.finished':
      screen.print(['', ...describePhases(run.phases), '', `Run ${run.runId} finished in ${formatDuration(run.seconds)}.`]);
      break;
    case 'run.created':
    case 'run.queued':
    case 'run.prepared':
    case 'run.phaseStarted':
    case 'run.phaseFinished':
    case 'run.trashed':
    case 'run.restored':
    case 'run.edited':
    case 'run.archived':
    case 'run.unarchived':
    case 'run.resources':
    case 'runs.purged':
    case 'queue.changed':
    case 'settings.changed':
    case 'report.created':
    case 'report.removed':
    case 'dataset.imported':
    case 'dataset.removed':
    case 'weights.imported':
    case 'weights.removed':
    case 'dataset.progress':
      break;
  }
}

function showGroup(screen: Screen, group: string, runs: readonly RunDetails[]): void {
  const line = toGroupLine(group, runs);
  screen.emit(line);
  const { mean, sd, n } = line.test.accuracy;
  const spread = sd === null ? '' : ` ± ${formatPercent(sd)}`;
  if (!screen.isJson) screen.print(['', `Test accuracy over ${n} seeds: ${formatPercent(mean)}${spread}.`]);
}

/** Undefined while the run goes on. */
function exitCodeOf(event: LabEvent): number | undefined {
  if (event.type === 'run.finished') return exitStatus.done;
  if (event.type === 'run.stopped') return exitStatus.interrupted;
  if (event.type !== 'run.failed' && event.type !== 'run.interrupted') return undefined;
  return event.error.code === 'disk_full' ? exitStatus.workspace : exitStatus.failed;
}

function worse(a: number, b: number): number {
  const order: number[] = [exitStatus.done, exitStatus.interrupted, exitStatus.failed, exitStatus.workspace];
  return order.indexOf(a) >= order.indexOf(b) ? a : b;
}
