import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { importDataset, type ImportResult } from '../src/main/data/importDataset.ts';
import { openStore } from '../src/main/data/store.ts';
import { expectLabError, temporaryFolder } from './dataFiles.ts';

const pictures = join(import.meta.dirname, 'fixtures', 'data', 'pictures');

async function manifest(folder: string, text: string): Promise<string> {
  await mkdir(join(folder, 'set', 'pictures'), { recursive: true });
  for (const name of ['colour.png', 'colour.bmp', 'alpha.png', 'gray.png', 'text.png']) {
    await cp(join(pictures, name), join(folder, 'set', 'pictures', name));
  }
  await writeFile(join(folder, 'set', 'list.csv'), text);
  return join(folder, 'set', 'list.csv');
}

function importCsv(path: string, targetFolder: string): Promise<ImportResult> {
  return importDataset({ paths: [path], kind: null, name: null, size: null, targetFolder });
}

describe('a CSV manifest becomes a store', () => {
  test('columns in any order, byte order mark, quotes, both line ends, relative and absolute paths, split', async () => {
    const folder = await temporaryFolder();
    const inside = join(folder, 'set', 'pictures', 'alpha.png');
    const text = `\uFEFFLabel,Path,split\r\n"one, two",pictures/gray.png,test\n"b ""quoted""",pictures/colour.png,train\r\n\n"one, two",${inside},TRAIN`;
    const { rejected } = await importCsv(await manifest(folder, text), join(folder, 'store'));
    expect(rejected).toEqual([]);
    const store = openStore(join(folder, 'store'));
    expect(store.manifest).toMatchObject({
      kind: 'csv',
      id: 'list',
      classes: ['b "quoted"', 'one, two'],
      trainCount: 2,
      testCount: 1,
      shape: [6, 8, 3],
    });
    expect([...store.readLabels()]).toEqual([0, 1, 1]);
    expect(store.manifest.sources.map((source) => source.file)).toEqual(['list.csv', 'pictures of list.csv']);
  });

  test('a folder stands for the one manifest in it', async () => {
    const folder = await temporaryFolder();
    await manifest(folder, 'label,path\na,pictures/colour.png\nb,pictures/alpha.png\n');
    const { manifest: written } = await importDataset({
      paths: [join(folder, 'set')],
      kind: 'csv',
      name: null,
      size: null,
      targetFolder: join(folder, 'store'),
    });
    expect(written).toMatchObject({ kind: 'csv', id: 'set', trainCount: 2 });
    await writeFile(join(folder, 'set', 'other.csv'), '');
    const again = importDataset({ paths: [join(folder, 'set')], kind: 'csv', name: null, size: null, targetFolder: join(folder, 'again') });
    await expectLabError(again, {
      code: 'bad_input',
      message: /does not hold one CSV manifest/,
      expected: /one file/,
      received: /list.csv, other.csv|other.csv, list.csv/,
    });
  });

  test('a row without a file and a row with text are listed with the line', async () => {
    const folder = await temporaryFolder();
    const rows = ['a,colour.png', 'b,colour.bmp', 'a,alpha.png', 'b,gray.png', 'a,colour.bmp', 'a,gone.png', 'b,text.png'];
    const text = `label,path\n${rows.map((row) => row.replace(',', ',pictures/')).join('\n')}\n`;
    const { rejected, manifest: written } = await importCsv(await manifest(folder, text), join(folder, 'store'));
    expect(written.trainCount).toBe(5);
    expect(rejected.map(({ file }) => file).toSorted()).toEqual(['pictures/gone.png', 'pictures/text.png']);
    expect(rejected.find(({ file }) => file.includes('gone'))?.reason).toMatch(/Line 7/);
  });
});

