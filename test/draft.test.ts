// Editing recipes: layers and references, the freeze line, phases, repairs, forms from schemas, and what becomes of it all.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layerSchema, type LayerType } from '../src/shared/contract/layers.ts';
import { augmentationSchema } from '../src/shared/contract/augmentation.ts';
import { inputSchema, optimizerSchema, phaseSchema, recipeSchema, scheduleSchema, splitSchema } from '../src/shared/contract/schema.ts';
import type { Phase, Recipe } from '../src/shared/contract/schema.ts';
import { isEdited, isRecipeChanged, parseSeeds, startDraft, toRunRequest } from '../src/shared/domain/draft/draft.ts';
import { describeField, describeFields, describeVariant, findFault } from '../src/shared/domain/draft/fields.ts';
import { findFreezeLine, freezeUpTo, toggleTrainable } from '../src/shared/domain/draft/freezeLine.ts';
import {
  createLayer,
  duplicateLayer,
  insertLayer,
  layerFamilies,
  moveLayer,
  nameEveryLayer,
  removeLayer,
  replaceLayer,
} from '../src/shared/domain/draft/layers.ts';
import { addPhase, mostPhases, movePhase, removePhase } from '../src/shared/domain/draft/phases.ts';
import { changeRecipe, readAt, setAt } from '../src/shared/domain/draft/place.ts';
import { planLearningRates, timingKey } from '../src/shared/domain/draft/planned.ts';
import { readRecipeText } from '../src/shared/domain/draft/recipeText.ts';
import { findRepairs } from '../src/shared/domain/draft/repairs.ts';
import { startMember } from '../src/shared/domain/draft/starters.ts';
import { stepNumber } from '../src/shared/domain/draft/steps.ts';
import { resolveNetwork } from '../src/shared/domain/network.ts';
import { resolveRecipe } from '../src/shared/domain/recipe.ts';
import { learningRates } from '../src/shared/domain/schedules.ts';
import { resourcesFolder } from './lab.ts';

const folder = join(resourcesFolder, 'recipes');
const read = (id: string): Recipe => recipeSchema.parse(JSON.parse(readFileSync(join(folder, `${id}.json`), 'utf8')));
const ids = readdirSync(folder).map((name) => name.replace(/\.json$/, ''));
const transfer = read('fashion-transfer-5to9');
const namesOf = (recipe: Recipe): (string | undefined)[] => recipe.network.layers.map(({ name }) => name);
const trainableOf = (recipe: Recipe, phase: number): Phase['trainable'] | undefined => recipe.phases[phase]?.trainable;
const lineLayers = (recipe: Recipe) => {
  const { network } = resolveRecipe(recipe).resolved;
  return {
    layers: recipe.network.layers,
    hasWeights: (name: string) => network.layers.some((one) => one.name === name && one.parameters > 0),
  };
};
const withPhase = (recipe: Recipe, index: number, change: Partial<Phase>): Recipe => ({
  ...recipe,
  phases: recipe.phases.map((phase, other) => (other === index ? { ...phase, ...change } : phase)),
});

