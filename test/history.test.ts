import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { fillHistory } from '../bench/historyFixture.ts';
import type { LabEvent } from '../src/shared/contract/events.ts';
import type { RunFilter, RunQuery, RunRow } from '../src/shared/contract/methods/runs.ts';
import type { Client } from '../src/shared/rpcClient.ts';
import { eventsUntil, makeFolder, openLab, script, transferRecipe } from './lab.ts';

vi.setConfig({ testTimeout: 60_000 });

const rate = 'recipe.phases[0].optimizer.learningRate';
const batch = 'recipe.phases[0].batchSize';
const nesterov = 'recipe.phases[0].optimizer.amsgrad';
const columns = [rate, batch, nesterov, 'recipe.title'];
const drawn = { runs: 60, epochsPerRun: 6 };

async function openDrawn(): Promise<Client> {
  const folder = makeFolder();
  fillHistory(folder, drawn, 5);
  return (await openLab(folder)).client;
}

const all = async (client: Client, query: RunQuery = {}): Promise<RunRow[]> =>
  (await client.call('runs.query', { columns, limit: 200, ...query })).rows;

type Cell = string | number | boolean | null;

/** The value of a column as the answer shows it. */
function cell(row: RunRow, field: string): Cell {
  if (field.startsWith('recipe.')) return row.values[field] ?? null;
  if (field === 'epochs') return row.phases.reduce((sum, phase) => sum + phase.epochs, 0);
  if (field === 'total' || field === 'trainable' || field === 'secondsPerEpoch') return row.phases.at(-1)?.[field] ?? null;
  return (row as unknown as Record<string, Cell>)[field] ?? null;
}

const fold = (value: Cell, field: string): Cell => (field === 'name' && typeof value === 'string' ? value.toLowerCase() : value);

/** What the table should do, written plainly. */
function fits(row: RunRow, { field, operator, value: wanted }: RunFilter): boolean {
  const found = fold(cell(row, field), field);
  const value = fold(wanted, field);
  if (operator === '!=') return found !== value;
  if (found === null) return false;
  if (operator === 'contains') return String(found).toLowerCase().includes(String(value).toLowerCase());
  if (operator === '=') return found === value;
  if (typeof found !== typeof value) return false;
  const sign = compare(found, value);
  return { '<': sign < 0, '<=': sign <= 0, '>': sign > 0, '>=': sign >= 0 }[operator];
}

function compare(left: Cell, right: Cell): number {
  if (left === null || right === null || left === right) return 0;
  return left < right ? -1 : 1;
}

function order(rows: readonly RunRow[], sort: NonNullable<RunQuery['sort']>): RunRow[] {
  const position = new Map(rows.map((row, index) => [row, index]));
  return rows.toSorted((a, b) => {
    for (const { field, isDescending } of sort) {
      const [left, right] = [fold(cell(a, field), field), fold(cell(b, field), field)];
      if (left === right) continue;
      if (left === null) return 1;
      if (right === null) return -1;
      return isDescending ? -compare(left, right) : compare(left, right);
    }
    return (position.get(a) ?? 0) - (position.get(b) ?? 0);
  });
}

