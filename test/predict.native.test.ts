// Own pictures through a trained network: pictures of the dataset, written as files, must be answered as the test set was.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Recipe } from '../src/shared/contract/schema.ts';
import { predictCommandSchema, reportSchema, type PhaseReport, type PredictedReport } from '../src/shared/contract/worker.ts';
import { openStore } from '../src/main/data/store.ts';
import { decodeTensors, encodeTensors } from '../src/main/engine/safetensors.ts';
import { predictPictures } from '../src/main/trainer/predict.ts';
import { encode } from '../src/main/viewer/pictures.ts';
import { eventsUntil, fakePrograms, makeFolder, openLab } from './lab.ts';
import { openSmallRun, openTestExecutor, smallRecipe, testCount, trainCount, type SmallRun } from './smallRun.ts';

const executor = openTestExecutor();

async function trained(recipe: Recipe): Promise<SmallRun> {
  const run = await openSmallRun(executor, recipe);
  expect(await run.train()).toBe('finished');
  return run;
}

/** Test pictures `first` .. as PNG files, changed by `edit` byte by byte. */
async function writePictures(run: SmallRun, count: number, edit = (byte: number) => byte): Promise<string[]> {
  const store = openStore(join(dirname(run.folder), 'dataset'));
  const paths: string[] = [];
  for (let row = 0; row < count; row += 1) {
    const pixels = new Uint8Array(store.pictureBytes);
    store.readPictures([trainCount + row], pixels);
    const path = join(run.folder, `picture-${row}.png`);
    writeFileSync(path, await encode(pixels.map(edit), [8, 8, 1]));
    paths.push(path);
  }
  store.close();
  return paths;
}

function phaseOf(run: SmallRun, phase: number): PhaseReport {
  const found = run.reports.find((report) => report.type === 'phaseFinished' && report.phase === phase);
  if (found?.type !== 'phaseFinished') throw new Error('The phase did not finish.');
  return found;
}

async function predict(run: SmallRun, recipe: Recipe, phase: number, pictures: readonly string[], change = {}): Promise<PredictedReport> {
  const { file, sha256 } = phaseOf(run, phase).weights;
  const weights = { path: join(run.folder, file), sha256 };
  const dataset = { shape: [8, 8, 1], classCount: 3 };
  const command = { type: 'predict', recipe, phase, dataset, weights, pictures, isInverted: false, ...change };
  const report = await predictPictures(predictCommandSchema.parse(command), executor);
  expect(reportSchema.safeParse(report).error).toBeUndefined();
  return report;
}

function storedAnswers(run: SmallRun, phase: number): number[][] {
  const { tensors } = decodeTensors(readFileSync(join(run.folder, phaseOf(run, phase).predictions?.file ?? '')), 'predictions');
  const data = tensors[0]?.data ?? new Float32Array(0);
  return Array.from({ length: testCount }, (_, row) => [...data.subarray(row * 3, row * 3 + 3)]);
}

function answersOf(report: PredictedReport): number[][] {
  return report.pictures.map((picture) => ('probabilities' in picture ? picture.probabilities : []));
}

function expectClose(received: readonly number[][], expected: readonly number[][]): void {
  expect(received).toHaveLength(expected.length);
  for (const [row, answer] of expected.entries()) {
    expect(received[row]).toHaveLength(answer.length);
    for (const [label, probability] of answer.entries()) expect(Math.abs((received[row]?.[label] ?? 2) - probability)).toBeLessThan(1e-5);
  }
}

/** Normalisation with moving averages, dropout, and pictures that are resized and coloured on their way in. */
const demanding = smallRecipe({
  input: { size: [10, 12], colorMode: 'rgb', scaling: 'minusOneToOne' },
  network: {
    layers: [
      { type: 'Conv2D', name: 'conv', filters: 4, kernelSize: 3, activation: 'relu' },
      { type: 'BatchNormalization', name: 'norm' },
      { type: 'MaxPooling2D', name: 'pool' },
      { type: 'Dropout', name: 'drop', rate: 0.5 },
      { type: 'Flatten', name: 'flat' },
      { type: 'Dense', name: 'answer', units: 3, activation: 'softmax' },
    ],
  },
});

describe('predicting pictures of the test set from files', () => {
  it.each([
    ['a plain network', smallRecipe()],
    ['normalisation, dropout, size and colour', demanding],
  ])('gives what the run stored: %s', async (_, recipe) => {
    const run = await trained(recipe);
    const pictures = await writePictures(run, testCount);
    for (const phase of [0, 1]) expectClose(answersOf(await predict(run, recipe, phase, pictures)), storedAnswers(run, phase));
  });

  it('answers for classes of a phase in their new order', async () => {
    const [base] = smallRecipe().phases;
    const layers = smallRecipe().network.layers.map((layer) => (layer.name === 'answer' ? { ...layer, units: 2 } : layer));
    const recipe = smallRecipe({ network: { layers }, phases: [{ ...base, name: 'two', classes: [2, 0] }] });
    const run = await trained(recipe);
    const answers = answersOf(await predict(run, recipe, 0, await writePictures(run, 3)));
    expect(answers.map((answer) => answer.length)).toEqual([2, 2, 2]);
    // The first picture is dark (class 0, second here), the third bright (class 2, first here).
    expect(answers[0]?.[1]).toBeGreaterThan(0.5);
    expect(answers[2]?.[0]).toBeGreaterThan(0.5);
  });

  it('shows what the network saw', async () => {
    const run = await trained(smallRecipe());
    const report = await predict(run, smallRecipe(), 0, await writePictures(run, 1));
    const expected = new Uint8Array(64);
    const store = openStore(join(dirname(run.folder), 'dataset'));
    store.readPictures([trainCount], expected);
    expect(report).toMatchObject({ shape: [8, 8, 1], pictures: [{ pixels: expected }] });
  });

  it('inverts after decoding when asked', async () => {
    const run = await trained(smallRecipe());
    const pictures = await writePictures(run, 5, (byte) => 255 - byte);
    const report = await predict(run, smallRecipe(), 0, pictures, { isInverted: true });
    expectClose(answersOf(report), storedAnswers(run, 0).slice(0, 5));
  });
});

