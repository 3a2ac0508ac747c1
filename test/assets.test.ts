// What pages fetch and send by address, through the core: exact addresses, methods, headers, and uploads with their limits.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { createAssets, type AssetAnswer } from '../src/main/services/assets.ts';
import { makeFolder, openLab, type Lab } from './lab.ts';

vi.setConfig({ testTimeout: 60_000 });

const never = new AbortController().signal;
const print = 'a'.repeat(64);

async function* bodyOf(...chunks: string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(Buffer.from(chunk));
}

function ask({ core }: Lab, method: string, path: string, ...chunks: string[]): Promise<AssetAnswer> {
  return core.assets.respond({ method, path, body: chunks.length === 0 ? null : bodyOf(...chunks) }, never);
}

function readError({ body }: AssetAnswer): unknown {
  if (!(body instanceof Uint8Array)) throw new Error('The answer holds no error.');
  return (JSON.parse(Buffer.from(body).toString()) as { error: unknown }).error;
}

async function openUpload(lab: Lab, names: string[], totalBytes = 100) {
  const upload = await lab.client.call('uploads.open', { fileCount: names.length, totalBytes });
  await lab.client.call('uploads.name', { uploadId: upload.uploadId, from: 0, names });
  const folder = join(lab.folder, 'cache', 'uploads', upload.uploadId);
  const put = (position: number, ...chunks: string[]) => ask(lab, 'PUT', `/upload/${upload.uploadId}/${position}`, ...chunks);
  return { ...upload, folder, put, read: (name: string) => readFileSync(join(folder, 'upload', name), 'utf8') };
}

function listUploads(lab: Lab): string[] {
  return existsSync(join(lab.folder, 'cache', 'uploads')) ? readdirSync(join(lab.folder, 'cache', 'uploads')) : [];
}

