import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { fillHistory } from '../../bench/historyFixture.ts';
import { newestFirst, readAddress, toggleSort, writeAddress, type RunChoice } from '../../src/renderer/stores/runTable/address.ts';
import { defaultColumns, fixedColumns, recipeColumn } from '../../src/renderer/stores/runTable/columns.ts';
import { applyToRow, finishedPhaseOf, progressOf } from '../../src/renderer/stores/runTable/liveRow.ts';
import { formatRunsCsv, formatRunsTsv } from '../../src/renderer/stores/runTable/sheet.ts';
import { useRunQueueStore } from '../../src/renderer/stores/runQueue.ts';
import { useRunTableStore } from '../../src/renderer/stores/runTable.ts';
import { describeFilter, findFilterField, readFilterValue } from '../../src/renderer/views/runs/filterFields.ts';
import { isVolatile } from '../../src/shared/contract/events.ts';
import type { RunQuery, RunRow } from '../../src/shared/contract/methods/runs.ts';
import type { Client } from '../../src/shared/rpcClient.ts';
import { eventsUntil, makeFolder, openLab, script, transferRecipe } from '../lab.ts';
import { openPage } from './page.ts';

const patience = { timeout: 10_000 };

async function openDrawn(runs: number) {
  const folder = makeFolder();
  fillHistory(folder, { runs, epochsPerRun: 4 }, 3);
  const lab = await openLab(folder);
  const page = openPage(() => lab.core);
  const store = page.use(useRunTableStore);
  store.want(0, 20);
  store.choose({});
  const leave = store.attend();
  await vi.waitFor(() => expect(store.rowAt(0)).toBeDefined(), patience);
  return { lab, page, store, leave };
}

/** All runs that fit, as the core orders them. */
async function readAll(client: Client, query: RunQuery = {}): Promise<RunRow[]> {
  const rows: RunRow[] = [];
  for (;;) {
    const answer = await client.call('runs.query', { ...query, offset: rows.length, limit: 200 });
    rows.push(...answer.rows);
    if (rows.length >= answer.total) return rows;
  }
}

describe('the address of the table', () => {
  const field = fc.constantFrom('name', 'state', 'testAccuracy', 'recipe.phases[0].batchSize');
  const choice: fc.Arbitrary<RunChoice> = fc.record({
    view: fc.constantFrom('active', 'archived', 'trash'),
    text: fc.string({ maxLength: 200 }),
    filters: fc.array(
      fc.record({
        field,
        operator: fc.constantFrom('=', '!=', '<', '<=', '>', '>=', 'contains'),
        value: fc.oneof(fc.string({ maxLength: 50 }), fc.integer(), fc.boolean()),
      }),
      { maxLength: 4 },
    ),
    sort: fc.uniqueArray(fc.record({ field, isDescending: fc.boolean() }), { minLength: 1, maxLength: 3, selector: (key) => key.field }),
  });

  it('says everything that was chosen', () => {
    fc.assert(
      fc.property(choice, (one) => {
        expect(readAddress(writeAddress(one))).toEqual(one);
      }),
    );
  });

  it('is empty for what a newcomer sees, and shows less when it was mangled', () => {
    expect(writeAddress(newestFirst)).toEqual({});
    const mangled = { view: 'nowhere', text: 'x'.repeat(300), filters: '[["state","~","a"],["name","=","b"],7', sort: 'drop table,' };
    expect(readAddress(mangled)).toEqual(newestFirst);
    expect(readAddress({ filters: '[["state","~","a"],["name","=","b"]]' }).filters).toEqual([
      { field: 'name', operator: '=', value: 'b' },
    ]);
  });

  it('sorts by what was clicked, and by a second key with Shift', () => {
    const byAccuracy = toggleSort(newestFirst.sort, 'testAccuracy', true, false);
    expect(byAccuracy).toEqual([{ field: 'testAccuracy', isDescending: true }]);
    expect(toggleSort(byAccuracy, 'testAccuracy', true, false)).toEqual([{ field: 'testAccuracy', isDescending: false }]);
    const both = toggleSort(byAccuracy, 'name', false, true);
    expect(both.map(({ field: one }) => one)).toEqual(['testAccuracy', 'name']);
    expect(toggleSort(both, 'testAccuracy', true, true)[0]).toEqual({ field: 'testAccuracy', isDescending: false });
  });
});

