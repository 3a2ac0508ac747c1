/**
 * Reader for a CSV manifest: a header line with the columns path, label and optionally split (train or test); one picture per line.
 * Paths are relative to the CSV file and stay inside its folder. Class names are the distinct labels in alphabetical order.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { parse } from 'csv-parse';
import { LabError } from '../../shared/contract/errors.ts';
import { decodePictures, inspectPictures, PictureDigest, type PictureFile } from './pictureFiles.ts';
import { checkClassNames, type DatasetSource, type Rejection } from './reader.ts';
import { openRegular } from './sourceFile.ts';

const LARGEST_CSV_BYTES = 2 ** 30;
const LARGEST_LINE = 64 * 1024;
const LARGEST_ROWS = 2_000_000;
const LARGEST_CLASSES = 65_535;
/** Field counts are checked here, not by the parser, so that the header is judged first. */
const PARSING = { info: true, record_delimiter: ['\r\n', '\n', '\r'], relax_column_count: true };

export interface CsvOptions {
  /** Side length of the stored pictures; null demands equal sizes. */
  readonly size: number | null;
  readonly signal?: AbortSignal;
}

interface Row {
  readonly line: number;
  readonly path: string;
  readonly label: string;
  readonly part: 'train' | 'test';
}

/** Reads the table and all picture headers; throws `bad_input` with the line for what the table gets wrong. */
export async function readCsvManifest(path: string, { size, signal }: CsvOptions): Promise<DatasetSource> {
  const { rows, sha256 } = await readRows(path);
  const classes = [...new Set(rows.map((row) => row.label))].sort((a, b) => (a < b ? -1 : 1));
  checkClassNames(classes, path);
  if (classes.length < 2 || classes.length > LARGEST_CLASSES) {
    throw csvError(
      path,
      `${path} names ${classes.length} classes.`,
      `2 to ${LARGEST_CLASSES} different labels`,
      classes.slice(0, 3).join(', ') || 'no rows',
    );
  }
  const labels = new Map(classes.map((name, label) => [name, label]));
  const root = await realpath(dirname(path));
  const rejected: Rejection[] = [];
  const files: PictureFile[] = [];
  for (const row of [...rows.filter((row) => row.part === 'train'), ...rows.filter((row) => row.part === 'test')]) {
    const file = await confine(path, root, row);
    if (file === null)
      rejected.push({ file: row.path, reason: `Line ${row.line} names it. Expected an existing file; received nothing at this path.` });
    else files.push({ path: file, name: relative(root, file).split(sep).join('/'), label: labels.get(row.label) ?? 0, part: row.part });
  }
  const inspected = await inspectPictures(files, size, path, signal);
  inspected.rejected.push(...rejected);
  const digest = new PictureDigest();
  return {
    kind: 'csv',
    classes,
    shape: inspected.shape,
    origin: `CSV manifest ${basename(path)}`,
    licence: null,
    total: inspected.files.length,
    blocks: () => decodePictures(inspected, path, rows.length, digest),
    sources: () => [
      { file: basename(path), sha256 },
      { file: `pictures of ${basename(path)}`, sha256: digest.finish() },
    ],
    rejected: () => inspected.rejected,
  };
}

async function readRows(path: string): Promise<{ rows: Row[]; sha256: string }> {
  const handle = await openRegular(path);
  const { size } = await handle.stat();
  await handle.close();
  if (size > LARGEST_CSV_BYTES)
    throw csvError(path, `${path} is too large for a manifest.`, `at most ${LARGEST_CSV_BYTES} bytes`, `${size} bytes`);
  const hash = createHash('sha256');
  const parser = parse({ bom: true, skip_empty_lines: true, trim: true, max_record_size: LARGEST_LINE, ...PARSING });
  const stream = createReadStream(path);
  stream.on('data', (chunk) => hash.update(chunk));
  stream.on('error', (error) => parser.destroy(error));
  stream.pipe(parser);
  const rows: Row[] = [];
  let columns: Columns | null = null;
  try {
    for await (const item of parser) {
      const { line, fields } = asRecord(item);
      if (columns === null) columns = findColumns(path, fields);
      else rows.push(readRow(path, columns, line, fields));
      if (rows.length > LARGEST_ROWS) throw csvError(path, `${path} has too many lines.`, `at most ${LARGEST_ROWS}`, 'more');
    }
  } catch (error) {
    if (error instanceof LabError) throw error;
    throw csvError(path, `${path} is not a proper CSV file.`, 'lines of comma-separated fields', describe(error));
  } finally {
    stream.destroy();
  }
  if (columns === null) throw csvError(path, `${path} is empty.`, 'a header with the columns path and label', 'no line');
  return { rows, sha256: hash.digest('hex') };
}

interface Columns {
  readonly count: number;
  readonly path: number;
  readonly label: number;
  readonly split: number;
}

function findColumns(path: string, header: readonly string[]): Columns {
  const names = header.map((name) => name.toLowerCase());
  const columns = { count: names.length, path: names.indexOf('path'), label: names.indexOf('label'), split: names.indexOf('split') };
  const isKnown = names.every((name) => ['path', 'label', 'split'].includes(name)) && new Set(names).size === names.length;
  if (columns.path >= 0 && columns.label >= 0 && isKnown) return columns;
  throw csvError(
    path,
    `The header of ${path} is not that of a manifest.`,
    'the columns path, label and optionally split',
    header.join(', '),
  );
}

function readRow(path: string, columns: Columns, line: number, fields: readonly string[]): Row {
  if (fields.length !== columns.count) {
    throw csvError(
      path,
      `Line ${line} of ${path} has the wrong number of fields.`,
      `${columns.count} fields`,
      `${fields.length}: ${fields.slice(0, 5).join(',')}`,
    );
  }
  const [file, label, split] = [fields[columns.path] ?? '', fields[columns.label] ?? '', (fields[columns.split] ?? 'train').toLowerCase()];
  if (file === '' || label === '') throw csvError(path, `Line ${line} of ${path} is incomplete.`, 'a path and a label', fields.join(','));
  if (split !== 'train' && split !== 'test') throw csvError(path, `Line ${line} of ${path} has an unknown split.`, 'train or test', split);
  return { line, path: file, label, part: split };
}

/** The real path of a row's picture, null when there is none; throws when it leads out of the manifest's folder. */
async function confine(csv: string, root: string, row: Row): Promise<string | null> {
  const wanted = isAbsolute(row.path) ? row.path : resolve(root, row.path);
  let real: string;
  try {
    real = await realpath(wanted);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : null;
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      throw csvError(csv, `Line ${row.line} of ${csv} names a path that cannot be followed.`, 'a file', `${row.path} (${String(code)})`);
    real = '';
  }
  const isInside = (path: string): boolean => path.startsWith(root + sep);
  if (!isInside(real === '' ? resolve(wanted) : real)) {
    throw csvError(csv, `Line ${row.line} of ${csv} leads out of its folder.`, `a path inside ${root}`, row.path);
  }
  return real === '' ? null : real;
}

function asRecord(item: unknown): { line: number; fields: string[] } {
  if (typeof item === 'object' && item !== null && 'info' in item && 'record' in item && Array.isArray(item.record)) {
    const { info, record } = item;
    const line = typeof info === 'object' && info !== null && 'lines' in info ? Number(info.lines) : 0;
    return { line, fields: record.map(String) };
  }
  throw new LabError('internal', 'The CSV parser gave something that is not a record.');
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}

function csvError(path: string, message: string, expected: string, received: string): LabError {
  return new LabError('bad_input', message, { expected, received, help: `Correct ${basename(path)} and import it again.` });
}
