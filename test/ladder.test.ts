// The transfer ladder and gradual unfreezing: what each rung trains, that every one can run, and what is refused.
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { zooNetworks, type Base } from '../src/shared/contract/base.ts';
import { recipeSchema, type Recipe } from '../src/shared/contract/schema.ts';
import { findFrozenPrefix } from '../src/shared/domain/frozenPrefix.ts';
import { makeGradualUnfreezing, makeLadder } from '../src/shared/domain/ladder.ts';
import { parseRecipe, requireRecipe, resolveRecipe } from '../src/shared/domain/recipe.ts';
import { selectMultipliers } from '../src/shared/domain/recipeNetwork.ts';
import { withRetraining } from '../src/shared/domain/retraining.ts';
import { listBlocks } from '../src/shared/domain/zoo/blocks.ts';
import { makeBaseLayers } from '../src/shared/domain/zoo/expand.ts';

function readTemplate(id: string): Recipe {
  return parseRecipe(JSON.parse(readFileSync(new URL(`../resources/recipes/${id}.json`, import.meta.url), 'utf8')), id);
}

interface Draft {
  readonly base?: Partial<Base>;
  readonly classes?: readonly string[];
  readonly phases?: readonly Record<string, unknown>[];
}

const phase = { name: 'train', optimizer: { type: 'Adam' }, batchSize: 16, epochs: 8 };

function makeRecipe({ base = {}, classes = ['cat', 'dog', 'fox'], phases = [phase] }: Draft = {}): Recipe {
  const splits = {
    document: { validation: { type: 'fraction', fraction: 0.1 } },
    sound: { validation: { type: 'fraction', fraction: 0.2 } },
  };
  return recipeSchema.parse({
    version: 1,
    id: 'pets',
    title: 'Pets',
    dataset: { id: 'pets', classes, shape: [32, 32, 3] },
    splits,
    network: {
      base: { network: 'VGG16', ...base },
      layers: [{ type: 'GlobalAveragePooling2D' }, { type: 'Dense', units: classes.length, activation: 'softmax' }],
    },
    phases,
  });
}

/** Any base of the zoo, whole or cut behind any of its layers. */
const anyBase: fc.Arbitrary<Partial<Base>> = fc
  .record({
    network: fc.constantFrom(...zooNetworks),
    alpha: fc.constantFrom(0.25, 0.5, 1),
    place: fc.double({ min: 0, max: 0.999, noNaN: true }),
  })
  .map(({ network, alpha, place }) => {
    const base = { network, alpha: network === 'MobileNet' ? alpha : 1, cutAt: null, weights: 'random', weightsFingerprint: null };
    const names = makeBaseLayers(base).map(({ name }) => name ?? '');
    return { ...base, cutAt: place > 0.8 ? null : (names[Math.floor((place / 0.8) * names.length)] ?? null) };
  });

const anyPhases: fc.Arbitrary<Record<string, unknown>[]> = fc
  .record({
    learningRate: fc.constantFrom(0.1, 0.003, 1e-4),
    augmentation: fc.constantFrom(null, { horizontalFlip: true }, { cutmix: {} }),
    keep: fc.constantFrom('last', 'bestValLoss'),
    frozenBatchNormalization: fc.constantFrom('inference', 'batchStatistics', 'trained'),
    stages: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ learningRate, stages, ...options }) =>
    Array.from({ length: stages }, (_, index) => ({
      ...phase,
      ...options,
      name: `stage ${index}`,
      optimizer: { type: 'Adam', learningRate },
    })),
  );