describe('filters', () => {
  it('are typed in the units that are shown', () => {
    expect(readFilterValue(' 95.1 %', 'percent')).toBe(0.951);
    expect(readFilterValue('1,000', 'number')).toBe(1000);
    expect(readFilterValue('many', 'number')).toBeNull();
    expect(readFilterValue('', 'text')).toBeNull();
    expect(readFilterValue('false', 'boolean')).toBe(false);
    const accuracy = findFilterField('testAccuracy', []);
    expect(describeFilter({ field: 'testAccuracy', operator: '>=', value: 0.951 }, accuracy)).toBe('Test acc. ≥ 95.1 %');
    expect(describeFilter({ field: 'tags', operator: '!=', value: 'keep' }, findFilterField('tags', []))).toBe('Tags has not keep');
    expect(findFilterField('recipe.phases[0].batchSize', [{ field: 'recipe.phases[0].batchSize', kind: 'number' }]).kind).toBe('number');
  });
});

describe('the rows', () => {
  it('are read where they are looked at, in the order of the core', async () => {
    const { lab, store } = await openDrawn(450);
    const all = await readAll(lab.client);
    expect(store.total).toBe(all.length);
    expect(store.rowAt(0)).toEqual(all[0]);
    expect(store.rowAt(250)).toBeUndefined();
    store.want(all.length - 20, all.length - 1);
    await vi.waitFor(() => expect(store.rowAt(all.length - 1)).toEqual(all.at(-1)), patience);
    expect(store.rowAt(150)).toBeUndefined();
    const sort = [{ field: 'testAccuracy', isDescending: true }];
    store.choose({ sort, filters: [{ field: 'recipeId', operator: '=', value: 'cifar-cnn' }] });
    const sorted = await readAll(lab.client, { sort, filters: [{ field: 'recipeId', operator: '=', value: 'cifar-cnn' }] });
    await vi.waitFor(() => expect(store.rowAt(0)).toEqual(sorted[0]), patience);
    expect(store.total).toBe(sorted.length);
    expect(store.isOutdated).toBe(false);
  });

  it('bring the settings that are shown as columns', async () => {
    const { store } = await openDrawn(20);
    const field = 'recipe.phases[0].batchSize';
    expect(store.rowAt(0)?.values).toEqual({});
    store.layout.toggle(field);
    await vi.waitFor(() => expect(store.rowAt(0)?.values[field]).toBeTypeOf('number'), patience);
    expect(store.layout.columns.at(-1)?.id).toBe(field);
    store.layout.move(field, 0);
    expect(store.layout.columns[0]?.id).toBe(field);
    store.layout.move(field, 3);
    expect(store.layout.columns.findIndex(({ id }) => id === field)).toBe(2);
    store.layout.toggle('name');
    expect(store.layout.isShown('name')).toBe(true);
    store.layout.reset();
    expect(store.layout.columns.map(({ id }) => id)).toEqual(defaultColumns);
  });

  it('follow what others do, without moving what is looked at', async () => {
    const { lab, page, store } = await openDrawn(120);
    const known = store.rowAt(0);
    if (known === undefined) throw new Error('There are no rows.');
    await lab.client.call('runs.edit', { run: known.runId, name: 'Elsewhere' });
    await vi.waitFor(() => expect(store.rowAt(0)?.name).toBe('Elsewhere'), patience);
    store.want(50, 70);
    const top = store.rowAt(50)?.runId;
    await lab.client.call('runs.create', { recipe: transferRecipe, settings: [script({ steps: 1 })] });
    await vi.waitFor(() => expect(store.rowAt(51)?.runId).toBe(top), patience);
    expect(store.shift).toEqual({ rows: 1 });
    const before = store.counts?.trash ?? 0;
    page.cut();
    await lab.client.call('runs.delete', { runs: [known.runId] });
    await vi.waitFor(() => expect(store.counts?.trash).toBe(before + 1), { timeout: 3000 });
    await vi.waitFor(() => expect(store.rowAt(50)?.runId).toBe(top), patience);
  }, 30_000);
});

