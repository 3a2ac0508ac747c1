import { resolve } from 'node:path';
import type { Answer, CallInput } from '../../shared/contract/api.ts';
import type { RunDetails } from '../../shared/contract/answers.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { EntryReference } from '../../shared/contract/method.ts';
import { checkpointRuleSchema } from '../../shared/contract/methods/comparison.ts';
import { reportFormats } from '../../shared/contract/methods/reports.ts';
import { findNearest } from '../../shared/domain/nearest.ts';
import type { CheckpointRule } from '../../shared/domain/policies.ts';
import type { Client } from '../../shared/rpcClient.ts';
import { exitStatus, type CommandDefinition, type Invocation, type OptionDefinition, type Options } from './command.ts';
import { formatBytes, formatCount, formatDuration, formatLoss, formatPercent, formatTable } from './format.ts';

type Comparison = Answer<'comparison.show'>;

const choice: Readonly<Record<string, OptionDefinition>> = {
  base: { value: 'RUN[:PHASE]', help: 'the entry that the others are compared with; the first one when left out' },
  rule: { value: 'RULE', help: 'which epoch speaks for an entry: last, best-val-loss, best-val-accuracy or epoch=N' },
};
const details = [
  'RUN is the id of a run, its beginning, or `last`. PHASE is the name of a phase or its number from 1; without it the last finished phase.',
];

export const comparisonCommands: readonly CommandDefinition[] = [
  {
    words: ['compare'],
    usage: 'RUN[:PHASE]...',
    summary: 'Put entries side by side: parameters, times, accuracies and differences.',
    details,
    positionals: { least: 1, most: 100 },
    options: choice,
    examples: ['compare last:full last:tuned', 'compare 261121-k7qdm:full 261121-x2bcd:tuned --rule best-val-loss --json'],
    isRepeatable: true,
    act: compare,
  },
  {
    words: ['export'],
    usage: 'RUN[:PHASE]...',
    summary: 'Write a comparison as a PDF report and CSV files.',
    details,
    positionals: { least: 1, most: 100 },
    options: {
      out: { value: 'DIR', help: 'the folder for the files, created when missing; nothing in it is overwritten' },
      formats: { value: 'LIST', help: `${reportFormats.join(',')} or one of them` },
      title: { value: 'T', help: 'the title of the report' },
      ...choice,
    },
    examples: ['export last:full last:tuned --out report', 'export last --out report --formats csv --json'],
    act: exportReport,
  },
];

async function compare({ client, positionals, options, screen, signal }: Invocation): Promise<number> {
  const comparison = await client.call('comparison.show', await readRequest(client, positionals, options), { signal });
  screen.answer(comparison, () => describeComparison(comparison));
  return exitStatus.done;
}

async function exportReport({ client, positionals, options, screen, signal }: Invocation): Promise<number> {
  const folder = options.text['out'];
  if (folder === undefined) {
    throw new LabError('bad_usage', 'The command export needs a folder.', { expected: '--out DIR', help: 'Add --out with a folder.' });
  }
  const formats = readFormats(options);
  const title = options.text['title'];
  const request = { ...(await readRequest(client, positionals, options)), ...(title === undefined ? {} : { title }) };
  const answer = await client.call('reports.export', { ...request, formats, folder: resolve(folder) }, { signal });
  screen.answer(answer, () => answer.files.map(({ path, bytes }) => `${path} (${formatBytes(bytes)})`));
  return exitStatus.done;
}

async function readRequest(client: Client, words: readonly string[], options: Options): Promise<CallInput<'comparison.show'>> {
  const runs = new Map<string, RunDetails>();
  const read = async (word: string): Promise<EntryReference> => {
    const [reference = ''] = word.split(':');
    const run = runs.get(reference) ?? (await client.call('runs.show', { run: reference }));
    runs.set(reference, run);
    const name = word.slice(reference.length + 1);
    return { run: run.runId, phase: word.length === reference.length ? findFinishedPhase(run) : findPhase(run, name) };
  };
  const entries: EntryReference[] = [];
  for (const word of words) entries.push(await read(word));
  const base = options.text['base'];
  return { entries, base: base === undefined ? null : await read(base), rule: readRule(options) };
}

