// lab://app/ as a page sees it: the built pages, the core's files and uploads, and nothing else.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { contentSecurityPolicy } from '../src/main/hosts/contentSecurity.ts';
import type { Core } from '../src/main/core.ts';
import { createLabHandler } from '../src/main/desktop/labProtocol.ts';
import { readStaticFiles } from '../src/main/hosts/staticFiles.ts';
import { makePages, openDesktop } from './desktopLab.ts';
import { makeFolder } from './lab.ts';

type Respond = Core['assets']['respond'];

const nothing: Respond = () => Promise.resolve({ status: 404, headers: {}, body: null });

function handlerWith(respond: Respond = nothing, folder = makePages()): (path: string, init?: RequestInit) => Promise<Response> {
  const core = { assets: { respond } } as unknown as Core;
  const handle = createLabHandler({ files: readStaticFiles(folder), core: () => core });
  return (path, init) => handle(new Request(path.includes('://') ? path : `lab://app${path}`, init));
}

describe('pages', () => {
  test('are served with the policy, their type and their age', async () => {
    const ask = handlerWith();
    const page = await ask('/');
    expect(page.status).toBe(200);
    expect(Object.fromEntries(page.headers)).toMatchObject({
      'content-security-policy': contentSecurityPolicy,
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
    });
    const asset = await ask('/assets/index-AbCd1234.js');
    expect(asset.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(asset.headers.get('cache-control')).toContain('immutable');
    await expect(asset.text()).resolves.toBe('export {};');
    await expect((await ask('/icon.svg', { method: 'HEAD' })).text()).resolves.toBe('');
  });

  test('answer to the addresses of their router, also with a query', async () => {
    const ask = handlerWith();
    for (const path of ['/runs', '/runs/last/results/0', '/compare?entries=a:0']) {
      await expect((await ask(path)).text()).resolves.toContain('Transfer Lab');
    }
  });

  test.each([
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%5c..%5csecret.txt',
    '/assets//etc/passwd',
    '/.%00/secret.txt',
    '/link.txt',
    '/index.html.map',
    'lab://other/index.html',
    'lab://app.evil/index.html',
  ])('do not lead out of their folder: %s', async (path) => {
    const folder = makePages();
    const outside = makeFolder();
    writeFileSync(join(outside, 'secret.txt'), 'secret');
    writeFileSync(join(folder, '..', 'secret.txt'), 'secret');
    writeFileSync(join(folder, 'index.html.map'), 'secret');
    symlinkSync(join(outside, 'secret.txt'), join(folder, 'link.txt'));
    const answer = await handlerWith(nothing, folder)(path);
    expect(answer.status).toBe(404);
    await expect(answer.text()).resolves.not.toContain('secret');
  });

  test('that appear after the start are not served', async () => {
    const folder = makePages();
    const ask = handlerWith(nothing, folder);
    mkdirSync(join(folder, 'later'));
    writeFileSync(join(folder, 'later', 'page.html'), 'later');
    expect((await ask('/later/page.html')).status).toBe(404);
  });
});

describe('what the core sends', () => {
  test('is asked for by the path and passed on with its headers and the policy', async () => {
    const asked: unknown[] = [];
    const ask = handlerWith((request) => {
      asked.push(request);
      return Promise.resolve({
        status: 200,
        headers: { 'content-type': 'image/png', 'Cache-Control': 'immutable' },
        body: Buffer.from('png'),
      });
    });
    const answer = await ask('/picture/abc/1.png?x=1');
    expect(asked).toEqual([{ method: 'GET', path: '/picture/abc/1.png', body: null }]);
    expect(answer.headers.get('content-type')).toBe('image/png');
    expect(answer.headers.get('cache-control')).toBe('immutable');
    expect(answer.headers.get('content-security-policy')).toBe(contentSecurityPolicy);
    await expect(answer.text()).resolves.toBe('png');
  });

  test('may be a file, streamed with its length; one that is gone is missing', async () => {
    const file = join(makeFolder(), 'report.pdf');
    writeFileSync(file, 'x'.repeat(200_000));
    const empty = join(makeFolder(), 'empty.csv');
    writeFileSync(empty, '');
    const ask = handlerWith(({ path }) => {
      const body = { file: { '/report/a/b.pdf': file, '/report/a/c.csv': empty }[path] ?? '/nowhere' };
      return Promise.resolve({ status: 200, headers: {}, body });
    });
    const answer = await ask('/report/a/b.pdf');
    expect(answer.headers.get('content-length')).toBe('200000');
    await expect(answer.text()).resolves.toHaveLength(200_000);
    await expect((await ask('/report/a/c.csv')).text()).resolves.toBe('');
    expect((await ask('/report/a/d.pdf')).status).toBe(404);
  });

  test('gets uploads as they come', async () => {
    const received: string[] = [];
    const ask = handlerWith(async ({ method, path, body }) => {
      received.push(method, path, body === null ? '' : await text(body));
      return { status: 204, headers: {}, body: null };
    });
    expect((await ask('/upload/abcdefgh/0', { method: 'PUT', body: 'pixels' })).status).toBe(204);
    expect(received).toEqual(['PUT', '/upload/abcdefgh/0', 'pixels']);
  });

  test('becomes an answer without its text when it fails', async () => {
    const answer = await handlerWith(() => Promise.reject(new Error('/home/secret')))('/picture/abc/1.png');
    expect(answer.status).toBe(500);
    await expect(answer.text()).resolves.not.toContain('secret');
  });
});

test('the handler is the one of the scheme, with the core behind it until the end', async () => {
  const { electron, quit } = await openDesktop();
  expect([...electron.handlers.keys()]).toEqual(['lab']);
  const ask = async (path: string): Promise<number> => (await electron.handlers.get('lab')?.(new Request(`lab://app${path}`)))?.status ?? 0;
  await expect(ask('/')).resolves.toBe(200);
  await expect(ask('/picture/none/1.png')).resolves.toBe(404);
  const ending = quit();
  await expect(ask('/picture/none/1.png')).resolves.toBe(503);
  await ending;
});
