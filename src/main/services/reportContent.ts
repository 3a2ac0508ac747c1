// Collects what a report says: the comparison, the epochs of every entry, its test results and where all of it comes from. One line per
// entry, so that nothing long is ever held or written at once.
import { createHash } from 'node:crypto';
import { LabError } from '../../shared/contract/errors.ts';
import type { PredictionLine, ReportEntry, ReportHead, ReportResult } from '../../shared/contract/reportContent.ts';
import type { Comparison } from '../../shared/contract/methods/comparison.ts';
import { classesOf, labelEntries } from '../../shared/domain/comparison.ts';
import { cohensKappa, matthewsCorrelation, reportClasses } from '../../shared/domain/metrics.ts';
import { selectionNames } from '../../shared/domain/run.ts';
import type { EpochStore } from '../db/epochs.ts';
import type { ResolvedEntry } from './comparison.ts';
import type { ResultsService } from './results.ts';

const mostEpochs = 1_000_000;
const predictionsPage = 200;

export interface ContentSources {
  readonly epochs: EpochStore;
  readonly results: Pick<ResultsService, 'show' | 'predictions'>;
}

/** The moment is that of the newest event of the entries, not of the report. */
export function describeHead(title: string, comparison: Comparison, entries: readonly ResolvedEntry[]): ReportHead {
  const moments = entries.map(({ run }) => run.endedAt ?? run.startedAt ?? run.createdAt);
  return { title, comparison, asOf: moments.toSorted().at(-1) ?? '' };
}

export async function* describeEntries(
  entries: readonly ResolvedEntry[],
  sources: ContentSources,
  signal: AbortSignal,
): AsyncGenerator<ReportEntry> {
  const labels = labelEntries(entries.map(({ run, phase }) => ({ name: run.name, phase: phase.name })));
  for (const [index, entry] of entries.entries()) {
    const { result, note } = await readResult(entry, sources, signal);
    yield { ...describeEntry(entry, labels[index] ?? ''), series: readSeries(entry, sources.epochs), result, resultNote: note };
  }
}

/** Every prediction of every entry that has them, in the order of its test set. */
export async function* listPredictions(
  entries: readonly ResolvedEntry[],
  { results }: ContentSources,
  signal: AbortSignal,
): AsyncGenerator<PredictionLine> {
  for (const [entry, { run, phaseIndex, phase }] of entries.entries()) {
    if (phase.predictions === null) continue;
    const wanted = { run: run.runId, phase: phaseIndex, outcome: 'all', label: null, predicted: null, order: 'position' } as const;
    for (let offset = 0; ; offset += predictionsPage) {
      const page = await askOrLeaveOut(() => results.predictions({ ...wanted, offset, limit: predictionsPage }, signal));
      if ('note' in page) break;
      for (const prediction of page.found.predictions) yield { entry, ...prediction };
      if (offset + predictionsPage >= page.found.total) break;
    }
  }
}

function describeEntry({ run, recipe, phase }: ResolvedEntry, label: string): Omit<ReportEntry, 'series' | 'result' | 'resultNote'> {
  const { best, split } = phase;
  return {
    label,
    recipeTitle: recipe.title,
    document: recipe.document,
    protocol: run.protocol,
    group: run.group,
    state: run.state,
    createdAt: run.createdAt,
    startedAt: run.startedAt,
    endedAt: run.endedAt,
    plannedEpochs: phase.plannedEpochs,
    stoppedBy: phase.stoppedBy,
    best: best === null ? null : { epoch: best.epoch, rule: selectionNames[best.rule] },
    features: phase.features,
    published: recipe.published.filter((published) => published.phase === phase.name),
    dataset: { id: run.datasetId, fingerprint: run.datasetFingerprint },
    split: split === null ? null : { train: split.train, validation: split.validation, test: split.test, sha256: split.sha256 },
    recipeSha256: createHash('sha256').update(JSON.stringify(recipe)).digest('hex'),
    versions: run.versions,
    machine: run.machine,
    device: run.device,
    build: run.build,
  };
}

function readSeries({ run, phaseIndex }: ResolvedEntry, epochs: EpochStore): ReportEntry['series'] {
  const points = epochs.listPoints(run.runId, phaseIndex, 0, mostEpochs);
  return {
    epoch: points.map(([epoch]) => epoch),
    seconds: points.map(([, seconds]) => seconds),
    learningRate: points.map(([, , rate]) => rate),
    trainLoss: points.map(([, , , loss]) => loss),
    trainAccuracy: points.map(([, , , , accuracy]) => accuracy),
    validationLoss: points.map(([, , , , , loss]) => loss),
    validationAccuracy: points.map(([, , , , , , accuracy]) => accuracy),
  };
}

interface FoundResult {
  readonly result: ReportResult | null;
  readonly note: string | null;
}

/** The confusion matrix comes from the history; what needs the predictions is left out, with a note, when these cannot be read. */
async function readResult(entry: ResolvedEntry, { results }: ContentSources, signal: AbortSignal): Promise<FoundResult> {
  const { run, recipe, phase, phaseIndex } = entry;
  const { best, confusion, predictions } = phase;
  if (best === null || confusion === null) return { result: null, note: null };
  const { classes: scores, ...averages } = reportClasses(confusion);
  const named = classesOf(recipe, phaseIndex);
  const classes = confusion.map((_, label) => named[label] ?? `class ${label}`);
  const base = {
    epoch: best.epoch,
    rule: selectionNames[best.rule],
    classes,
    confusion: confusion.map((row) => [...row]),
    perClass: scores.map((score, label) => ({ name: classes[label] ?? '', ...score })),
    averages,
    cohensKappa: cohensKappa(confusion),
    matthewsCorrelation: matthewsCorrelation(confusion),
  };
  if (predictions === null) return { result: { ...base, fromPredictions: null }, note: null };
  const answer = await askOrLeaveOut(() => results.show({ run: run.runId, phase: phaseIndex }, signal));
  if ('note' in answer) return { result: { ...base, fromPredictions: null }, note: answer.note };
  const { logLoss, calibrationError, topK } = answer.found;
  return { result: { ...base, fromPredictions: { logLoss, calibrationError, topK } }, note: null };
}

/** Files of old runs may be gone or damaged: that costs their figures, not the report. Anything else is thrown. */
async function askOrLeaveOut<Found>(ask: () => Promise<Found>): Promise<{ readonly found: Found } | { readonly note: string }> {
  try {
    return { found: await ask() };
  } catch (error) {
    const isLeftOut = error instanceof LabError && ['not_found', 'bad_input', 'disk_error', 'workspace_damaged'].includes(error.code);
    if (isLeftOut) return { note: `The predictions cannot be read. ${error.message}` };
    throw error;
  }
}
