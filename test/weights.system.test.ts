// Weights in a whole core, with the real converter child: imported once, refused without a trace, removed, and exported after a run.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { weightsMethods } from '../src/shared/contract/methods/weights.ts';
import { recipeSchema } from '../src/shared/contract/schema.ts';
import { resolveWholeNetwork } from '../src/shared/domain/recipeNetwork.ts';
import { createPhaseStore } from '../src/main/db/phases.ts';
import { openHdf5 } from '../src/main/converter/hdf5.ts';
import { encodeTensors } from '../src/main/engine/safetensors.ts';
import { answerOf, errorOf } from './commandLine.ts';
import { eventsUntil, makeFolder, openLab, resourcesFolder, script, transferRecipe, type Lab } from './lab.ts';
import { alpha, weightsFile } from './weightsFixture.ts';

const never = new AbortController().signal;
const tiny = { path: weightsFile('applications.h5'), network: 'MobileNet', alpha, name: 'Tiny MobileNet' } as const;
const foldersOf = (lab: Lab): string[] => readdirSync(join(lab.folder, 'weights'));
const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

const withBase = {
  version: 1,
  id: 'tiny',
  title: 'Tiny',
  dataset: { id: 'mnist-10k', classes: Array.from({ length: 10 }, (_, index) => `class ${index}`), shape: [28, 28, 1] },
  splits: { document: {}, sound: {} },
  input: { size: [32, 32], colorMode: 'rgb' },
  network: {
    base: { network: 'MobileNet', alpha, weights: 'tiny-mobilenet' },
    layers: [
      { type: 'GlobalAveragePooling2D', name: 'pool' },
      { type: 'Dense', name: 'answer', units: 10, activation: 'softmax' },
    ],
  },
  phases: [{ name: 'head', optimizer: { type: 'Adam' }, batchSize: 16, epochs: 3, trainable: { type: 'lastLayers', count: 1 } }],
};

describe('imported weights', () => {
  test('are kept under their name, told of, found after a restart, and go', async () => {
    const lab = await openLab();
    const { weights, match } = await lab.client.call('weights.import', tiny);
    expect(weights).toMatchObject({ id: 'tiny-mobilenet', source: 'applications.h5', verified: 'unverified', licence: null, alpha });
    expect(weights.fileFingerprint).toBe(sha256(tiny.path));
    expect(match).toMatchObject({ matchedLayers: 54, unused: ['conv_preds'], matchedBy: 'name' });
    const kept = join(lab.folder, 'weights', 'tiny-mobilenet', 'weights.safetensors');
    expect(weights.fingerprint).toBe(sha256(kept));
    await lab.close();
    mkdirSync(join(lab.folder, 'weights', '.new-1-1'));
    mkdirSync(join(lab.folder, 'weights', 'damaged'));
    const again = await openLab(lab.folder);
    expect(foldersOf(again)).toEqual(['damaged', 'tiny-mobilenet']);
    const { weights: listed } = await again.client.call('weights.list', {});
    expect(listed.filter(({ verified }) => verified !== 'bundled')).toEqual([weights]);
    expect(await again.client.call('weights.remove', { id: weights.id })).toEqual({ removed: weights.id });
    expect(existsSync(kept)).toBe(false);
    await expect(again.client.call('weights.remove', { id: weights.id })).rejects.toMatchObject({ code: 'not_found' });
    const told = await eventsUntil(again.client, 0, (event) => event.type === 'weights.removed');
    expect(told.filter(({ type }) => type.startsWith('weights.'))).toMatchObject([
      { type: 'weights.imported', weightsId: weights.id },
      { type: 'weights.removed', weightsId: weights.id },
    ]);
  });

  test('are refused when they or their name are there, and when the file is not theirs, without a trace', async () => {
    const lab = await openLab();
    await lab.client.call('weights.import', tiny);
    const refused = (change: object) => expect(lab.client.call('weights.import', { ...tiny, ...change })).rejects;
    await refused({ path: weightsFile('whole.h5'), name: 'other' }).toMatchObject({
      code: 'conflict',
      message: 'These weights are in the lab already, as tiny-mobilenet.',
    });
    await refused({ path: '/nowhere.h5' }).toMatchObject({ code: 'conflict', received: 'tiny-mobilenet' });
    await refused({ alpha: 0.5, name: 'wide' }).toMatchObject({
      code: 'bad_input',
      message: expect.stringContaining('other shapes') as string,
    });
    await refused({ network: 'VGG16', name: 'deep' }).toMatchObject({ code: 'bad_usage', expected: 'alpha 1' });
    for (const name of ['random', 'Random', '---']) await refused({ name }).toMatchObject({ code: 'bad_usage' });
    expect(foldersOf(lab)).toEqual(['tiny-mobilenet']);
  });

  test('come from a page as an upload, which is gone afterwards; a cancelled import leaves nothing', async () => {
    const lab = await openLab();
    const bytes = readFileSync(tiny.path);
    const { uploadId, token } = await lab.client.call('uploads.open', { fileCount: 1, totalBytes: bytes.length });
    await lab.client.call('uploads.name', { uploadId, from: 0, names: ['mobilenet_small.weights.h5'] });
    const body = (async function* () {
      yield await Promise.resolve(bytes);
    })();
    expect((await lab.core.assets.respond({ method: 'PUT', path: `/upload/${uploadId}/0`, body }, never)).status).toBe(204);
    const request = { token, network: 'MobileNet', alpha } as const;
    const cancel = new AbortController();
    const cancelled = lab.client.call('weights.import', tiny, { signal: cancel.signal });
    cancel.abort();
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    const { weights } = await lab.client.call('weights.importFile', request);
    expect(weights).toMatchObject({ id: 'mobilenet-small', source: 'mobilenet_small.weights.h5' });
    await expect(lab.client.call('weights.importFile', request)).rejects.toMatchObject({ code: 'not_found' });
    expect(foldersOf(lab)).toEqual(['mobilenet-small']);
  });

  test('begin runs by their fingerprint, and stay while one needs them', async () => {
    const lab = await openLab();
    const { weights } = await lab.client.call('weights.import', tiny);
    const recipe = { from: 'content', content: withBase } as const;
    const created = await lab.client.call('runs.create', { recipe, settings: [script({ stepMs: 200 })] });
    const runId = created.runs[0]?.runId ?? '';
    const { recipe: settled } = await lab.client.call('runs.show', { run: runId });
    expect(settled.network.base).toMatchObject({ weights: weights.id, weightsFingerprint: weights.fingerprint });
    await expect(lab.client.call('weights.remove', { id: weights.id })).rejects.toMatchObject({ code: 'conflict' });
    await lab.client.call('runs.stop', { run: runId });
    await expect(lab.client.call('weights.remove', { id: weights.id })).resolves.toEqual({ removed: weights.id });
  });
});

