// What differentiation adds to a graph, and that every op of the table is proved on the real library.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bool, float } from '../src/main/engine/attributes.ts';
import { gradients } from '../src/main/engine/gradients.ts';
import { Graph } from '../src/main/engine/graph.ts';
import type { Node, Shape, Tensor } from '../src/main/engine/graph.ts';
import { convolutionAttributes } from '../src/main/engine/ops/convolution.ts';
import { define, likeInput, mergeFamilies, perInput } from '../src/main/engine/ops/definition.ts';
import { integers, scalar, sum } from '../src/main/engine/ops/emit.ts';
import { poolingAttributes } from '../src/main/engine/ops/pooling.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { buildOpGraph, openOpValues, readOpIndex } from './opFixture.ts';

function start(): { readonly graph: Graph; readonly input: (shape: Shape) => Tensor } {
  const graph = new Graph(opTable);
  return { graph, input: (shape) => graph.placeholder('input', 'float32', shape) };
}

function addedBy(graph: Graph, differentiate: () => unknown): readonly string[] {
  const before = graph.nodes.length;
  differentiate();
  return opsOf(graph.nodes.slice(before)).filter((op) => op !== 'Const');
}

function opsOf(nodes: readonly Node[]): readonly string[] {
  return nodes.map(({ op }) => op);
}

function total(graph: Graph, value: Tensor): Tensor {
  return sum(
    graph,
    value,
    value.shape.map((_, axis) => axis),
    false,
  );
}

