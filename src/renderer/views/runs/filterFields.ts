// Which fields of runs can be filtered, with what they hold: how a person names them, compares them and types their values.
import type { RunFilter } from '../../../shared/contract/methods/runs.ts';
import { fixedColumns, type RunColumn } from '../../stores/runTable/columns.ts';
import type { RecipeField } from '../../stores/runTable/layout.ts';

export type Operator = RunFilter['operator'];
export type FieldKind = 'number' | 'percent' | 'text' | 'boolean' | 'state' | 'tags' | 'date';

export interface FilterField {
  readonly id: string;
  readonly label: string;
  readonly kind: FieldKind;
  /** Of the number that is typed. */
  readonly unit: string | null;
}

const order = ['=', '!=', '<', '<=', '>', '>='] as const;
export const operatorsOf: Readonly<Record<FieldKind, readonly Operator[]>> = {
  number: order,
  percent: ['>=', '<=', '>', '<', '=', '!='],
  text: ['contains', '=', '!='],
  boolean: ['='],
  state: ['=', '!='],
  tags: ['=', '!='],
  date: ['>=', '<'],
};

const words: Readonly<Record<Operator, string>> = { '=': '=', '!=': '≠', '<': '<', '<=': '≤', '>': '>', '>=': '≥', contains: 'contains' };
const tagWords: Readonly<Record<string, string>> = { '=': 'has', '!=': 'has not' };
const dateWords: Readonly<Record<string, string>> = { '>=': 'since', '<': 'before' };

export function sayOperator(operator: Operator, kind: FieldKind): string {
  const special = kind === 'tags' ? tagWords[operator] : kind === 'date' ? dateWords[operator] : undefined;
  return special ?? words[operator];
}

const secondsFields = ['seconds', 'secondsPerEpoch'];

export function listFilterFields(recipeFields: readonly RecipeField[]): readonly FilterField[] {
  const fixed = fixedColumns.filter(({ isSortable }) => isSortable).map(toFilterField);
  return [
    ...fixed,
    ...recipeFields.map(({ field, kind }): FilterField => ({ id: field, label: field.replace(/^recipe\./, ''), kind, unit: null })),
  ];
}

/** A field of an address that the history does not know is text. */
export function findFilterField(id: string, recipeFields: readonly RecipeField[]): FilterField {
  const found = listFilterFields(recipeFields).find((field) => field.id === id);
  return found ?? { id, label: id.replace(/^recipe\./, ''), kind: 'text', unit: null };
}

function toFilterField(column: RunColumn): FilterField {
  const { id, label, look, unit } = column;
  return { id, label, kind: kindOf(id, look, unit), unit: secondsFields.includes(id) ? 's' : unit };
}

function kindOf(id: string, look: RunColumn['look'], unit: string | null): FieldKind {
  if (id === 'state' || id === 'tags') return id;
  if (id === 'createdAt') return 'date';
  if (unit === '%') return 'percent';
  return look === 'number' || look === 'epochs' ? 'number' : 'text';
}

/** What was typed as the core compares it; null while it is nothing that can be compared. */
export function readFilterValue(text: string, kind: FieldKind): RunFilter['value'] | null {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  if (kind === 'boolean') return trimmed === 'true';
  if (kind !== 'number' && kind !== 'percent') return trimmed.slice(0, 200);
  const number = Number(trimmed.replaceAll(',', '').replace(/\s*%$/, ''));
  if (!Number.isFinite(number)) return null;
  // 0.1 % steps must not become 0.9500000000000001.
  return kind === 'percent' ? Number((number / 100).toPrecision(12)) : number;
}

/** `Test acc. ≥ 95 %`. */
export function describeFilter(filter: RunFilter, field: FilterField): string {
  const value = typeof filter.value === 'number' && field.kind === 'percent' ? Number((filter.value * 100).toPrecision(12)) : filter.value;
  return `${field.label} ${sayOperator(filter.operator, field.kind)} ${String(value)}${field.unit === null ? '' : ` ${field.unit}`}`;
}
