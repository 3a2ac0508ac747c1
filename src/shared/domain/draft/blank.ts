import type { DatasetAnswer } from '../../contract/answers.ts';
import { recipeSchema, type Recipe } from '../../contract/schema.ts';

/** The smallest recipe that can train on the dataset: its pictures as one vector, one Dense layer, one phase. */
export function createBlankRecipe(dataset: DatasetAnswer): Recipe {
  const [height = 1, width = 1, channels = 1] = dataset.shape;
  const test = dataset.testCount > 0 ? { type: 'ownTestSet' } : { type: 'fraction', fraction: 0.2 };
  const validation = { type: 'fraction', fraction: 0.1 };
  return recipeSchema.parse({
    version: 1,
    id: 'own-experiment',
    title: `Own experiment on ${dataset.name}`.slice(0, 120),
    dataset: { id: dataset.id, classes: dataset.classes, shape: [height, width, channels] },
    protocol: 'sound',
    splits: { document: { test, validation }, sound: { test, validation } },
    network: {
      layers: [
        { type: 'Flatten', name: 'flatten' },
        { type: 'Dense', name: 'dense', units: dataset.classes.length, activation: 'softmax' },
      ],
    },
    phases: [{ name: 'train', optimizer: { type: 'Adam' }, batchSize: 64, epochs: 5 }],
  });
}
