import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { LabError } from '../src/shared/contract/errors.ts';
import type { Recipe } from '../src/shared/contract/schema.ts';
import { applySetting, chooseSplit, findInputShape, parseRecipe, requireRecipe, resolveRecipe } from '../src/shared/domain/recipe.ts';

const folder = new URL('../resources/recipes/', import.meta.url);
const fixtureSchema = z.object({
  rows: z.array(
    z.strictObject({
      id: z.string(),
      phases: z.array(z.strictObject({ name: z.string(), total: z.int(), trainable: z.int(), nonTrainable: z.int() })),
      layers: z.array(
        z.strictObject({
          name: z.string(),
          outputShape: z.array(z.int()),
          params: z.int(),
          trainableParams: z.array(z.int()),
        }),
      ),
    }),
  ),
});
/** scripts/fixtures/network.py makes those without a base, scripts/fixtures/zoo.py the others. */
const keras = ['network/recipes-counts', 'zoo/templates'].flatMap((name) => {
  const file = new URL(`fixtures/${name}.json`, import.meta.url);
  return fixtureSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).rows;
});

function readTemplate(id: string): Recipe {
  return parseRecipe(JSON.parse(readFileSync(new URL(`${id}.json`, folder), 'utf8')), id);
}

function settings(id: string, changes: Record<string, unknown>): Recipe {
  return Object.entries(changes).reduce((recipe, [path, value]) => applySetting(recipe, path, JSON.stringify(value)), readTemplate(id));
}

function problemOf(recipe: Recipe, facts = {}) {
  const result = resolveRecipe(recipe, facts);
  if (result.ok) throw new Error('The recipe was accepted.');
  return result.problem;
}

/** Total and trainable parameters per phase as the documents print them (product.md section 3). */
const printed: Record<string, [number, number][]> = {
  'fashion-transfer-5to9': [
    [600_165, 600_165],
    [600_165, 590_597],
  ],
  'fashion-transfer-0to4': [
    [600_165, 600_165],
    [600_165, 590_597],
  ],
  'cifar-cnn': [[442_026, 442_026]],
  'cifar-cnn-augmented': [[1_981_066, 1_981_066]],
  'cifar-vgg16-features': [[14_982_730, 268_042]],
  'cifar-vgg16-features-augmented': [[14_982_730, 268_042]],
  'cifar-vgg16-finetune-augmented': [[14_982_730, 14_982_730]],
  'cifar-mobilenet-features': [[3_627_978, 399_114]],
  'cifar-mobilenet-features-augmented': [[3_627_978, 399_114]],
  'cifar-mobilenet-finetune-augmented': [[3_627_978, 3_606_090]],
  'household-mobilenet-a': [[4_807_368, 1_578_504]],
  'household-mobilenet-b1': [[2_763_944, 1_133_032]],
  'household-mobilenet-b2': [[4_556_260, 2_927_052]],
  'cifar-vgg19-two-stage': [
    [21_605_002, 1_578_570],
    [21_605_002, 21_602_954],
  ],
  'mnist-test-1': [[93_322, 93_322]],
  'mnist-test-2': [[106_122, 106_122]],
  'mnist-test-3': [[320, 320]],
  'mnist-test-4': [[515_146, 515_146]],
  'mnist-test-5': [[79_050, 79_050]],
  'mnist-test-6': [[2_038_922, 2_038_922]],
  'fashion-test-7': [[130_890, 130_890]],
  'fashion-test-7-1': [[130_890, 130_890]],
  'fashion-test-7-2': [[130_890, 130_890]],
  'fashion-test-8': [[4_022_090, 4_022_090]],
  'fashion-test-9': [[347_146, 347_146]],
  'fashion-test-9-1': [[347_146, 347_146]],
  'fashion-test-final': [[130_890, 130_890]],
};

/** Our own, which reproduce no document: total and trainable parameters, and the layers in front of the head. */
const own: Readonly<Record<string, readonly [total: number, trainable: number, frozen: number]>> = {
  'fashion-few-labels-cnn': [130_890, 130_890, 0],
  // 1,280 features and a bias for each of ten classes.
  'fashion-few-labels-efficientnet': [3_413_024 + 12_810, 12_810, 3_413_024],
};