describe('the selection', () => {
  it('takes ranges that were never shown, stays while sorting and ends with another filter', async () => {
    const { lab, store } = await openDrawn(350);
    const all = await readAll(lab.client);
    store.selection.toggle(2);
    await store.chooseRange(store.selection.origin(), 240);
    expect(store.selection.chosen.map(({ runId }) => runId)).toEqual(all.slice(2, 241).map(({ runId }) => runId));
    store.choose({ sort: [{ field: 'name', isDescending: false }] });
    expect(store.selection.count).toBe(239);
    const [first] = store.selection.chosen;
    await lab.client.call('runs.archive', { runs: [first?.runId ?? ''] });
    await vi.waitFor(() => expect(store.selection.count).toBe(238), patience);
    store.choose({ text: 'odd' });
    expect(store.selection.count).toBe(0);
    const progress: number[] = [];
    const found = await store.readRows(0, 10_000, { onProgress: (done) => progress.push(done) });
    expect(found.length).toBe((await readAll(lab.client, { text: 'odd' })).length);
    expect(progress.at(-1)).toBe(found.length);
  });

  it('reads back from CSV as it was, and no cell is a formula', async () => {
    const { lab, store } = await openDrawn(6);
    const [row] = await readAll(lab.client, { limit: 1 });
    const evil = '=HYPERLINK("http://x"), "quoted"\nline';
    await lab.client.call('runs.edit', { run: row?.runId ?? '', name: evil, notes: '+1', tags: ['-a', 'b'] });
    const rows = await readAll(lab.client);
    const columns = [...fixedColumns, recipeColumn('recipe.phases[0].batchSize', 'number')];
    const [first, ...others] = parse<Record<string, string>>(formatRunsCsv(columns, rows), { bom: true, columns: true });
    expect(others).toHaveLength(rows.length - 1);
    expect(first).toMatchObject({ runId: row?.runId, name: `'${evil}`, notes: "'+1", tags: "'-a, b" });
    expect(Number(first?.['testAccuracy'])).toBe(rows[0]?.testAccuracy);
    const lines = formatRunsTsv(columns, rows).split('\n');
    expect(lines).toHaveLength(rows.length + 1);
    expect(new Set(lines.map((line) => line.split('\t').length))).toEqual(new Set([columns.length + 1]));
    expect(store.total).toBe(rows.length);
  });
});

describe('a run that trains', () => {
  it('says by its events what the core says afterwards', async () => {
    const lab = await openLab();
    const page = openPage(() => lab.core);
    const queue = page.use(useRunQueueStore);
    const settings = [script({ stepMs: 20, steps: 3 })];
    const { since } = await lab.client.call('runs.create', { recipe: transferRecipe, settings, seeds: [1, 2, 3] });
    const created = await readAll(lab.client);
    const first = created.find(({ seed }) => seed === 1);
    if (first === undefined) throw new Error('There is no first run.');
    await vi.waitFor(
      () =>
        expect(queue.places.map(({ row, isWaiting }) => [row?.seed, isWaiting])).toEqual([
          [1, false],
          [2, true],
          [3, true],
        ]),
      patience,
    );
    const third = created.find(({ seed }) => seed === 3)?.runId ?? '';
    await lab.client.call('runs.reorder', { run: third, before: created.find(({ seed }) => seed === 2)?.runId ?? null });
    await vi.waitFor(() => expect(queue.places.filter(({ isWaiting }) => isWaiting).map(({ row }) => row?.seed)).toEqual([3, 2]), patience);

    let row = { ...first, state: 'queued' as const } as RunRow;
    const shares: number[] = [];
    for (const event of await eventsUntil(lab.client, since, (one) => one.type === 'run.finished')) {
      if (isVolatile(event) || !('runId' in event) || event.runId !== first.runId) continue;
      row = applyToRow(row, event);
      shares.push(progressOf(row, null));
    }
    const after = (await readAll(lab.client)).find(({ runId }) => runId === first.runId);
    const told = ({ state, seconds, phases, testAccuracy, testLoss }: RunRow) => ({
      ...{ state, seconds, testAccuracy, testLoss },
      epochs: phases.map(({ epochs }) => epochs),
    });
    expect(after).toBeDefined();
    if (after !== undefined) expect(told(row)).toEqual(told(after));
    expect(shares).toEqual(shares.toSorted((one, other) => one - other));
    expect(shares.at(-1)).toBe(1);
    expect(finishedPhaseOf(row)).toBe(1);
    expect(finishedPhaseOf(first)).toBeNull();
    await vi.waitFor(() => expect(queue.places).toEqual([]), { timeout: 20_000 });
  }, 40_000);
});
