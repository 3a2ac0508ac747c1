// What the compare and report views know: addresses, figures, suggestions and the stores over the real core.
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  addEntries,
  keyOf,
  moveEntry,
  nothingChosen,
  readChoice,
  removeEntry,
  writeChoice,
  type ComparisonChoice,
} from '../../src/renderer/stores/comparison/choice.ts';
import { groupTestSets, listFigures, tabulate } from '../../src/renderer/stores/comparison/figures.ts';
import { formatCsv, formatTsv } from '../../src/renderer/stores/comparison/sheet.ts';
import { listSuggestions, type EntryCandidate } from '../../src/renderer/stores/comparison/suggestions.ts';
import { useComparisonsStore } from '../../src/renderer/stores/comparison.ts';
import { useEntriesStore } from '../../src/renderer/stores/entries.ts';
import { useReportsStore } from '../../src/renderer/stores/reports.ts';
import type { ComparedEntry, Comparison } from '../../src/shared/contract/methods/comparison.ts';
import { runIdSchema } from '../../src/shared/contract/schema.ts';
import { eventsUntil, openLab, script, transferRecipe, type Lab } from '../lab.ts';
import { openPage } from './page.ts';

// A durable history is written here, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });
const patience = { timeout: 20_000 };

const reference = fc.record({ run: fc.stringMatching(/^[a-z0-9-]{1,12}$/), phase: fc.integer({ min: 0, max: 19 }) });
const someChoice: fc.Arbitrary<ComparisonChoice> = fc.uniqueArray(reference, { maxLength: 6, selector: keyOf }).chain((entries) =>
  fc.record({
    entries: fc.constant(entries),
    base: entries.length === 0 ? fc.constant(null) : fc.option(fc.constantFrom(...entries)),
    rule: fc.constantFrom('last' as const, 'best-val-loss' as const, 'best-val-accuracy' as const, 'epoch=7' as const),
  }),
);

describe('the address of a comparison', () => {
  it('says the same after it was written and read', () => {
    fc.assert(
      fc.property(someChoice, (choice) => {
        expect(readChoice(writeChoice(choice))).toEqual(choice);
      }),
    );
  });

  it('shows less when it was mangled', () => {
    const mangled = readChoice({ entries: 'a:0,a:0,b,c:20,d:-1,e:1,../f:0', base: 'z:0', rule: 'epoch=0' });
    expect(mangled).toEqual({
      entries: [
        { run: 'a', phase: 0 },
        { run: 'e', phase: 1 },
      ],
      base: null,
      rule: 'last',
    });
    expect(readChoice({ entries: ['a:0'], rule: 3 })).toEqual(nothingChosen);
  });

  it('never names more entries than a comparison takes', () => {
    const many = Array.from({ length: 150 }, (_, index) => `run${index}:0`).join(',');
    expect(readChoice({ entries: many }).entries).toHaveLength(100);
  });

  it('changes its order without changing the base', () => {
    fc.assert(
      fc.property(someChoice, fc.nat(5), fc.constantFrom(-1 as const, 1 as const), (choice, position, by) => {
        const moved = moveEntry(choice, position, by);
        expect(moved.entries.map(keyOf).sort()).toEqual(choice.entries.map(keyOf).sort());
        expect(moved.base ?? moved.entries[0]).toEqual(choice.base ?? choice.entries[0]);
      }),
    );
  });

  it('names every entry once, and forgets a base that is removed', () => {
    const a = { run: 'a', phase: 0 };
    const b = { run: 'b', phase: 1 };
    const choice = addEntries({ ...nothingChosen, entries: [a], base: a }, [b, { ...a }, b]);
    expect(choice.entries.map(keyOf)).toEqual(['a:0', 'b:1']);
    expect(removeEntry(choice, 'a:0')).toMatchObject({ entries: [b], base: null });
    expect(removeEntry(choice, 'b:1')).toMatchObject({ entries: [a], base: a });
  });
});

