// Folders to browse, tokens and the names of uploads. Paths that leave a place must never be shown and never be resolved.
import fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { placesOf } from '../src/main/db/workspace.ts';
import { createFiles, type FilesService } from '../src/main/services/files.ts';
import { createFileTokens } from '../src/main/services/fileTokens.ts';
import type { HostFeatures } from '../src/main/services/host.ts';
import { createUploadNames } from '../src/main/services/uploadNames.ts';
import { makeFolder, openLab } from './lab.ts';

interface Ground {
  readonly home: string;
  readonly outside: string;
  readonly files: FilesService;
}

/** A place with a folder and files in it, and a folder outside with a secret. */
function makeGround(host: Partial<HostFeatures> = {}): Ground {
  const root = realpathSync(makeFolder());
  const home = join(root, 'home');
  const outside = join(root, 'home-of-another');
  for (const folder of [join(home, 'pictures'), join(home, '.hidden'), outside]) mkdirSync(folder, { recursive: true });
  for (const name of ['a10.png', 'A2.png', 'a1.png', '.secret']) writeFileSync(join(home, name), name);
  writeFileSync(join(home, 'pictures', 'cat.png'), 'cat');
  writeFileSync(join(outside, 'secret'), 'secret');
  return { home, outside, files: createFiles({ places: placesOf(join(root, 'lab')), host: { browsableFolders: [home], ...host } }) };
}

function firstToken(files: FilesService): string {
  return files.places().places[0]?.token ?? '';
}

async function listed(files: FilesService, token = firstToken(files)) {
  const { entries } = await files.browse({ token, offset: 0, limit: 1000 });
  return new Map(entries.map((entry) => [entry.name, entry]));
}

async function tokenOf(files: FilesService, name: string): Promise<string> {
  return (await listed(files)).get(name)?.token ?? '';
}

