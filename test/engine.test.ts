// The engine's pure parts: where a network is cut, how a graph becomes bytes, and the tensor file format.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layerSchema } from '../src/shared/contract/layers.ts';
import type { Trainable } from '../src/shared/contract/schema.ts';
import { resolveNetwork, selectTrainableLayers } from '../src/shared/domain/network.ts';
import type { ResolvedNetwork } from '../src/shared/domain/networkTypes.ts';
import { findFrozenPrefix } from '../src/shared/domain/frozenPrefix.ts';
import { Graph } from '../src/main/engine/graph.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { loadMessages } from '../src/main/engine/protobuf.ts';
import { decodeTensors, encodeTensors, type NamedTensor } from '../src/main/engine/safetensors.ts';
import { writeSavedModel } from '../src/main/engine/savedModel.ts';

function network(layers: readonly object[]): ResolvedNetwork {
  const result = resolveNetwork(
    layers.map((layer) => layerSchema.parse(layer)),
    [12, 12, 3],
    null,
  );
  if (!result.ok) throw new Error(result.problem.message);
  return result.network;
}

const conv = (name: string) => ({ type: 'Conv2D', name, filters: 4, kernelSize: 3, padding: 'same' });
const plain = network([
  conv('a'),
  { type: 'MaxPooling2D', name: 'pool' },
  { type: 'BatchNormalization', name: 'norm' },
  conv('b'),
  { type: 'Dropout', name: 'drop', rate: 0.5 },
  { type: 'Flatten', name: 'flat' },
  { type: 'Dense', name: 'answer', units: 3 },
]);

function prefixOf(net: ResolvedNetwork, trainable: Trainable, frozen: 'inference' | 'batchStatistics' = 'inference'): number {
  return findFrozenPrefix(net, selectTrainableLayers(net, trainable), frozen).length;
}

describe('the frozen prefix', () => {
  it('ends before the first layer that trains', () => {
    expect(prefixOf(plain, { type: 'freezeUpTo', layer: 'norm' })).toBe(3);
  });

  it('ends before dropout, which stays active behind frozen layers', () => {
    expect(prefixOf(plain, { type: 'freezeUpTo', layer: 'flat' })).toBe(4);
  });

  it('ends before a batch normalization that still uses batch statistics', () => {
    expect(prefixOf(plain, { type: 'freezeUpTo', layer: 'flat' }, 'batchStatistics')).toBe(2);
  });

  it('is empty when everything trains', () => {
    expect(prefixOf(plain, { type: 'all' })).toBe(0);
  });

  it('never cuts between a block and its shortcut', () => {
    const residual = network([
      conv('a'),
      conv('b'),
      { type: 'Add', name: 'sum', inputs: ['a', 'b'] },
      { type: 'Flatten', name: 'flat' },
      { type: 'Dense', name: 'answer', units: 3 },
    ]);
    expect(prefixOf(residual, { type: 'freezeUpTo', layer: 'b' })).toBe(4);
    expect(prefixOf(residual, { type: 'layers', names: ['b', 'answer'] })).toBe(1);
  });
});

describe('the saved model', () => {
  const build = (): Graph => {
    const graph = new Graph(opTable);
    const variable = graph.variable('w', 'float32', [2]);
    const value = graph.constant(Float32Array.of(1, 2), 'float32', [2]);
    const sum = graph.op('AddV2', [graph.read(variable), value]);
    graph.effect('AssignVariableOp', [variable.handle, sum]);
    return graph;
  };

  it('is the same bytes for the same graph', () => {
    expect(writeSavedModel(build(), loadMessages())).toEqual(writeSavedModel(build(), loadMessages()));
  });

  it('refuses an op that the table does not know', () => {
    expect(() => new Graph(opTable).op('Konv', [])).toThrow(/no entry for Konv/);
  });
});

describe('safetensors', () => {
  const tensor = fc
    .record({
      name: fc.string({ minLength: 1, maxLength: 12 }),
      values: fc.array(fc.float({ noNaN: true }), { maxLength: 20 }),
      isInt: fc.boolean(),
    })
    .filter(({ name }) => name !== '__metadata__' && name !== '__proto__')
    .map(({ name, values, isInt }): NamedTensor => {
      const data = isInt ? Int32Array.from(values) : Float32Array.from(values);
      return { name, shape: [values.length], data };
    });

  it('reads what it wrote', () => {
    fc.assert(
      fc.property(fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 }), (tensors) => {
        const { tensors: read, metadata } = decodeTensors(Buffer.concat(encodeTensors(tensors, { epoch: '3' })), 'x');
        const byName = (list: readonly NamedTensor[]) => new Map(list.map((item) => [item.name, item]));
        expect(byName(read)).toEqual(byName(tensors));
        expect(metadata).toEqual({ epoch: '3' });
      }),
      { numRuns: 100 },
    );
  });

  it('refuses every truncation and survives every flipped byte', () => {
    const whole = Buffer.concat(encodeTensors([{ name: 'w', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }]));
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => decodeTensors(whole.subarray(0, length), 'weights')).toThrow(/weights is not a readable safetensors file/);
    }
    for (let position = 0; position < whole.length; position += 1) {
      const damaged = Buffer.from(whole);
      damaged[position] = 0xff;
      try {
        decodeTensors(damaged, 'weights');
      } catch (error) {
        expect(error).toMatchObject({ code: 'bad_input' });
      }
    }
  });
});
