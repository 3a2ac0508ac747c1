// The graph IR: tensors, nodes, attributes and variables, typed by shape and data type. Building a node asks the op table for its output
// specs, so a graph that exists is well-formed. Owns no TensorFlow object: plan.ts orders it, savedModel.ts writes it, native.ts runs it.
import { LabError } from '../../shared/contract/errors.ts';

export type DataType = 'float32' | 'bfloat16' | 'float16' | 'int32' | 'int64' | 'uint8' | 'uint16' | 'bool' | 'resource';

/** null is a dimension known only at run time (the batch). */
export type Dimension = number | null;
export type Shape = readonly Dimension[];

export interface TensorSpec {
  readonly dtype: DataType;
  readonly shape: Shape;
}

export interface Tensor extends TensorSpec {
  readonly node: Node;
  readonly index: number;
}

export type ConstantData = Float32Array | Int32Array | Uint8Array;

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'type'; readonly value: DataType }
  | { readonly kind: 'shape'; readonly value: Shape }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'types'; readonly value: readonly DataType[] }
  | { readonly kind: 'tensor'; readonly dtype: DataType; readonly shape: readonly number[]; readonly data: ConstantData };

export type Attributes = Readonly<Record<string, Attribute>>;

export interface Node {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Tensor[];
  /** Nodes that must have run before this one. */
  readonly controls: readonly Node[];
  readonly attributes: Attributes;
  readonly outputs: readonly Tensor[];
}

export interface Variable {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly handle: Tensor;
}

/** What a gradient rule sees: the node, and for each output the gradient that reached it (null when none did). */
export interface GradientContext {
  readonly graph: Graph;
  readonly node: Node;
  readonly outputGradients: readonly (Tensor | null)[];
  /** Whether a gradient for input `index` is wanted; rules skip the others. */
  readonly isWanted: (index: number) => boolean;
}

/** One op of the table: the TensorFlow op, its shape rule and its gradient rule in one entry. */
export interface OpDefinition {
  /** TensorFlow's op name. */
  readonly op: string;
  /** Output specs; throws LabError('bad_recipe') naming the op when the inputs do not fit. */
  readonly infer: (inputs: readonly Tensor[], attributes: Attributes) => readonly TensorSpec[];
  /** Attributes that follow from the inputs (T, Tidx, ...), added to those given. */
  readonly derive?: (inputs: readonly Tensor[], attributes: Attributes) => Attributes;
  /** One gradient per input (null: none). Absent: not differentiable. */
  readonly gradient?: (context: GradientContext) => readonly (Tensor | null)[];
}

export type OpTable = ReadonlyMap<string, OpDefinition>;

export interface NodeOptions {
  readonly name?: string;
  readonly controls?: readonly Node[];
}

/** A growing, append-only graph: `nodes` is always in topological order. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly variables = new Map<string, Variable>();
  readonly table: OpTable;
  readonly #names = new Set<string>();
  readonly #counters = new Map<string, number>();

  constructor(table: OpTable) {
    this.table = table;
  }

  /** Adds a node and returns all its outputs. */
  add(op: string, inputs: readonly Tensor[], attributes: Attributes = {}, options: NodeOptions = {}): readonly Tensor[] {
    const definition = this.table.get(op);
    if (definition === undefined) throw new LabError('internal', `The op table has no entry for ${op}.`);
    const complete = { ...definition.derive?.(inputs, attributes), ...attributes };
    const specs = definition.infer(inputs, complete);
    const outputs: Tensor[] = [];
    const node: Node = {
      name: this.#uniqueName(options.name ?? op),
      op,
      inputs: [...inputs],
      controls: [...(options.controls ?? [])],
      attributes: complete,
      outputs,
    };
    specs.forEach((spec, index) => outputs.push({ node, index, dtype: spec.dtype, shape: spec.shape }));
    this.nodes.push(node);
    return outputs;
  }

  /** Adds a node and returns its first output. */
  op(op: string, inputs: readonly Tensor[], attributes: Attributes = {}, options: NodeOptions = {}): Tensor {
    const output = this.add(op, inputs, attributes, options)[0];
    if (output === undefined) throw new LabError('internal', `The op ${op} has no output.`);
    return output;
  }

  /** Adds a node that is wanted for its effect (an assignment, an update). */
  effect(op: string, inputs: readonly Tensor[], attributes: Attributes = {}, options: NodeOptions = {}): Node {
    this.add(op, inputs, attributes, options);
    const node = this.nodes.at(-1);
    if (node === undefined) throw new LabError('internal', 'The graph is empty.');
    return node;
  }

  placeholder(name: string, dtype: DataType, shape: Shape): Tensor {
    return this.op('Placeholder', [], { dtype: { kind: 'type', value: dtype }, shape: { kind: 'shape', value: shape } }, { name });
  }

  constant(data: ConstantData | number, dtype: DataType, shape: readonly number[] = [], options: NodeOptions = {}): Tensor {
    const values = typeof data === 'number' ? (dtype === 'int32' ? Int32Array.of(data) : Float32Array.of(data)) : data;
    return this.op(
      'Const',
      [],
      { dtype: { kind: 'type', value: dtype }, value: { kind: 'tensor', dtype, shape, data: values } },
      { name: options.name ?? 'constant', ...(options.controls === undefined ? {} : { controls: options.controls }) },
    );
  }

  /** A resource variable; its values come from an assignment, never from this call. */
  variable(name: string, dtype: DataType, shape: readonly number[]): Variable {
    if (this.variables.has(name)) throw new LabError('internal', `The graph already has a variable ${name}.`);
    const handle = this.op(
      'VarHandleOp',
      [],
      {
        dtype: { kind: 'type', value: dtype },
        shape: { kind: 'shape', value: shape },
        shared_name: { kind: 'string', value: name },
        container: { kind: 'string', value: '' },
      },
      { name: `variable/${name}` },
    );
    const variable: Variable = { name, dtype, shape, handle };
    this.variables.set(name, variable);
    return variable;
  }

  read(variable: Variable, options: NodeOptions = {}): Tensor {
    return this.op(
      'ReadVariableOp',
      [variable.handle],
      { dtype: { kind: 'type', value: variable.dtype } },
      { name: `read/${variable.name}`, ...options },
    );
  }

  #uniqueName(wanted: string): string {
    const base = wanted.replace(/[^A-Za-z0-9_./-]/g, '_');
    let name = base;
    while (this.#names.has(name)) {
      const count = (this.#counters.get(base) ?? 0) + 1;
      this.#counters.set(base, count);
      name = `${base}_${count}`;
    }
    this.#names.add(name);
    return name;
  }
}
