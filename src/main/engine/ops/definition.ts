// How an op of the table is written down: TensorFlow's name, which attribute types each input, the shape rule and the gradient rule.
// Turns such a rule into the OpDefinition that Graph uses; checks input counts and data types once, for every op.
// Knows no single op; the families beside this file do.
import { LabError } from '../../../shared/contract/errors.ts';
import { getAttribute, int, type } from '../attributes.ts';
import type {
  Attribute,
  Attributes,
  DataType,
  Dimension,
  GradientContext,
  Graph,
  Node,
  OpDefinition,
  OpTable,
  Shape,
  Tensor,
  TensorSpec,
} from '../graph.ts';
import { describeShape, evaluate } from './shapes.ts';

/** An input's data type: fixed, or named by the attribute that holds it (TensorFlow's T, Tidx, ...). */
export type Slot = DataType | `T${string}` | 'U' | 'Index' | 'index_type' | 'dtype' | 'SrcT';

/** Inputs of an op: fixed slots, or N inputs of one type followed by fixed slots. */
export interface Variadic {
  readonly repeated: Slot;
  readonly then: readonly Slot[];
}

/** An op being built: what its shape rule may look at. */
export interface Site {
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly attributes: Attributes;
}

export interface OpRule {
  readonly op: string;
  readonly inputs: readonly Slot[] | Variadic;
  /** Attributes that TensorFlow needs and that a caller may leave out. */
  readonly defaults?: Attributes;
  readonly infer: (site: Site) => readonly TensorSpec[];
  readonly gradient?: (context: GradientContext) => readonly (Tensor | null)[];
}

const dataTypes: ReadonlySet<string> = new Set<DataType>([
  'float32',
  'bfloat16',
  'float16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'bool',
  'resource',
]);

function isDataType(slot: Slot): slot is DataType {
  return dataTypes.has(slot);
}

/** Completes a rule: derived type attributes, and checks of input count and data types before its shape rule runs. */
export function define(rule: OpRule): OpDefinition {
  return {
    op: rule.op,
    derive: (inputs) => ({ ...rule.defaults, ...deriveTypes(rule, inputs) }),
    infer: (inputs, attributes) => {
      const site = { op: rule.op, inputs, attributes };
      checkInputs(rule, site);
      return rule.infer(site);
    },
    ...(rule.gradient === undefined ? {} : { gradient: rule.gradient }),
  };
}

/** One op table out of several families; a name given twice is an error of this code. */
export function mergeFamilies(families: readonly (readonly OpDefinition[])[]): OpTable {
  const table = new Map<string, OpDefinition>();
  for (const definition of families.flat()) {
    if (table.has(definition.op)) throw new LabError('internal', `The op table has two entries for ${definition.op}.`);
    table.set(definition.op, definition);
  }
  return table;
}

function slotsFor(rule: OpRule, count: number): readonly Slot[] {
  const expected = rule.inputs;
  if (!('repeated' in expected)) return expected;
  const repeats = Math.max(count - expected.then.length, 1);
  return [...Array.from({ length: repeats }, () => expected.repeated), ...expected.then];
}

function deriveTypes(rule: OpRule, inputs: readonly Tensor[]): Attributes {
  const derived: Record<string, Attribute> = {};
  slotsFor(rule, inputs.length).forEach((slot, index) => {
    const input = inputs[index];
    if (input !== undefined && !isDataType(slot)) derived[slot] ??= type(input.dtype);
  });
  if ('repeated' in rule.inputs) derived['N'] = int(inputs.length - rule.inputs.then.length);
  return derived;
}

function checkInputs(rule: OpRule, site: Site): void {
  const slots = slotsFor(rule, site.inputs.length);
  if (slots.length !== site.inputs.length) {
    reject(site, 'it got the wrong number of inputs', { expected: `${slots.length} inputs`, received: `${site.inputs.length} inputs` });
  }
  slots.forEach((slot, index) => {
    const wanted = isDataType(slot) ? slot : getAttribute(site.attributes, slot, 'type');
    const received = inputAt(site, index).dtype;
    if (received !== wanted) reject(site, `its input ${index} has the wrong data type`, { expected: wanted, received });
  });
}

