// First values for fields that have no default of their own, when a person chooses another type of layer, optimizer, schedule or split.
import { findFault, type Field, type VariantMember } from './fields.ts';

const starters: Readonly<Record<string, unknown>> = {
  filters: 32,
  kernelSize: [3, 3],
  units: 64,
  rate: 0.25,
  stddev: 0.1,
  activation: 'relu',
  scale: 1 / 255,
  value: 0,
  decay: 0.0001,
  everyEpochs: 10,
  factor: 0.5,
  decaySteps: 1000,
  decayRate: 0.96,
  fraction: 0.1,
  count: 1000,
  folds: 5,
  fold: 0,
  indices: [0],
  size: [32, 32],
  brightnessRange: [0.8, 1.2],
  strides: [2, 2],
  trainLimit: 10_000,
  stepsPerEpoch: 1000,
  normalize: { mean: [0.5], std: [0.5] },
  mean: [0.5],
  std: [0.5],
  kernelRegularizer: { l1: 0, l2: 0.001 },
  biasRegularizer: { l1: 0, l2: 0.001 },
  depthwiseRegularizer: { l1: 0, l2: 0.001 },
  pointwiseRegularizer: { l1: 0, l2: 0.001 },
};

/** A value with which the field can begin: its default, else a usual one; what `kept` holds under its name wins where it fits. */
export function startValue(field: Field, kept: Readonly<Record<string, unknown>> = {}): unknown {
  const old = kept[field.name];
  if (old !== undefined && findFault(field.schema, old) === null) return old;
  if (field.start !== undefined) return field.start;
  if (field.name in starters) return starters[field.name];
  switch (field.shape.kind) {
    case 'number':
      return Number.isFinite(field.shape.least) ? Math.max(field.shape.least, field.shape.isWhole ? 1 : field.shape.least) : 0;
    case 'switch':
      return false;
    case 'choice':
      return field.shape.options[0];
    case 'text':
      return '';
    case 'tuple':
      return field.shape.items.map((item) => startValue(item));
    case 'list':
      return [];
    case 'group':
      return Object.fromEntries(field.shape.fields.map((one) => [one.name, startValue(one)]));
    case 'variant':
      return field.shape.members[0] === undefined ? undefined : startMember(field.shape.members[0]);
    case 'perhaps':
      return field.shape.empty;
  }
}

/** A value of the member's type. Fields keep what they had in `old` where it fits. */
export function startMember(member: VariantMember, old: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const entries = member.fields.map((field) => [field.name, startValue(field, old)] as const);
  return { type: member.type, ...Object.fromEntries(entries.filter(([, value]) => value !== undefined)) };
}

/** What a field holds when a person says that it shall hold something. */
export function startPresent(field: Field): unknown {
  if (field.name in starters) return starters[field.name];
  return startValue(field);
}
