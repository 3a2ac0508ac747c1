// Reports from runs to bytes: the real report child, read back with poppler's tools and csv-parse.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import { comparisonSchema } from '../src/shared/contract/methods/comparison.ts';
import { exportAnswerSchema } from '../src/shared/contract/methods/reports.ts';
import type { PredictionLine, ReportEntry, ReportHead } from '../src/shared/contract/reportContent.ts';
import type { LayOutCommand, ReportedFile } from '../src/shared/contract/reporter.ts';
import { runIdSchema } from '../src/shared/contract/schema.ts';
import { createPhaseStore } from '../src/main/db/phases.ts';
import { encodeTensors } from '../src/main/engine/safetensors.ts';
import { makePrintable, readCoverage, requireGlyphs } from '../src/main/reporter/glyphs.ts';
import { openFonts } from '../src/main/reporter/fonts.ts';
import { askChild } from '../src/main/services/childAnswer.ts';
import { answerOf, errorOf, run } from './commandLine.ts';
import { eventsUntil, fakePrograms, makeFolder, openLab, transferRecipe, type Lab } from './lab.ts';

const require = createRequire(import.meta.url);

const hostileNames = [
  "=cmd|' /C calc'!A0",
  '+1+1',
  '-2',
  '@SUM(A1)',
  '\ttab',
  'say "hi", then\r\nleave; \'now\'',
  'שלום עולם and مرحبا',
  '\u202Egnp.exe',
  '漢字 and 👩‍🔬',
  '<b>x</b> & <script>alert(1)</script>',
  '{{{ {a|b} }}} %s ${x}',
  'averyverylongwordwithoutanyplacetobreak'.repeat(3),
];

interface Content {
  readonly head: ReportHead;
  readonly entries: readonly ReportEntry[];
}

function makeContent(names: readonly string[], classes = ['cat', 'dog']): Content {
  const metrics = { loss: 0.123456789, accuracy: 0.987654321 };
  const entries = names.map((label, index): ReportEntry => {
    const scores = { precision: 1 / 3, recall: 0.5, f1: 0.4, support: 4 };
    return {
      label,
      recipeTitle: label,
      document: '000',
      protocol: 'document',
      group: null,
      state: 'finished',
      createdAt: '2026-11-21T10:00:00.000Z',
      startedAt: '2026-11-21T10:00:00.000Z',
      endedAt: '2026-11-21T11:00:00.000Z',
      plannedEpochs: 3,
      stoppedBy: 'epochs',
      best: { epoch: 3, rule: 'last' },
      features: null,
      series: {
        epoch: [1, 2, 3],
        seconds: [1.1, 1.2, 0.1 + 0.2],
        learningRate: [1e-7, 1e-7, 1e-7],
        trainLoss: [2, 1, 0.5],
        trainAccuracy: [0.2, 0.5, 0.9],
        validationLoss: [1, null, 0.123456789],
        validationAccuracy: [0.5, null, 0.987654321],
      },
      result: {
        epoch: 3,
        rule: 'last',
        classes,
        confusion: [
          [2, 2],
          [1, 3],
        ],
        perClass: classes.map((name) => ({ name, ...scores })),
        averages: { micro: scores, macro: scores, weighted: scores },
        cohensKappa: 0.25,
        matthewsCorrelation: 0.26,
        fromPredictions: null,
      },
      resultNote: null,
      published: [{ phase: 'full', accuracy: 0.6614 }],
      dataset: { id: 'pets', fingerprint: 'f'.repeat(64) },
      split: { train: 80, validation: 8, test: 8, sha256: 'a'.repeat(64) },
      recipeSha256: `${index}`.repeat(64).slice(0, 64),
      versions: { app: '1.2.3', node: '24.0.0', tensorflow: '2.21.0', sqlite: '3.54.1' },
      machine: { host: 'h', platform: 'linux', cpu: { model: label, cores: 2, features: [] }, memoryBytes: 8e9 },
      device: 'CPU',
      build: 'cpu',
    };
  });
  const counts = {
    epoch: 3,
    epochs: 3,
    total: 1_234_567,
    trainable: 1_000_000,
    nonTrainable: 234_567,
    seconds: 151,
    secondsPerEpoch: 50.5,
  };
  const compared = names.map((name, phaseIndex) => ({
    runId: runIdSchema.parse('run-1234'),
    phase: name,
    phaseIndex,
    name,
    recipeId: 'pets-1',
    seed: 1,
    ...counts,
    train: metrics,
    validation: metrics,
    test: metrics,
    testNote: null,
    testSet: 'the same',
  }));
  const settings = [{ path: 'phase.batchSize', values: names.map((_, index) => index) }];
  const comparison = comparisonSchema.parse({ rule: 'last', base: 0, entries: compared, differences: settings, settings });
  return { head: { title: names[0] ?? '', asOf: '2026-11-21T11:00:00.000Z', comparison }, entries };
}

