// The weights of a page: what there is, imports from files that a page sends or that lie on the machine, and exports. The real converter
// reads a small file in Keras's layout.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { useWeightsStore, type WeightsChoice } from '../../src/renderer/stores/weights.ts';
import type { PutFile } from '../../src/renderer/stores/uploads.ts';
import { guessFromName, findKnown, knownFiles, toId } from '../../src/renderer/views/weights/knownFiles.ts';
import { weightsIdSchema } from '../../src/shared/contract/base.ts';
import { fromWire, wireErrorSchema } from '../../src/shared/contract/errors.ts';
import { makeMobileNetFile, smallAlpha, smallHead } from '../kerasFile.ts';
import { makeFolder, openLab, type Lab } from '../lab.ts';
import { openPage } from './page.ts';

vi.setConfig({ testTimeout: 60_000 });
const patience = { timeout: 20_000 };
const bundled = 'efficientnet-lite0-imagenet';
let file: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  file = await makeMobileNetFile();
});

/** What the page does over HTTP, straight to the core. */
function putInto({ core }: Lab): PutFile {
  return async (path, body, signal, onBytes) => {
    signal.throwIfAborted();
    const answer = await core.assets.respond({ method: 'PUT', path, body: body.stream() }, signal);
    onBytes(body.size);
    if (answer.status === 204) return;
    const { error } = JSON.parse(new TextDecoder().decode(answer.body as Uint8Array)) as { error: unknown };
    throw fromWire(wireErrorSchema.parse(error));
  };
}

function choose(content: Uint8Array<ArrayBuffer>, name: string, alpha = smallAlpha): WeightsChoice {
  const sent = { path: 'small.h5', file: new Blob([content]) };
  return { network: 'MobileNet', alpha, name, source: { from: 'upload', file: sent } };
}

const kept = ({ folder }: Lab): string[] => {
  const uploads = join(folder, 'cache', 'uploads');
  return [...(existsSync(uploads) ? readdirSync(uploads) : []), ...readdirSync(join(folder, 'weights'))];
};