describe('bad manifests are refused and leave nothing', () => {
  const two = 'a,pictures/colour.png\nb,pictures/colour.bmp\n';
  const cases: { name: string; text: string; message: RegExp; expected: RegExp; received: RegExp }[] = [
    { name: 'an empty file', text: '', message: /list\.csv is empty/, expected: /path and label/, received: /no line/ },
    { name: 'no header', text: two, message: /header of .*list\.csv/, expected: /path, label/, received: /a, pictures/ },
    { name: 'a strange column', text: `label,path,weight\n${two}`, message: /header/, expected: /path, label/, received: /weight/ },
    { name: 'the same column twice', text: `label,path,path\n${two}`, message: /header/, expected: /path, label/, received: /path, path/ },
    {
      name: 'a row that is too long',
      text: `label,path\n${two}a,b,c\n`,
      message: /Line 4 of .*list\.csv/,
      expected: /2 fields/,
      received: /3: a,b,c/,
    },
    {
      name: 'an open quote',
      text: `label,path\n${two}a,"b\n`,
      message: /list\.csv is not a proper CSV/,
      expected: /fields/,
      received: /[Qq]uote/,
    },
    {
      name: 'an endless line',
      text: `label,path\n${two}a,${'x'.repeat(200_000)}\n`,
      message: /list\.csv is not a proper CSV/,
      expected: /fields/,
      received: /[Rr]ecord.*65536/,
    },
    {
      name: 'an empty label',
      text: `label,path\n${two},pictures/alpha.png\n`,
      message: /Line 4 of .*list\.csv/,
      expected: /path and a label/,
      received: /alpha/,
    },
    {
      name: 'an unknown split',
      text: `label,path,split\na,pictures/colour.png,dev\n`,
      message: /Line 2/,
      expected: /train or test/,
      received: /dev/,
    },
    {
      name: 'one label',
      text: `label,path\na,pictures/colour.png\n`,
      message: /list\.csv names 1 classes/,
      expected: /2 to/,
      received: /a/,
    },
    {
      name: 'labels that look equal',
      text: `label,path\na,pictures/colour.png\nA,pictures/colour.bmp\n`,
      message: /look equal/,
      expected: /differ/,
      received: /"A" and "a"/,
    },
    {
      name: 'a path that leads out',
      text: `label,path\n${two}a,../../etc/passwd\n`,
      message: /Line 4 of .*list\.csv leads out/,
      expected: /inside/,
      received: /passwd/,
    },
    {
      name: 'an absolute path outside',
      text: `label,path\n${two}a,/etc/passwd\n`,
      message: /Line 4/,
      expected: /inside/,
      received: /passwd/,
    },
    {
      name: 'a class with no usable picture',
      text: `label,path\n${two}c,pictures/text.png\n`,
      message: /list\.csv|CSV/,
      expected: /each with/,
      received: /"c"/,
    },
  ];
  test.each(cases)('$name', async ({ text, ...error }) => {
    const folder = await temporaryFolder();
    const path = await manifest(folder, text);
    await expectLabError(importCsv(path, join(folder, 'store')), { code: 'bad_input', ...error }, join(folder, 'store'));
  });

  test('a link that leads out and a loop', async () => {
    const folder = await temporaryFolder();
    const path = await manifest(folder, `label,path\n${two}a,pictures/out.png\n`);
    const link = join(folder, 'set', 'pictures', 'out.png');
    await symlink(join(pictures, 'colour.png'), link);
    await expectLabError(
      importCsv(path, join(folder, 'store')),
      { code: 'bad_input', message: /Line 4/, expected: /inside/, received: /out\.png/ },
      join(folder, 'store'),
    );
    await manifest(folder, `label,path\n${two}a,pictures/loop.png\n`);
    await symlink('loop.png', join(folder, 'set', 'pictures', 'loop.png'));
    await expectLabError(
      importCsv(path, join(folder, 'store')),
      { code: 'bad_input', message: /Line 4/, expected: /a file/, received: /loop\.png \(ELOOP\)/ },
      join(folder, 'store'),
    );
  });
});