describe('figures', () => {
  const comparison: Comparison = {
    rule: 'last',
    base: 0,
    entries: [
      entry({ phase: 'full' }),
      entry({ phase: 'tuned', phaseIndex: 1, trainable: 590_597, nonTrainable: 9568, seconds: 10, testSet: 'B' }),
    ],
    differences: [],
    settings: [{ path: 'dataset.classes', values: ['Sandal, Bag', 'Dress, Coat'] }],
  };
  const cellsOf = (id: string) =>
    listFigures(comparison)
      .find((row) => row.id === id)
      ?.cells.map(({ text, difference }) => [text, difference]);

  it('stand beside their difference from the base: signed, with the factor for counts and times', () => {
    expect(cellsOf('trainable')).toEqual([
      ['600,165', ''],
      ['590,597', '−9,568, × 0.984'],
    ]);
    expect(cellsOf('seconds')).toEqual([
      ['40.0 s', ''],
      ['10.0 s', '−30.0 s, × 0.25'],
    ]);
    expect(cellsOf('total')).toEqual([
      ['600,165', ''],
      ['600,165', '±0'],
    ]);
    expect(cellsOf('nonTrainable')?.[1]).toEqual(['9,568', '+9,568']);
    expect(cellsOf('validationLoss')).toEqual([
      ['-', ''],
      ['-', ''],
    ]);
  });

  it('say which test sets differ, and are silent when only one entry was tested', () => {
    expect(groupTestSets(comparison)).toEqual([
      { classes: 'Sandal, Bag', labels: ['full'] },
      { classes: 'Dress, Coat', labels: ['tuned'] },
    ]);
    const [first, second] = comparison.entries;
    if (first === undefined || second === undefined) throw new Error('Two entries are compared.');
    expect(groupTestSets({ ...comparison, entries: [first, { ...second, test: null }] })).toHaveLength(1);
    const sameClasses = { ...comparison, settings: [{ path: 'dataset.classes', values: ['Bag', 'Bag'] }] };
    expect(groupTestSets(sameClasses).map(({ classes }) => classes)).toEqual(['Bag', 'Bag (of another split or dataset)']);
  });

  it('go to spreadsheets in full, and no name becomes a formula', () => {
    const [first] = comparison.entries;
    if (first === undefined) throw new Error('There are entries.');
    const lines = tabulate({ ...comparison, entries: [{ ...first, name: '=1+1', seconds: 1 / 3, phase: 'a "b", c' }] });
    const csv = formatCsv(lines);
    expect(csv.startsWith('\uFEFFrun,name,recipe,seed,phase,checkpointRule,total')).toBe(true);
    expect(csv).toContain(`'=1+1`);
    expect(csv).toContain('"a ""b"", c"');
    expect(csv).toContain('0.3333333333333333');
    expect(formatTsv([['a\tb\n', null, 2]])).toBe('a b \t\t2');
  });
});

describe('suggestions', () => {
  const run = (runId: string, recipeId: string, phases: number): EntryCandidate => ({
    runId,
    name: `Run ${runId}`,
    recipeId,
    seed: 1,
    state: 'finished',
    createdAt: '2026-11-21T10:00:00Z',
    phases: ['full', 'tuned', 'more'].slice(0, phases).map((name, index) => ({ index, name, epochs: 5, testAccuracy: null })),
  });

  it('offer the newest run with several phases, and the sound pairings once both directions are there', () => {
    const candidates = [run('n', 'mnist-test-1', 1), run('a', 'fashion-transfer-0to4', 2), run('b', 'fashion-transfer-5to9', 2)];
    const offered = listSuggestions(candidates, true, []);
    expect(offered.map(({ title, entries }) => [title, entries.map(keyOf)])).toEqual([
      ['Compare full with tuned', ['a:0', 'a:1']],
      ['Compare 0-4 in full with 0-4 tuned', ['a:0', 'b:1']],
      ['Compare 5-9 in full with 5-9 tuned', ['b:0', 'a:1']],
    ]);
  });

  it('offer no pairing whose phase is not finished, and the phases of chosen runs while searching', () => {
    const candidates = [run('a', 'fashion-transfer-0to4', 1), run('b', 'fashion-transfer-5to9', 3)];
    expect(listSuggestions(candidates, false, []).map(({ id }) => id)).toEqual(['pairing:0-4']);
    expect(listSuggestions(candidates, false, ['b']).map(({ title }) => title)[0]).toBe('Compare full, tuned and more');
  });
});