describe('the weights of the lab', () => {
  it('are read when asked for, and follow imports and removals of other pages', async () => {
    const lab = await openLab();
    const store = openPage(() => lab.core).use(useWeightsStore);
    expect(store.weights).toBeNull();
    await store.refresh();
    expect(store.weights?.map(({ id }) => id)).toEqual([bundled]);
    const path = join(makeFolder(), 'small.h5');
    writeFileSync(path, file);
    await lab.client.call('weights.import', { path, network: 'MobileNet', alpha: smallAlpha, name: 'other' });
    await vi.waitFor(() => expect(store.find('other')).toMatchObject({ network: 'MobileNet', verified: 'unverified' }), patience);
    await lab.client.call('weights.remove', { id: 'other' });
    await vi.waitFor(() => expect(store.find('other')).toBeUndefined(), patience);
    await expect(store.remove(bundled)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('are there again after the connection was lost', async () => {
    const lab = await openLab();
    const page = openPage(() => lab.core);
    const store = page.use(useWeightsStore);
    await store.refresh();
    store.weights = null;
    page.cut();
    await vi.waitFor(() => expect(store.weights).toHaveLength(1), patience);
  });
});

describe('an import from a file of the page', () => {
  it('sends it, matches its layers, and reports what it did not need', async () => {
    const lab = await openLab();
    const store = openPage(() => lab.core).use(useWeightsStore);
    const content = file;
    const stages: unknown[] = [];
    const put: PutFile = async (path, body, signal, onBytes) => {
      stages.push({ ...store.stage });
      await putInto(lab)(path, body, signal, onBytes);
      stages.push({ ...store.stage });
    };
    const answer = await store.start(choose(content, 'mine'), put);
    const sending = { name: 'mine', stage: 'sending', totalBytes: content.byteLength };
    expect(stages).toEqual([
      { ...sending, bytes: 0 },
      { ...sending, bytes: content.byteLength },
    ]);
    expect(answer).toMatchObject({ weights: { id: 'mine', alpha: smallAlpha }, match: { unused: [smallHead], matchedBy: 'name' } });
    expect(store.outcome).toEqual(answer);
    expect(store.find('mine')?.fingerprint).toBe(answer?.weights.fingerprint);
    expect(store.stage).toBeNull();
    expect(kept(lab)).toEqual(['mine']);
    store.dismiss();
    expect(store.outcome).toBeNull();
    await store.remove('mine');
    expect(kept(lab)).toEqual([]);
  });

  it('tells why a file does not fit, keeps the choice for another try, and nothing else', async () => {
    const lab = await openLab();
    const store = openPage(() => lab.core).use(useWeightsStore);
    const choice = choose(file, 'wrong', 1);
    expect(await store.start(choice, putInto(lab))).toBeUndefined();
    expect(store.failure).toMatchObject({ choice, error: { code: 'bad_input' } });
    expect(store.failure?.error.message).toContain('conv1');
    expect(kept(lab)).toEqual([]);
  });

  it('is one at a time, and leaves nothing when it is cancelled', async () => {
    const lab = await openLab();
    const store = openPage(() => lab.core).use(useWeightsStore);
    const content = file;
    const never: PutFile = (_path, _body, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    const working = store.start(choose(content, 'slow'), never);
    await vi.waitFor(() => expect(store.isBusy).toBe(true), patience);
    await expect(store.start(choose(content, 'second'))).rejects.toMatchObject({ code: 'conflict' });
    store.cancel();
    expect(await working).toBeUndefined();
    expect(store.failure).toBeNull();
    expect(store.isBusy).toBe(false);
    await vi.waitFor(() => expect(kept(lab)).toEqual([]), patience);
  });
});

describe('an import from the machine of the lab', () => {
  it('sends nothing and takes the file that was chosen', async () => {
    const place = makeFolder();
    writeFileSync(join(place, 'small.h5'), file);
    const lab = await openLab(makeFolder(), { host: { browsableFolders: [place] } });
    const page = openPage(() => lab.core);
    const { places } = await page.connection.call('files.places', {});
    const { entries } = await page.connection.call('files.browse', { token: places[0]?.token ?? '' });
    const [entry] = entries;
    if (entry === undefined) throw new Error('The file is not shown.');
    const store = page.use(useWeightsStore);
    const choice: WeightsChoice = { network: 'MobileNet', alpha: smallAlpha, name: 'here', source: { from: 'machine', entry } };
    expect((await store.start(choice))?.weights.source).toBe('small.h5');
    expect(existsSync(join(place, 'small.h5'))).toBe(true);
  });
});

describe('the names of published files', () => {
  it.each([
    ['vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5', 'VGG16', 1, 'vgg16-imagenet'],
    ['folder/vgg19_weights_tf_dim_ordering_tf_kernels.h5', 'VGG19', 1, 'vgg19-imagenet'],
    ['mobilenet_1_0_224_tf_no_top.h5', 'MobileNet', 1, 'mobilenet-imagenet'],
    ['mobilenet_7_5_160_tf_no_top.h5', 'MobileNet', 0.75, 'mobilenet-0-75-imagenet'],
    ['mobilenet_2_5_128_tf.h5', 'MobileNet', 0.25, 'mobilenet-0-25-imagenet'],
    ['My MobileNet, tuned.weights.h5', 'MobileNet', 1, 'my-mobilenet-tuned'],
    ['vgg16-on-my-cats.h5', 'VGG16', 1, 'vgg16-on-my-cats'],
    ['weights.h5', null, 1, 'weights'],
  ])('%s is understood', (name, network, alpha, id) => {
    expect(guessFromName(name)).toEqual({ network, alpha, id });
  });

  it('become ids that recipes accept, whatever they are', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const id = toId(text);
        expect(id === '' || weightsIdSchema.safeParse(id).success).toBe(true);
      }),
    );
  });

  it('are found among the weights of the lab by the id that templates ask for', async () => {
    const lab = await openLab();
    const { weights } = await lab.client.call('weights.list', {});
    expect(knownFiles.map((known) => findKnown(known, weights)?.id)).toEqual([undefined, undefined, undefined, bundled]);
  });
});
