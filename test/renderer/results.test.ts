// The stores of the results view over the real core, with a trainer that only pretends.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { useResultsStore, type Entry } from '../../src/renderer/stores/results.ts';
import { useRunsStore } from '../../src/renderer/stores/runs.ts';
import { useTrialsStore } from '../../src/renderer/stores/trials.ts';
import type { PutFile } from '../../src/renderer/stores/uploads.ts';
import { findAbsence } from '../../src/renderer/views/results/absence.ts';
import { listConfusions, listMeasures } from '../../src/renderer/views/results/measures.ts';
import { confusionShade } from '../../src/shared/domain/charts/confusionShade.ts';
import { testImages } from '../fixtures/trainer/fakeTester.ts';
import { eventsUntil, fakePrograms, makeFolder, openLab, transferRecipe, type Lab } from '../lab.ts';
import { openPage } from './page.ts';

vi.setConfig({ testTimeout: 60_000 });
const patience = { timeout: 10_000 };
const programs = { ...fakePrograms, trainer: join(import.meta.dirname, '../fixtures/trainer/fakeTester.ts') };
const everything = { outcome: 'all', label: null, predicted: null, order: 'position' } as const;

const openTestedLab = (folder = makeFolder()) => openLab(folder, { programs });

async function startRun(lab: Lab, settings: Readonly<Record<string, unknown>> = {}): Promise<{ entry: Entry; since: number }> {
  const listed = Object.entries(settings).map(([path, value]) => ({ path, json: JSON.stringify(value) }));
  const { runs, since } = await lab.client.call('runs.create', { recipe: transferRecipe, settings: listed });
  const [run] = runs;
  if (run === undefined) throw new Error('No run was created.');
  return { entry: { run: run.runId, phase: 0 }, since };
}

async function finishRun(lab: Lab, settings: Readonly<Record<string, unknown>> = {}): Promise<Entry> {
  const { entry, since } = await startRun(lab, settings);
  await eventsUntil(lab.client, since, (event) => event.type === 'run.finished');
  return entry;
}