/** A finished run whose first phase kept weights of the right shapes. */
async function finishedLab(): Promise<{ lab: Lab; runId: string; recipeId: string }> {
  const first = await openLab();
  const created = await first.client.call('runs.create', { recipe: transferRecipe });
  await eventsUntil(first.client, created.since, (event) => event.type === 'run.finished');
  const runId = created.runs[0]?.runId ?? '';
  const recipe = recipeSchema.parse((await first.client.call('runs.show', { run: runId })).recipe);
  await first.close();
  const specs = resolveWholeNetwork(recipe, [28, 28, 1], 5).network.layers.flatMap((layer) => layer.weights);
  const tensors = specs.map(({ path, shape }) => ({
    name: path,
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5),
  }));
  const file = 'kept.safetensors';
  writeFileSync(join(first.folder, 'runs', runId, file), Buffer.concat(encodeTensors(tensors)));
  const database = new Database(join(first.folder, 'lab.sqlite'));
  createPhaseStore(database).finish(runId, {
    type: 'phaseFinished',
    phase: 0,
    epochs: 5,
    seconds: 1,
    secondsPerEpoch: 0.2,
    stoppedBy: 'epochs',
    best: { epoch: 5, rule: 'last' },
    test: null,
    weights: { file, sha256: sha256(join(first.folder, 'runs', runId, file)) },
    predictions: null,
    confusion: null,
  });
  database.close();
  return { lab: await openLab(first.folder), runId, recipeId: recipe.id };
}

