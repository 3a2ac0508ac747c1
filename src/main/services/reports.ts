// Reports of comparisons: collects the content, hands it to the report child, keeps the files in the workspace or puts them into a folder.
// A report appears only when it is complete: the child fills a temporary folder, which is renamed into place.
import { constants, createWriteStream, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { randomInt } from 'node:crypto';
import { isAbsolute, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { reportSummarySchema, type ReportSummary } from '../../shared/contract/methods/reports.ts';
import type { ReportedFile } from '../../shared/contract/reporter.ts';
import type { EpochStore } from '../db/epochs.ts';
import { syncFolder, writeAtomically, type WorkspacePlaces } from '../db/workspace.ts';
import { askChild } from './childAnswer.ts';
import type { ComparisonService, ResolvedEntry } from './comparison.ts';
import type { EventService } from './events.ts';
import { describeEntries, describeHead, listPredictions } from './reportContent.ts';
import type { ResultsService } from './results.ts';
import type { ChildPrograms } from './supervisor.ts';

export interface ReportsService {
  create(request: HandlerInput<'reports.create'>, signal: AbortSignal): Promise<Answer<'reports.create'>>;
  /** Newest first. */
  list(): Answer<'reports.list'>;
  remove(reportId: string): Promise<Answer<'reports.remove'>>;
  exportTo(request: HandlerInput<'reports.export'>, signal: AbortSignal): Promise<Answer<'reports.export'>>;
  /** The path of a kept file; undefined for every name that the report does not have exactly. */
  findFile(reportId: string, name: string): { readonly file: string } | undefined;
}

export interface ReportsSurroundings {
  readonly places: WorkspacePlaces;
  readonly programs: ChildPrograms;
  readonly comparison: ComparisonService;
  readonly results: ResultsService;
  readonly epochs: EpochStore;
  readonly events: EventService;
}

type Request = HandlerInput<'reports.create'>;

const manifestName = 'report.json';
/** What a report can consist of. */
const fileNames = { pdf: ['report.pdf'], csv: ['runs.csv', 'epochs.csv', 'perClass.csv', 'predictions.csv'] } as const;

export function createReports(surroundings: ReportsSurroundings): ReportsService {
  return new Reports(surroundings);
}

class Reports implements ReportsService {
  readonly #around: ReportsSurroundings;
  readonly #kept: Map<string, ReportSummary>;
  #lastTemporary = 0;

  constructor(surroundings: ReportsSurroundings) {
    this.#around = surroundings;
    const folder = surroundings.places.reports;
    // What an earlier process did not finish is worth nothing.
    for (const name of readdirSync(folder)) if (name.startsWith('.')) rmSync(join(folder, name), { recursive: true, force: true });
    this.#kept = new Map(readdirSync(folder).flatMap((name) => readManifest(join(folder, name), name)));
  }

  create(request: Request, signal: AbortSignal): Promise<Answer<'reports.create'>> {
    const { places, events } = this.#around;
    return this.#inTemporary(async (folder) => {
      const { files, entries } = await this.#layOut(request, folder, signal);
      const createdAt = new Date().toISOString();
      const reportId = drawReportId(createdAt);
      const named = entries.map(({ run, phase }) => ({ runId: run.runId, phase: phase.name, name: run.name }));
      const summary: ReportSummary = { reportId, title: request.title, createdAt, entries: named, files };
      writeAtomically(join(folder, 'files', manifestName), `${JSON.stringify(summary, null, 2)}\n`);
      renameSync(join(folder, 'files'), join(places.reports, reportId));
      syncFolder(places.reports);
      this.#kept.set(reportId, summary);
      events.commitLab({ type: 'report.created', reportId });
      return summary;
    });
  }

  list(): Answer<'reports.list'> {
    return { reports: [...this.#kept.values()].sort((a, b) => b.createdAt.localeCompare(a.createdAt)) };
  }

  async remove(reportId: string): Promise<Answer<'reports.remove'>> {
    const { places, events } = this.#around;
    if (!this.#kept.has(reportId)) {
      throw new LabError('not_found', `There is no report ${JSON.stringify(reportId)}.`, {
        help: 'The list of reports shows all of them.',
      });
    }
    this.#kept.delete(reportId);
    const leaving = this.#temporaryFolder();
    renameSync(join(places.reports, reportId), leaving);
    events.commitLab({ type: 'report.removed', reportId });
    await rm(leaving, { recursive: true, force: true });
    return {};
  }

  exportTo(request: HandlerInput<'reports.export'>, signal: AbortSignal): Promise<Answer<'reports.export'>> {
    const { folder: target } = request;
    if (!isAbsolute(target)) {
      throw new LabError('bad_usage', 'The folder for the files is not a whole path.', { received: target, help: 'Give a whole path.' });
    }
    requireFree(target, request.formats);
    return this.#inTemporary(async (folder) => {
      const { files } = await this.#layOut(request, folder, signal);
      await mkdir(target, { recursive: true });
      const copied: string[] = [];
      try {
        for (const { name } of files) {
          await copyFile(join(folder, 'files', name), join(target, name), constants.COPYFILE_EXCL);
          copied.push(join(target, name));
        }
      } catch (error) {
        for (const path of copied) await rm(path, { force: true });
        throw error;
      }
      return { files: files.map(({ kind, format, name, bytes }) => ({ kind, format, path: join(target, name), bytes })) };
    });
  }

  findFile(reportId: string, name: string): { readonly file: string } | undefined {
    const known = this.#kept.get(reportId)?.files.some((file) => file.name === name) ?? false;
    return known ? { file: join(this.#around.places.reports, reportId, name) } : undefined;
  }

  /** Leaves the files in `files` of the folder; an aborted signal ends the child at once. */
  async #layOut(
    request: Request,
    folder: string,
    signal: AbortSignal,
  ): Promise<{ files: ReportedFile[]; entries: readonly ResolvedEntry[] }> {
    const { comparison, epochs, results, programs } = this.#around;
    const entries = comparison.resolve(request.entries);
    const head = describeHead(request.title, comparison.show(request), entries);
    const sources = { epochs, results };
    const targetFolder = join(folder, 'files');
    await mkdir(targetFolder, { recursive: true });
    const contentFile = join(folder, 'content.jsonl');
    await writeLines(contentFile, prepend(head, describeEntries(entries, sources, signal)));
    const hasPredictions = request.formats.includes('csv') && entries.some(({ phase }) => phase.predictions !== null);
    const predictionsFile = hasPredictions ? join(folder, 'predictions.jsonl') : null;
    if (predictionsFile !== null) await writeLines(predictionsFile, listPredictions(entries, sources, signal));
    const command = { type: 'layOut', contentFile, predictionsFile, targetFolder, formats: request.formats } as const;
    const { files } = await askChild({ node: programs.node, program: programs.reporter, command, answer: 'laidOut' }, signal);
    return { files, entries };
  }

  async #inTemporary<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
    const folder = this.#temporaryFolder();
    try {
      return await work(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  #temporaryFolder(): string {
    this.#lastTemporary += 1;
    return join(this.#around.places.reports, `.new-${process.pid}-${this.#lastTemporary}`);
  }
}

/** Nothing for a folder that holds no report: a damaged one hides only itself. */
function readManifest(folder: string, name: string): [string, ReportSummary][] {
  try {
    const parsed = reportSummarySchema.safeParse(JSON.parse(readFileSync(join(folder, manifestName), 'utf8')));
    return parsed.success && parsed.data.reportId === name ? [[name, parsed.data]] : [];
  } catch {
    return [];
  }
}

async function* prepend<First, Rest>(first: First, rest: AsyncIterable<Rest>): AsyncGenerator<First | Rest> {
  yield first;
  yield* rest;
}

async function writeLines(file: string, values: AsyncIterable<unknown>): Promise<void> {
  const lines = async function* (): AsyncGenerator<string> {
    for await (const value of values) yield `${JSON.stringify(value)}\n`;
  };
  await pipeline(Readable.from(lines()), createWriteStream(file));
}

/** Asked before the work begins; a file that appears meanwhile is not overwritten either. */
function requireFree(folder: string, formats: Request['formats']): void {
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory()) {
    throw new LabError('bad_usage', `${folder} is a file.`, { expected: 'a folder for the files', help: 'Choose another name.' });
  }
  const present = formats.flatMap((format) => fileNames[format]).filter((name) => existsSync(join(folder, name)));
  if (present.length === 0) return;
  throw new LabError('conflict', `The folder ${folder} holds files with the names of the report already.`, {
    expected: 'a folder without them',
    received: present.join(', '),
    help: 'Choose another folder, or move these files away: nothing is overwritten.',
  });
}

function drawReportId(createdAt: string): string {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  const tail = Array.from({ length: 8 }, () => letters[randomInt(letters.length)]).join('');
  return `r${createdAt.slice(2, 10).replaceAll('-', '')}-${tail}`;
}
