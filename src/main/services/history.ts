// The run history as a table: queries, columns, tags, notes, archive and curves. Training and the trash belong to runs.ts; the SQL of the
// table to db/runTable.ts.
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { RunFilter, RunRow } from '../../shared/contract/methods/runs.ts';
import { findNearest } from '../../shared/domain/nearest.ts';
import { restingStates } from '../../shared/domain/run.ts';
import type { RunStateName } from '../../shared/contract/answers.ts';
import type { EpochStore } from '../db/epochs.ts';
import type { PhaseStore } from '../db/phases.ts';
import type { RunStore, StoredRun } from '../db/runs.ts';
import { fixedKinds, type RunTable, type TableColumn, type TableFilter } from '../db/runTable.ts';
import type { EventService } from './events.ts';
import { requireKept, resolveRun } from './runReferences.ts';
import { readSeries } from './runSeries.ts';
import { toSummary } from './runViews.ts';

export interface HistoryService {
  query(query: HandlerInput<'runs.query'>): Answer<'runs.query'>;
  fields(): Answer<'runs.fields'>;
  tags(): Answer<'runs.tags'>;
  /** Gives way to other work between the pieces it reads. */
  series(request: HandlerInput<'runs.series'>): Promise<Answer<'runs.series'>>;
  edit(request: HandlerInput<'runs.edit'>): Answer<'runs.edit'>;
  archive(runs: readonly string[]): Answer<'runs.archive'>;
  unarchive(runs: readonly string[]): Answer<'runs.unarchive'>;
}

export interface HistorySurroundings {
  readonly runs: RunStore;
  readonly phases: PhaseStore;
  readonly epochs: EpochStore;
  readonly table: RunTable;
  readonly events: EventService;
}

export function createHistory(surroundings: HistorySurroundings): HistoryService {
  const { runs, events, table } = surroundings;
  return {
    query: (query) => readPage(query, surroundings),
    fields: () => ({ fields: table.listFields().map(({ path, kind }) => ({ field: `${recipePrefix}${path}`, kind })) }),
    tags: () => ({ tags: [...table.listTags()] }),
    series: (request) => readSeries(request, surroundings),
    edit: (request) => edit(request, surroundings),
    archive: (references) => {
      const found = references.map((reference) => resolveRun(runs, reference));
      found.forEach(requireKept);
      found.forEach(requireResting);
      for (const { runId } of found.filter(isFirst).filter((run) => run.archivedAt === null)) {
        events.commitRun({ type: 'run.archived', runId }, (at) => runs.update(runId, { archivedAt: at }));
      }
      return { archived: found.map((run) => run.runId) };
    },
    unarchive: (references) => {
      const found = references.map((reference) => resolveRun(runs, reference));
      found.forEach(requireKept);
      for (const { runId } of found.filter(isFirst).filter((run) => run.archivedAt !== null)) {
        events.commitRun({ type: 'run.unarchived', runId }, () => runs.update(runId, { archivedAt: null }));
      }
      return { unarchived: found.map((run) => run.runId) };
    },
  };
}

const recipePrefix = 'recipe.';
/** Pages of long notes would not fit a message. */
const longestNotes = 1000;

