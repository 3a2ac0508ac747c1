// Forms from schemas: what a field of the recipe can hold, read from its zod schema, so that a form can never miss an option.
// Owns no words (words.ts) and no values; a schema of a kind that no recipe uses is an error of the program.
import { z } from 'zod';
import { LabError } from '../../contract/errors.ts';

type Schema = z.core.$ZodType;

export type FieldShape =
  | { readonly kind: 'number'; readonly isWhole: boolean; readonly least: number; readonly most: number }
  | { readonly kind: 'switch' }
  | { readonly kind: 'choice'; readonly options: readonly string[] }
  | { readonly kind: 'text' }
  | { readonly kind: 'tuple'; readonly items: readonly Field[] }
  | { readonly kind: 'list'; readonly item: Field }
  | { readonly kind: 'group'; readonly fields: readonly Field[] }
  | { readonly kind: 'variant'; readonly members: readonly VariantMember[] }
  /** Can be absent: null, or not there at all. */
  | { readonly kind: 'perhaps'; readonly inner: Field; readonly empty: null | undefined };

export interface Field {
  readonly name: string;
  readonly shape: FieldShape;
  /** Checks a value of this field alone. */
  readonly schema: Schema;
  /** What the schema fills in; undefined when a value must be given. */
  readonly start: unknown;
}

export interface VariantMember {
  readonly type: string;
  /** Without the `type` itself. */
  readonly fields: readonly Field[];
}

/** Reads one schema; `name` is the key under which it stands. */
export function describeField(name: string, schema: Schema): Field {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'default' || def.type === 'prefault') {
    return { ...describeField(name, def.innerType), schema, start: def.defaultValue };
  }
  if (def.type === 'pipe') return { ...describeField(name, def.out), schema };
  return { name, schema, shape: describeShape(name, schema), start: undefined };
}

function describeShape(name: string, schema: Schema): FieldShape {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'number') return describeNumber(schema);
  if (def.type === 'boolean') return { kind: 'switch' };
  if (def.type === 'string') return { kind: 'text' };
  if (def.type === 'enum') return { kind: 'choice', options: Object.values(def.entries).map(String) };
  if (def.type === 'literal') return { kind: 'choice', options: def.values.map(String) };
  if (def.type === 'tuple') return { kind: 'tuple', items: def.items.map((item, index) => describeField(String(index), item)) };
  if (def.type === 'array') return { kind: 'list', item: describeField(name, def.element) };
  if (def.type === 'object') return { kind: 'group', fields: describeFields(schema) };
  if (def.type === 'nullable') return { kind: 'perhaps', inner: describeField(name, def.innerType), empty: null };
  if (def.type === 'optional') return { kind: 'perhaps', inner: describeField(name, def.innerType), empty: undefined };
  if (def.type === 'union') return { kind: 'variant', members: def.options.flatMap(describeMember) };
  throw new LabError('internal', `No form can be made for the field ${name}: its schema is a ${def.type}.`);
}

/** The fields of an object schema, in its order. */
export function describeFields(schema: Schema): Field[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type !== 'object') throw new LabError('internal', `A form needs an object schema, not a ${def.type}.`);
  return Object.entries(def.shape).map(([name, field]) => describeField(name, field));
}

/** A member whose `type` is an enumeration stands once for each of its types. */
function describeMember(schema: Schema): VariantMember[] {
  const fields = describeFields(schema);
  const types = fields.find((field) => field.name === 'type')?.shape;
  const others = fields.filter((field) => field.name !== 'type');
  return types?.kind === 'choice' ? types.options.map((type) => ({ type, fields: others })) : [];
}

/** Members of a union that is told apart by `type`. */
export function describeVariant(schema: Schema): readonly VariantMember[] {
  const { shape } = describeField('type', schema);
  if (shape.kind !== 'variant') throw new LabError('internal', `A choice of types needs a union schema, not a ${shape.kind}.`);
  return shape.members;
}

/** A bound that is itself forbidden (above 0) is kept as the bound; checking is the schema's work. */
function describeNumber(schema: Schema): FieldShape {
  const { def } = (schema as z.core.$ZodNumber)._zod;
  const checks = (def.checks ?? []).map((check) => check._zod.def as z.core.$ZodCheckGreaterThanDef | z.core.$ZodCheckLessThanDef);
  const bounds = (kind: string): number[] => checks.filter((check) => check.check === kind).map((check) => Number(check.value));
  return {
    kind: 'number',
    isWhole: 'format' in def,
    least: Math.max(-Infinity, ...bounds('greater_than')),
    most: Math.min(Infinity, ...bounds('less_than')),
  };
}

/** What is wrong with a value, in plain words; null when the schema accepts it. */
export function findFault(schema: Schema, value: unknown): string | null {
  const result = z.safeParse(schema, value);
  const issue = result.error?.issues[0];
  return issue === undefined ? null : describeIssue(issue);
}

/** One sentence that says what the schema expects. */
export function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_small') {
    return `Must ${verbOf(issue.origin)} ${issue.inclusive === false ? 'more than' : 'at least'} ${String(issue.minimum)}${unitOf(issue.origin)}.`;
  }
  if (issue.code === 'too_big') {
    return `Must ${verbOf(issue.origin)} ${issue.inclusive === false ? 'less than' : 'at most'} ${String(issue.maximum)}${unitOf(issue.origin)}.`;
  }
  if (issue.code === 'invalid_type') {
    if (issue.message.endsWith('received undefined')) return 'Is missing.';
    return issue.expected === 'int' ? 'Must be a whole number.' : `Must be ${typeWords[issue.expected] ?? issue.expected}.`;
  }
  if (issue.code === 'invalid_value') return `Must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}.`;
  if (issue.code === 'unrecognized_keys') return `There is no field ${issue.keys.map((key) => `"${key}"`).join(', ')} here.`;
  if (issue.code === 'invalid_union') {
    return 'discriminator' in issue ? issue.message : 'Has none of the forms that are possible here.';
  }
  return issue.message;
}

function verbOf(origin: string): string {
  return origin === 'number' || origin === 'int' ? 'be' : 'have';
}

const typeWords: Readonly<Record<string, string>> = {
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
};

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}
