// Short constructors for node attributes, and readers that fail loudly when an attribute is missing or of another kind.
import { LabError } from '../../shared/contract/errors.ts';
import type { Attribute, Attributes, DataType, Shape } from './graph.ts';

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const bool = (value: boolean): Attribute => ({ kind: 'bool', value });
export const text = (value: string): Attribute => ({ kind: 'string', value });
export const type = (value: DataType): Attribute => ({ kind: 'type', value });
export const shape = (value: Shape): Attribute => ({ kind: 'shape', value });
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });

interface AttributeValues {
  int: number;
  float: number;
  bool: boolean;
  string: string;
  type: DataType;
  shape: Shape;
  ints: readonly number[];
  types: readonly DataType[];
}

/** The value of attribute `name`, which must be of `kind`. */
export function getAttribute<Kind extends keyof AttributeValues>(attributes: Attributes, name: string, kind: Kind): AttributeValues[Kind] {
  const attribute = attributes[name];
  if (attribute === undefined || !isKind(attribute, kind)) {
    throw new LabError('internal', `A node lacks the attribute ${name}.`, { expected: kind, received: attribute?.kind ?? 'nothing' });
  }
  return attribute.value;
}

function isKind<Kind extends keyof AttributeValues>(
  attribute: Attribute,
  kind: Kind,
): attribute is Attribute & { kind: Kind; value: AttributeValues[Kind] } {
  return attribute.kind === kind;
}