function readPage(query: HandlerInput<'runs.query'>, { runs, phases, table }: HistorySurroundings): Answer<'runs.query'> {
  const { view, text, offset, limit } = query;
  const filters = query.filters.map((filter) => toFilter(filter, table));
  const sort = query.sort.map(({ field, isDescending }) => ({ column: toColumn(field), isDescending }));
  const { total, runIds } = table.find({ view, text: text.trim(), filters, sort, offset, limit });
  const phasesOf = phases.listMany(runIds);
  const paths = query.columns.filter((field) => field.startsWith(recipePrefix)).map((field) => field.slice(recipePrefix.length));
  const valuesOf = paths.length === 0 ? new Map<string, never>() : table.readValues(paths, runIds);
  const rows = runs.findMany(runIds).map((run): RunRow => {
    const values = valuesOf.get(run.runId);
    return {
      ...toSummary(run, phasesOf.get(run.runId) ?? []),
      datasetId: run.datasetId,
      tags: [...run.tags],
      notes: run.notes.slice(0, longestNotes),
      archivedAt: run.archivedAt,
      trashedAt: run.trashedAt,
      testAccuracy: run.testAccuracy,
      testLoss: run.testLoss,
      bestValidationAccuracy: run.bestValidationAccuracy,
      currentPhase: run.currentPhase,
      currentEpoch: run.currentEpoch,
      plannedEpochs: (phasesOf.get(run.runId) ?? []).reduce((sum, phase) => sum + phase.plannedEpochs, 0),
      values: Object.fromEntries(paths.map((path) => [`${recipePrefix}${path}`, values?.get(path) ?? null])),
    };
  });
  return { total, rows };
}

function edit(request: HandlerInput<'runs.edit'>, { runs, events }: HistorySurroundings): Answer<'runs.edit'> {
  const run = resolveRun(runs, request.run);
  requireKept(run);
  const { runId } = run;
  const name = request.name ?? run.name;
  const notes = request.notes ?? run.notes;
  const tags = [...new Set(request.tags ?? run.tags)];
  const isChanged = name !== run.name || notes !== run.notes || JSON.stringify(tags) !== JSON.stringify(run.tags);
  if (isChanged) events.commitRun({ type: 'run.edited', runId, name, notes, tags }, () => runs.update(runId, { name, notes, tags }));
  return { runId, name, notes, tags };
}

function toColumn(field: string): TableColumn {
  if (field.startsWith(recipePrefix)) return { recipePath: field.slice(recipePrefix.length) };
  if (isFixed(field)) return { fixed: field };
  const known = Object.keys(fixedKinds);
  const near = findNearest(field, known);
  throw new LabError('bad_input', `Runs have no column ${JSON.stringify(field)}.`, {
    expected: `one of ${(near.length > 0 ? near : known).join(', ')}, or recipe. and the path of a setting`,
    help: 'Choose another column.',
  });
}

function isFixed(field: string): field is keyof typeof fixedKinds {
  return Object.hasOwn(fixedKinds, field);
}

/** A number typed as text is taken as a number where the column holds numbers. */
function toFilter({ field, operator, value }: RunFilter, table: RunTable): TableFilter {
  const column = toColumn(field);
  const kind = 'fixed' in column ? fixedKinds[column.fixed] : table.findField(column.recipePath)?.kind;
  if (kind === 'tags' && operator !== '=' && operator !== '!=' && operator !== 'contains') {
    throw new LabError('bad_input', 'Tags have no order.', {
      expected: '=, != or contains',
      received: operator,
      help: 'Ask whether a run has the tag.',
    });
  }
  if (operator === 'contains' || kind === undefined) return { column, operator, value };
  if (kind === 'number') {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof number === 'number' && !Number.isNaN(number)) return { column, operator, value: number };
    throw new LabError('bad_input', `The column ${field} holds numbers.`, {
      expected: 'a number',
      received: JSON.stringify(value),
      help: 'Compare it with a number.',
    });
  }
  return { column, operator, value: kind === 'boolean' || 'recipePath' in column ? value : String(value) };
}

function requireResting({ runId, state }: StoredRun): void {
  const resting: readonly RunStateName[] = restingStates;
  if (resting.includes(state)) return;
  throw new LabError('conflict', `The run ${runId} cannot be archived now.`, {
    expected: `a run that is ${restingStates.join(' or ')}`,
    received: `a run that is ${state}`,
    help: `Stop it first with \`lab stop ${runId}\`.`,
  });
}

/** A run that was named twice is changed once. */
function isFirst(run: StoredRun, position: number, all: readonly StoredRun[]): boolean {
  return all.findIndex((other) => other.runId === run.runId) === position;
}
