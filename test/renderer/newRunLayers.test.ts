// The rows of the layer table: blocks folded and unfolded, and every place where the freeze line can stand.
import { describe, expect, it } from 'vitest';
import { listEntries, placeLine, stepLine } from '../../src/renderer/components/layerEntries.ts';
import { describeBlocks, describeRows } from '../../src/renderer/components/layerRows.ts';
import { baseSchema } from '../../src/shared/contract/base.ts';
import { recipeSchema } from '../../src/shared/contract/schema.ts';
import { createLayer, listLayers } from '../../src/shared/domain/draft/layers.ts';
import { resolveRecipe } from '../../src/shared/domain/recipe.ts';

const holdout = { validation: { type: 'fraction', fraction: 0.1 } };
const recipe = recipeSchema.parse({
  version: 1,
  id: 'layers',
  title: 'Layers',
  dataset: { id: 'any', classes: ['a', 'b'], shape: [32, 32, 3] },
  splits: { document: holdout, sound: holdout },
  network: {
    base: baseSchema.parse({ network: 'VGG16', cutAt: 'block2_conv1' }),
    layers: [createLayer('Flatten'), createLayer('Dense', { units: 2, activation: 'softmax' })],
  },
  phases: [
    { name: 'train', trainable: { type: 'freezeUpTo', layer: 'block1_conv1' }, optimizer: { type: 'Adam' }, batchSize: 1, epochs: 1 },
  ],
});
const { resolved } = resolveRecipe(recipe);
const listed = listLayers(recipe.network);
const rows = describeRows(listed, resolved.network, resolved.phases[0], null);
const blocks = describeBlocks(listed, rows);
const show = (unfolded: readonly string[], line: number | null) => {
  const { entries, gaps } = listEntries(rows, blocks, new Set(unfolded), line);
  return { keys: entries.map(({ key }) => key), gaps };
};

describe('blocks', () => {
  it('add up their layers and say whether they train', () => {
    expect(blocks).toEqual([
      {
        ...{ name: 'block1', start: 0, end: 3, output: '[16,16,64]', parameters: 38_720, trained: 'some' },
        weighted: ['block1_conv1', 'block1_conv2'],
      },
      { name: 'block2', start: 3, end: 4, output: '[16,16,128]', parameters: 73_856, trained: 'all', weighted: ['block2_conv1'] },
    ]);
  });

  it('know nothing of layers behind a problem', () => {
    const unknown = describeBlocks(listed, describeRows(listed, { ...resolved.network, layers: [] }, undefined, null));
    expect(unknown[0]).toMatchObject({ output: null, parameters: null, trained: null });
  });
});

describe('rows', () => {
  it('fold blocks into one row each, with the line where it stands', () => {
    expect(show([], 4)).toEqual({ keys: [':block1', ':block2', ':line', 'flatten', 'dense'], gaps: [0, 3, 4, 5, 6] });
    expect(show([], 0).keys[0]).toBe(':line');
    expect(show([], 6).keys.at(-1)).toBe(':line');
    expect(show([], null).keys).not.toContain(':line');
  });

  it('show a line inside a folded block below it, and inside an unfolded one at its place', () => {
    expect(show([], 1).keys).toEqual([':block1', ':line', ':block2', 'flatten', 'dense']);
    const unfolded = show(['block1'], 1);
    expect(unfolded.keys).toEqual([':block1', 'block1_conv1', ':line', 'block1_conv2', 'block1_pool', ':block2', 'flatten', 'dense']);
    expect(unfolded.gaps).toEqual([0, 0, 1, 2, 3, 4, 5, 6]);
  });
});

describe('the freeze line', () => {
  it('moves over what is shown, by blocks, and to the ends', () => {
    const { gaps } = show([], 1);
    expect(['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End', 'x'].map((key) => stepLine(key, 1, gaps, blocks))).toEqual([
      ...[0, 3, 0, 3, 0, 6, null],
    ]);
    const unfolded = show(['block1', 'block2'], 1).gaps;
    expect(stepLine('ArrowDown', 1, unfolded, blocks)).toBe(2);
    expect(stepLine('PageDown', 3, unfolded, blocks)).toBe(4);
    expect(stepLine('ArrowUp', 0, unfolded, blocks)).toBe(0);
    expect(stepLine('ArrowDown', 6, unfolded, blocks)).toBe(6);
  });

  it('says where it stands in words', () => {
    expect(placeLine(3, rows, blocks, new Set())).toBe('after block1');
    expect(placeLine(1, rows, blocks, new Set())).toBe('in block1, after block1_conv1');
    expect(placeLine(1, rows, blocks, new Set(['block1']))).toBe('in block1');
    expect(placeLine(5, rows, blocks, new Set())).toBe('');
  });
});