interface Mismatch {
  readonly expected: string;
  readonly received: string;
  readonly help?: string;
}

/** Throws the error for an op whose inputs do not fit. */
export function reject(site: { readonly op: string }, problem: string, mismatch: Mismatch): never {
  throw new LabError('bad_recipe', `The op ${site.op} cannot be built because ${problem}.`, {
    help: 'Change the layer that leads here so that its input has the expected shape and type.',
    ...mismatch,
  });
}

/** Input `index` of an op; its absence is an error of this code, since checkInputs has counted them. */
export function inputAt(site: { readonly op: string; readonly inputs: readonly Tensor[] }, index: number): Tensor {
  const input = site.inputs[index];
  if (input === undefined) throw new LabError('internal', `The op ${site.op} has no input ${index}.`);
  return input;
}

export function outputAt(node: Node, index: number): Tensor {
  const output = node.outputs[index];
  if (output === undefined) throw new LabError('internal', `The op ${node.op} has no output ${index}.`);
  return output;
}

export function spec(dtype: DataType, shape: Shape): readonly TensorSpec[] {
  return [{ dtype, shape }];
}

/** The shape rule of ops whose output is like their input `index`. */
export function likeInput(index: number): (site: Site) => readonly TensorSpec[] {
  return (site) => {
    const { dtype, shape } = inputAt(site, index);
    return spec(dtype, shape);
  };
}

/** The shape that input `index` asks for; an internal error when nothing is known about it. */
export function requestedShape(site: Site, index: number): readonly Dimension[] {
  const values = evaluate(inputAt(site, index));
  if (values === null) throw new LabError('internal', `The op ${site.op} needs a shape whose length is known while the graph is built.`);
  return values;
}

export function requireRank(site: Site, index: number, rank: number): Tensor {
  const input = inputAt(site, index);
  if (input.shape.length !== rank) {
    reject(site, `its input ${index} has ${input.shape.length} dimensions`, {
      expected: `${rank} dimensions`,
      received: `the shape ${describeShape(input.shape)}`,
      ...(rank === 2 ? { help: 'Put a Flatten or a global pooling layer before it.' } : {}),
    });
  }
  return input;
}

export function readFlag(attributes: Attributes, name: string): boolean {
  return attributes[name] === undefined ? false : getAttribute(attributes, name, 'bool');
}

/** What one input's gradient rule sees: the gradient of output 0 and the node it belongs to. */
export interface Backward {
  readonly graph: Graph;
  readonly gradient: Tensor;
  readonly node: Node;
  readonly input: (index: number) => Tensor;
  readonly output: (index: number) => Tensor;
}

type InputRule = ((backward: Backward) => Tensor) | null;

/** A gradient rule made of one rule per input, each run only when its gradient is wanted; null: never differentiable. */
export function perInput(...rules: readonly InputRule[]): (context: GradientContext) => readonly (Tensor | null)[] {
  return (context) => {
    const { graph, node, isWanted } = context;
    const gradient = context.outputGradients[0] ?? null;
    if (gradient === null) return rules.map(() => null);
    const backward: Backward = {
      graph,
      gradient,
      node,
      input: (index) => inputAt(node, index),
      output: (index) => outputAt(node, index),
    };
    return rules.map((rule, index) => (rule !== null && isWanted(index) ? rule(backward) : null));
  };
}

/** The same rule for each of a variable number of inputs. */
export function eachInput(rule: (backward: Backward, index: number) => Tensor): (context: GradientContext) => readonly (Tensor | null)[] {
  return (context) => perInput(...context.node.inputs.map((_, index) => (backward: Backward) => rule(backward, index)))(context);
}