/** The last one; throws `bad_usage` when there is none. */
export function findFinishedPhase(run: RunDetails): number {
  const position = run.phases.findLastIndex((phase) => phase.stoppedBy !== null);
  if (position >= 0) return position;
  throw new LabError('bad_usage', `No phase of the run ${run.runId} has finished.`, {
    expected: 'a run with a finished phase',
    received: `a run that is ${run.state}`,
    help: `Name the phase to see what it has so far, for example ${run.runId}:1.`,
  });
}

/** By name, or by number from 1; throws `not_found`. */
export function findPhase(run: RunDetails, text: string): number {
  const names = run.phases.map((phase) => phase.name);
  const named = names.indexOf(text);
  if (named >= 0) return named;
  if (/^\d{1,3}$/.test(text) && names[Number(text) - 1] !== undefined) return Number(text) - 1;
  const near = findNearest(text, names)[0];
  throw new LabError('not_found', `The run ${run.runId} has no phase ${JSON.stringify(text)}.`, {
    expected: `one of ${names.join(', ')}, or a number from 1 to ${names.length}`,
    received: text,
    help: near === undefined ? `\`lab runs show ${run.runId}\` shows its phases.` : `Did you mean ${run.runId}:${near}?`,
  });
}

function readRule(options: Options): CheckpointRule {
  const text = options.text['rule'] ?? 'last';
  const parsed = checkpointRuleSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new LabError('bad_usage', 'The value of --rule is not valid.', {
    expected: 'last, best-val-loss, best-val-accuracy or epoch=N with N from 1',
    received: text,
    help: 'Choose one of these.',
  });
}

function readFormats(options: Options): (typeof reportFormats)[number][] {
  const text = options.text['formats'] ?? reportFormats.join(',');
  const words = text.split(',').map((word) => word.trim());
  return reportFormats.filter((format) => {
    const unknown = words.find((word) => !reportFormats.some((known) => known === word));
    if (unknown === undefined) return words.includes(format);
    throw new LabError('bad_usage', 'The value of --formats is not valid.', {
      expected: `a list of ${reportFormats.join(', ')}`,
      received: text,
      help: `Write --formats ${reportFormats.join(',')} or one of them.`,
    });
  });
}

function describeComparison({ entries, differences, rule, base }: Comparison): string[] {
  const names = entries.map(({ runId, phase }) => `${runId}:${phase}`);
  const notes = entries.flatMap(({ testNote }, index) => (testNote === null ? [] : [`${names[index] ?? ''}: ${testNote}`]));
  return [
    ...describeEntries(entries, names),
    '',
    `Checkpoint rule ${rule}; base ${names[base] ?? ''}.`,
    ...notes,
    ...(entries.length > 1 && new Set(entries.map(({ testSet }) => testSet)).size > 1
      ? ['The entries were not all tested on the same pictures, so their accuracies cannot be compared with each other directly.']
      : []),
    '',
    ...(differences.length === 0 ? ['The settings are the same.'] : describeDifferences(differences, names)),
  ];
}

function describeEntries(entries: Comparison['entries'], names: readonly string[]): string[] {
  return formatTable(
    [
      { title: 'Entry' },
      { title: 'Epoch', align: 'right' },
      { title: 'Parameters', align: 'right' },
      { title: 'Trainable', align: 'right' },
      { title: 'Time', align: 'right' },
      { title: 'Per epoch', align: 'right' },
      { title: 'Val. loss', align: 'right' },
      { title: 'Val. accuracy', align: 'right' },
      { title: 'Test loss', align: 'right' },
      { title: 'Test accuracy', align: 'right' },
    ],
    entries.map(({ epoch, epochs, total, trainable, seconds, secondsPerEpoch, validation, test }, index) => [
      names[index] ?? '',
      epoch === null ? '-' : `${epoch} of ${epochs}`,
      formatCount(total),
      formatCount(trainable),
      formatDuration(seconds),
      formatDuration(secondsPerEpoch),
      formatLoss(validation?.loss),
      formatPercent(validation?.accuracy),
      formatLoss(test?.loss),
      formatPercent(test?.accuracy),
    ]),
  );
}

function describeDifferences(differences: Comparison['differences'], names: readonly string[]): string[] {
  return formatTable(
    [{ title: 'Different settings' }, ...names.map((title) => ({ title }))],
    differences.map(({ path, values }) => [path, ...values.map((value) => shorten(value === null ? '-' : String(value)))]),
  );
}

function shorten(text: string): string {
  return text.length <= 48 ? text : `${text.slice(0, 47)}…`;
}