async function layOut(content: Content, lines: readonly PredictionLine[] = []): Promise<{ files: ReportedFile[]; folder: string }> {
  const folder = makeFolder();
  const contentFile = join(folder, 'content.jsonl');
  writeFileSync(contentFile, [content.head, ...content.entries].map((line) => JSON.stringify(line)).join('\n'));
  const predictionsFile = lines.length === 0 ? null : join(folder, 'predictions.jsonl');
  if (predictionsFile !== null) writeFileSync(predictionsFile, lines.map((line) => JSON.stringify(line)).join('\n'));
  const targetFolder = join(folder, 'files');
  mkdirSync(targetFolder);
  const command: LayOutCommand = { type: 'layOut', contentFile, predictionsFile, targetFolder, formats: ['pdf', 'csv'] };
  const { node, reporter: program } = fakePrograms;
  const { files } = await askChild({ node, program, command, answer: 'laidOut' }, new AbortController().signal);
  return { files, folder: targetFolder };
}

const textOf = (folder: string): string => execFileSync('pdftotext', ['-layout', join(folder, 'report.pdf'), '-'], { encoding: 'utf8' });
const readCsv = (folder: string, name: string): Record<string, string>[] =>
  parse(readFileSync(join(folder, name)), { columns: true, bom: true, relax_quotes: false, relax_column_count: false });

