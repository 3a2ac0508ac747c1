// Where the numbers come from: data, recipe and split by their hashes, and the machine and versions that computed them.
import type { Content, TableCell } from 'pdfmake/interfaces.js';
import type { ReportContent, ReportEntry } from '../../shared/contract/reportContent.ts';
import { formatBytes, formatCount } from '../../shared/domain/numbers.ts';
import { head, heading, marked, note, table, text } from './look.ts';

/** `isRewritten`: some characters had no glyph. */
export function provenanceSection({ entries, comparison }: ReportContent, isRewritten: boolean): Content[] {
  return [
    heading('Data and recipes'),
    table({
      widths: ['*', 400],
      header: [head('Entry', 'left'), head('Identity', 'left')],
      rows: entries.map((entry, index) => originRow(entry, comparison.entries[index]?.recipeId ?? '', index)),
    }),
    note('Hashes are SHA-256. Equal recipe, dataset, split and seed give an equal experiment.'),
    heading('Machine and versions'),
    table({
      widths: [160, '*'],
      header: [head('Entries', 'left'), head('Computed by', 'left')],
      rows: groupByMachine(entries).map(({ labels, lines }): TableCell[] => [
        text(labels.join(', ')),
        { stack: lines.map((line) => text(line)) },
      ]),
    }),
    ...(isRewritten
      ? [note('Characters that the fonts of this report do not have are written by their Unicode number, such as [U+6F22].')]
      : []),
  ];
}

function originRow(entry: ReportEntry, recipeId: string, index: number): TableCell[] {
  const { dataset, split, recipeSha256 } = entry;
  const pictures =
    split === null
      ? 'not drawn yet'
      : `${formatCount(split.train)} training, ${formatCount(split.validation)} validation, ${formatCount(split.test)} test pictures`;
  const rows: [string, string][] = [
    ['Recipe', `${recipeId}, protocol ${entry.protocol}\n${recipeSha256}`],
    ['Dataset', `${dataset.id}\n${dataset.fingerprint ?? 'not known before training'}`],
    ['Split', split === null ? pictures : `${pictures}\n${split.sha256}`],
  ];
  const lines = rows.map(([what, identity]): Content => ({ columns: [{ width: 60, text: what }, text(identity)], margin: [0, 0, 0, 2] }));
  return [marked(entry.label, index), { stack: lines }];
}

interface MachineGroup {
  readonly labels: string[];
  readonly lines: readonly string[];
}

function groupByMachine(entries: readonly ReportEntry[]): MachineGroup[] {
  const groups = new Map<string, MachineGroup>();
  for (const entry of entries) {
    const lines = describeMachine(entry);
    const key = lines.join('\n');
    const group = groups.get(key) ?? { labels: [], lines };
    group.labels.push(entry.label);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function describeMachine({ machine, versions, device, build }: ReportEntry): string[] {
  if (machine === null || versions === null) return ['Training has not begun.'];
  const features = machine.cpu.features.length === 0 ? '' : ` (${machine.cpu.features.join(', ')})`;
  return [
    `${machine.cpu.model}, ${machine.cpu.cores} cores${features}, ${formatBytes(machine.memoryBytes)} memory`,
    `${machine.platform}, device ${device ?? 'CPU'}, ${build ?? 'cpu'} build`,
    `Transfer Lab ${versions.app}, TensorFlow ${versions.tensorflow}, Node ${versions.node}, SQLite ${versions.sqlite}`,
  ];
}