describe('gradients', () => {
  it('does no work below the lowest tensor asked for', () => {
    const { graph, input } = start();
    const [images, lower, upper] = [input([null, 8, 8, 1]), input([3, 3, 1, 4]), input([144, 10])];
    const features = graph.op('Relu', [graph.op('Conv2D', [images, lower], convolutionAttributes([1, 1], 'VALID'))]);
    const logits = graph.op('MatMul', [graph.op('Reshape', [features, integers(graph, [-1, 144])]), upper]);
    const loss = total(graph, logits);
    const added = addedBy(graph, () => gradients(graph, loss, [upper]));
    expect(added).toEqual(['Shape', 'BroadcastTo', 'MatMul']);
  });

  it('spends one node per layer of a small network', () => {
    const { graph, input } = start();
    const [images, filter, bias, weight] = [input([null, 8, 8, 1]), input([3, 3, 1, 4]), input([4]), input([36, 10])];
    const convolved = graph.op('Conv2D', [images, filter], convolutionAttributes([1, 1], 'VALID'));
    const active = graph.op('Relu', [graph.op('BiasAdd', [convolved, bias])]);
    const pooled = graph.op('MaxPool', [active], poolingAttributes([2, 2], [2, 2], 'VALID'));
    const logits = graph.op('MatMul', [graph.op('Reshape', [pooled, integers(graph, [-1, 36])]), weight]);
    const labels = graph.placeholder('labels', 'int32', [null]);
    const loss = graph.op('Mean', [graph.op('SparseSoftmaxCrossEntropyWithLogits', [logits, labels]), integers(graph, [0])]);
    const added = addedBy(graph, () => gradients(graph, loss, [filter, bias, weight]));
    const lossPart = ['Size', 'FloorDiv', 'Cast', 'RealDiv', 'Shape', 'BroadcastTo', 'Reshape', 'Mul'];
    const networkPart = ['MatMul', 'MatMul', 'Reshape', 'MaxPoolGrad', 'ReluGrad', 'BiasAddGrad', 'Conv2DBackpropFilter'];
    expect(added).toEqual([...lossPart, ...networkPart]);
  });

  it('sums the ways to a tensor with one AddN', () => {
    const { graph, input } = start();
    const value = input([3]);
    const parts = [graph.op('Square', [value]), graph.op('Exp', [value]), graph.op('Neg', [value])];
    const loss = total(graph, graph.op('AddN', parts));
    const added = addedBy(graph, () => gradients(graph, loss, [value]));
    expect(added.filter((op) => op === 'AddN')).toHaveLength(1);
  });

  it('goes on below a tensor asked for when a lower one is asked for too', () => {
    const { graph, input } = start();
    const lower = input([3]);
    const upper = graph.op('Exp', [lower]);
    const [ofUpper, ofLower] = gradients(graph, total(graph, upper), [upper, lower]);
    expect([ofUpper?.node.op, ofLower?.node.op]).toEqual(['BroadcastTo', 'Mul']);
  });

  it('gives zeros where the loss does not depend on the tensor', () => {
    const { graph, input } = start();
    const [used, unused] = [input([3]), input([null, 2])];
    const found = gradients(graph, total(graph, used), [used, unused]);
    expect(found.map(({ node }) => node.op)).toEqual(['BroadcastTo', 'ZerosLike']);
    expect(found[1]?.shape).toEqual([null, 2]);
  });

  it('asks no rule of ops that the gradient does not reach', () => {
    const { graph, input } = start();
    const value = input([3]);
    const isLarge = graph.op('Cast', [graph.op('Greater', [value, scalar(graph, 1, 'float32')])], {
      DstT: { kind: 'type', value: 'float32' },
    });
    expect(gradients(graph, total(graph, isLarge), [value])[0]?.node.op).toBe('ZerosLike');
  });

  it('names the op on the way that has no rule', () => {
    const { graph, input } = start();
    const value = input([3, 2]);
    const gathered = graph.op('GatherV2', [value, integers(graph, [0, 2]), scalar(graph, 0, 'int32')]);
    expect(() => gradients(graph, total(graph, gathered), [value])).toThrow(/GatherV2 .* has no gradient rule/);
  });

  it('refuses a rule that returns another shape or type', () => {
    const wrong = define({
      op: 'Wrong',
      inputs: ['T'],
      infer: likeInput(0),
      gradient: perInput(({ graph }) => scalar(graph, 1, 'float32')),
    });
    const graph = new Graph(mergeFamilies([[...opTable.values(), wrong]]));
    const value = graph.placeholder('input', 'float32', [3]);
    expect(() => gradients(graph, total(graph, graph.op('Wrong', [value])), [value])).toThrow(/rule of Wrong returned the wrong shape/);
  });

  it('uses one factor per channel for a normalization with frozen parameters', () => {
    const { graph, input } = start();
    const images = input([null, 4, 4, 3]);
    const attributes = { is_training: bool(false), epsilon: float(0.001) };
    const normalized = graph.op('FusedBatchNormV3', [images, ...[3, 3, 3, 3].map((size) => input([size]))], attributes);
    expect(addedBy(graph, () => gradients(graph, total(graph, normalized), [images]))).not.toContain('FusedBatchNormGradV3');
  });

  it.each<[string, (graph: Graph, batch: Tensor) => Tensor]>([
    ['ConcatV2 along', (graph, batch) => graph.op('ConcatV2', [batch, batch, scalar(graph, 0, 'int32')])],
    ['Slice along', (graph, batch) => graph.op('Slice', [batch, integers(graph, [0, 0]), integers(graph, [2, 2])])],
    ['cannot be padded', (graph, batch) => graph.op('Pad', [batch, graph.constant(Int32Array.of(1, 0, 0, 0), 'int32', [2, 2])])],
    ['cannot be tiled', (graph, batch) => graph.op('Tile', [batch, integers(graph, [2, 1])])],
  ])('a batch of unknown size: %s', (problem, build) => {
    const { graph, input } = start();
    const batch = input([null, 2]);
    expect(() => gradients(graph, total(graph, build(graph, batch)), [batch])).toThrow(problem);
  });

  it('returns the shape of each operand, however they are broadcast', () => {
    const axis = fc.constantFrom<[number | null, number | null]>([1, 1], [1, 5], [4, 1], [3, 3], [null, null], [null, 1], [1, null]);
    const operation = fc.constantFrom('AddV2', 'Sub', 'Mul', 'RealDiv', 'Maximum', 'Pow', 'SquaredDifference');
    fc.assert(
      fc.property(fc.array(axis, { maxLength: 4 }), fc.nat(4), operation, (axes, dropped, op) => {
        const { graph, input } = start();
        const operands = [input(axes.map(([size]) => size)), input(axes.map(([, size]) => size).slice(dropped))];
        const hasFit = axes.slice(0, dropped).every(([size]) => size !== null);
        const found = hasFit ? gradients(graph, total(graph, graph.op(op, operands)), operands) : operands;
        expect(found.map(({ shape }) => shape)).toEqual(operands.map(({ shape }) => shape));
      }),
    );
  });
});

describe('proof on the real library', () => {
  const index = readOpIndex();
  const read = openOpValues();

  it('has a fixture with a gradient for every op that has a gradient rule', () => {
    const proved = new Set(index.cases.filter(({ inputs }) => inputs.some(({ gradient }) => gradient !== undefined)).map(({ op }) => op));
    const missing = [...opTable.values()].filter(({ op, gradient }) => gradient !== undefined && !proved.has(op));
    expect(missing.map(({ op }) => op)).toEqual([]);
  });

  it('runs every other op of the table too', () => {
    const graphs = index.cases.map((one) => buildOpGraph(one, read, true).graph);
    const cases = graphs.flatMap(({ nodes }) => opsOf(nodes));
    const updates = index.updates.map(({ op }) => op);
    // ops.native.test.ts runs these around the updates; NoOp computes nothing.
    const around = ['VarHandleOp', 'ReadVariableOp', 'AssignVariableOp', 'AssignAddVariableOp', 'AssignSubVariableOp', 'NoOp'];
    const run = new Set([...cases, ...updates, ...around]);
    expect([...opTable.keys()].filter((op) => !run.has(op))).toEqual([]);
  });
});