describe('the PDF', () => {
  test('says the figures as text, in embedded fonts, on numbered pages', async () => {
    const { folder, files } = await layOut(makeContent(['full', 'tuned']));
    expect(files.map(({ name }) => name)).toEqual(['report.pdf', 'runs.csv', 'epochs.csv', 'perClass.csv']);
    const text = textOf(folder);
    const figures = [
      '1,234,567',
      '1,000,000',
      '98.77 %',
      '0.1235',
      '2 min 31 s',
      '66.14 %',
      'phase.batchSize',
      'TensorFlow 2.21.0',
      'Predicted class',
    ];
    for (const figure of [...figures, 'f'.repeat(64), 'a'.repeat(64), '1'.repeat(64), '1 of ']) expect(text).toContain(figure);
    const [, , ...fonts] = execFileSync('pdffonts', [join(folder, 'report.pdf')], { encoding: 'utf8' })
      .trim()
      .split('\n');
    expect(fonts.length).toBeGreaterThanOrEqual(2);
    for (const font of fonts) expect(font).toMatch(/Roboto.* yes yes yes /);
    expect(execFileSync('pdfinfo', [join(folder, 'report.pdf')], { encoding: 'utf8' })).toMatch(
      /Title: +full\n[\s\S]*Page size: +595\.28 x 841\.89/,
    );
  });

  test('equal content gives equal bytes', async () => {
    const content = makeContent(['full', 'tuned']);
    const [first, second] = [await layOut(content), await layOut(content)];
    for (const { name } of first.files) {
      expect(readFileSync(join(first.folder, name)).equals(readFileSync(join(second.folder, name))), name).toBe(true);
    }
  });

  test('hostile names stay inside the page, and what the fonts do not have is written as numbers', async () => {
    const { folder } = await layOut(makeContent(hostileNames, ['漢', hostileNames[11] ?? '']));
    const text = textOf(folder);
    for (const seen of ['[U+6F22]', '[U+5E9]'.replace('5E9', '05E9'), '<script>alert(1)</script>', '=cmd|'])
      expect(text.replaceAll(/\s+/g, '')).toContain(seen);
    expect(text).not.toMatch(/[\u202E\u6F22\uFFFD]/);
    // Every word lies between the margins, which begin 40 points from the edges.
    const words = execFileSync('pdftotext', ['-bbox', join(folder, 'report.pdf'), '-'], { encoding: 'utf8' });
    const outside = Array.from(words.matchAll(/xMin="([\d.]+)" yMin="[\d.]+" xMax="([\d.]+)" yMax="[\d.]+">([^<]*)</g)).filter(
      ([, left, right]) => Number(left) < 38 || Number(right) > 595.28 - 38,
    );
    expect(outside.map(([, , , word]) => word)).toEqual([]);
  });

  test('a character without a glyph never reaches the page', () => {
    const { coverage, files } = openFonts();
    expect(makePrintable('Größe Ελλ Привет 漢\u202Eb\u0301', coverage)).toMatch(/^Größe Ελλ Привет \[U\+6F22\] b/);
    expect(() => requireGlyphs(['fine', 'a 漢'], coverage)).toThrow('The report holds a character that its fonts cannot show.');
    expect(() => requireGlyphs(['Größe − ± × … “x”'], coverage)).not.toThrow();
    // The character map against what pdfmake's own font library reads from the same file.
    const pdfkit = createRequire(require.resolve('pdfmake')).resolve('pdfkit');
    const fontkit = createRequire(pdfkit)('fontkit') as { openSync(file: string): { readonly characterSet: readonly number[] } };
    const known = new Set(fontkit.openSync(files[0] ?? '').characterSet);
    const covers = readCoverage(readFileSync(files[0] ?? ''));
    // U+FFFF only ends the last segment and is no character.
    const wrong = Array.from({ length: 0xffff }, (_, code) => code).filter((code) => covers(code) !== known.has(code));
    expect(wrong).toEqual([]);
  });
});