describe('blocks of a base', () => {
  it.each<[Partial<Base>, string[]]>([
    [{ network: 'VGG16' }, ['block1', 'block2', 'block3', 'block4', 'block5']],
    [{ network: 'VGG19', cutAt: 'block4_conv2' }, ['block1', 'block2', 'block3', 'block4']],
    [{ network: 'MobileNet' }, ['stem', ...Array.from({ length: 13 }, (_, index) => `block${index + 1}`)]],
    [
      { network: 'EfficientNetLite0' },
      ['stem', ...'1a 2a 2b 3a 3b 4a 4b 4c 5a 5b 5c 6a 6b 6c 6d 7a'.split(' ').map((name) => `block${name}`), 'top'],
    ],
  ])('%o', (base, names) => {
    const recipe = makeRecipe({ base });
    expect(listBlocks(recipe.network.base ?? ({} as Base)).map(({ name }) => name)).toEqual(names);
  });

  it('hold every layer once, in order', () => {
    fc.assert(
      fc.property(anyBase, (draft) => {
        const { base } = makeRecipe({ base: draft }).network;
        if (base === null) throw new Error('There is a base.');
        const names = makeBaseLayers(base).map(({ name }) => name);
        const blocks = listBlocks(base);
        const held = blocks.flatMap(({ firstLayer, lastLayer }) => names.slice(names.indexOf(firstLayer), names.indexOf(lastLayer) + 1));
        expect(held).toEqual(names);
        expect(new Set(blocks.map(({ name }) => name)).size).toBe(blocks.length);
      }),
      { numRuns: 25 },
    );
  });
});

describe('the ladder of a base', () => {
  it('counts VGG16 with the head of document 001 as the document does', () => {
    const ladder = makeLadder(readTemplate('cifar-vgg16-features'));
    const counts = ladder.map(({ id, recipe }) => [
      id,
      requireRecipe(recipe).phases.map(({ counts: { total, trainable } }) => [total, trainable]),
    ]);
    const head = [14_982_730, 268_042];
    expect(Object.fromEntries(counts)).toEqual({
      features: [head],
      'features-augmented': [head],
      // Three convolutions of 512 x 3 x 3 x 512 and their biases.
      'finetune-last': [head, [14_982_730, 268_042 + 3 * (512 * 9 * 512 + 512)]],
      'finetune-all': [head, [14_982_730, 14_982_730]],
    });
  });

  it('climbs by adding one thing at a time', () => {
    const [features, augmented, last, all] = makeLadder(makeRecipe());
    expect(features?.recipe.phases).toMatchObject([
      { augmentation: null, cacheFeatures: true, trainable: { type: 'freezeUpTo', layer: 'block5_pool' } },
    ]);
    expect(augmented?.recipe.phases).toMatchObject([
      { ...features?.recipe.phases[0], augmentation: { rotationRange: 15, horizontalFlip: true } },
    ]);
    expect(last?.recipe.phases).toMatchObject([
      augmented?.recipe.phases[0] ?? {},
      {
        name: 'tune block5',
        trainable: { type: 'freezeUpTo', layer: 'block4_pool' },
        optimizer: { learningRate: 0.0001 },
        startFrom: 'previous',
      },
    ]);
    expect(all?.recipe.phases).toMatchObject([
      augmented?.recipe.phases[0] ?? {},
      { name: 'tune all', trainable: { type: 'all' }, optimizer: { learningRate: 0.00001 } },
    ]);
  });

  it('keeps the augmentation of the recipe, and does not mirror digits', () => {
    const own = { ...phase, augmentation: { shearRange: 7 } };
    expect(makeLadder(makeRecipe({ phases: [own] }))[1]?.recipe.phases[0]?.augmentation).toMatchObject({ shearRange: 7, rotationRange: 0 });
    for (const classes of [
      ['0', '1', '2'],
      ['Zero', 'One', 'Two'],
    ]) {
      expect(makeLadder(makeRecipe({ classes }))[1]?.recipe.phases[0]?.augmentation?.horizontalFlip).toBe(false);
    }
  });

  it('has no rung for the last block when there is only one', () => {
    const ids = (cutAt: string): string[] => makeLadder(makeRecipe({ base: { cutAt } })).map(({ id }) => id);
    expect(ids('block1_pool')).toEqual(['features', 'features-augmented', 'finetune-all']);
    expect(ids('block2_conv1')).toHaveLength(4);
  });

  it('takes the options of both stages of document 004', () => {
    const template = readTemplate('cifar-vgg19-two-stage');
    const all = makeLadder(template).at(-1)?.recipe;
    expect(all?.phases.map(({ epochs }) => epochs)).toEqual(template.phases.map(({ epochs }) => epochs));
    expect(all?.phases[1]?.earlyStopping).toEqual(template.phases[1]?.earlyStopping);
  });

  it('leaves a retraining phase out', () => {
    const recipe = makeRecipe();
    const phasesOf = (given: Recipe) => makeLadder(given).map((rung) => rung.recipe.phases);
    expect(phasesOf(withRetraining(recipe, 'valLoss'))).toEqual(phasesOf(recipe));
  });

  it('can be climbed from any base with any phases', () => {
    fc.assert(
      fc.property(anyBase, anyPhases, (base, phases) => {
        const given = makeRecipe({ base, phases });
        const ladder = makeLadder(given);
        expect(new Set(ladder.map(({ recipe }) => recipe.id)).size).toBe(ladder.length);
        let reached = 0;
        for (const { id, recipe } of ladder) {
          expect(parseRecipe(recipe, id)).toEqual(recipe);
          const result = resolveRecipe(recipe);
          if (!result.ok) throw new Error(`${id}: ${result.problem.layer}: ${result.problem.message}`);
          expect(pickSame(recipe)).toEqual(pickSame(given));
          const trainable = result.resolved.phases.map(({ counts }) => counts.trainable);
          expect(trainable.at(-1)).toBeGreaterThanOrEqual(reached);
          reached = trainable.at(-1) ?? 0;
          const rates = recipe.phases.map(({ optimizer }) => optimizer.learningRate);
          expect(rates.every((rate, index) => index === 0 || rate < (rates[index - 1] ?? 0))).toBe(true);
        }
        const top = ladder.at(-1);
        if (top === undefined) throw new Error('There is no top.');
        expect(requireRecipe(top.recipe).phases.at(-1)?.trainableLayers.size).toBe(requireRecipe(top.recipe).network.layers.length);
        const features = requireRecipe(ladder[0]?.recipe ?? given);
        const prefix = findFrozenPrefix(features.network, features.phases[0]?.trainableLayers ?? new Set(), 'inference');
        expect(prefix.length).toBeGreaterThanOrEqual(features.network.layers.length - 2);
      }),
      { numRuns: 25 },
    );
  });
});

