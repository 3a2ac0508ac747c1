// Reads test/fixtures/ops (made by scripts/fixtures/ops.py) and turns its cases into graphs on our op table.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { HostTensor } from '../src/main/engine/executor.ts';
import { gradients } from '../src/main/engine/gradients.ts';
import { Graph } from '../src/main/engine/graph.ts';
import type { Attribute, Attributes, DataType, Tensor } from '../src/main/engine/graph.ts';
import { cast } from '../src/main/engine/ops/emit.ts';
import { opTable } from '../src/main/engine/ops/table.ts';

const dataTypeSchema = z.enum(['float32', 'bfloat16', 'float16', 'int32', 'int64', 'uint8', 'uint16', 'bool']);
const placeSchema = z.strictObject({ store: z.enum(['float32', 'int32']), shape: z.array(z.int()), offset: z.int() });
const attributeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ name: z.string(), kind: z.literal('int'), value: z.int() }),
  z.strictObject({ name: z.string(), kind: z.literal('float'), value: z.number() }),
  z.strictObject({ name: z.string(), kind: z.literal('bool'), value: z.boolean() }),
  z.strictObject({ name: z.string(), kind: z.literal('string'), value: z.string() }),
  z.strictObject({ name: z.string(), kind: z.literal('type'), value: dataTypeSchema }),
  z.strictObject({ name: z.string(), kind: z.literal('ints'), value: z.array(z.int()) }),
]);
const caseSchema = z.strictObject({
  op: z.string(),
  variant: z.string(),
  attributes: z.array(attributeSchema),
  inputs: z.array(
    z.strictObject({
      dtype: dataTypeSchema,
      constant: z.boolean(),
      wanted: z.boolean(),
      value: placeSchema,
      gradient: placeSchema.optional(),
    }),
  ),
  outputs: z.array(z.strictObject({ index: z.int(), dtype: dataTypeSchema, value: placeSchema })),
  cotangents: z.array(z.strictObject({ index: z.int(), value: placeSchema })),
  batchInputs: z.array(z.int()),
});
const updateSchema = z.strictObject({
  op: z.string(),
  attributes: z.array(attributeSchema),
  before: z.array(placeSchema),
  feeds: z.array(placeSchema),
  after: z.array(placeSchema),
});
const indexSchema = z.strictObject({
  madeBy: z.string(),
  seed: z.int(),
  versions: z.record(z.string(), z.string()),
  cases: z.array(caseSchema),
  updates: z.array(updateSchema),
});

export type OpCase = z.infer<typeof caseSchema>;
export type Place = z.infer<typeof placeSchema>;

const folder = join(import.meta.dirname, 'fixtures', 'ops');

export function readOpIndex(): z.infer<typeof indexSchema> {
  return indexSchema.parse(JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')));
}

/** A reader of the arrays that the index points to. */
export function openOpValues(): (place: Place) => HostTensor {
  const bytes = readFileSync(join(folder, 'values.bin'));
  return ({ store, shape, offset }) => {
    const count = shape.reduce((total, size) => total * size, 1);
    const part = bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset + 4 * count);
    return { shape, data: store === 'int32' ? new Int32Array(part) : new Float32Array(part) };
  };
}

export function toAttributes(list: readonly z.infer<typeof attributeSchema>[]): Attributes {
  return Object.fromEntries(list.map(({ name, ...attribute }): [string, Attribute] => [name, attribute]));
}

export interface OpGraph {
  readonly graph: Graph;
  /** Placeholders in the order of the case's non-constant inputs, then of its cotangents. */
  readonly inputFeeds: readonly Tensor[];
  readonly cotangentFeeds: readonly Tensor[];
  /** The compared outputs and the wanted gradients as float32 or int32. */
  readonly outputs: readonly Tensor[];
  readonly gradients: readonly Tensor[];
  readonly gradientTypes: readonly DataType[];
}

/** The case's op with sum(output * cotangent) behind it; with `isBatchKnown` false the batch dimension is null. */
export function buildOpGraph(one: OpCase, read: (place: Place) => HostTensor, isBatchKnown: boolean): OpGraph {
  const graph = new Graph(opTable);
  const inputFeeds: Tensor[] = [];
  const inputs = one.inputs.map(({ dtype, constant, value }, position) => {
    const { data } = read(value);
    if (constant) return graph.constant(data, 'int32', value.shape);
    const shape = !isBatchKnown && one.batchInputs.includes(position) ? value.shape.with(0, Number.NaN) : value.shape;
    const sizes = shape.map((size) => (Number.isNaN(size) ? null : size));
    const feed = graph.placeholder(`input${position}`, value.store, sizes);
    inputFeeds.push(feed);
    return cast(graph, feed, dtype);
  });
  const results = graph.add(one.op, inputs, toAttributes(one.attributes));
  const outputs = one.outputs.map(({ index, value }) => cast(graph, at(results, index), value.store));
  const cotangentFeeds = one.cotangents.map(({ index }) => graph.placeholder(`cotangent${index}`, 'float32', at(results, index).shape));
  const weighted = one.cotangents.map(({ index }, position) => {
    const product = graph.op('Mul', [cast(graph, at(results, index), 'float32'), at(cotangentFeeds, position)]);
    const axes = product.shape.map((_, axis) => axis);
    return graph.op('Sum', [product, graph.constant(Int32Array.from(axes), 'int32', [axes.length])]);
  });
  const wanted = weighted.length === 0 ? [] : inputs.filter((_, position) => one.inputs[position]?.wanted);
  const found = weighted.length === 0 ? [] : gradients(graph, graph.op('AddN', weighted), wanted);
  return {
    graph,
    inputFeeds,
    cotangentFeeds,
    outputs,
    gradients: found.map((gradient) => cast(graph, gradient, 'float32')),
    gradientTypes: wanted.map(({ dtype }) => dtype),
  };
}

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new Error(`no item ${index}`);
  return item;
}