describe('the CSV files', () => {
  test('give back every number exactly', async () => {
    const content = makeContent(['full', 'tuned']);
    const line: PredictionLine = {
      entry: 1,
      position: 0,
      index: 7,
      label: 0,
      predicted: 1,
      confidence: 0.1 + 0.2,
      probabilities: [1e-9, 0.1 + 0.2],
    };
    const { folder } = await layOut(content, [line]);
    const [run] = readCsv(folder, 'runs.csv');
    expect(run).toMatchObject({
      entry: 'full',
      isBase: 'true',
      totalParameters: '1234567',
      testAccuracy: '0.987654321',
      featureSeconds: '',
      'setting phase.batchSize': '0',
    });
    const series = content.entries[0]?.series;
    const epochs = readCsv(folder, 'epochs.csv').slice(0, 3);
    expect(epochs.map(({ seconds }) => Number(seconds))).toEqual(series?.seconds);
    expect(epochs.map(({ validationLoss }) => (validationLoss === '' ? null : Number(validationLoss)))).toEqual(series?.validationLoss);
    expect(readCsv(folder, 'perClass.csv')[0]).toMatchObject({ class: 'cat', precision: String(1 / 3), pictures: '4' });
    expect(readCsv(folder, 'predictions.csv')).toEqual([
      expect.objectContaining({
        entry: 'tuned',
        picture: '7',
        class: 'cat',
        predictedClass: 'dog',
        isRight: 'false',
        confidence: String(0.1 + 0.2),
        probability0: '1e-9',
      }),
    ]);
  });

  test('keep hostile names whole, and no spreadsheet runs them', async () => {
    const { folder } = await layOut(makeContent(hostileNames));
    const bytes = readFileSync(join(folder, 'runs.csv'));
    expect([...bytes.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
    expect(bytes.toString('utf8').split('\r\n').length).toBeGreaterThan(hostileNames.length);
    const names = readCsv(folder, 'runs.csv').map(({ name }) => name ?? '');
    expect(names.map((name) => name.replace(/^'/, ''))).toEqual(hostileNames);
    for (const name of names) expect(name).not.toMatch(/^[=+\-@\t\r]/);
  });
});

/** A finished run of the pretended trainer whose first phase has predictions. */
async function finishedLab(name: string): Promise<{ lab: Lab; runId: string }> {
  const folder = makeFolder();
  const first = await openLab(folder);
  const created = await first.client.call('runs.create', { recipe: transferRecipe, name });
  await eventsUntil(first.client, created.since, (event) => event.type === 'run.finished');
  await first.close();
  const runId = created.runs[0]?.runId ?? '';
  const content = Buffer.concat(
    encodeTensors([
      { name: 'probabilities', shape: [2, 5], data: Float32Array.from([0.5, 0.125, 0.125, 0.125, 0.125, 0, 0, 0, 0, 1]) },
      { name: 'labels', shape: [2], data: Int32Array.from([0, 3]) },
    ]),
  );
  const split = Buffer.from(JSON.stringify({ train: [0], validation: [], test: [70, 71] }));
  const keep = (file: string, bytes: Buffer) => {
    writeFileSync(join(folder, 'runs', runId, file), bytes);
    return { file, sha256: createHash('sha256').update(bytes).digest('hex') };
  };
  const predictions = keep('predictions.safetensors', content);
  const database = new Database(join(folder, 'lab.sqlite'));
  const phases = createPhaseStore(database);
  const confusion = [0, 1, 2, 3, 4].map((row) =>
    [0, 1, 2, 3, 4].map((column) => Number((row === 0 && column === 0) || (row === 3 && column === 4))),
  );
  const kept = {
    best: { epoch: 5, rule: 'last' },
    test: { loss: 0.5, accuracy: 0.5 },
    weights: predictions,
    predictions,
    confusion,
  } as const;
  const times = { epochs: 5, seconds: 1, secondsPerEpoch: 0.2, stoppedBy: 'epochs' } as const;
  phases.finish(runId, { type: 'phaseFinished', phase: 0, ...times, ...kept, confusion: confusion.map((row) => [...row]) });
  phases.setSplit(runId, { phase: 0, train: 80, validation: 6, test: 2, ...keep('split.json', split) });
  database.close();
  return { lab: await openLab(folder), runId };
}

describe('reports of the core', () => {
  test('are kept, listed, found by exact names, survive a restart and go', async () => {
    const { lab, runId } = await finishedLab('=HYPERLINK("x")');
    const entries = [
      { run: 'last', phase: 0 },
      { run: runId, phase: 1 },
    ];
    const report = await lab.client.call('reports.create', { entries, title: 'Two phases' });
    expect(report.files.map(({ kind, format }) => [kind, format])).toEqual([
      ['report', 'pdf'],
      ['runs', 'csv'],
      ['epochs', 'csv'],
      ['perClass', 'csv'],
      ['predictions', 'csv'],
    ]);
    const folder = join(lab.folder, 'reports', report.reportId);
    expect(textOf(folder)).toContain('Two phases');
    expect(readCsv(folder, 'predictions.csv').map(({ picture, confidence }) => [picture, confidence])).toEqual([
      ['70', '0.5'],
      ['71', '1'],
    ]);
    expect(readCsv(folder, 'runs.csv').map(({ name }) => name)).toEqual(['\'=HYPERLINK("x")', '\'=HYPERLINK("x")']);
    expect(readdirSync(join(lab.folder, 'reports'))).toEqual([report.reportId]);
    await lab.close();
    mkdirSync(join(lab.folder, 'reports', '.new-1-1'));
    mkdirSync(join(lab.folder, 'reports', 'damaged'));
    const again = await openLab(lab.folder);
    expect(existsSync(join(lab.folder, 'reports', '.new-1-1'))).toBe(false);
    expect((await again.client.call('reports.list', {})).reports).toEqual([report]);
    const fetch = (name: string) =>
      again.core.assets.respond({ method: 'GET', path: `/report/${report.reportId}/${name}`, body: null }, new AbortController().signal);
    expect((await fetch('report.pdf')).status).toBe(200);
    for (const name of ['report.json', '..%2freport.pdf', 'REPORT.PDF']) expect((await fetch(name)).status).toBe(404);
    await again.client.call('reports.remove', { reportId: report.reportId });
    expect(existsSync(folder)).toBe(false);
    await expect(again.client.call('reports.remove', { reportId: report.reportId })).rejects.toMatchObject({ code: 'not_found' });
    const told = await eventsUntil(again.client, 0, (event) => event.type === 'report.removed');
    expect(told.filter(({ type }) => type.startsWith('report.')).map(({ type }) => type)).toEqual(['report.created', 'report.removed']);
  });

  test('say what is missing when predictions are damaged, and leave nothing when they are cancelled', async () => {
    const { lab, runId } = await finishedLab('Run');
    writeFileSync(join(lab.folder, 'runs', runId, 'predictions.safetensors'), 'broken');
    const entries = [{ run: runId, phase: 0 }];
    const report = await lab.client.call('reports.create', { entries, formats: ['pdf'] });
    expect(textOf(join(lab.folder, 'reports', report.reportId))).toContain('The predictions cannot be read.');
    const cancel = new AbortController();
    const cancelled = lab.client.call('reports.create', { entries }, { signal: cancel.signal });
    setTimeout(() => cancel.abort(), 150);
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    await expect.poll(() => readdirSync(join(lab.folder, 'reports')), { timeout: 10_000 }).toEqual([report.reportId]);
  });
});

test('compare and export of the command line', async () => {
  const { lab, runId } = await finishedLab('Run');
  await lab.close();
  const line = [`${runId}:full`, 'last:2'];
  const comparison = await answerOf(comparisonSchema, lab.folder, 'compare', ...line, '--base', 'last', '--rule', 'best-val-accuracy');
  expect(comparison).toMatchObject({ rule: 'best-val-accuracy', base: 1 });
  expect(comparison.entries.map(({ phase, epoch, total, trainable }) => [phase, epoch, total, trainable])).toEqual([
    ['full', 5, 600_165, 600_165],
    ['tuned', 5, 600_165, 590_597],
  ]);
  expect(comparison.differences).toContainEqual({ path: 'phase.trainable.type', values: ['all', 'freezeUpTo'] });
  expect((await run(lab.folder, 'compare', ...line)).output).toMatch(/:full +5 of 5 +600,165 +600,165[\s\S]*Different settings/);
  const wrong = await errorOf(lab.folder, 'compare', `${runId}:fall`);
  expect(wrong).toMatchObject({ code: 2, error: { code: 'not_found', help: `Did you mean ${runId}:full?` } });
  const target = join(makeFolder(), 'new', 'report');
  const { files } = await answerOf(exportAnswerSchema, lab.folder, 'export', ...line, '--out', target, '--formats', 'csv', '--title', 'T');
  expect(files.map(({ kind, path }) => [kind, path])).toEqual([
    ['runs', join(target, 'runs.csv')],
    ['epochs', join(target, 'epochs.csv')],
    ['perClass', join(target, 'perClass.csv')],
    ['predictions', join(target, 'predictions.csv')],
  ]);
  const before = readFileSync(join(target, 'runs.csv'));
  const refused = await errorOf(lab.folder, 'export', ...line, '--out', target);
  expect(refused).toMatchObject({ code: 2, error: { code: 'conflict' } });
  expect(existsSync(join(target, 'report.pdf'))).toBe(false);
  expect(readFileSync(join(target, 'runs.csv')).equals(before)).toBe(true);
});
