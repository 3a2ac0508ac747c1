// From a report's content to its files. The PDF and the CSV files say the same; the CSV files hold the numbers unrounded.
import { createReadStream, createWriteStream } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import {
  predictionLineSchema,
  reportEntrySchema,
  reportHeadSchema,
  type ReportContent,
  type ReportEntry,
} from '../../shared/contract/reportContent.ts';
import type { LayOutCommand, ReportedFile } from '../../shared/contract/reporter.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { validate } from '../../shared/contract/validation.ts';
import { formatCsv, openCsv, type Row } from './csv.ts';
import { layOutDocument } from './document.ts';
import { epochsTable, perClassTable, predictionColumns, predictionRow, runsTable, type CsvTable } from './tables.ts';

/** Writes the files into the target folder, which must exist; tables without rows are left out. */
export async function layOut(command: LayOutCommand): Promise<ReportedFile[]> {
  const { contentFile, predictionsFile, targetFolder, formats } = command;
  const content = await readContent(contentFile);
  const files: Omit<ReportedFile, 'bytes'>[] = [];
  if (formats.includes('pdf')) {
    await writeFile(join(targetFolder, 'report.pdf'), await layOutDocument(content), { flush: true });
    files.push({ kind: 'report', format: 'pdf', name: 'report.pdf' });
  }
  if (formats.includes('csv')) files.push(...(await writeTables(content, predictionsFile, targetFolder)));
  return Promise.all(files.map(async (file) => ({ ...file, bytes: (await stat(join(targetFolder, file.name))).size })));
}

async function writeTables(content: ReportContent, predictionsFile: string | null, folder: string): Promise<Omit<ReportedFile, 'bytes'>[]> {
  const tables: [ReportedFile['kind'], CsvTable][] = [
    ['runs', runsTable(content)],
    ['epochs', epochsTable(content)],
    ['perClass', perClassTable(content)],
  ];
  const files: Omit<ReportedFile, 'bytes'>[] = [];
  for (const [kind, { columns, rows }] of tables) {
    if (rows.length === 0) continue;
    const name = `${kind}.csv`;
    await writeFile(join(folder, name), formatCsv(columns, rows), { flush: true });
    files.push({ kind, format: 'csv', name });
  }
  if (predictionsFile === null) return files;
  const csv = openCsv(predictionColumns(content));
  await pipeline(readPredictions(content, predictionsFile), csv, createWriteStream(join(folder, 'predictions.csv'), { flush: true }));
  return [...files, { kind: 'predictions', format: 'csv', name: 'predictions.csv' }];
}

async function readContent(file: string): Promise<ReportContent> {
  let head: ReportContent | undefined;
  const entries: ReportEntry[] = [];
  for await (const line of readLines(file)) {
    if (head === undefined) head = { ...validate(reportHeadSchema, line, file, { code: 'internal' }), entries };
    else entries.push(validate(reportEntrySchema, line, file, { code: 'internal' }));
  }
  if (head !== undefined && entries.length === head.comparison.entries.length) return head;
  throw new LabError('internal', 'The content of the report is not complete.', { received: `${entries.length} entries in ${file}` });
}

async function* readPredictions(content: ReportContent, file: string): AsyncGenerator<Row> {
  for await (const line of readLines(file)) {
    yield predictionRow(content, validate(predictionLineSchema, line, file, { code: 'internal' }));
  }
}

async function* readLines(file: string): AsyncGenerator {
  for await (const line of createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity })) {
    if (line !== '') yield JSON.parse(line);
  }
}
