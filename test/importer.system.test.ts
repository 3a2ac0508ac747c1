import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, link, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openStore } from '../src/main/data/store.ts';
import { exitCodes, type Report, reportSchema } from '../src/shared/contract/worker.ts';
import { idxLabels, idxPictures, patternedPixels, putFiles, temporaryFolder } from './dataFiles.ts';

const root = join(import.meta.dirname, '..');
const pictures = join(import.meta.dirname, 'fixtures', 'data', 'pictures');

interface Importer {
  readonly child: ChildProcess;
  readonly reports: { report: Report; at: number }[];
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Resolves when the first picture is written. */
  readonly written: Promise<unknown>;
}

function startImporter(command: object): Importer {
  const child = fork(join(root, 'src', 'main', 'importer.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const reports: Importer['reports'] = [];
  const { promise: written, resolve } = Promise.withResolvers();
  child.on('message', (message) => {
    const report = reportSchema.parse(message);
    reports.push({ report, at: performance.now() });
    if (report.type === 'importProgress' && report.done > 0) resolve(report);
  });
  child.send(command);
  return {
    child,
    reports,
    written,
    ended: new Promise((end) => child.on('exit', (code, signal) => end({ code, signal }))),
  };
}

function importOf(paths: readonly string[], targetFolder: string): object {
  return { type: 'import', paths, kind: null, name: null, size: null, targetFolder };
}

/** Class folders with enough pictures to be stopped in the middle. */
async function manyPictures(folder: string): Promise<string> {
  const set = join(folder, 'set');
  const picture = join(folder, 'picture.png');
  await copyFile(join(pictures, 'colour.png'), picture);
  for (const name of ['cats', 'dogs']) {
    await mkdir(join(set, name), { recursive: true });
    for (let index = 0; index < 500; index++) await link(picture, join(set, name, `${index}.png`));
  }
  return set;
}

describe('the importer child', () => {
  test('imports, reports at most ten times a second and ends with 0', async () => {
    const folder = await temporaryFolder();
    const importer = startImporter(importOf([await manyPictures(folder)], join(folder, 'store')));
    expect(await importer.ended).toEqual({ code: exitCodes.done, signal: null });
    expect(importer.reports.at(-1)?.report).toEqual({ type: 'imported', rejected: [] });
    const progress = importer.reports.filter(({ report }) => report.type === 'importProgress');
    expect(progress[0]?.report).toMatchObject({ done: 0, total: 1000 });
    const [first, last] = [progress[0]?.at ?? 0, progress.at(-1)?.at ?? 0];
    expect(progress.length).toBeGreaterThan(1);
    expect(progress.length - 1).toBeLessThanOrEqual((last - first) / 95 + 1);
    expect(openStore(join(folder, 'store')).manifest.trainCount).toBe(1000);
  });

  test('materializes a bundled dataset', async () => {
    const folder = await temporaryFolder();
    const command = { type: 'materialize', id: 'mnist-10k', resourcesFolder: join(root, 'resources'), targetFolder: join(folder, 'store') };
    const importer = startImporter(command);
    expect(await importer.ended).toEqual({ code: exitCodes.done, signal: null });
    expect(openStore(join(folder, 'store')).manifest.id).toBe('mnist-10k');
  });

  test('bad input: a failed report with file, expected and received, its own exit code, nothing left', async () => {
    const folder = await temporaryFolder();
    const paths = await putFiles(folder, {
      images: idxPictures({ height: 2, width: 2, pixels: patternedPixels(16) }),
      labels: idxLabels([0, 1, 0]),
    });
    const importer = startImporter(importOf(paths, join(folder, 'store')));
    expect(await importer.ended).toEqual({ code: exitCodes.badInput, signal: null });
    expect(importer.reports.at(-1)?.report).toMatchObject({
      type: 'failed',
      error: { code: 'bad_input', message: expect.stringContaining('images') as unknown, received: '3 labels' },
    });
    expect(existsSync(join(folder, 'store'))).toBe(false);
  });

  test.each([
    ['SIGTERM', (child: ChildProcess): unknown => child.kill('SIGTERM')],
    ['a stop command', (child: ChildProcess): unknown => child.send({ type: 'stop' })],
    ['the end of its parent', (child: ChildProcess): unknown => child.disconnect()],
  ])('%s in the middle ends it and leaves nothing', async (_, stop) => {
    const folder = await temporaryFolder();
    const importer = startImporter(importOf([await manyPictures(folder)], join(folder, 'store')));
    await importer.written;
    expect(await readdir(join(folder, 'store'))).toContain('images.bin');
    stop(importer.child);
    expect(await importer.ended).toEqual({ code: exitCodes.stopped, signal: null });
    expect(existsSync(join(folder, 'store'))).toBe(false);
  });

  test('SIGTERM while there is nothing to do, and a command that is not for it', async () => {
    const idle = startImporter({ type: 'stop' });
    expect(await idle.ended).toEqual({ code: exitCodes.stopped, signal: null });
    const confused = startImporter({ type: 'selfTest' });
    expect(await confused.ended).toEqual({ code: exitCodes.failed, signal: null });
    expect(confused.reports.at(-1)?.report).toMatchObject({ type: 'failed', error: { code: 'bad_usage', received: 'selfTest' } });
  });

  test('a target folder that holds something is left alone', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'precious'), 'data');
    const importer = startImporter(importOf([join(root, 'resources', 'datasets', 'mnist-10k')], folder));
    expect(await importer.ended).toEqual({ code: exitCodes.failed, signal: null });
    expect(await readdir(folder)).toEqual(['precious']);
  });
});
