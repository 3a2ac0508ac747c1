// Editing a network that begins with a base: its layers stay as they are, the phases follow when it is changed, hints and repairs say what fits.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { baseSchema, zooNetworks, type ZooNetwork } from '../src/shared/contract/base.ts';
import type { LayerType } from '../src/shared/contract/layers.ts';
import type { WeightsEntry } from '../src/shared/contract/methods/weights.ts';
import { recipeSchema, type Phase, type Recipe } from '../src/shared/contract/schema.ts';
import { chooseBase, findKerasFile, findMissingWeights, listWholeBlocks, replaceStart, setBase } from '../src/shared/domain/draft/base.ts';
import { listBaseHints } from '../src/shared/domain/draft/baseHints.ts';
import { findFreezeLine, freezeUpTo, trainLayers } from '../src/shared/domain/draft/freezeLine.ts';
import {
  createLayer,
  duplicateLayer,
  insertLayer,
  listLayers,
  moveLayer,
  removeLayer,
  replaceLayer,
} from '../src/shared/domain/draft/layers.ts';
import { halvePerGroup, listRateGroups, writeRates } from '../src/shared/domain/draft/rates.ts';
import { findRepairs } from '../src/shared/domain/draft/repairs.ts';
import { resolveRecipe } from '../src/shared/domain/recipe.ts';
import { resourcesFolder } from './lab.ts';

const read = (id: string): Recipe => recipeSchema.parse(JSON.parse(readFileSync(join(resourcesFolder, 'recipes', `${id}.json`), 'utf8')));
const cut = read('household-mobilenet-b1');
const vgg = read('cifar-vgg16-features');
const headOf = ({ network }: Recipe): (string | undefined)[] => network.layers.map(({ name }) => name);
const namesOf = ({ network }: Recipe): string[] => listLayers(network).all.map(({ name }) => name);
const withPhase = (recipe: Recipe, change: Partial<Phase>): Recipe => ({
  ...recipe,
  phases: recipe.phases.map((phase, index) => (index === 0 ? { ...phase, ...change } : phase)),
});
const baseOf = (recipe: Recipe) => {
  const { base } = recipe.network;
  if (base === null) throw new Error(`${recipe.id} has no base.`);
  return base;
};
const frozenOf = (recipe: Recipe) => recipe.phases[0]?.trainable;
const weights = (id: string, network: ZooNetwork, changed: Partial<WeightsEntry> = {}): WeightsEntry => ({
  ...{
    id,
    network,
    alpha: 1,
    source: '',
    fileFingerprint: '',
    fingerprint: '',
    verified: 'official',
    description: '',
    licence: null,
    bytes: 1,
  },
  ...changed,
});
const lineLayers = (recipe: Recipe) => {
  const { network } = resolveRecipe(recipe).resolved;
  const weighted = new Set(network.layers.flatMap(({ name, parameters }) => (parameters > 0 ? [name] : [])));
  return { layers: listLayers(recipe.network).all, hasWeights: (name: string) => weighted.has(name) };
};