/** What no rung changes. */
function pickSame({ splits, seed, network, dataset, input }: Recipe) {
  return { splits, seed, network, dataset, input };
}

describe('the ladder without a base', () => {
  it('stands where document 000 froze, and one convolution lower', () => {
    const ladder = makeLadder(readTemplate('fashion-transfer-5to9'));
    const lasts = ladder.map(({ recipe }) => requireRecipe(recipe).phases.at(-1)?.counts.trainable);
    expect(lasts).toEqual([590_597, 590_597, 599_845, 600_165]);
    for (const { recipe } of ladder) {
      expect(recipe.phases[0]).toEqual(readTemplate('fashion-transfer-5to9').phases[0]);
      expect(recipe.phases.slice(1).map(({ classes }) => classes)).toEqual(recipe.phases.slice(1).map(() => [0, 1, 2, 3, 4]));
    }
  });

  it.each([
    ['trains in one go', readTemplate('fashion-test-7'), /transfers nothing/],
    [
      'starts its last phase anew',
      {
        ...readTemplate('fashion-transfer-5to9'),
        phases: readTemplate('fashion-transfer-5to9').phases.map((one) => ({ ...one, startFrom: 'fresh' as const })),
      },
      /transfers nothing/,
    ],
    [
      'has no convolutions',
      {
        ...makeRecipe({ phases: [phase, { ...phase, name: 'b' }] }),
        network: recipeSchema.shape.network.parse({ layers: [{ type: 'Flatten' }, { type: 'Dense', units: 3, activation: 'softmax' }] }),
      },
      /no sensible place/,
    ],
    [
      'cannot work',
      {
        ...makeRecipe(),
        network: recipeSchema.shape.network.parse({
          layers: [
            { type: 'Dense', units: 3 },
            { type: 'Conv2D', filters: 3, kernelSize: 99 },
          ],
        }),
      },
      /cannot work/,
    ],
  ])('is refused with a reason for one that %s', (_, recipe, message) => {
    expect(() => makeLadder(recipe)).toThrow(
      expect.objectContaining({ code: 'bad_recipe', message: expect.stringMatching(message) as string }),
    );
  });
});