describe('trained weights', () => {
  test('are written where a person wants them, over nothing', async () => {
    const { lab, runId } = await finishedLab();
    const folder = makeFolder();
    const wanted = { run: 'last', phase: 0, format: 'keras-h5', out: join(folder, 'models', 'a.h5') } as const;
    const answer = await lab.client.call('weights.export', wanted);
    expect(answer).toMatchObject({ path: wanted.out, sha256: sha256(wanted.out) });
    const file = await openHdf5(readFileSync(wanted.out), 'a.h5');
    expect(JSON.parse(file.text('/', 'transfer_lab') ?? '')).toMatchObject({
      run: runId,
      classes: ['class 5', 'class 6', 'class 7', 'class 8', 'class 9'],
      input: { shape: [28, 28, 1] },
    });
    file.close();
    const refused = (change: object) => expect(lab.client.call('weights.export', { ...wanted, ...change })).rejects;
    await refused({}).toMatchObject({ code: 'conflict' });
    await refused({ out: join(folder, 'a.weights.h5') }).toMatchObject({ code: 'bad_usage' });
    await refused({ out: 'a.h5' }).toMatchObject({ code: 'bad_usage' });
    await refused({ phase: 7, out: join(folder, 'b.h5') }).toMatchObject({ code: 'not_found', received: '7' });
    // The second phase of the pretended trainer kept no weights at all.
    await refused({ phase: 1, out: join(folder, 'b.h5') }).toMatchObject({ code: 'bad_input' });
    await lab.client.call('weights.export', { ...wanted, format: 'saved-model', out: join(folder, 'model') });
    expect(readdirSync(join(folder, 'model')).sort()).toEqual(['assets.extra', 'saved_model.pb', 'variables']);
    expect(readdirSync(folder).sort()).toEqual(['model', 'models']);
    expect(readdirSync(join(lab.folder, 'cache')).filter((name) => name.startsWith('weights-export'))).toEqual([]);
  });

  test('are prepared for a page at an address of their own, the last four of them', async () => {
    const { lab, runId } = await finishedLab();
    const fetch = (path: string) => lab.core.assets.respond({ method: 'GET', path, body: null }, never);
    const wanted = { run: 'last', phase: 0, format: 'saved-model' } as const;
    const prepared = await lab.client.call('weights.prepareExport', wanted);
    expect(prepared.name).toBe(`${runId}-phase-1-saved-model.tar`);
    const { status, headers, body } = await fetch(prepared.url);
    expect([status, headers['Content-Type'], headers['Content-Disposition']]).toEqual([
      200,
      'application/x-tar',
      `attachment; filename="${prepared.name}"`,
    ]);
    expect(readFileSync((body as { file: string }).file)).toHaveLength(prepared.bytes);
    for (const path of [`${prepared.url}x`, prepared.url.replace('/exported/', '/exported/x'), '/exported/abcdefgh/a.h5']) {
      expect((await fetch(path)).status).toBe(404);
    }
    for (let index = 0; index < 4; index += 1) await lab.client.call('weights.prepareExport', { ...wanted, format: 'keras-h5' });
    expect((await fetch(prepared.url)).status).toBe(404);
    expect(readdirSync(join(lab.folder, 'cache')).filter((name) => name.startsWith('weights-export'))).toHaveLength(4);
  });
});

test('the command line imports, lists, removes and says what is wrong', async () => {
  const folder = makeFolder();
  const one = weightsMethods['weights.import'].output;
  const imported = z.strictObject({ weights: z.array(one.shape.weights), match: one.shape.match });
  const width = ['--alpha', String(alpha)];
  const line = ['weights', 'import', tiny.path, '--network', 'mobilenet'];
  const answer = await answerOf(imported, folder, ...line, ...width, '--name', 'small');
  expect(answer.weights.map(({ id, network }) => [id, network])).toEqual([['small', 'MobileNet']]);
  const listed = await answerOf(weightsMethods['weights.list'].output, folder, 'weights', 'list');
  expect(listed.weights.map(({ id }) => id)).toContain('small');
  expect(await errorOf(folder, ...line, '--name', 'full')).toMatchObject({ code: 2, error: { code: 'bad_input' } });
  expect(await errorOf(folder, 'weights', 'import', tiny.path)).toMatchObject({
    code: 2,
    error: { expected: expect.stringContaining('VGG16') as string },
  });
  expect(await errorOf(folder, 'weights', 'import', tiny.path, '--network', 'ResNet50')).toMatchObject({
    code: 2,
    error: { code: 'bad_usage', received: 'ResNet50' },
  });
  expect(await errorOf(folder, 'weights', 'remove', 'Big One')).toMatchObject({ code: 2, error: { code: 'not_found' } });
  expect(await errorOf(folder, 'weights', 'export', 'last', '--format', 'keras-h5', '--out', 'a.h5')).toMatchObject({
    code: 2,
    error: { code: 'not_found' },
  });
  expect(await answerOf(weightsMethods['weights.remove'].output, folder, 'weights', 'remove', 'small')).toEqual({ removed: 'small' });
});

test('weights that come with the program are what their entry says, and stay', async () => {
  const lab = await openLab();
  const bundled = (await lab.client.call('weights.list', {})).weights.filter(({ verified }) => verified === 'bundled');
  expect(bundled.map(({ id }) => id)).toContain('efficientnet-lite0-imagenet');
  for (const { id, fingerprint } of bundled) {
    expect(sha256(join(resourcesFolder, 'weights', `${id}.safetensors`))).toBe(fingerprint);
    await expect(lab.client.call('weights.remove', { id })).rejects.toMatchObject({ code: 'conflict' });
  }
});