describe('layers behind a base', () => {
  it.each(zooNetworks)('stand after the blocks of %s, which hold each of its layers once', (network) => {
    const { all, baseCount, blocks } = listLayers({ base: baseSchema.parse({ network }), layers: vgg.network.layers });
    expect(blocks[0]?.start).toBe(0);
    for (const [index, block] of blocks.entries()) expect(blocks[index + 1]?.start ?? baseCount).toBe(block.end);
    expect(all.slice(baseCount).map(({ name }) => name)).toEqual(headOf(vgg));
  });

  it('are the only ones that edits reach', () => {
    const named = insertLayer(cut, 0, createLayer('Dense', { units: 3, name: 'conv1' }));
    expect(headOf(named)[0]).toBe('dense_5');
    const joined = insertLayer(cut, 0, createLayer('Add'));
    expect(joined.network.layers[0]?.inputs).toEqual(['conv_pw_12_bn', 'conv_pw_12_relu']);
    expect(headOf(duplicateLayer(cut, 1)).slice(0, 3)).toEqual(['global_average_pooling2d', 'dense', 'dense_5']);
    expect(replaceLayer(cut, -1, createLayer('Flatten'))).toBe(cut);
  });

  it('hand the freeze line to the base when the first of them goes', () => {
    const frozen = withPhase(cut, { trainable: { type: 'freezeUpTo', layer: 'global_average_pooling2d' } });
    expect(frozenOf(removeLayer(frozen, 0))).toEqual({ type: 'freezeUpTo', layer: 'conv_pw_12_relu' });
  });

  it('leave one learning rate where two stretches end at one layer', () => {
    const rated = withPhase(cut, {
      learningRateMultipliers: [
        { upTo: 'conv_pw_12_relu', multiplier: 0.5 },
        { upTo: 'global_average_pooling2d', multiplier: 0.8 },
      ],
    });
    expect(removeLayer(rated, 0).phases[0]?.learningRateMultipliers).toEqual([{ upTo: 'conv_pw_12_relu', multiplier: 0.8 }]);
  });

  it('keep the base and unique names under any edits', () => {
    const edit = fc.record({
      what: fc.constantFrom('insert', 'remove', 'move', 'duplicate'),
      at: fc.nat(9),
      to: fc.nat(9),
      type: fc.constantFrom<LayerType>('Conv2D', 'Dense', 'Add', 'Dropout'),
    });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 8 }), (edits) => {
        const edited = edits.reduce((recipe, { what, at, to, type }) => {
          const { length } = recipe.network.layers;
          if (what === 'insert') return insertLayer(recipe, at % (length + 1), createLayer(type));
          if (what === 'remove') return removeLayer(recipe, at % length);
          return what === 'move' ? moveLayer(recipe, at % length, to % length) : duplicateLayer(recipe, at % length);
        }, vgg);
        expect(edited.network.base).toEqual(vgg.network.base);
        expect(new Set(namesOf(edited)).size).toBe(namesOf(edited).length);
        expect(frozenOf(edited)).toEqual(frozenOf(vgg));
        expect(recipeSchema.safeParse(edited).success).toBe(true);
      }),
      { numRuns: 25 },
    );
  });
});

describe('the freeze line of a base', () => {
  it('stands where the templates freeze, and reads back where it is moved to', () => {
    const layers = lineLayers(cut);
    const block = listLayers(cut.network).blocks.find(({ name }) => name === 'block11');
    expect(findFreezeLine(layers, frozenOf(cut) ?? { type: 'all' })).toBe(block?.end);
    for (const { end } of listLayers(cut.network).blocks) expect(findFreezeLine(layers, freezeUpTo(layers.layers, end))).toBe(end);
  });

  it('is moved by freeing or freezing a whole block', () => {
    const layers = lineLayers(cut);
    const trained = resolveRecipe(cut).resolved.phases[0]?.trainableLayers ?? new Set<string>();
    const { blocks, all } = listLayers(cut.network);
    const eleventh = blocks.find(({ name }) => name === 'block11');
    const names = all.slice(eleventh?.start, eleventh?.end).flatMap(({ name }) => (layers.hasWeights(name) ? [name] : []));
    const freed = trainLayers(layers, trained, names, true);
    expect(resolveRecipe(withPhase(cut, { trainable: freed })).resolved.phases[0]?.counts.trainable).toBe(1_133_032 + 268_800);
    expect(trainLayers(layers, new Set([...trained, ...names]), names, false)).toEqual({ type: 'freezeUpTo', layer: 'conv_pw_11_bn' });
  });
});

