// The rows of the CSV files. Accuracies are fractions, times seconds, epochs count from 1; a value that is not known is an empty cell.
import type { PredictionLine, ReportContent } from '../../shared/contract/reportContent.ts';
import type { Cell, Row } from './csv.ts';

export interface CsvTable {
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** One row per entry: what was set up, what it cost, what came out, where it came from. */
export function runsTable(content: ReportContent): CsvTable {
  const rows = content.entries.map((_, index) => ({ ...figures(content, index), ...origins(content, index), ...settings(content, index) }));
  return { columns: Object.keys(rows[0] ?? {}), rows };
}

/** One row per epoch of every entry. */
export function epochsTable(content: ReportContent): CsvTable {
  const rows = content.entries.flatMap(({ series }, index) =>
    series.epoch.map((epoch, position) => ({
      ...identity(content, index),
      epoch,
      seconds: series.seconds[position] ?? null,
      learningRate: series.learningRate[position] ?? null,
      trainLoss: series.trainLoss[position] ?? null,
      trainAccuracy: series.trainAccuracy[position] ?? null,
      validationLoss: series.validationLoss[position] ?? null,
      validationAccuracy: series.validationAccuracy[position] ?? null,
    })),
  );
  const measures = ['seconds', 'learningRate', 'trainLoss', 'trainAccuracy', 'validationLoss', 'validationAccuracy'];
  return { columns: ['entry', 'runId', 'phase', 'epoch', ...measures], rows };
}

/** One row per class of every entry that was tested. */
export function perClassTable(content: ReportContent): CsvTable {
  const rows = content.entries.flatMap(({ result }, index) =>
    (result?.perClass ?? []).map(({ name, precision, recall, f1, support }) => ({
      ...identity(content, index),
      keptEpoch: result?.epoch ?? null,
      class: name,
      precision,
      recall,
      f1,
      pictures: support,
    })),
  );
  return { columns: ['entry', 'runId', 'phase', 'keptEpoch', 'class', 'precision', 'recall', 'f1', 'pictures'], rows };
}

/** Columns of the predictions; probabilities are in the order of the labels of the entry. */
export function predictionColumns({ entries }: ReportContent): string[] {
  const most = Math.max(0, ...entries.map(({ result }) => result?.classes.length ?? 0));
  const facts = ['position', 'picture', 'label', 'class', 'predictedLabel', 'predictedClass', 'isRight', 'confidence'];
  return ['entry', 'runId', 'phase', ...facts, ...Array.from({ length: most }, (_, label) => `probability${label}`)];
}

export function predictionRow(content: ReportContent, line: PredictionLine): Row {
  const classes = content.entries[line.entry]?.result?.classes ?? [];
  return {
    ...identity(content, line.entry),
    position: line.position,
    picture: line.index,
    label: line.label,
    class: classes[line.label] ?? null,
    predictedLabel: line.predicted,
    predictedClass: classes[line.predicted] ?? null,
    isRight: line.label === line.predicted,
    confidence: line.confidence,
    ...Object.fromEntries(line.probabilities.map((probability, label) => [`probability${label}`, probability])),
  };
}

function identity({ entries, comparison }: ReportContent, index: number): Record<string, Cell> {
  const compared = comparison.entries[index];
  return { entry: entries[index]?.label ?? null, runId: compared?.runId ?? null, phase: compared?.phase ?? null };
}

function figures(content: ReportContent, index: number): Record<string, Cell> {
  const { comparison, entries } = content;
  const compared = comparison.entries[index];
  const entry = entries[index];
  const result = entry?.result ?? null;
  return {
    ...identity(content, index),
    name: compared?.name ?? null,
    isBase: index === comparison.base,
    rule: comparison.rule,
    epoch: compared?.epoch ?? null,
    epochs: compared?.epochs ?? null,
    plannedEpochs: entry?.plannedEpochs ?? null,
    stoppedBy: entry?.stoppedBy ?? null,
    totalParameters: compared?.total ?? null,
    trainableParameters: compared?.trainable ?? null,
    nonTrainableParameters: compared?.nonTrainable ?? null,
    seconds: compared?.seconds ?? null,
    secondsPerEpoch: compared?.secondsPerEpoch ?? null,
    featureSeconds: entry?.features?.seconds ?? null,
    trainLoss: compared?.train?.loss ?? null,
    trainAccuracy: compared?.train?.accuracy ?? null,
    validationLoss: compared?.validation?.loss ?? null,
    validationAccuracy: compared?.validation?.accuracy ?? null,
    testLoss: compared?.test?.loss ?? null,
    testAccuracy: compared?.test?.accuracy ?? null,
    testNote: compared?.testNote ?? null,
    keptEpoch: entry?.best?.epoch ?? null,
    keptRule: entry?.best?.rule ?? null,
    keptMacroF1: result?.averages.macro.f1 ?? null,
    keptCohensKappa: result?.cohensKappa ?? null,
    keptMatthewsCorrelation: result?.matthewsCorrelation ?? null,
    keptLogLoss: result?.fromPredictions?.logLoss ?? null,
    keptCalibrationError: result?.fromPredictions?.calibrationError ?? null,
    ...published(content, index),
  };
}

function published({ entries }: ReportContent, index: number): Record<string, Cell> {
  const first = entries[index]?.published[0];
  return {
    publishedTestLoss: first?.loss ?? null,
    publishedTestAccuracy: first?.accuracy ?? null,
    publishedValidationAccuracy: first?.validationAccuracy ?? null,
    publishedSeconds: first?.seconds ?? null,
    publishedSecondsPerEpoch: first?.secondsPerEpoch ?? null,
  };
}

function origins({ entries, comparison }: ReportContent, index: number): Record<string, Cell> {
  const compared = comparison.entries[index];
  const entry = entries[index];
  return {
    recipeId: compared?.recipeId ?? null,
    recipeTitle: entry?.recipeTitle ?? null,
    recipeSha256: entry?.recipeSha256 ?? null,
    document: entry?.document ?? null,
    protocol: entry?.protocol ?? null,
    seed: compared?.seed ?? null,
    group: entry?.group ?? null,
    datasetId: entry?.dataset.id ?? null,
    datasetFingerprint: entry?.dataset.fingerprint ?? null,
    splitSha256: entry?.split?.sha256 ?? null,
    trainingPictures: entry?.split?.train ?? null,
    validationPictures: entry?.split?.validation ?? null,
    testPictures: entry?.split?.test ?? null,
    testSet: compared?.testSet ?? null,
    state: entry?.state ?? null,
    createdAt: entry?.createdAt ?? null,
    startedAt: entry?.startedAt ?? null,
    endedAt: entry?.endedAt ?? null,
    processor: entry?.machine?.cpu.model ?? null,
    cores: entry?.machine?.cpu.cores ?? null,
    memoryBytes: entry?.machine?.memoryBytes ?? null,
    device: entry?.device ?? null,
    appVersion: entry?.versions?.app ?? null,
    tensorflowVersion: entry?.versions?.tensorflow ?? null,
    nodeVersion: entry?.versions?.node ?? null,
  };
}

/** What differs between the entries, one column per setting. */
function settings({ comparison }: ReportContent, index: number): Record<string, Cell> {
  return Object.fromEntries(comparison.differences.map(({ path, values }) => [`setting ${path}`, values[index] ?? null]));
}
