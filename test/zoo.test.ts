// The published networks: layer lists and counts against Keras, the cut, and how templates with a base are listed.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createRecipes } from '../src/main/services/recipes.ts';
import { baseSchema, zooNetworks } from '../src/shared/contract/base.ts';
import { countParameters, resolveNetwork } from '../src/shared/domain/network.ts';
import { expandLayers, makeBaseLayers } from '../src/shared/domain/zoo/expand.ts';

const rowSchema = z.strictObject({
  network: z.enum(zooNetworks),
  alpha: z.number(),
  side: z.int(),
  total: z.int(),
  trainable: z.int(),
  /** Name, shape behind the layer, names and shapes of its weights, and what of them an optimizer changes. */
  layers: z.array(z.tuple([z.string(), z.array(z.int()), z.array(z.tuple([z.string(), z.array(z.int())])), z.int()])),
});
const file = new URL('fixtures/zoo/networks.json', import.meta.url);
const { rows } = z.object({ rows: z.array(rowSchema) }).parse(JSON.parse(readFileSync(file, 'utf8')));

function resolveBase(options: z.input<typeof baseSchema>, side: number) {
  const result = resolveNetwork(makeBaseLayers(baseSchema.parse(options)), [side, side, 3], null);
  if (!result.ok) throw new Error(result.problem.message);
  return result.network;
}

describe('every network of the zoo has the layers of Keras', () => {
  it.each(rows.map((row) => [`${row.network}, alpha ${row.alpha}, ${row.side} pixels`, row] as const))('%s', (_, row) => {
    const network = resolveBase({ network: row.network, alpha: row.alpha }, row.side);
    const counts = countParameters(network, new Set(network.layers.map(({ name }) => name)));
    const layers = network.layers.map(({ name, outputShape, weights }, index) => [
      name,
      outputShape,
      weights.map((weight) => [weight.name, weight.shape]),
      counts.layers[index]?.trainable,
    ]);
    expect(layers).toEqual(row.layers);
    expect([counts.total, counts.trainable]).toEqual([row.total, row.trainable]);
  });

  it('with the published counts', () => {
    const totals = rows.map(({ network, alpha, total, trainable }) => [`${network} ${alpha}`, [total, trainable]]);
    expect(Object.fromEntries(totals)).toEqual({
      'VGG16 1': [14_714_688, 14_714_688],
      'VGG19 1': [20_024_384, 20_024_384],
      'MobileNet 0.25': [218_544, 213_072],
      'MobileNet 0.5': [829_536, 818_592],
      'MobileNet 1': [3_228_864, 3_206_976],
      // 4,652,008 with the classifier of 1,280 x 1,000 + 1,000 and without moving statistics.
      'EfficientNetLite0 1': [3_413_024, 4_652_008 - 1_281_000],
    });
  });
});

describe('the cut', () => {
  it.each(zooNetworks.map((network) => [network]))('%s ends with the layer that is named', (network) => {
    const whole = makeBaseLayers(baseSchema.parse({ network }));
    for (const [index, { name }] of whole.entries()) {
      expect(makeBaseLayers(baseSchema.parse({ network, cutAt: name }))).toEqual(whole.slice(0, index + 1));
    }
  });

  it('names the nearest layers when there is no such one', () => {
    const base = baseSchema.parse({ network: 'MobileNet', cutAt: 'conv_pw_12_rely' });
    expect(() => makeBaseLayers(base)).toThrow(
      expect.objectContaining({
        code: 'bad_recipe',
        received: 'conv_pw_12_rely',
        expected: expect.stringContaining('conv_pw_12_relu') as string,
      }),
    );
  });

  it('the head follows the base', () => {
    const head = makeBaseLayers(baseSchema.parse({ network: 'VGG16', cutAt: 'block1_conv1' }));
    const base = baseSchema.parse({ network: 'VGG19', cutAt: 'block1_pool' });
    expect(expandLayers({ base, layers: [...head] }).map(({ name }) => name)).toEqual([
      'block1_conv1',
      'block1_conv2',
      'block1_pool',
      'block1_conv1',
    ]);
    expect(expandLayers({ base: null, layers: [...head] })).toEqual(head);
  });
});

describe('the list of templates', () => {
  const recipes = createRecipes(new URL('../resources', import.meta.url).pathname);

  it('says of each what the template says, and which ones need weights', () => {
    for (const outline of recipes.list().recipes) {
      const { title, document, dataset, phases, network } = recipes.show(outline.id);
      expect(outline).toEqual({
        id: outline.id,
        title,
        document,
        dataset: dataset.id,
        phases: phases.map(({ name }) => name),
        // These come with the lab.
        needsWeights: network.base !== null && network.base.weights !== 'efficientnet-lite0-imagenet',
      });
    }
    const needing = recipes.list().recipes.filter(({ needsWeights }) => needsWeights);
    expect(needing.map(({ id }) => id.split('-')[1])).toEqual([
      ...Array.from({ length: 3 }, () => 'mobilenet'),
      ...Array.from({ length: 3 }, () => 'vgg16'),
      'vgg19',
      ...Array.from({ length: 3 }, () => 'mobilenet'),
    ]);
  });

  it('counts base and head in one list', () => {
    const { phases, layers, problem } = recipes.countParameters({ from: 'template', id: 'household-mobilenet-b1' });
    expect(problem).toBeUndefined();
    expect(phases).toEqual([{ name: 'train', total: 2_763_944, trainable: 1_133_032, nonTrainable: 1_630_912 }]);
    expect(layers).toHaveLength(79 + 6);
    expect(layers.filter(({ trainableParams }) => (trainableParams[0] ?? 0) > 0).map(({ name }) => name)).toEqual([
      ...['conv_dw_12', 'conv_dw_12_bn', 'conv_pw_12', 'conv_pw_12_bn'],
      ...['dense', 'dense_1', 'dense_2', 'dense_3', 'dense_4'],
    ]);
  });
});