describe('the results of a phase', () => {
  it('are read once, with their measures beside the published ones', async () => {
    const lab = await openTestedLab();
    const entry = await finishRun(lab);
    const page = openPage(() => lab.core);
    const store = page.use(useResultsStore);
    expect(store.resultOf(entry)).toBeUndefined();
    const result = await store.open(entry);
    expect(store.resultOf(entry)).toBe(result);
    expect(await store.open(entry)).toBe(result);
    expect(result.images).toBe(testImages);
    const measures = listMeasures(result);
    const accuracy = measures.find(({ name }) => name === 'Accuracy');
    // The document says 66.14 % for this phase, the pretended trainer 90 %.
    expect(accuracy).toMatchObject({
      value: '90.00 %',
      published: [{ value: '66.14 %', difference: expect.stringContaining('+23.86') as string }],
    });
    const loss = measures.find(({ name }) => name === 'Loss');
    expect(loss).toMatchObject({ value: '0.5000', published: [{ value: '1.3826', difference: '−0.8826' }] });
    expect(measures.map(({ name }) => name)).toContain('Top-3 accuracy');
  });

  it('appear when the phase finishes, and until then it is said why they are absent', async () => {
    const lab = await openTestedLab();
    const page = openPage(() => lab.core);
    const runs = page.use(useRunsStore);
    const results = page.use(useResultsStore);
    const { entry } = await startRun(lab, { description: 'slow' });
    const first = await runs.open(entry.run);
    expect(findAbsence(first, 0)).toMatchObject({ reason: 'underWay', canTry: false });
    await expect(results.open(entry)).rejects.toMatchObject({ code: 'conflict' });
    await vi.waitFor(() => expect(findAbsence(runs.details.get(entry.run) ?? first, 0)).toBeNull(), patience);
    expect((await results.open(entry)).images).toBe(testImages);
  });

  it('are absent for a phase without test set, whose weights can still be tried', async () => {
    const lab = await openTestedLab();
    const entry = await finishRun(lab, { 'phases.0.name': 'untested' });
    const page = openPage(() => lab.core);
    const run = await page.use(useRunsStore).open(entry.run);
    expect(findAbsence(run, 0)).toMatchObject({ reason: 'noTestSet', canTry: true });
    expect(findAbsence(run, 1)).toBeNull();
    expect(findAbsence(run, 2)).toMatchObject({ reason: 'noPhase', canTry: false });
    await expect(page.use(useResultsStore).open(entry)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('predictions', () => {
  it('come page by page, each once, in the order of the core', async () => {
    const lab = await openTestedLab();
    const entry = await finishRun(lab);
    const page = openPage(() => lab.core);
    const calls = vi.spyOn(page.connection, 'call');
    const list = page.use(useResultsStore).show(entry, everything, 5);
    expect(list.total.value).toBeNull();
    await list.need(0, 10);
    expect([list.total.value, list.at(199)?.index, list.at(200)]).toEqual([testImages, 1199, undefined]);
    await Promise.all([list.need(190, 9999), list.need(150, 210)]);
    expect(list.at(testImages - 1)?.position).toBe(testImages - 1);
    expect(list.at(testImages)).toBeUndefined();
    expect(calls.mock.calls.map(([, input]) => (input as { offset?: number }).offset)).toEqual([0, 200, 400]);
  });

  it('are the wrong ones, most confident first', async () => {
    const lab = await openTestedLab();
    const entry = await finishRun(lab);
    const store = openPage(() => lab.core).use(useResultsStore);
    await store.readMistakes(entry, 3);
    expect(store.mistakesOf(entry)?.map(({ position, label, predicted }) => ({ position, label, predicted }))).toEqual([
      { position: 449, label: 4, predicted: 0 },
      { position: 439, label: 4, predicted: 0 },
      { position: 429, label: 4, predicted: 0 },
    ]);
  });

  it('of very many classes are asked for in pages that fit into a message', async () => {
    const lab = await openTestedLab();
    const entry = await finishRun(lab);
    const page = openPage(() => lab.core);
    const calls = vi.spyOn(page.connection, 'call');
    await page.use(useResultsStore).show(entry, everything, 1000).need(45, 45);
    expect(calls.mock.calls.map(([, input]) => input)).toEqual([{ ...entry, ...everything, offset: 40, limit: 40 }]);
  });

  it('say what went wrong, and are asked for again', async () => {
    const lab = await openTestedLab();
    const { entry } = await startRun(lab, { description: 'slow' });
    const list = openPage(() => lab.core)
      .use(useResultsStore)
      .show(entry, everything, 5);
    await list.need(0, 0);
    expect([list.total.value, list.error.value?.code]).toEqual([null, 'conflict']);
    await vi.waitFor(async () => {
      await list.need(0, 0);
      expect([list.total.value, list.error.value]).toEqual([testImages, null]);
    }, patience);
  });
});

describe('own pictures', () => {
  const put =
    (lab: () => Lab): PutFile =>
    async (path, file, signal) => {
      const body = [new Uint8Array(await file.arrayBuffer())];
      const { status } = await lab().core.assets.respond({ method: 'PUT', path, body: toStream(body) }, signal);
      expect(status).toBe(204);
    };
  const picture = (name: string, text: string) => ({ name, file: new Blob([text]) });
  const uploadsIn = (lab: Lab): string[] => {
    const folder = join(lab.folder, 'cache', 'uploads');
    return existsSync(folder) ? readdirSync(folder) : [];
  };

  it('are sent once, answered in their order, also for another phase, and gone when cleared', async () => {
    const lab = await openTestedLab();
    const entry = await finishRun(lab);
    const page = openPage(() => lab.core);
    const trials = page.use(useTrialsStore);
    const calls = vi.spyOn(page.connection, 'call');
    trials.choose([picture('same.png', 'A'), picture('broken', '!'), ...Array.from({ length: 9 }, () => picture('same.png', 'B'))]);
    await trials.predict(
      entry,
      false,
      put(() => lab),
    );
    expect(trials.error).toBeNull();
    expect(trials.answer?.pictures.map(({ input, problem }) => input?.pixels ?? problem)).toEqual([
      base64(65, 1),
      '2 is not a picture.',
      ...Array.from({ length: 9 }, () => base64(66, 1)),
    ]);
    expect(trials.answer).toMatchObject({ entry, isInverted: false });
    await trials.predict({ ...entry, phase: 1 }, true);
    expect(trials.answer?.pictures[0]?.input?.pixels).toBe(base64(190, 2));
    expect(calls.mock.calls.filter(([method]) => method === 'uploads.open')).toHaveLength(1);
    expect(uploadsIn(lab)).toHaveLength(1);
    trials.clear();
    expect([trials.pictures, trials.answer]).toEqual([[], null]);
    await vi.waitFor(() => expect(uploadsIn(lab)).toEqual([]), patience);
  });

  it('replaced on their way leave nothing of the first ones', async () => {
    const lab = await openTestedLab();
    const entry = await finishRun(lab);
    const trials = openPage(() => lab.core).use(useTrialsStore);
    trials.choose([picture('first', 'A')]);
    const first = trials.predict(
      entry,
      false,
      put(() => lab),
    );
    trials.choose([picture('second', 'B'), ...Array.from({ length: 52 }, () => picture('more', 'C'))]);
    const second = trials.predict(
      entry,
      false,
      put(() => lab),
    );
    await Promise.all([first, second]);
    expect([trials.pictures.length, trials.leftOut]).toEqual([50, 3]);
    expect(trials.answer?.pictures).toHaveLength(50);
    expect(trials.answer?.pictures[0]?.input?.pixels).toBe(base64(66, 1));
    await vi.waitFor(() => expect(uploadsIn(lab)).toHaveLength(1), patience);
  });

  it('put away at the moment they have arrived are discarded', async () => {
    const lab = await openTestedLab();
    const entry = await finishRun(lab);
    const trials = openPage(() => lab.core).use(useTrialsStore);
    trials.choose([picture('first', 'A')]);
    await trials.predict(entry, false, async (...parameters) => {
      await put(() => lab)(...parameters);
      expect(uploadsIn(lab)).toHaveLength(1);
      trials.clear();
    });
    expect([trials.answer, trials.error]).toEqual([null, null]);
    await vi.waitFor(() => expect(uploadsIn(lab)).toEqual([]), patience);
  });

  it('cancelled are neither answered nor an error, and can be predicted again', async () => {
    const lab = await openTestedLab();
    const entry = await finishRun(lab);
    const trials = openPage(() => lab.core).use(useTrialsStore);
    trials.choose([picture('one', 'A')]);
    const running = trials.predict(
      entry,
      false,
      put(() => lab),
    );
    await vi.waitFor(() => expect(trials.stage).toBe('predicting'), patience);
    trials.cancel();
    await running;
    expect([trials.answer, trials.error, trials.stage]).toEqual([null, null, 'resting']);
    await trials.predict(
      entry,
      false,
      put(() => lab),
    );
    expect(trials.answer?.pictures).toHaveLength(1);
  });

  it('are sent again when the lab was started anew', async () => {
    const folder = makeFolder();
    let lab = await openTestedLab(folder);
    const entry = await finishRun(lab);
    const page = openPage(() => lab.core);
    const trials = page.use(useTrialsStore);
    trials.choose([picture('one', 'A')]);
    await trials.predict(
      entry,
      false,
      put(() => lab),
    );
    await lab.close();
    lab = await openTestedLab(folder);
    page.cut();
    await trials.predict(
      entry,
      true,
      put(() => lab),
    );
    expect(trials.error).toBeNull();
    expect(trials.answer?.pictures[0]?.input?.pixels).toBe(base64(190, 1));
  });
});

describe('what is drawn', () => {
  it('lists confusions without what was recognised, most frequent first', () => {
    const confusion = [
      [8, 1, 1],
      [0, 5, 5],
      [0, 2, 0],
    ];
    expect(listConfusions(confusion, 3)).toEqual([
      { label: 1, predicted: 2, images: 5, share: 0.5 },
      { label: 2, predicted: 1, images: 2, share: 1 },
      { label: 0, predicted: 1, images: 1, share: 0.1 },
    ]);
  });

  it('keeps the text of every cell readable', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom('light' as const, 'dark' as const), (share, theme) => {
        const { ground, text } = confusionShade(share, theme);
        expect(contrast(ground, text)).toBeGreaterThan(4.5);
      }),
    );
  });
});

const base64 = (...bytes: number[]): string => Buffer.from(bytes).toString('base64');

async function* toStream(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}

/** As WCAG 2 defines it. */
function contrast(first: string, second: string): number {
  const luminance = (color: string): number => {
    const linear = [1, 3, 5]
      .map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * (linear[0] ?? 0) + 0.7152 * (linear[1] ?? 0) + 0.0722 * (linear[2] ?? 0);
  };
  const [low = 0, high = 0] = [luminance(first), luminance(second)].sort((one, other) => one - other);
  return (high + 0.05) / (low + 0.05);
}
