// What is compared, as the query of an address: /compare?entries=261121-y8nf9:0,261121-y8nf9:1&base=261121-y8nf9:0&rule=best-val-loss. Phases
// are counted from 0. An address that was mangled shows less, never an error.
import type { EntryReference } from '../../../shared/contract/method.ts';
import type { CheckpointRule } from '../../../shared/domain/policies.ts';

export interface ComparisonChoice {
  readonly entries: readonly EntryReference[];
  /** One of the entries; the first when null. */
  readonly base: EntryReference | null;
  readonly rule: CheckpointRule;
}

/** The most that one comparison takes. */
export const mostEntries = 100;
export const nothingChosen: ComparisonChoice = { entries: [], base: null, rule: 'last' };

const entryForm = /^([A-Za-z0-9-]{1,64}):(\d|1\d)$/;

/** `run:phase`, as addresses write it. */
export function keyOf({ run, phase }: EntryReference): string {
  return `${run}:${phase}`;
}

export function readChoice(query: Readonly<Record<string, unknown>>): ComparisonChoice {
  const written = typeof query['entries'] === 'string' ? query['entries'].split(',') : [];
  const entries = [...new Set(written)].flatMap(readEntry).slice(0, mostEntries);
  const base = typeof query['base'] === 'string' ? query['base'] : null;
  return {
    entries,
    base: entries.find((entry) => keyOf(entry) === base) ?? null,
    rule: readRule(query['rule']),
  };
}

/** Only what differs from the usual is written. */
export function writeChoice({ entries, base, rule }: ComparisonChoice): Readonly<Record<string, string>> {
  return {
    ...(entries.length === 0 ? {} : { entries: entries.map(keyOf).join(',') }),
    ...(base === null ? {} : { base: keyOf(base) }),
    ...(rule === 'last' ? {} : { rule }),
  };
}

/** What is there already stays where it is. */
export function addEntries(choice: ComparisonChoice, added: readonly EntryReference[]): ComparisonChoice {
  const all = new Map([...choice.entries, ...added].map((entry) => [keyOf(entry), entry]));
  return { ...choice, entries: [...all.values()].slice(0, mostEntries) };
}

export function removeEntry(choice: ComparisonChoice, key: string): ComparisonChoice {
  const isBase = choice.base !== null && keyOf(choice.base) === key;
  return { ...choice, entries: choice.entries.filter((entry) => keyOf(entry) !== key), base: isBase ? null : choice.base };
}

/** Changes places with the neighbour: -1 the one before, 1 the one after. The base entry stays the base. */
export function moveEntry(choice: ComparisonChoice, position: number, by: -1 | 1): ComparisonChoice {
  const moved = choice.entries[position];
  const neighbour = choice.entries[position + by];
  if (moved === undefined || neighbour === undefined) return choice;
  const base = choice.base ?? choice.entries[0] ?? moved;
  const entries = choice.entries.with(position, neighbour).with(position + by, moved);
  const isFirst = entries[0] !== undefined && keyOf(entries[0]) === keyOf(base);
  return { ...choice, entries, base: isFirst ? null : base };
}

function readRule(text: unknown): CheckpointRule {
  if (text === 'best-val-loss' || text === 'best-val-accuracy') return text;
  const [, epoch] = typeof text === 'string' ? (/^epoch=([1-9]\d{0,6})$/.exec(text) ?? []) : [];
  return epoch === undefined ? 'last' : `epoch=${Number(epoch)}`;
}

function readEntry(text: string): EntryReference[] {
  const [, run, phase] = entryForm.exec(text) ?? [];
  return run === undefined || phase === undefined ? [] : [{ run, phase: Number(phase) }];
}