describe('layers', () => {
  it('names layers as the network does, also after explicit names were taken', () => {
    const layers = [
      createLayer('Conv2D'),
      createLayer('Conv2D', { name: 'conv2d_1' }),
      createLayer('Conv2D'),
      createLayer('SeparableConv2D'),
      createLayer('Flatten'),
      createLayer('Dense', { units: 3, activation: 'softmax' }),
    ];
    const resolved = resolveNetwork(layers, [28, 28, 1], 3);
    expect(resolved.ok).toBe(true);
    expect(nameEveryLayer(layers).map(({ name }) => name)).toEqual(resolved.network.layers.map(({ name }) => name));
  });

  it('offers every type of layer once, each with options its schema accepts', () => {
    const offered = layerFamilies.flatMap(({ types }) => types);
    expect([...offered].sort()).toEqual(
      describeVariant(layerSchema)
        .map(({ type }) => type)
        .sort(),
    );
    for (const type of offered) expect(createLayer(type).type).toBe(type);
  });

  it('inserts before the layers that follow and keeps the phases on the layers they named', () => {
    const inserted = insertLayer(transfer, 1, createLayer('BatchNormalization'));
    expect(namesOf(inserted).slice(0, 3)).toEqual(['conv2d', 'batch_normalization', 'activation']);
    expect(trainableOf(inserted, 1)).toEqual(trainableOf(transfer, 1));
    expect(resolveRecipe(inserted).ok).toBe(true);
  });

  it('duplicates under a free name', () => {
    expect(namesOf(duplicateLayer(transfer, 0)).slice(0, 2)).toEqual(['conv2d', 'conv2d_2']);
  });

  it('moves the freeze line to the layer before when its layer is removed', () => {
    const line = findFreezeLine(lineLayers(transfer), transfer.phases[1]?.trainable ?? { type: 'all' }) ?? 0;
    const removed = removeLayer(transfer, line - 1);
    expect(trainableOf(removed, 1)).toEqual({ type: 'freezeUpTo', layer: namesOf(transfer)[line - 2] });
  });

  it('keeps the height of the freeze line while layers cross it', () => {
    const line = findFreezeLine(lineLayers(transfer), transfer.phases[1]?.trainable ?? { type: 'all' });
    const moved = moveLayer(transfer, 0, 11);
    expect(findFreezeLine(lineLayers(moved), moved.phases[1]?.trainable ?? { type: 'all' })).toBe(line);
  });

  it('renames a layer in inputs and phases', () => {
    const named = withPhase(transfer, 0, { trainable: { type: 'layers', names: ['dense', 'dense_1'] } });
    const joined = insertLayer(named, 12, createLayer('Add', { inputs: ['dense', 'dense_1'] }));
    const index = namesOf(joined).indexOf('dense');
    const layer = joined.network.layers[index];
    const renamed = replaceLayer(joined, index, layerSchema.parse({ ...layer, name: 'head' }));
    expect(trainableOf(renamed, 0)).toEqual({ type: 'layers', names: ['head', 'dense_1'] });
    expect(renamed.network.layers[12]?.inputs).toEqual(['head', 'dense_1']);
  });

  it('hands the inputs of a removed layer on', () => {
    const joined = insertLayer(transfer, 12, createLayer('Add', { inputs: ['flatten', 'dense_1'] }));
    const removed = removeLayer(joined, namesOf(joined).indexOf('flatten'));
    expect(removed.network.layers.at(-1)?.inputs).toEqual(['dropout', 'dense_1']);
  });

  it('keeps recipes valid and names unique under any edits', () => {
    const edit = fc.record({
      what: fc.constantFrom('insert', 'remove', 'move', 'duplicate'),
      at: fc.nat(30),
      to: fc.nat(30),
      type: fc.constantFrom<LayerType>('Conv2D', 'Dense', 'Add', 'Dropout'),
    });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 12 }), (edits) => {
        const edited = edits.reduce((recipe, { what, at, to, type }) => {
          const length = recipe.network.layers.length;
          if (what === 'insert') return insertLayer(recipe, at % (length + 1), createLayer(type));
          if (what === 'remove') return removeLayer(recipe, at % length);
          return what === 'move' ? moveLayer(recipe, at % length, to % length) : duplicateLayer(recipe, at % length);
        }, transfer);
        const names = namesOf(edited);
        expect(new Set(names).size).toBe(names.length);
        expect(recipeSchema.safeParse(edited).success).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the freeze line', () => {
  it('stands where the template freezes, and means the same when it is moved there', () => {
    const [, tuned] = transfer.phases;
    const line = findFreezeLine(lineLayers(transfer), tuned?.trainable ?? { type: 'all' });
    expect(line).toBeGreaterThan(0);
    const moved = withPhase(transfer, 1, { trainable: freezeUpTo(transfer.network.layers, line ?? 0) });
    expect(resolveRecipe(moved).resolved.phases[1]?.counts).toEqual(resolveRecipe(transfer).resolved.phases[1]?.counts);
    expect(resolveRecipe(moved).resolved.phases[1]?.counts.nonTrainable).toBe(9568);
  });

  it('reads back the position it was moved to', () => {
    for (let position = 0; position <= transfer.network.layers.length; position += 1) {
      expect(findFreezeLine(lineLayers(transfer), freezeUpTo(transfer.network.layers, position))).toBe(position);
    }
  });

  it('stands before the last layers that train, and nowhere for chosen ones', () => {
    const names = namesOf(transfer);
    expect(findFreezeLine(lineLayers(transfer), { type: 'lastLayers', count: 1 })).toBe(names.indexOf('dense_1'));
    expect(findFreezeLine(lineLayers(transfer), { type: 'layers', names: ['dense'] })).toBeNull();
    expect(findFreezeLine(lineLayers(transfer), { type: 'freezeUpTo', layer: 'nobody' })).toBeNull();
  });

  it('becomes a choice of layers when one is toggled alone, and a line again', () => {
    const layers = lineLayers(transfer);
    const all = new Set(['conv2d', 'conv2d_1', 'dense', 'dense_1']);
    expect(toggleTrainable(layers, all, 'dense')).toEqual({ type: 'layers', names: ['conv2d', 'conv2d_1', 'dense_1'] });
    expect(toggleTrainable(layers, new Set(['conv2d_1', 'dense', 'dense_1']), 'conv2d_1')).toEqual({
      type: 'freezeUpTo',
      layer: 'conv2d_1',
    });
    expect(toggleTrainable(layers, new Set(['conv2d', 'dense', 'dense_1']), 'conv2d_1')).toEqual({ type: 'all' });
    expect(toggleTrainable(layers, new Set(['dense']), 'dense')).toEqual({ type: 'none' });
  });
});

describe('phases', () => {
  it('adds a phase that goes on with the weights, under a name of its own', () => {
    const added = addPhase(transfer, 0);
    expect(added.phases.map(({ name }) => name)).toEqual(['full', 'phase 3', 'tuned']);
    expect(added.phases[1]).toMatchObject({ startFrom: 'previous', epochs: transfer.phases[0]?.epochs });
    expect(resolveRecipe(added).ok).toBe(true);
  });

  it('never has none or too many', () => {
    expect(removePhase(removePhase(transfer, 0), 0).phases.map(({ name }) => name)).toEqual(['tuned']);
    const most = Array.from({ length: 30 }).reduce<Recipe>((recipe) => addPhase(recipe, 0), transfer);
    expect(most.phases).toHaveLength(mostPhases);
    expect(recipeSchema.safeParse(most).success).toBe(true);
  });

  it('moves within the list only', () => {
    expect(movePhase(transfer, 0, 1).phases.map(({ name }) => name)).toEqual(['tuned', 'full']);
    expect(movePhase(transfer, 0, -1)).toBe(transfer);
  });
});

describe('repairs', () => {
  const labels = (recipe: Recipe): string[] => findRepairs(recipe, undefined).map(({ label }) => label);
  const worksAfterFirst = (recipe: Recipe): boolean => {
    const [first] = findRepairs(recipe, undefined);
    return first !== undefined && resolveRecipe(first.recipe).ok;
  };

  it('makes test 3 of document 003 trainable by inserting Flatten and Dense', () => {
    const broken = read('mnist-test-3');
    const [first] = findRepairs(broken, undefined);
    expect(first?.label).toBe('Insert Flatten and Dense');
    expect(namesOf(first?.recipe ?? broken)).toEqual(['conv2d', 'max_pooling2d', 'flatten', 'dense']);
    expect(first === undefined ? undefined : resolveRecipe(first.recipe)).toMatchObject({
      ok: true,
      resolved: { phases: [{ counts: { total: 54_410 } }] },
    });
  });

  it('inserts the Flatten that a removed one leaves missing', () => {
    const broken = removeLayer(transfer, namesOf(transfer).indexOf('flatten'));
    expect(labels(broken)[0]).toBe('Insert Flatten');
    expect(worksAfterFirst(broken)).toBe(true);
  });

  it.each<[string, string, Recipe]>([
    ['units', 'Set units to 5', replaceLayer(transfer, 10, createLayer('Dense', { name: 'dense_1', units: 7 }))],
    ['softmax', 'Add softmax', removeLayer(transfer, 11)],
    ['a window that does not fit', 'Use padding same', insertLayer(transfer, 0, createLayer('Conv2D', { kernelSize: [50, 50] }))],
    ['nothing to train', 'Train all layers', withPhase(transfer, 1, { trainable: { type: 'none' } })],
    ['an unknown layer', 'Train all layers', withPhase(transfer, 1, { trainable: { type: 'freezeUpTo', layer: 'gone' } })],
    ['equal phase names', "Call it 'phase 3'", withPhase(transfer, 1, { name: 'full' })],
    ['other class counts', 'Use the classes of the first phase', withPhase(transfer, 1, { classes: [0, 1] })],
    ['class weights', 'Balance the classes', withPhase(transfer, 0, { classWeights: [1, 1] })],
    [
      'label smoothing of a squared error',
      'Use no label smoothing',
      withPhase(transfer, 0, { loss: { type: 'meanSquaredError', labelSmoothing: 0.1 } }),
    ],
    ['caffe on grey pictures', 'Convert to colour', { ...transfer, input: inputSchema.parse({ scaling: 'caffe' }) }],
    [
      'normalisation of other channels',
      'Normalise nothing',
      { ...transfer, input: inputSchema.parse({ normalize: { mean: [0, 0], std: [1, 1] } }) },
    ],
  ])('knows what to do about %s', (_, label, broken) => {
    expect(resolveRecipe(broken).ok).toBe(false);
    expect(labels(broken)).toContain(label);
    expect(worksAfterFirst(broken)).toBe(true);
  });

  it('holds out validation images where a phase watches them', () => {
    const broken = withPhase(read('mnist-test-1'), 0, { keep: 'bestValLoss' });
    expect(labels(broken)).toEqual(['Hold out 10 % for validation', 'Keep the last epoch']);
    expect(worksAfterFirst(broken)).toBe(true);
  });

  it('offers nothing for a recipe that works', () => {
    expect(labels(transfer)).toEqual([]);
  });
});

describe('forms from schemas', () => {
  it.each([layerSchema, optimizerSchema, scheduleSchema])('has a valid beginning for every member of union %#', (schema) => {
    for (const member of describeVariant(schema)) {
      const start = startMember(member);
      const isJoining = member.type === 'Add' || member.type === 'Concatenate';
      expect(findFault(schema, isJoining ? { ...start, inputs: ['input', 'input'] } : start)).toBeNull();
    }
  });

  it.each([augmentationSchema, inputSchema, splitSchema, phaseSchema.omit({ classWeights: true })])(
    'describes every field of object %#',
    (schema) => {
      expect(describeFields(schema).map(({ name }) => name)).toEqual(Object.keys(schema.shape));
    },
  );

  it('reads bounds and words of numbers', () => {
    expect(describeField('rotationRange', augmentationSchema.shape.rotationRange).shape).toEqual({
      kind: 'number',
      isWhole: false,
      least: 0,
      most: 180,
    });
    expect(findFault(phaseSchema.shape.epochs, 0)).toBe('Must be more than 0.');
    expect(findFault(phaseSchema.shape.epochs, 1.5)).toBe('Must be a whole number.');
    expect(findFault(phaseSchema.shape.epochs, Number.NaN)).toBe('Must be a number.');
    expect(findFault(augmentationSchema.shape.rotationRange, 181)).toBe('Must be at most 180.');
    expect(findFault(augmentationSchema.shape.fillMode, 'x')).toBe('Must be "nearest" or "constant" or "reflect" or "wrap".');
  });

  it('keeps what fits when the type changes', () => {
    const convolution = createLayer('Conv2D', { filters: 7, padding: 'same' });
    const members = describeVariant(layerSchema);
    const separable = members.find(({ type }) => type === 'SeparableConv2D');
    const padding = members.find(({ type }) => type === 'ZeroPadding2D');
    if (separable === undefined || padding === undefined) throw new Error('The layer types are missing.');
    expect(startMember(separable, convolution)).toMatchObject({ filters: 7, padding: 'same' });
    expect(startMember(padding, convolution)).toMatchObject({
      padding: [
        [1, 1],
        [1, 1],
      ],
    });
  });

  it('steps by sensible amounts within the bounds', () => {
    expect([0.001, 0.002, 0.005].map((rate) => stepNumber(rate, 1, 'decade', 0, 1))).toEqual([0.002, 0.005, 0.01]);
    expect(stepNumber(0.001, -1, 'decade', 0, 1)).toBe(0.0005);
    expect(stepNumber(0.25, 1, 0.05, 0, 1)).toBe(0.3);
    expect(stepNumber(0.98, 1, 0.05, 0, 1)).toBe(1);
  });
});

describe('places and texts', () => {
  it('changes one place, removes keys, and leaves the original alone', () => {
    const before = JSON.stringify(transfer);
    const changed = changeRecipe(transfer, ['phases', 1, 'epochs'], 9);
    expect(readAt(changed, ['phases', 1, 'epochs'])).toBe(9);
    expect(changeRecipe(transfer, ['phases', 1, 'epochs'], 0)).toBeNull();
    expect(setAt({ a: 1, b: 2 }, ['a'], undefined)).toEqual({ b: 2 });
    expect(JSON.stringify(transfer)).toBe(before);
  });

  it('says where a text is no recipe', () => {
    expect(readRecipeText(JSON.stringify(transfer))).toEqual({ recipe: transfer, faults: [] });
    expect(readRecipeText('{').faults[0]?.place).toBe('JSON');
    const wrong = setAt(setAt(transfer, ['phases', 1, 'epochs'], -1), ['nonsense'], 1);
    expect(readRecipeText(JSON.stringify(wrong)).faults).toEqual([
      { place: 'phases[1].epochs', message: 'Must be more than 0.' },
      { place: 'The recipe', message: 'There is no field "nonsense" here.' },
    ]);
  });

  it.each(ids)('asks for the template %s itself as long as nothing is changed', (id) => {
    const draft = startDraft({ from: 'template', id }, read(id));
    expect(isEdited(draft)).toBe(false);
    expect(toRunRequest(draft)).toEqual({ recipe: { from: 'template', id }, datasetId: null, protocol: null, seeds: null, name: null });
  });

  it('asks for the protocol, the seeds and the name beside an unchanged template', () => {
    const draft = startDraft({ from: 'template', id: transfer.id }, transfer);
    const changed = { ...draft, recipe: { ...transfer, protocol: 'sound' as const }, seeds: [1, 2], name: ' mine ' };
    expect(isRecipeChanged(changed)).toBe(false);
    expect(toRunRequest(changed)).toMatchObject({ recipe: { from: 'template' }, protocol: 'sound', seeds: [1, 2], name: 'mine' });
  });

  it('sends a changed recipe as content under a name that tells', () => {
    const draft = startDraft({ from: 'template', id: transfer.id }, transfer);
    const recipe = addPhase(transfer, 1);
    expect(toRunRequest({ ...draft, recipe })).toMatchObject({
      recipe: { from: 'content', content: recipe },
      name: `${transfer.title}, changed`,
    });
  });

  it('reads seeds', () => {
    expect(parseSeeds('1, 2 3')).toEqual([1, 2, 3]);
    expect(parseSeeds('7-9')).toEqual([7, 8, 9]);
    for (const text of ['', 'a', '1, 1', '5-3', '0-200', '99999999999', '2147483648']) expect(parseSeeds(text)).toBeTypeOf('string');
  });
});

describe('what is planned', () => {
  it('plots the learning rates that training uses', () => {
    const phase = phaseSchema.parse({ ...transfer.phases[0], epochs: 7, schedule: { type: 'cosine', warmupSteps: 5 } });
    const { steps, rates, last } = planLearningRates(phase, 30);
    const all = [1, 2, 3, 4, 5, 6, 7].flatMap((epoch) => [
      ...learningRates({ schedule: phase.schedule, baseLearningRate: phase.optimizer.learningRate, stepsPerEpoch: 30, epochs: 7, epoch }),
    ]);
    expect(steps).toEqual(all.map((_, index) => index + 1));
    expect(rates).toEqual(all);
    expect(last).toBe(all.at(-1));
  });

  it('stays small for long phases', () => {
    const phase = phaseSchema.parse({ ...transfer.phases[0], epochs: 100_000 });
    const { steps } = planLearningRates(phase, 60_000);
    expect(steps.length).toBeLessThanOrEqual(400);
    expect(steps.at(-1)).toBe(6_000_000_000);
  });

  it('keeps measured times while only epochs and rates change', () => {
    const longer = withPhase(transfer, 0, { epochs: 50 });
    expect(timingKey(longer, null)).toBe(timingKey(transfer, null));
    expect(timingKey(withPhase(transfer, 0, { batchSize: 7 }), null)).not.toBe(timingKey(transfer, null));
  });
});