describe('another base', () => {
  it.each<[ZooNetwork | null, Phase['trainable']]>([
    ['VGG16', { type: 'freezeUpTo', layer: 'block4_pool' }],
    ['VGG19', { type: 'freezeUpTo', layer: 'block4_pool' }],
    ['EfficientNetLite0', { type: 'freezeUpTo', layer: 'block7a_project_bn' }],
    [null, { type: 'all' }],
  ])('%s keeps the head and as many trained blocks at its end', (network, trainable) => {
    const changed = chooseBase(cut, network, []);
    expect(headOf(changed)).toEqual(headOf(cut));
    expect(frozenOf(changed)).toEqual(trainable);
    if (network !== null) expect(resolveRecipe(changed).ok).toBe(true);
  });

  it('takes single layers and learning rates along', () => {
    const rated = withPhase(cut, {
      trainable: { type: 'layers', names: ['conv_pw_12', 'dense'] },
      learningRateMultipliers: [
        { upTo: 'conv_pw_11_relu', multiplier: 0.25 },
        { upTo: 'conv_pw_12_relu', multiplier: 0.5 },
      ],
    });
    expect(chooseBase(rated, 'VGG16', []).phases[0]).toMatchObject({
      trainable: { type: 'layers', names: ['dense'] },
      learningRateMultipliers: [
        { upTo: 'block4_pool', multiplier: 0.25 },
        { upTo: 'block5_pool', multiplier: 0.5 },
      ],
    });
    expect(chooseBase(rated, null, []).phases[0]?.learningRateMultipliers).toEqual([]);
  });

  it('frees the whole block where the line stood inside it', () => {
    const inside = withPhase(cut, { trainable: { type: 'freezeUpTo', layer: 'conv_dw_12' } });
    expect(frozenOf(chooseBase(inside, 'VGG16', []))).toEqual({ type: 'freezeUpTo', layer: 'block4_pool' });
  });

  it('freezes all that is left when it is cut below the line', () => {
    const shorter = setBase(vgg, { ...baseOf(vgg), cutAt: 'block3_pool' });
    expect(frozenOf(shorter)).toEqual({ type: 'freezeUpTo', layer: 'block3_pool' });
  });

  it('begins with the checked weights that fit it, and forgets the fingerprint of a run', () => {
    const known = [weights('mine', 'VGG16', { verified: 'unverified' }), weights('vgg16-imagenet', 'VGG16'), weights('w', 'VGG19')];
    expect(chooseBase(cut, 'VGG16', known).network.base).toMatchObject({
      weights: 'vgg16-imagenet',
      cutAt: null,
      weightsFingerprint: null,
    });
    expect(chooseBase(cut, 'EfficientNetLite0', known).network.base?.weights).toBe('random');
    const ran = { ...cut, network: { ...cut.network, base: { ...baseOf(cut), weightsFingerprint: 'a'.repeat(64) } } };
    expect(setBase(ran, { ...baseOf(ran), weights: 'random' }).network.base?.weightsFingerprint).toBeNull();
  });

  it('says which weights are missing, of its network and width alone', () => {
    expect(findMissingWeights(cut, [])).toBe('mobilenet-imagenet');
    expect(findMissingWeights(cut, [weights('mobilenet-imagenet', 'MobileNet', { alpha: 0.5 })])).toBe('mobilenet-imagenet');
    expect(findMissingWeights(cut, [weights('mobilenet-imagenet', 'MobileNet')])).toBeNull();
    expect(findMissingWeights(replaceStart(cut, 'random', []), [])).toBeNull();
    expect(replaceStart(cut, 'EfficientNetLite0', [weights('lite', 'EfficientNetLite0')]).network.base?.weights).toBe('lite');
  });

  it('knows the files that Keras publishes', () => {
    expect(findKerasFile(baseOf(cut))).toBe('mobilenet_1_0_224_tf_no_top.h5');
    expect(findKerasFile({ ...baseOf(cut), alpha: 0.25 })).toBe('mobilenet_2_5_224_tf_no_top.h5');
    expect(findKerasFile({ ...baseOf(cut), alpha: 1.4 })).toBeNull();
    expect(findKerasFile(baseOf(vgg))).toBe('vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5');
    expect(listWholeBlocks(baseOf(vgg)).at(-1)?.layers.at(-1)).toBe('block5_pool');
  });
});