describe('problems', () => {
  it('of one picture leave the others their answers', async () => {
    const run = await trained(smallRecipe());
    const [good = ''] = await writePictures(run, 1);
    const cut = join(run.folder, 'cut.png');
    writeFileSync(cut, readFileSync(good).subarray(0, 60));
    writeFileSync(join(run.folder, 'words.png'), 'no picture');
    const report = await predict(run, smallRecipe(), 0, [cut, join(run.folder, 'words.png'), join(run.folder, 'gone.png'), good]);
    expect(report.pictures.map((picture) => ('problem' in picture ? picture.problem : null))).toEqual([
      expect.stringContaining('damaged'),
      expect.stringContaining('not a picture of a known format'),
      'The file cannot be read. Expected a readable regular file, not a symbolic link; received no such file.',
      null,
    ]);
    expectClose(answersOf(report).slice(3), storedAnswers(run, 0).slice(0, 1));
  });

  it('with the weights are errors', async () => {
    const run = await trained(smallRecipe());
    const pictures = await writePictures(run, 1);
    const file = join(run.folder, phaseOf(run, 0).weights.file);
    const bytes = readFileSync(file);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(file, bytes);
    await expect(predict(run, smallRecipe(), 0, pictures)).rejects.toMatchObject({ code: 'workspace_damaged' });
    const gone = { weights: { path: join(run.folder, 'nothing'), sha256: '' } };
    await expect(predict(run, smallRecipe(), 0, pictures, gone)).rejects.toMatchObject({ code: 'not_found' });
    // One tensor fewer than the network has, in a file that is otherwise whole.
    const { tensors } = decodeTensors(run.readWeights(1), 'weights');
    const fewer = Buffer.concat(encodeTensors(tensors.slice(1)));
    const path = join(run.folder, 'fewer');
    writeFileSync(path, fewer);
    const sha256 = createHash('sha256').update(fewer).digest('hex');
    const incomplete = predict(run, smallRecipe(), 1, pictures, { weights: { path, sha256 } });
    await expect(incomplete).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('have no conv/kernel') as string });
    // Weights of another network.
    await expect(predict(run, demanding, 1, pictures)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('leave no tensor in the library', async () => {
    const run = await trained(smallRecipe());
    const pictures = await writePictures(run, 20);
    await predict(run, smallRecipe(), 0, pictures);
    const before = executor.countTensors();
    await predict(run, smallRecipe(), 0, pictures);
    expect(executor.countTensors()).toBe(before);
  });
});

const realPrograms = {
  ...fakePrograms,
  trainer: join(import.meta.dirname, '../src/main/trainer.ts'),
  importer: join(import.meta.dirname, '../src/main/importer.ts'),
};

describe('the core', () => {
  it('predicts chosen files and folders as it predicted the test set', async () => {
    const [folder, pictures] = [makeFolder(), makeFolder()];
    const lab = await openLab(folder, { programs: realPrograms, host: { browsableFolders: [pictures] } });
    const recipe = { from: 'template', id: 'fashion-transfer-5to9' } as const;
    const short = ['phases.0.epochs', 'phases.1.epochs'].map((path) => ({ path, json: '1' }));
    const settings = [...short, { path: 'splits.document.trainLimit', json: '500' }];
    const created = await lab.client.call('runs.create', { recipe, settings });
    const run = created.runs[0]?.runId ?? '';
    await eventsUntil(lab.client, created.since, (event) => event.type === 'run.phaseFinished' && event.phase === 0);
    const { predictions } = await lab.client.call('results.predictions', { run, phase: 0, limit: 12 });
    const store = openStore(join(folder, 'datasets', 'fashion-mnist'));
    for (const { position, index } of predictions) {
      const pixels = new Uint8Array(store.pictureBytes);
      store.readPictures([index], pixels);
      writeFileSync(join(pictures, `test-${position}.png`), await encode(pixels, [28, 28, 1]));
    }
    store.close();
    const [place] = (await lab.client.call('files.places', {})).places;
    const answer = await lab.client.call('results.try', { run, phase: 0, tokens: [place?.token ?? ''] });
    expect(answer.classes).toEqual(['Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot']);
    expect(answer.pictures.map((picture) => picture.name)).toEqual(predictions.map(({ position }) => `test-${position}.png`));
    expectClose(
      answer.pictures.map((picture) => picture.probabilities ?? []),
      predictions.map((prediction) => prediction.probabilities),
    );
    expect(Buffer.from(answer.pictures[0]?.input?.pixels ?? '', 'base64')).toHaveLength(784);

    const { entries } = await lab.client.call('files.browse', { token: place?.token ?? '' });
    const second = entries.find((entry) => entry.name === 'test-1.png');
    const single = await lab.client.call('results.try', { run, phase: 0, tokens: [second?.token ?? ''] });
    expectClose(
      single.pictures.map((picture) => picture.probabilities ?? []),
      [predictions[1]?.probabilities ?? []],
    );
    await expect(lab.client.call('results.try', { run, phase: 0, tokens: ['neverGiven'] })).rejects.toMatchObject({ code: 'not_found' });
    await lab.close();
  });
});