describe('the table of runs', () => {
  test('filters, sorts and pages as plain code does', async () => {
    const client = await openDrawn();
    const newest = await all(client);
    const field = fc.constantFrom(
      'name',
      'seed',
      'group',
      'testAccuracy',
      'bestValidationAccuracy',
      'epochs',
      'total',
      rate,
      batch,
      nesterov,
    );
    const sort = fc.array(fc.record({ field, isDescending: fc.boolean() }), { maxLength: 3 });
    const operator = fc.constantFrom<RunFilter['operator'][]>('=', '!=', '<', '<=', '>', '>=', 'contains');
    const filter = fc
      .record({ field, operator, row: fc.nat(newest.length - 1) })
      .map((drawnFilter): RunFilter | null => {
        const value = cell(newest[drawnFilter.row] as RunRow, drawnFilter.field);
        return value === null ? null : { field: drawnFilter.field, operator: drawnFilter.operator, value };
      })
      .filter((found) => found !== null);
    const queries = fc.record({
      sort,
      filters: fc.array(filter, { maxLength: 2 }),
      offset: fc.nat(30),
      limit: fc.integer({ min: 1, max: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(queries, async (query) => {
        const expected = order(
          newest.filter((row) => query.filters.every((one) => fits(row, one))),
          query.sort,
        );
        const answer = await client.call('runs.query', { ...query, columns });
        expect(answer.total).toBe(expected.length);
        expect(answer.rows).toEqual(expected.slice(query.offset, query.offset + query.limit));
      }),
      { numRuns: 150 },
    );
  });

  test('shows every run in exactly one view, the newest first', async () => {
    const client = await openDrawn();
    const views = await Promise.all((['active', 'archived', 'trash'] as const).map((view) => all(client, { view })));
    const [active = [], archived = [], trash = []] = views;
    expect(active.length * archived.length * trash.length).toBeGreaterThan(0);
    const ids = views.flat().map((row) => row.runId);
    expect(new Set(ids).size).toBe(drawn.runs);
    expect(ids).toHaveLength(drawn.runs);
    expect(active.map((row) => row.runId)).toEqual(
      active
        .map((row) => row.runId)
        .sort()
        .reverse(),
    );
    expect(archived.every((row) => row.archivedAt !== null)).toBe(true);
    const listed = (await client.call('runs.list', { limit: 200 })).runs.map((run) => run.runId);
    expect(listed.toSorted()).toEqual([...active, ...archived].map((row) => row.runId).sort());
    const byAge = await all(client, { sort: [{ field: 'createdAt', isDescending: false }] });
    expect(byAge).toEqual(active.toReversed());
  });

  test('finds text in name, id, recipe, notes and tags whatever the case', async () => {
    const client = await openDrawn();
    const rows = await all(client);
    const [first, second] = rows;
    if (first === undefined || second === undefined) throw new Error('There are no runs.');
    await client.call('runs.edit', {
      run: first.runId,
      name: 'Größe Äpfel',
      tags: ['Ölbild'],
      notes: `Zeile\n100 % 'quoted' ${'x'.repeat(1500)} end`,
    });
    const found = async (text: string): Promise<string[]> => (await all(client, { text })).map((row) => row.runId);
    for (const text of ['größe äPFEL', 'ÖLBILD', "100 % 'QUOTED'", ' end', first.runId.toUpperCase()]) {
      expect(await found(text), text).toEqual([first.runId]);
    }
    expect(await found(second.recipeId.toUpperCase())).toEqual(
      rows.filter((row) => row.recipeId === second.recipeId).map((row) => row.runId),
    );
    expect(await found('%')).toEqual([first.runId]);
    expect(await found('nowhere')).toEqual([]);
    const [row] = await all(client, { text: 'größe' });
    expect(row?.notes).toHaveLength(1000);
    expect((await client.call('runs.show', { run: first.runId })).notes).toMatch(/end$/);
  });

  test('asks for whole tags', async () => {
    const client = await openDrawn();
    const rows = await all(client);
    const withTag = (tag: string): string[] => rows.filter((row) => row.tags.includes(tag)).map((row) => row.runId);
    const asked = async (operator: RunFilter['operator'], value: string): Promise<string[]> =>
      (await all(client, { filters: [{ field: 'tags', operator, value }] })).map((row) => row.runId);
    expect(withTag('keep').length).toBeGreaterThan(0);
    expect(await asked('contains', 'KEEP')).toEqual(withTag('keep'));
    expect(await asked('=', 'kee')).toEqual([]);
    expect(await asked('!=', 'keep')).toHaveLength(rows.length - withTag('keep').length);
    const kept = [...rows, ...(await all(client, { view: 'archived' }))];
    const { tags } = await client.call('runs.tags', {});
    expect(tags.find(({ tag }) => tag === 'keep')?.runs).toBe(kept.filter((row) => row.tags.includes('keep')).length);
    expect(tags.map(({ tag }) => tag)).toContain('Übung 3');
  });

  test('names the settings that occur and leaves out the network', async () => {
    const client = await openDrawn();
    const { fields } = await client.call('runs.fields', {});
    const kinds = new Map(fields.map(({ field, kind }) => [field, kind]));
    expect(kinds.get(rate)).toBe('number');
    expect(kinds.get(nesterov)).toBe('boolean');
    expect(kinds.get('recipe.phases[0].optimizer.type')).toBe('text');
    expect(fields.some(({ field }) => field.startsWith('recipe.network'))).toBe(false);
    const filters = [{ field: 'recipe.network.layers[0].type', operator: 'contains', value: 'conv' }] as const;
    expect((await all(client, { filters: [...filters] })).length).toBeGreaterThan(0);
  });

  test('refuses what is no column or no number, and never takes a value for SQL', async () => {
    const client = await openDrawn();
    const asked = (filter: RunFilter): Promise<unknown> => client.call('runs.query', { filters: [filter] });
    const refused = async (filter: RunFilter, message: string): Promise<void> =>
      expect(asked(filter)).rejects.toMatchObject({ code: 'bad_input', message: expect.stringContaining(message) as string });
    await refused({ field: 'testAcuracy', operator: '=', value: 1 }, 'no column "testAcuracy"');
    await refused({ field: 'testAccuracy', operator: '>', value: 'high' }, 'holds numbers');
    await refused({ field: batch, operator: '=', value: true }, 'holds numbers');
    await refused({ field: 'tags', operator: '<', value: 'a' }, 'no order');
    await refused({ field: "recipe.a') OR 1=1 --", operator: '=', value: 1 }, 'not valid');
    await expect(client.call('runs.query', { sort: [{ field: 'number', isDescending: true }] })).rejects.toMatchObject({
      code: 'bad_input',
    });
    await expect(asked({ field: 'name', operator: '=', value: "' OR 1=1 --" })).resolves.toEqual({ total: 0, rows: [] });
    await expect(asked({ field: 'recipe.nothing.here', operator: '=', value: 1 })).resolves.toEqual({ total: 0, rows: [] });
    await expect(asked({ field: batch, operator: '>=', value: '16' })).resolves.toMatchObject({ total: (await all(client)).length });
  });
});

describe('a run in the history', () => {
  async function finished(client: Client): Promise<{ runId: string; since: number }> {
    const { runs, since } = await client.call('runs.create', { recipe: transferRecipe, settings: [script({})] });
    const ended = await eventsUntil(client, since, (event) => event.type === 'run.finished');
    return { runId: runs[0]?.runId ?? '', since: ended.at(-1)?.seq ?? 0 };
  }

  const eventsAfter = async (client: Client, since: number): Promise<LabEvent[]> => {
    // The edit of a mark is the last event.
    await client.call('runs.edit', { run: 'last', notes: 'mark' });
    return (await eventsUntil(client, since, (event) => event.type === 'run.edited' && event.notes === 'mark')).slice(0, -1);
  };

  test('has the figures that its phases say, from the first epoch on', async () => {
    const { client } = await openLab();
    const { runId } = await finished(client);
    const [row] = await all(client);
    expect(row).toMatchObject({
      runId,
      state: 'finished',
      datasetId: 'fashion-mnist',
      testAccuracy: 0.901,
      testLoss: 0.25,
      bestValidationAccuracy: 1 - 1 / 7,
      currentPhase: null,
      currentEpoch: 0,
      tags: [],
      notes: '',
      values: { [batch]: 128, [nesterov]: null },
    });
  });

  test('is edited with one event, and with none when nothing changes', async () => {
    const { client } = await openLab();
    const { runId, since } = await finished(client);
    const edited = { runId, name: 'Mine', notes: 'why', tags: ['a', 'b'] };
    await expect(client.call('runs.edit', { run: runId, name: ' Mine ', notes: 'why', tags: ['a', 'b', 'a'] })).resolves.toEqual(edited);
    await expect(client.call('runs.edit', { run: 'last', tags: ['a', 'b'] })).resolves.toEqual(edited);
    await expect(client.call('runs.edit', { run: runId, tags: [' '] })).rejects.toMatchObject({ code: 'bad_input' });
    expect(await client.call('runs.show', { run: runId })).toMatchObject({ name: 'Mine', notes: 'why', tags: ['a', 'b'] });
    expect(await eventsAfter(client, since)).toMatchObject([{ type: 'run.edited', ...edited }]);
  });

  test('goes to the archive and back, and leaves it when it trains again', async () => {
    const { client } = await openLab();
    const { runId, since } = await finished(client);
    const ids = async (view: 'active' | 'archived'): Promise<string[]> => (await all(client, { view })).map((row) => row.runId);
    await expect(client.call('runs.archive', { runs: [runId, 'last'] })).resolves.toEqual({ archived: [runId, runId] });
    await client.call('runs.archive', { runs: [runId] });
    expect([await ids('active'), await ids('archived')]).toEqual([[], [runId]]);
    await client.call('runs.unarchive', { runs: [runId] });
    await client.call('runs.unarchive', { runs: [runId] });
    expect([await ids('active'), await ids('archived')]).toEqual([[runId], []]);
    expect((await eventsAfter(client, since)).map((event) => event.type)).toEqual(['run.archived', 'run.unarchived']);
    const slow = await client.call('runs.create', { recipe: transferRecipe, settings: [script({ stepMs: 20 })] });
    const slowId = slow.runs[0]?.runId ?? '';
    await expect(client.call('runs.archive', { runs: [runId, slowId] })).rejects.toMatchObject({ code: 'conflict' });
    expect(await ids('archived')).toEqual([]);
    await client.call('runs.stop', { run: slowId });
    await client.call('runs.archive', { runs: [slowId] });
    await client.call('runs.resume', { run: slowId });
    expect(await ids('active')).toContain(slowId);
  });

  test('cannot be changed in the trash', async () => {
    const { client } = await openLab();
    const { runId } = await finished(client);
    await client.call('runs.delete', { runs: [runId] });
    const refused = { code: 'conflict', help: expect.stringContaining('runs restore') as string };
    await expect(client.call('runs.edit', { run: runId, name: 'x' })).rejects.toMatchObject(refused);
    await expect(client.call('runs.archive', { runs: [runId] })).rejects.toMatchObject(refused);
    await expect(client.call('runs.unarchive', { runs: [runId] })).rejects.toMatchObject(refused);
  });
});