describe('templates', () => {
  const ids = readdirSync(folder).map((file) => file.replace(/\.json$/, ''));

  it('are those of the command line contract, each with a Keras fixture, and our own', () => {
    expect(ids.sort()).toEqual([...Object.keys(printed), ...Object.keys(own)].sort());
    expect(keras.map((row) => row.id).sort()).toEqual(Object.keys(printed).sort());
  });

  it.each(Object.entries(printed))('%s has the printed counts', (id, expected) => {
    const { resolved } = resolveRecipe(readTemplate(id));
    expect(resolved.phases.map(({ counts }) => [counts.total, counts.trainable])).toEqual(expected);
  });

  it.each(Object.entries(own))('%s trains what it says', (id, expected) => {
    const { resolved } = resolveRecipe(readTemplate(id));
    expect(resolved.phases.map(({ counts }) => [counts.total, counts.trainable, counts.nonTrainable])).toEqual([expected]);
  });

  it.each(keras.map((row) => [row.id, row] as const))('%s has the layers and counts of Keras', (id, row) => {
    const { resolved } = resolveRecipe(readTemplate(id));
    const layers = resolved.network.layers.map((layer, index) => ({
      name: layer.name,
      outputShape: layer.outputShape,
      params: layer.parameters,
      trainableParams: resolved.phases.map((phase) => phase.counts.layers[index]?.trainable),
    }));
    expect(layers).toEqual(row.layers);
    expect(
      resolved.phases.map(({ name, counts: { total, trainable, nonTrainable } }) => ({ name, total, trainable, nonTrainable })),
    ).toEqual(row.phases);
  });

  it.each(ids)('%s explains itself and works, unless it is the one that cannot', (id) => {
    const recipe = readTemplate(id);
    expect(recipe.id).toBe(id);
    expect(recipe.description.split('. ').length).toBeGreaterThanOrEqual(2);
    expect(recipe.published.length > 0).toBe(recipe.document !== null);
    expect(recipe.knownErrors.length > 0).toBe(recipe.document !== null);
    expect(recipe.document === null).toBe(id in own);
    for (const { phase } of recipe.published) expect(recipe.phases.map(({ name }) => name)).toContain(phase);
    expect(resolveRecipe(recipe).ok).toBe(id !== 'mnist-test-3');
    expect(resolveRecipe({ ...recipe, protocol: 'sound' }).ok).toBe(id !== 'mnist-test-3');
  });

  it('mnist-test-3 is refused with the layer and the fix', () => {
    const recipe = readTemplate('mnist-test-3');
    expect(problemOf(recipe)).toMatchObject({
      layer: 'max_pooling2d',
      fix: expect.stringContaining('Add Flatten and then Dense') as string,
    });
    const error: unknown = (() => {
      try {
        return requireRecipe(recipe);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code: 'bad_recipe', help: expect.stringContaining('Flatten') as string });
  });

  it('document 000 trains on one half of the classes and tunes on the other', () => {
    const { phases, splits } = readTemplate('fashion-transfer-5to9');
    expect(phases.map(({ name, classes, batchSize, epochs }) => ({ name, classes, batchSize, epochs }))).toEqual([
      { name: 'full', classes: [5, 6, 7, 8, 9], batchSize: 128, epochs: 5 },
      { name: 'tuned', classes: [0, 1, 2, 3, 4], batchSize: 128, epochs: 5 },
    ]);
    expect(phases.every(({ optimizer }) => optimizer.type === 'Adadelta' && optimizer.learningRate === 0.001)).toBe(true);
    expect(readTemplate('fashion-transfer-0to4').phases[0]?.classes).toEqual([0, 1, 2, 3, 4]);
    expect(splits.document.validation).toEqual({ type: 'testSet' });
    expect(splits.sound.validation).toEqual({ type: 'fraction', fraction: 0.1, stratified: true });
  });

  it('MNIST falls back to the sample with its own split', () => {
    const recipe = readTemplate('mnist-test-1');
    expect(chooseSplit(recipe, 'mnist')).toMatchObject({ test: { type: 'ownTestSet' }, validation: { type: 'none' } });
    expect(chooseSplit(recipe, 'mnist-10k').test).toEqual({ type: 'count', count: 1500, stratified: true });
    expect(chooseSplit({ ...recipe, protocol: 'sound' }, 'mnist-10k').validation.type).toBe('fraction');
  });

  it('the ladders of document 001 differ in what is trained and in augmentation', () => {
    for (const base of ['vgg16', 'mobilenet']) {
      const [features, frozen, tuned] = ['features', 'features-augmented', 'finetune-augmented'].map((rung) =>
        readTemplate(`cifar-${base}-${rung}`),
      );
      expect(frozen?.network).toEqual(features?.network);
      expect(tuned?.network).toEqual(features?.network);
      expect([features, frozen, tuned].map((recipe) => recipe?.phases[0]?.augmentation)).toEqual([
        null,
        ...Array.from({ length: 2 }, () => readTemplate('cifar-cnn-augmented').phases[0]?.augmentation),
      ]);
      expect([features, frozen, tuned].map((recipe) => recipe?.phases[0]?.trainable.type)).toEqual(['freezeUpTo', 'freezeUpTo', 'all']);
      expect([features, frozen, tuned].map((recipe) => recipe?.phases[0]?.batchSize)).toEqual([30, 40, 40]);
    }
  });

  it.each(keras.filter(({ id }) => readTemplate(id).network.base !== null).map(({ id }) => [id]))(
    '%s names the file that its base starts from',
    (id) => {
      const { network, description } = readTemplate(id);
      expect(network.base?.weights).toBe(`${network.base?.network.toLowerCase() ?? ''}-imagenet`);
      expect(description).toMatch(/import [a-z0-9_]+_no_?top\.h5 with `lab weights import FILE --network \w+ --name [a-z0-9-]+-imagenet`/);
      expect(description).toContain(`--network ${network.base?.network ?? ''} --name ${network.base?.weights ?? ''}`);
    },
  );

  it('documents 002 and 004 choose nothing on their test pictures unless asked to', () => {
    for (const id of ['household-mobilenet-a', 'household-mobilenet-b1', 'household-mobilenet-b2', 'cifar-vgg19-two-stage']) {
      const { protocol, splits } = readTemplate(id);
      expect(protocol).toBe('sound');
      expect(splits.sound.validation).toEqual({ type: 'fraction', fraction: 0.1, stratified: true });
      expect(splits.document.validation).toEqual({ type: 'testSet' });
      expect(splits.document.test).toEqual(splits.sound.test);
    }
  });

  it('the pictures are scaled as each document has it', () => {
    const scalings = keras.filter(({ id }) => readTemplate(id).network.base !== null).map(({ id }) => [id, readTemplate(id).input.scaling]);
    expect(Object.fromEntries(scalings.filter(([, scaling]) => scaling !== 'unit'))).toEqual({
      'household-mobilenet-a': 'minusOneToOne',
      'cifar-vgg19-two-stage': 'caffe',
    });
  });

  it("document 001's generator is written with Keras's ranges", () => {
    expect(readTemplate('cifar-cnn-augmented').phases[0]).toMatchObject({
      stepsPerEpoch: 1000,
      batchSize: 40,
      epochs: 100,
      augmentation: { rotationRange: 45, widthShiftRange: 0.3, heightShiftRange: 0.25, shearRange: 0.25, zoomRange: [0.75, 1.25] },
    });
  });
});

describe('recipes that cannot work', () => {
  const id = 'fashion-transfer-5to9';
  const cases: [string, Record<string, unknown>, string, RegExp][] = [
    ['a class the dataset lacks', { 'phases.0.classes': [5, 6, 7, 8, 10] }, 'phases.0.classes', /class 10/],
    ['a class named twice', { 'phases.1.classes': [0, 1, 2, 3, 3] }, 'phases.1.classes', /class 3 twice/],
    ['phases with different numbers of classes', { 'phases.1.classes': [0, 1, 2] }, 'phases.1.classes', /one last layer/],
    ['a last layer of another width', { 'network.layers.10.units': 6 }, 'dense_1', /5 classes/],
    ['no softmax', { 'network.layers.11.activation': 'relu' }, 'activation_3', /without softmax/],
    ['a frozen layer that is not there', { 'phases.1.trainable.layer': 'droput' }, 'phases.1.trainable', /no layer called 'droput'/],
    ['nothing to train', { 'phases.1.trainable': { type: 'none' } }, 'phases.1.trainable', /nothing to train/],
    ['two phases of one name', { 'phases.1.name': 'full' }, 'phases.1.name', /Two phases/],
    ['too few class weights', { 'phases.0.classWeights': [1, 2] }, 'phases.0.classWeights', /2 class weights for 5/],
    ['class weights of zero', { 'phases.0.classWeights': [0, 0, 0, 0, 0] }, 'phases.0.classWeights', /are 0/],
    [
      'smoothing without cross-entropy',
      { 'phases.0.loss': { type: 'meanSquaredError', labelSmoothing: 0.1 } },
      'phases.0.loss',
      /labelSmoothing/,
    ],
    [
      'a cut where the base has no layer',
      { 'network.base': { network: 'VGG16', cutAt: 'block9' } },
      'network.base',
      /no layer called 'block9'/,
    ],
    ['scaling for colours on grey pictures', { 'input.scaling': 'caffe' }, 'input.scaling', /colour/],
    ['means for three channels', { 'input.normalize': { mean: [0, 0, 0], std: [1, 1, 1] } }, 'input.normalize', /3 means/],
  ];

  it.each(cases)('%s', (_, changes, place, message) => {
    const problem = problemOf(settings(id, changes));
    expect(problem.layer).toBe(place);
    expect(problem.message).toMatch(message);
    expect(problem.fix).not.toBe('');
  });

  it.each([
    ['keep', 'bestValLoss'],
    ['earlyStopping', { monitor: 'valAccuracy' }],
    ['schedule', { type: 'reduceOnPlateau' }],
  ])('%s needs a validation set', (field, value) => {
    const changes = { [`phases.0.${field}`]: value };
    expect(problemOf(settings('mnist-test-1', changes)).layer).toBe(`phases.0.${field}`);
    expect(resolveRecipe(settings('mnist-test-1', { ...changes, protocol: 'sound' })).ok).toBe(true);
    const facts = { split: chooseSplit(settings('mnist-test-1', { protocol: 'sound' }), 'mnist-10k') };
    expect(resolveRecipe(settings('mnist-test-1', changes), facts).ok).toBe(true);
  });

  it('the dataset at hand decides, not the one the recipe was written for', () => {
    expect(problemOf(readTemplate('fashion-test-7'), { classCount: 3 }).layer).toBe('dense_1');
    const { network } = resolveRecipe(readTemplate('fashion-test-7'), { shape: [32, 32, 3] }).resolved;
    expect(network.inputShape).toEqual([32, 32, 3]);
    const recipe = settings('fashion-test-7', { 'input.size': [14, 20], 'input.colorMode': 'rgb' });
    expect(findInputShape(recipe)).toEqual([14, 20, 3]);
  });
});

describe('settings', () => {
  const recipe = readTemplate('fashion-transfer-5to9');

  it('changes one place and leaves the given recipe alone', () => {
    expect(applySetting(recipe, 'phases.0.epochs', '1').phases.map((phase) => phase.epochs)).toEqual([1, 5]);
    expect(applySetting(recipe, 'protocol', '"sound"').protocol).toBe('sound');
    expect(recipe.phases[0]?.epochs).toBe(5);
  });

  it.each([
    ['phases.0.epoch', '1', 'bad_usage', 'Did you mean phases.0.epochs?'],
    ['phases.7.epochs', '1', 'bad_usage', 'Choose an existing place of the recipe.'],
    ['phases.length', '1', 'bad_usage', 'Choose an existing place of the recipe.'],
    ['constructor', '1', 'bad_usage', 'Choose an existing place of the recipe.'],
    ['phases.0.__proto__.polluted', '1', 'bad_usage', 'Choose an existing place of the recipe.'],
    [
      'phases.0.augmentation.zoomRange',
      '0.2',
      'bad_usage',
      "Set phases.0.augmentation as a whole, for example --set 'phases.0.augmentation={...}'.",
    ],
    ['protocol', 'sound', 'bad_usage', 'Put text in double quotes, for example --set \'protocol="text"\'.'],
    ['phases.0.epochs', '0', 'bad_recipe', 'Correct this place; `recipes show` prints a recipe that is valid.'],
  ])('refuses %s=%s', (path, json, code, help) => {
    expect(() => applySetting(recipe, path, json)).toThrow(LabError);
    expect(() => applySetting(recipe, path, json)).toThrow(expect.objectContaining({ code, help }));
  });

  it('names the wrong place of a file', () => {
    const broken = { ...structuredClone(recipe), phases: [{ ...recipe.phases[0], batchSize: 'many' }] };
    expect(() => parseRecipe(broken, 'mine.json')).toThrow(/mine\.json.*phases\[0\]\.batchSize/);
    expect(() => parseRecipe({ ...recipe, extra: 1 }, 'mine.json')).toThrow(LabError);
  });
});