describe('browsing', () => {
  test('shows folders first, then files in natural order, and nothing hidden', async () => {
    const { home, files } = makeGround();
    expect(files.places().places).toMatchObject([{ name: home, kind: 'folder', bytes: null }]);
    const { trail, total, entries } = await files.browse({ token: firstToken(files), offset: 0, limit: 10 });
    expect(trail.map(({ name }) => name)).toEqual([home]);
    expect(entries.map(({ name, kind, bytes }) => ({ name, kind, bytes }))).toEqual([
      { name: 'pictures', kind: 'folder', bytes: null },
      { name: 'a1.png', kind: 'file', bytes: 6 },
      { name: 'A2.png', kind: 'file', bytes: 6 },
      { name: 'a10.png', kind: 'file', bytes: 7 },
    ]);
    expect(total).toBe(4);
    for (const entry of entries) expect(files.resolve(entry.token)).toBe(join(home, entry.name));
  });

  test('shows the way from the place, and tokens stay the same', async () => {
    const { home, files } = makeGround();
    const inside = await files.browse({ token: await tokenOf(files, 'pictures'), offset: 0, limit: 10 });
    expect(inside.trail.map(({ name }) => name)).toEqual([home, 'pictures']);
    expect(inside.trail.map(({ token }) => token)).toEqual([firstToken(files), await tokenOf(files, 'pictures')]);
  });

  test('a folder of thousands is paged in order', async () => {
    const { home, files } = makeGround();
    const folder = join(home, 'many');
    mkdirSync(folder);
    for (let index = 0; index < 5000; index += 1) writeFileSync(join(folder, `picture ${index}.png`), '');
    const token = await tokenOf(files, 'many');
    const names: string[] = [];
    for (let offset = 0; offset < 5000; offset += 1000) {
      const { total, entries } = await files.browse({ token, offset, limit: 1000 });
      expect(total).toBe(5000);
      names.push(...entries.map(({ name }) => name));
    }
    expect(names).toEqual(Array.from({ length: 5000 }, (_, index) => `picture ${index}.png`));
  });

  test('leaves out links that lead outside, broken links, loops and what is no file', async () => {
    const { home, outside, files } = makeGround();
    for (const [name, target] of [
      ['to-folder', outside],
      ['to-file', join(outside, 'secret')],
      ['to-parent', '..'],
      ['to-root', '/'],
      ['broken', join(home, 'nothing')],
      ['loop', join(home, 'loop')],
      ['within', join(home, 'pictures')],
    ]) {
      symlinkSync(target ?? '', join(home, name ?? ''));
    }
    execFileSync('mkfifo', [join(home, 'pipe')]);
    expect([...(await listed(files)).keys()]).toEqual(['pictures', 'within', 'a1.png', 'A2.png', 'a10.png']);
    expect((await files.browse({ token: firstToken(files), offset: 0, limit: 1 })).total).toBe(5);
    expect(files.resolve(await tokenOf(files, 'within'))).toBe(join(home, 'pictures'));
  });

  test('a place may itself be a link, and a place inside a place begins at the outer one', async () => {
    const { home } = makeGround();
    const link = `${home}-link`;
    symlinkSync(home, link);
    const host = { browsableFolders: [link, join(home, 'pictures'), join(home, 'nothing')] };
    const files = createFiles({ places: placesOf(home), host });
    expect(files.places().places.map(({ name }) => name)).toEqual([home, join(home, 'pictures')]);
    const inner = files.places().places[1]?.token ?? '';
    expect((await files.browse({ token: inner, offset: 0, limit: 9 })).trail).toHaveLength(2);
  });

  test('what was swapped after it was shown is not used', async () => {
    const { home, outside, files } = makeGround();
    symlinkSync(join(home, 'pictures'), join(home, 'link'));
    const [folder, link, file] = await Promise.all(['pictures', 'link', 'a1.png'].map((name) => tokenOf(files, name)));
    renameSync(join(home, 'pictures'), join(home, 'moved'));
    rmSync(join(home, 'link'));
    rmSync(join(home, 'a1.png'));
    for (const name of ['pictures', 'link']) symlinkSync(outside, join(home, name));
    symlinkSync(join(outside, 'secret'), join(home, 'a1.png'));
    for (const token of [folder, link, file]) {
      expect(() => files.resolve(token ?? '')).toThrow(expect.objectContaining({ code: 'not_found' }) as Error);
      await expect(files.browse({ token: token ?? '', offset: 0, limit: 9 })).rejects.toMatchObject({ code: 'not_found' });
    }
  });

  test('a page that was listed before a swap leaves the swapped entry out', async () => {
    const { home, outside, files } = makeGround();
    const token = firstToken(files);
    await files.browse({ token, offset: 0, limit: 1 });
    rmSync(join(home, 'a1.png'));
    symlinkSync(join(outside, 'secret'), join(home, 'a1.png'));
    const { total, entries } = await files.browse({ token, offset: 1, limit: 9 });
    expect(total).toBe(4);
    expect(entries.map(({ name }) => name)).toEqual(['A2.png', 'a10.png']);
  });

  test('only folders of the places, by tokens that were given', async () => {
    const { files } = makeGround();
    const { token } = await files.openUpload({ fileCount: 1, totalBytes: 0 });
    for (const wrong of ['', 'x'.repeat(24), '../../etc/passwd', '/etc', token]) {
      await expect(files.browse({ token: wrong, offset: 0, limit: 9 })).rejects.toMatchObject({ code: 'not_found' });
    }
    const file = files.browse({ token: await tokenOf(files, 'a1.png'), offset: 0, limit: 9 });
    await expect(file).rejects.toMatchObject({ code: 'bad_input' });
    expect(() => files.resolve('/etc/passwd')).toThrow(expect.objectContaining({ code: 'not_found' }) as Error);
  });
});