describe('the stores', () => {
  it('compare the phases of a run, follow its name, and say why a run in the trash cannot be compared', async () => {
    const lab = await openLab();
    const runId = await train(lab);
    const page = openPage(() => lab.core);
    const store = page.use(useComparisonsStore);
    const entries = [0, 1].map((phase) => ({ run: runId, phase }));
    await store.show({ entries, base: null, rule: 'last' });
    expect(store.comparison?.entries.map(({ phase }) => phase)).toEqual(['full', 'tuned']);
    expect(
      store.accuracyCurves.map((series) => [
        series?.phase,
        series?.trainLoss.length,
        series?.trainAccuracy.length === series?.epoch.length,
      ]),
    ).toEqual([
      [0, 0, true],
      [1, 0, true],
    ]);
    await lab.client.call('runs.edit', { run: runId, name: 'Another name' });
    await vi.waitFor(() => expect(store.comparison?.entries[0]?.name).toBe('Another name'), patience);
    await lab.client.call('runs.delete', { runs: [runId] });
    await vi.waitFor(() => expect(store.error).not.toBeNull(), patience);
    expect(store.comparison).toBeNull();
    await lab.client.call('runs.restore', { runs: [runId] });
    await vi.waitFor(() => expect(store.comparison).not.toBeNull(), patience);
    await store.show(nothingChosen);
    expect(store.comparison).toBeNull();
  });

  it('read again what could not be read while the connection was lost', async () => {
    const lab = await openLab();
    const runId = await train(lab);
    const page = openPage(() => lab.core);
    const store = page.use(useComparisonsStore);
    await store.show({ entries: [{ run: runId, phase: 0 }], base: null, rule: 'last' });
    const before = store.comparison;
    page.cut();
    await vi.waitFor(() => expect(store.comparison).not.toBe(before), patience);
    expect(store.comparison).toEqual(before);
  });

  it('list finished phases only, as the search asks, and hear of runs that finish', async () => {
    const lab = await openLab();
    const page = openPage(() => lab.core);
    const store = page.use(useEntriesStore);
    await store.open();
    expect([store.total, store.candidates]).toEqual([0, []]);
    const runId = await train(lab);
    await vi.waitFor(() => expect(store.candidates.map((one) => [one.runId, one.phases.length])).toEqual([[runId, 2]]), patience);
    expect(store.suggest([]).map(({ title }) => title)).toEqual(['Compare full with tuned']);
    store.search('no such run');
    await vi.waitFor(() => expect(store.candidates).toEqual([]), patience);
  });

  it('keep no trace of a report that was cancelled, and refuse what cannot be compared', async () => {
    const lab = await openLab();
    const runId = await train(lab);
    const page = openPage(() => lab.core);
    const store = page.use(useReportsStore);
    await store.read();
    const making = store.create({ entries: [{ run: runId, phase: 0 }], formats: ['csv'], title: 'Cancelled' });
    const refusal = expect(making).rejects.toMatchObject({ code: 'cancelled' });
    expect(store.making?.title).toBe('Cancelled');
    store.cancel();
    await refusal;
    expect(store.making).toBeNull();
    await store.read();
    expect(store.reports).toEqual([]);
    await expect(store.create({ entries: [{ run: runId, phase: 9 }], title: 'Wrong' })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('make a report, show it first, and hear when another page removes it', async () => {
    const lab = await openLab();
    const runId = await train(lab);
    const [own, other] = [openPage(() => lab.core), openPage(() => lab.core)].map((page) => page.use(useReportsStore));
    await Promise.all([own?.read(), other?.read()]);
    const made = await own?.create({ entries: [{ run: runId, phase: 0 }], formats: ['csv'], title: 'Figures' });
    expect(own?.reports?.map(({ title }) => title)).toEqual(['Figures']);
    await vi.waitFor(() => expect(other?.find(made?.reportId ?? '')?.files.map(({ name }) => name)).toContain('runs.csv'), patience);
    await other?.remove(made?.reportId ?? '');
    await vi.waitFor(() => expect(own?.reports).toEqual([]), patience);
  });
});

async function train(lab: Lab): Promise<string> {
  const { runs, since } = await lab.client.call('runs.create', { recipe: transferRecipe, settings: [script({})] });
  await eventsUntil(lab.client, since, (event) => event.type === 'run.finished');
  return runs[0]?.runId ?? '';
}

function entry(change: Partial<ComparedEntry>): ComparedEntry {
  return {
    runId: runIdSchema.parse('261121-y8nf9'),
    phase: 'full',
    phaseIndex: 0,
    name: 'Transfer',
    recipeId: 'fashion-transfer-5to9',
    seed: 1,
    epoch: 5,
    epochs: 5,
    total: 600_165,
    trainable: 600_165,
    nonTrainable: 0,
    seconds: 40,
    secondsPerEpoch: 8,
    train: { loss: 1.4, accuracy: 0.55 },
    validation: null,
    test: { loss: 1.3, accuracy: 0.73 },
    testNote: null,
    testSet: 'A',
    ...change,
  };
}