describe('gradual unfreezing', () => {
  it('frees one block more at a time at half the rate', () => {
    const { phases } = makeGradualUnfreezing(makeRecipe(), 3);
    expect(phases.map(({ name, trainable, optimizer, epochs }) => [name, trainable, optimizer.learningRate, epochs])).toEqual([
      ['head', { type: 'freezeUpTo', layer: 'block5_pool' }, 0.001, 8],
      ['unfreeze block5', { type: 'freezeUpTo', layer: 'block4_pool' }, 0.0001, 3],
      ['unfreeze block4', { type: 'freezeUpTo', layer: 'block3_pool' }, 0.00005, 3],
      ['unfreeze block3', { type: 'freezeUpTo', layer: 'block2_pool' }, 0.000025, 3],
    ]);
  });

  it('can run for any base and number of steps, each training more at a lower rate', () => {
    fc.assert(
      fc.property(anyBase, anyPhases, fc.integer({ min: 1, max: 19 }), (base, phases, steps) => {
        const given = makeRecipe({ base, phases });
        const most = listBlocks(given.network.base ?? ({} as Base)).length;
        if (steps > most) expect(() => makeGradualUnfreezing(given, steps)).toThrow(expect.objectContaining({ code: 'bad_usage' }));
        const outcome = attempt(() => makeGradualUnfreezing(given, steps));
        if (outcome === null) {
          // A cut block may have lost its layers with weights, which leaves one step less.
          expect(steps).toBeGreaterThanOrEqual(most);
          return;
        }
        const counts = requireRecipe(outcome).phases.map((one) => one.counts.trainable);
        const rates = outcome.phases.map(({ optimizer }) => optimizer.learningRate);
        expect(counts).toHaveLength(steps + 1);
        for (let step = 1; step < counts.length; step += 1) {
          expect(counts[step]).toBeGreaterThan(counts[step - 1] ?? Number.NaN);
          expect(rates[step]).toBeLessThan(rates[step - 1] ?? Number.NaN);
        }
      }),
      { numRuns: 25 },
    );
  });
});

function attempt(work: () => Recipe): Recipe | null {
  try {
    return work();
  } catch {
    return null;
  }
}

describe('learning rate multipliers', () => {
  const withMultipliers = (...entries: [string, number][]): Recipe =>
    makeRecipe({ phases: [{ ...phase, learningRateMultipliers: entries.map(([upTo, multiplier]) => ({ upTo, multiplier })) }] });

  it('cover the layers behind the entry before, and leave the rest at 1', () => {
    const recipe = withMultipliers(['block1_pool', 0.01], ['block3_pool', 0.1]);
    const { network } = requireRecipe(recipe);
    const factors = selectMultipliers(network, recipe.phases[0] ?? ({} as never));
    expect(network.layers.map(({ name }) => factors.get(name) ?? 1)).toEqual([
      ...Array.from({ length: 3 }, () => 0.01),
      ...Array.from({ length: 7 }, () => 0.1),
      ...Array.from({ length: network.layers.length - 10 }, () => 1),
    ]);
  });

  it.each<[string, [string, number][], RegExp]>([
    ['a layer that is not there', [['block1_poo', 1]], /no layer called 'block1_poo'/],
    [
      'a layer twice',
      [
        ['block1_pool', 1],
        ['block1_pool', 2],
      ],
      /two multipliers/,
    ],
    [
      'the wrong order',
      [
        ['block2_pool', 1],
        ['block1_pool', 2],
      ],
      /comes before 'block2_pool'/,
    ],
  ])('%s is a problem of the phase', (_, entries, message) => {
    const result = resolveRecipe(withMultipliers(...entries));
    if (result.ok) throw new Error('The recipe was accepted.');
    expect(result.problem).toMatchObject({ layer: 'phases.0.learningRateMultipliers', message: expect.stringMatching(message) as string });
    expect(result.problem.fix).not.toBe('');
  });
});