describe('addresses', () => {
  test('that are not exactly ours lead nowhere', async () => {
    const lab = await openLab();
    const paths = [
      '/',
      '',
      'picture',
      '/index.html',
      `/picture/${print}/0.png?x=1`,
      `/picture/${print}/%30.png`,
      `/picture/${print}/../${print}/0.png`,
      `//picture/${print}/0.png`,
      '/report/abcdefgh/../../lab.sqlite',
      '/report/abcdefgh/..',
      '/report/abcdefgh/%2e%2e%2flab.sqlite',
      '/report/abcdefgh/a\\b.pdf',
      '/report/abcdefgh/a/b.pdf',
      '/report/abcdefgh/report.pdf',
      '/report/../lab.sqlite',
      '/upload/abcdefgh/01',
      '/upload/abcdefgh/-1',
      '/upload/abcdefgh/0/',
      '/upload/../abcdefgh/0',
    ];
    for (const path of paths) {
      for (const method of ['GET', 'PUT']) {
        const isReport = path === '/report/abcdefgh/report.pdf' && method === 'PUT';
        const answer = await ask(lab, method, path);
        expect([path, answer.status]).toEqual([path, isReport ? 405 : 404]);
        expect(answer.headers).toMatchObject({ 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store' });
        expect(readError(answer)).toMatchObject({ code: isReport ? 'bad_usage' : 'not_found' });
      }
    }
  });

  test('of a dataset that is not in the workspace lead nowhere', async () => {
    const lab = await openLab();
    for (const path of [`/picture/${print}/0.png`, `/sheet/${print}/all/all/0.png`, `/mean/${print}/all/0.png`]) {
      const answer = await ask(lab, 'GET', path);
      expect([answer.status, readError(answer)]).toMatchObject([404, { code: 'not_found' }]);
    }
  });

  test.each([
    ['POST', `/picture/${print}/0.png`, 'GET'],
    ['DELETE', '/report/abcdefgh/report.pdf', 'GET'],
    ['GET', '/upload/abcdefgh/0', 'PUT'],
    ['put', '/upload/abcdefgh/0', 'PUT'],
  ])('%s %s is refused', async (method, path, allowed) => {
    const answer = await ask(await openLab(), method, path);
    expect([answer.status, answer.headers['Allow']]).toEqual([405, allowed]);
  });

  test('of report files are downloads that cannot act as pages', async () => {
    const file = join(makeFolder(), 'kept');
    writeFileSync(file, 'content');
    const lab = {
      files: { receiveUpload: () => Promise.reject(new Error('no upload')) },
      pictures: { draw: () => Promise.reject(new Error('broken')) },
      weights: { findFile: (id: string, name: string) => (id === 'abcdefgh' && !name.startsWith('other') ? { file } : undefined) },
      reports: { findFile: (id: string, name: string) => (id === 'abcdefgh' && !name.startsWith('other') ? { file } : undefined) },
    };
    const assets = createAssets(lab);
    const get = (path: string) => assets.respond({ method: 'GET', path, body: null }, never);
    expect(await get('/report/abcdefgh/My-report.v2.pdf')).toEqual({
      status: 200,
      headers: {
        'Content-Type': 'application/pdf',
        'Content-Disposition': 'attachment; filename="My-report.v2.pdf"',
        'Content-Security-Policy': 'sandbox',
        'Cache-Control': 'no-store',
        'X-Content-Type-Options': 'nosniff',
      },
      body: { file },
    });
    expect((await get('/report/abcdefgh/runs.csv')).headers).toMatchObject({ 'Content-Type': 'text/csv; charset=utf-8' });
    for (const path of ['/report/abcdefgh/page.html', '/report/abcdefgh/other.pdf', '/report/hgfedcba/runs.csv']) {
      expect((await get(path)).status).toBe(404);
    }
    // Whatever breaks becomes an answer.
    expect((await get(`/picture/${print}/0.png`)).status).toBe(500);
  });
});

describe('an upload', () => {
  test('lies under its names when it is complete', async () => {
    const lab = await openLab();
    const { put, read, folder } = await openUpload(lab, ['set/cats/1.png', 'set/dogs/1.png', 'set/dogs/empty']);
    expect(await put(1, 'wo', 'of')).toMatchObject({ status: 204, body: null });
    expect((await put(0, 'miau')).status).toBe(204);
    expect((await put(2)).status).toBe(204);
    expect([read('set/cats/1.png'), read('set/dogs/1.png'), read('set/dogs/empty')]).toEqual(['miau', 'woof', '']);
    expect(readdirSync(join(folder, 'parts'))).toEqual([]);
  });

  test('is imported as the folder that all names share, and is gone afterwards', async () => {
    const lab = await openLab();
    const { put, token } = await openUpload(lab, ['set/cats/1.png', 'set/dogs/1.png']);
    await put(0, 'miau');
    await put(1, 'woof');
    // The fake importer names the dataset like the path that it was given.
    expect(await lab.client.call('datasets.importFiles', { tokens: [token] })).toMatchObject({ id: 'set' });
    expect(listUploads(lab)).toEqual([]);
    const again = lab.client.call('datasets.importFiles', { tokens: [token] });
    await expect(again).rejects.toMatchObject({ code: 'not_found' });
  });

  test.each([
    ['of one file is that file', ['one.csv'], 'one-csv'],
    ['of files without a common folder is the folder around them', ['cats/1.png', 'dogs/1.png'], 'upload'],
  ])('%s', async (_, names, id) => {
    const lab = await openLab();
    const { put, token } = await openUpload(lab, names);
    for (const position of names.keys()) await put(position, 'x');
    expect(await lab.client.call('datasets.importFiles', { tokens: [token] })).toMatchObject({ id });
  });

  test('is gone also after an import that failed', async () => {
    const lab = await openLab();
    const { put, token } = await openUpload(lab, ['bad.csv']);
    await put(0, 'x');
    await expect(lab.client.call('datasets.importFiles', { tokens: [token] })).rejects.toMatchObject({ code: 'bad_input' });
    expect(listUploads(lab)).toEqual([]);
  });

  test('that is not complete is not imported, and is kept', async () => {
    const lab = await openLab();
    const { put, token } = await openUpload(lab, ['a', 'b']);
    await put(1, 'x');
    const early = lab.client.call('datasets.importFiles', { tokens: [token] });
    await expect(early).rejects.toMatchObject({ code: 'bad_input', expected: '2 files', received: '1 files' });
    await put(0, 'x');
    expect(await lab.client.call('datasets.importFiles', { tokens: [token] })).toMatchObject({ id: 'upload' });
  });

  test('takes no more bytes than were announced, and a file again in the place of the first', async () => {
    const lab = await openLab();
    const { put, read, folder } = await openUpload(lab, ['a', 'b'], 10);
    expect((await put(0, '123456')).status).toBe(204);
    const tooMuch = await put(1, '123', '45');
    expect([tooMuch.status, readError(tooMuch)]).toMatchObject([413, { code: 'limit_exceeded', expected: 'at most 10 bytes' }]);
    expect(readdirSync(join(folder, 'parts'))).toEqual([]);
    expect(readdirSync(join(folder, 'upload'))).toEqual(['a']);
    expect((await put(0, '7890')).status).toBe(204);
    expect(read('a')).toBe('7890');
    expect((await put(1, '123456')).status).toBe(204);
  });

  test('keeps the first file when the second does not arrive', async () => {
    const lab = await openLab();
    const { put, read, folder, uploadId } = await openUpload(lab, ['a']);
    await put(0, 'whole');
    const gone = new AbortController();
    let taken = 0;
    async function* halting(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half');
      expect(read('a')).toBe('whole');
      gone.abort(new Error('gone'));
      for (; taken < 10; taken += 1) yield await Promise.resolve(Buffer.from('rest'));
    }
    const answer = await lab.core.assets.respond({ method: 'PUT', path: `/upload/${uploadId}/0`, body: halting() }, gone.signal);
    expect([answer.status, taken]).toEqual([500, 0]);
    expect(read('a')).toBe('whole');
    expect(readdirSync(join(folder, 'parts'))).toEqual([]);
  });

  test('that is discarded is gone, also while a file arrives', async () => {
    const lab = await openLab();
    const { put, uploadId, folder, token } = await openUpload(lab, ['a/b']);
    let taken = 0;
    async function* discarding(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('first');
      await lab.client.call('uploads.discard', { uploadId });
      for (; taken < 10; taken += 1) yield Buffer.from('more');
    }
    const answer = await lab.core.assets.respond({ method: 'PUT', path: `/upload/${uploadId}/0`, body: discarding() }, never);
    expect([answer.status, taken]).toEqual([500, 0]);
    expect(existsSync(folder)).toBe(false);
    expect((await put(0, 'x')).status).toBe(404);
    await expect(lab.client.call('datasets.importFiles', { tokens: [token] })).rejects.toMatchObject({ code: 'not_found' });
    expect(await lab.client.call('uploads.discard', { uploadId })).toEqual({});
  });

  test('takes files only after they were named, in order and once', async () => {
    const lab = await openLab();
    const { uploadId } = await lab.client.call('uploads.open', { fileCount: 3, totalBytes: 10 });
    const name = (from: number, ...names: string[]) => lab.client.call('uploads.name', { uploadId, from, names });
    expect((await ask(lab, 'PUT', `/upload/${uploadId}/0`, 'x')).status).toBe(400);
    await expect(name(1, 'b')).rejects.toMatchObject({ code: 'bad_input' });
    await expect(name(0, 'a', 'b', 'c', 'd')).rejects.toMatchObject({ code: 'bad_input' });
    await expect(name(0, 'a', '../b')).rejects.toMatchObject({ code: 'bad_input' });
    await name(0, 'a', 'b');
    await name(1, 'b', 'c');
    await expect(name(1, 'x')).rejects.toMatchObject({ code: 'conflict' });
    expect((await ask(lab, 'PUT', `/upload/${uploadId}/2`, 'x')).status).toBe(204);
    expect((await ask(lab, 'PUT', `/upload/${uploadId}/3`, 'x')).status).toBe(400);
  });

  test('that does not fit on the disk is refused before it begins', async () => {
    const lab = await openLab();
    const huge = lab.client.call('uploads.open', { fileCount: 1, totalBytes: 2 ** 52 });
    await expect(huge).rejects.toMatchObject({ code: 'disk_full' });
    expect(listUploads(lab)).toEqual([]);
  });

  test('that is forgotten makes room for others', async () => {
    const lab = await openLab();
    const first = await openUpload(lab, ['a']);
    const second = await openUpload(lab, ['a']);
    await first.put(0, 'x');
    for (let index = 0; index < 31; index += 1) await openUpload(lab, ['a']);
    expect(listUploads(lab)).toHaveLength(32);
    expect((await second.put(0, 'x')).status).toBe(404);
    expect((await first.put(0, 'x')).status).toBe(204);
  });
});