describe('hints and repairs', () => {
  const fixesOf = (recipe: Recipe): string[] => listBaseHints(recipe, undefined).flatMap(({ fixes }) => fixes.map(({ label }) => label));

  it('offer the scaling, colours and size of the weights until they fit', () => {
    const grey: Recipe = { ...chooseBase(read('fashion-test-7'), 'EfficientNetLite0', [weights('lite', 'EfficientNetLite0')]) };
    const [, colour, scaling] = listBaseHints(grey, undefined);
    expect(fixesOf(grey)).toEqual(['Resize to 32×32', 'Resize to 224×224', 'Convert to colour', 'Scale as the weights expect']);
    expect(colour?.fixes[0]?.recipe.input.colorMode).toBe('rgb');
    expect(scaling?.fixes[0]?.recipe.input).toMatchObject({ scaling: 'none', normalize: { mean: [127, 127, 127], std: [128, 128, 128] } });
    expect(fixesOf(cut)).toEqual(['Scale as the weights expect']);
    expect(listBaseHints(cut, undefined)[0]?.fixes[0]?.recipe.input.scaling).toBe('minusOneToOne');
    expect(fixesOf(replaceStart(cut, 'random', []))).toEqual([]);
    expect(fixesOf(read('fashion-test-7'))).toEqual([]);
  });

  it('cut where the base has a layer', () => {
    const broken = { ...cut, network: { ...cut.network, base: { ...baseOf(cut), cutAt: 'conv_pw_99_relu' } } };
    expect(resolveRecipe(broken)).toMatchObject({ ok: false, problem: { layer: 'network.base' } });
    expect(listLayers(broken.network).baseCount).toBe(85);
    const [first] = findRepairs(broken, undefined);
    expect(first?.label).toBe('Keep the whole base');
    expect(resolveRecipe(first?.recipe ?? broken).ok).toBe(true);
  });

  it('make pictures large enough for a base that has no pixel left', () => {
    const small: Recipe = { ...vgg, input: { ...vgg.input, size: [28, 28] } };
    expect(resolveRecipe(small)).toMatchObject({ ok: false, problem: { layer: 'block5_pool' } });
    expect(findRepairs(small, undefined).map(({ label }) => label)).toEqual(['Resize to 32×32', 'Resize to 224×224']);
  });
});

describe('learning rates by depth', () => {
  const groupsOf = (recipe: Recipe) =>
    listRateGroups(recipe, recipe.phases[0]?.learningRateMultipliers ?? [], lineLayers(recipe).hasWeights);

  it('stand for each block and what follows the base, or for each layer with weights', () => {
    expect(groupsOf(vgg).map(({ name }) => name)).toEqual(['block1', 'block2', 'block3', 'block4', 'block5', 'behind the base']);
    expect(groupsOf(read('fashion-transfer-5to9')).map(({ name }) => name)).toEqual(['conv2d', 'conv2d_1', 'dense', 'dense_1']);
  });

  it('halve from the end over what trains', () => {
    const halved = halvePerGroup(groupsOf(vgg), ({ name }) => name > 'block2' || name === 'behind the base');
    expect(halved.map(({ multiplier }) => multiplier)).toEqual([1, 1, 0.125, 0.25, 0.5, 1]);
    expect(writeRates(halved)).toEqual([
      { upTo: 'block2_pool', multiplier: 1 },
      { upTo: 'block3_pool', multiplier: 0.125 },
      { upTo: 'block4_pool', multiplier: 0.25 },
      { upTo: 'block5_pool', multiplier: 0.5 },
    ]);
  });

  it('are written as few stretches and read back the same', () => {
    const multipliers = fc.array(fc.constantFrom(0.1, 0.5, 1), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(multipliers, (chosen) => {
        const groups = groupsOf(vgg).map((group, index) => ({ ...group, multiplier: chosen[index] ?? 1 }));
        const written = withPhase(vgg, { learningRateMultipliers: writeRates(groups) });
        expect(groupsOf(written)).toEqual(groups);
        expect(resolveRecipe(written).ok).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('show a stretch that ends inside a block', () => {
    const rated = withPhase(vgg, { learningRateMultipliers: [{ upTo: 'block3_conv1', multiplier: 0.3 }] });
    expect(groupsOf(rated).slice(1, 4)).toEqual([
      { name: 'block2', upTo: 'block2_pool', multiplier: 0.3 },
      { name: 'up to block3_conv1', upTo: 'block3_conv1', multiplier: 0.3 },
      { name: 'block3', upTo: 'block3_pool', multiplier: 1 },
    ]);
  });
});