describe('native dialogs', () => {
  test('what a person chose becomes tokens, wherever it lies; these folders are not browsed', async () => {
    const chosen: string[] = [];
    const { outside, files } = makeGround({ choose: (purpose) => Promise.resolve(purpose === 'dataset' ? chosen : []) });
    chosen.push(outside, join(outside, 'secret'));
    const answer = await files.choose({ purpose: 'dataset' });
    expect(answer.chosen).toMatchObject([
      { name: basename(outside), kind: 'folder' },
      { name: 'secret', kind: 'file', bytes: 6 },
    ]);
    expect(answer.chosen.map(({ token }) => files.resolve(token))).toEqual(chosen);
    const browsed = files.browse({ token: answer.chosen[0]?.token ?? '', offset: 0, limit: 9 });
    await expect(browsed).rejects.toMatchObject({ code: 'not_found' });
    expect(await files.choose({ purpose: 'workspace' })).toEqual({ chosen: [] });
    chosen[0] = join(outside, 'nothing');
    await expect(files.choose({ purpose: 'dataset' })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a host without them says so', async () => {
    const { client } = await openLab();
    await expect(client.call('files.choose', { purpose: 'dataset' })).rejects.toMatchObject({ code: 'unsupported' });
    expect(await client.call('files.places', {})).toEqual({ places: [] });
  });
});

describe('tokens', () => {
  test('are forgotten in the order in which they were last used', () => {
    const tokens = createFileTokens(3);
    const give = (path: string): string => tokens.give({ origin: 'browsed', path });
    const [a, b, c] = [give('a'), give('b'), give('c')];
    expect(give('a')).toBe(a);
    tokens.find(b);
    give('d');
    expect([a, b, c].map((token) => tokens.find(token)?.path)).toEqual(['a', 'b', undefined]);
    expect(give('c')).not.toBe(c);
    expect(tokens.give({ origin: 'chosen', path: 'd' })).not.toBe(give('d'));
  });
});

describe('names of uploaded files', () => {
  test.each([
    '/etc/passwd',
    '../up',
    'a/../../up',
    'a/..',
    '..',
    '.',
    'a//b',
    'a/',
    './a',
    'a\0b',
    `${'d/'.repeat(16)}f`,
    'x'.repeat(201),
    `${'ä'.repeat(101)}/f`,
  ])('%j is refused', (name) => {
    expect(() => createUploadNames().place(name)).toThrow(expect.objectContaining({ code: 'bad_input' }) as Error);
  });

  test.each([
    [
      ['cats/1.png', 'cats/2.png', 'dogs/1.png'],
      ['cats/1.png', 'cats/2.png', 'dogs/1.png'],
    ],
    [
      ['a.png', 'a.png', 'A.PNG', 'a (2).png'],
      ['a.png', 'a (2).png', 'A (3).PNG', 'a (2) (2).png'],
    ],
    [
      ['Cats/1.png', 'cats/1.png', 'Cats/2.png', 'cats/2.png'],
      ['Cats/1.png', 'cats (2)/1.png', 'Cats/2.png', 'cats (2)/2.png'],
    ],
    [
      ['caf\u00e9/1', 'cafe\u0301/1'],
      ['caf\u00e9/1', 'cafe\u0301 (2)/1'],
    ],
    [
      ['a', 'a/b'],
      ['a', 'a (2)/b'],
    ],
    [
      ['..\\..\\up', 'C:\\x', 'a:b', 'con', 'NUL.txt', 'end. ', '...', '\u202egnp.exe', 'x\ny'],
      ['.._.._up', 'C__x', 'a_b', '_con', '_NUL.txt', 'end__', '___', '_gnp.exe', 'x_y'],
    ],
    [
      ['a:/1', 'a?/1'],
      ['a_/1', 'a_ (2)/1'],
    ],
  ])('%j become %j', (names, expected) => {
    const uploaded = createUploadNames();
    expect(names.map((name) => uploaded.place(name))).toEqual(expected);
  });

  test('never leave the folder and never meet, whatever they are', () => {
    const segment = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.constantFrom('a', 'A', '..', '.', '', 'aux', 'ß', 'SS', '\\..'),
    );
    const names = fc.array(
      fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(names, (given) => {
        const uploaded = createUploadNames();
        const seen = new Set<string>();
        for (const name of given) {
          const isRefused = name.includes('\0') || name.split('/').some((part) => ['', '.', '..'].includes(part));
          if (isRefused) {
            expect(() => uploaded.place(name)).toThrow();
            continue;
          }
          const placed = uploaded.place(name);
          expect(join('/upload', placed).startsWith('/upload/')).toBe(true);
          expect(join('/upload', placed)).toBe(`/upload/${placed}`);
          const key = placed.normalize('NFC').toLowerCase();
          expect(seen.has(key)).toBe(false);
          seen.add(key);
        }
      }),
    );
  });

  test('many files of one name do not take many times as long', () => {
    const uploaded = createUploadNames();
    for (let index = 0; index < 100_000; index += 1) uploaded.place('picture.png');
    expect(uploaded.place('picture.png')).toBe('picture (100001).png');
  });
});

test('nothing of an earlier life of the core is left of uploads', async () => {
  const lab = await openLab();
  await lab.client.call('uploads.open', { fileCount: 1, totalBytes: 1 });
  const uploads = join(lab.folder, 'cache', 'uploads');
  expect(existsSync(uploads)).toBe(true);
  await lab.close();
  await openLab(lab.folder);
  expect(existsSync(uploads)).toBe(false);
});
