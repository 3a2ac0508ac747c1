// Requests that no page of this lab sends, letter by letter (platform.md 4). Each guard has a request that gets through without it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BrowserHost } from '../src/main/server.ts';
import { contentSecurityPolicy } from '../src/main/hosts/contentSecurity.ts';
import { createSessions } from '../src/main/server/sessions.ts';
import { ask, enter, exchange, openHost, pageHeaders, requestText, type Answered } from './browserHost.ts';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), 'lab-'));
let host: BrowserHost;
let cookie: string;

beforeAll(async () => {
  host = await openHost(folder);
  cookie = await enter(host);
});
afterAll(async () => {
  await host.close();
  rmSync(folder, { recursive: true });
});

/** What every answer must have, whatever was asked. */
function expectSafe(answer: Answered): void {
  expect(answer.headers).toMatchObject({
    'content-security-policy': contentSecurityPolicy,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
  });
  expect(answer.headers['cache-control']).toMatch(/^no-store$|^public, max-age=31536000, immutable$/);
  expect(answer.raw).not.toMatch(/access-control|root:|"secret"|at .*\.ts:\d/i);
}

const page: [string, string] = ['GET', '/'];
const session: [string, string] = ['POST', '/session'];
/** Gets as far as the body, in which there is no key. */
const noKey = '{}';

describe('the host', () => {
  test.each(['127.0.0.1', '127.0.0.1:1', 'localhost', 'LocalHost:8888', '[::1]', '[::1]:65535'])('%s is this machine', async (name) => {
    const answer = await ask(host.port, page, { host: name });
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('<title>Transfer Lab</title>');
    expectSafe(answer);
  });

  test.each<[string, string | string[]]>([
    ['a name that was bound anew', 'evil.example'],
    ['a name that begins like the address', '127.0.0.1.evil.example'],
    ['a name that begins like localhost', 'localhost.evil.example:80'],
    ['a name of a service for addresses', '127.0.0.1.nip.io'],
    ['a name with a dot at the end', 'localhost.'],
    ['all addresses', '0.0.0.0'],
    ['the address as a number', '2130706433'],
    ['an address in an address', '[::ffff:127.0.0.1]'],
    ['a user name before it', '127.0.0.1@evil.example'],
    ['two names', ['127.0.0.1', 'evil.example']],
    ['an empty name', ''],
  ])('%s is not', async (_what, name) => {
    const [read, change] = await Promise.all([
      ask(host.port, page, { host: name }),
      ask(host.port, session, { ...pageHeaders(host.port), host: name, origin: `http://${String(name)}` }, noKey),
    ]);
    expect([read.status, change.status]).toEqual([403, 403]);
    expectSafe(read);
    expectSafe(change);
  });

  test('must be named', async () => {
    const answers = await Promise.all([
      exchange(host.port, ['GET / HTTP/1.1\r\nconnection: close\r\n\r\n']),
      exchange(host.port, ['GET / HTTP/1.0\r\n\r\n']),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([400, 403]);
  });

  test('answers at the loopback addresses only', async () => {
    expect((await exchange(host.port, [requestText(host.port, page)], { host: '::1' })).status).toBe(200);
    // On Linux the whole of 127.0.0.0/8 is this machine: a server for all addresses would answer here.
    expect((await exchange(host.port, [requestText(host.port, page)], { host: '127.0.0.2' })).raw).toBe('');
  });
});

describe('what changes something', () => {
  test('comes from the own page', async () => {
    const answers = await Promise.all(
      ['same-origin', 'none', null].map((site) => ask(host.port, session, { ...pageHeaders(host.port), 'sec-fetch-site': site }, noKey)),
    );
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400]);
    answers.forEach(expectSafe);
  });

  test('may come through a tunnel with another port', async () => {
    const headers = { ...pageHeaders(host.port), host: 'localhost:9', origin: 'http://localhost:9' };
    expect((await ask(host.port, session, headers, noKey)).status).toBe(400);
  });

  test.each<[string, Record<string, string | string[] | null>, number]>([
    ['no origin', { origin: null }, 403],
    ['the origin of a sandbox', { origin: 'null' }, 403],
    ['the origin of another site', { origin: 'https://evil.example' }, 403],
    ['the origin of another program here', { origin: 'http://127.0.0.1:1' }, 403],
    ['another name of this machine', { origin: 'http://localhost:PORT' }, 403],
    ['an origin that begins like ours', { origin: 'http://127.0.0.1:PORT.evil.example' }, 403],
    ['an origin with a user name', { origin: 'http://127.0.0.1:PORT@evil.example' }, 403],
    ['an origin of another scheme', { origin: 'ws://127.0.0.1:PORT' }, 403],
    ['two origins', { origin: ['http://127.0.0.1:PORT', 'https://evil.example'] }, 403],
    ['a fetch from another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a fetch from another port', { 'sec-fetch-site': 'same-site' }, 403],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['a form with files', { 'content-type': 'multipart/form-data; boundary=x' }, 415],
    ['plain text', { 'content-type': 'text/plain' }, 415],
    ['JSON as another type', { 'content-type': 'text/plain; application/json' }, 415],
    ['no type', { 'content-type': null }, 415],
  ])('is refused with %s', async (_what, changed, status) => {
    const own = JSON.parse(JSON.stringify(changed).replaceAll('PORT', `${host.port}`)) as typeof changed;
    const answer = await ask(host.port, session, { ...pageHeaders(host.port), cookie, ...own }, noKey);
    expect(answer.status).toBe(status);
    expectSafe(answer);
  });

  test.each<[string, string, number]>([
    ['OPTIONS', '/session', 405],
    ['DELETE', '/session', 405],
    ['PUT', '/session', 405],
    ['POST', '/', 405],
    ['PUT', '/index.html', 405],
    ['DELETE', '/picture/1', 405],
    ['POST', '/upload/x/0', 405],
    ['TRACE', '/', 405],
  ])('is no %s of %s', async (method, target, status) => {
    const answer = await ask(host.port, [method, target], { ...pageHeaders(host.port), cookie });
    expect(answer.status).toBe(status);
    expectSafe(answer);
  });

  test('a preflight of another site is told nothing', async () => {
    const headers = { origin: 'https://evil.example', 'access-control-request-method': 'PUT' };
    const answer = await ask(host.port, ['OPTIONS', '/upload/x/0'], headers);
    expect(answer.status).toBe(403);
    expectSafe(answer);
  });

  test('an upload wants a session, the own page and bytes', async () => {
    const good = { origin: `http://127.0.0.1:${host.port}`, 'content-type': 'application/octet-stream', cookie };
    const changes = [{}, { cookie: null }, { origin: null }, { 'content-type': 'application/json' }, { 'sec-fetch-site': 'cross-site' }];
    const answers = await Promise.all(changes.map((changed) => ask(host.port, ['PUT', '/upload/none/0'], { ...good, ...changed }, 'x')));
    const [own, ...refused] = answers.map(({ status }) => status);
    expect(refused).toEqual([401, 403, 415, 403]);
    // It got as far as the core, which knows no such upload.
    expect([400, 404]).toContain(own);
  });
});

describe('files of the core', () => {
  const targets = ['/sheet/x', '/picture/x', '/mean/x', '/augmented/x', '/report/x', '/exported/x'];
  const forged = createSessions('another secret').open(1).split('=')[1]?.split(';')[0] ?? '';

  test.each(targets)('%s wants a session', async (target) => {
    const name = `lab-${host.port}`;
    const wrong = [
      null,
      '',
      `${name}=`,
      `${name}=.`,
      `${name}=a.b`,
      `${name}=${forged}`,
      cookie.replace(name, 'lab-1'),
      cookie.replace(name, name.replace(/\d/g, '0')),
      `x${cookie}`,
      `${cookie}x`,
    ];
    const answers = await Promise.all(wrong.map((one) => ask(host.port, ['GET', target], { cookie: one })));
    expect(answers.map(({ status }) => status)).toEqual(wrong.map(() => 401));
    answers.forEach(expectSafe);
    const own = await ask(host.port, ['GET', target], { cookie: `a=b; ${cookie}; c=d` });
    expect([400, 404]).toContain(own.status);
  });

  test('are not shown inside pages of other programs here', async () => {
    const answers = await Promise.all(
      ['same-site', 'cross-site'].map((site) => ask(host.port, ['GET', '/picture/x'], { cookie, 'sec-fetch-site': site })),
    );
    expect(answers.map(({ status }) => status)).toEqual([403, 403]);
  });
});

describe('addresses', () => {
  test.each(['/', '/index.html', '/runs', '/runs/7f3a/results/0', '/runs/a%20b', '/compare?runs=a:full,b', '/session-notes'])(
    '%s is the page',
    async (target) => {
      const answer = await ask(host.port, ['GET', target]);
      expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store']);
      expect(answer.body).toContain('<title>Transfer Lab</title>');
    },
  );

  test('a file with a hash in its name is kept for ever', async () => {
    const answer = await ask(host.port, ['GET', '/assets/main-a1b2c3d4.js']);
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'text/javascript; charset=utf-8',
    });
    expectSafe(answer);
  });

  test('the page may run its own scripts and reach its own server, nothing else', () => {
    expect(contentSecurityPolicy).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; font-src 'self'; " +
        "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    );
  });

  test('HEAD has no body', async () => {
    const answer = await ask(host.port, ['HEAD', '/']);
    expect([answer.status, answer.body, Number(answer.headers['content-length']) > 100]).toEqual([200, '', true]);
  });

  test.each([
    '//',
    '//evil.example/',
    '//evil.example',
    '/../../../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/%2E%2E%2fetc%2fpasswd',
    '/%252e%252e/etc',
    '/..;/etc/passwd',
    '/assets/../index.html',
    '/assets/..%2f..%2fserver.test.ts',
    '/assets%2fmain-a1b2c3d4.js',
    '/assets/main-a1b2c3d4.js?raw??',
    '/assets/main-a1b2c3d4.js/',
    '/assets/main-a1b2c3d4.js%00.png',
    '/ASSETS/MAIN-A1B2C3D4.JS',
    '/%00',
    '/runs%0d%0aset-cookie:a=b',
    '/\\..\\..\\etc\\passwd',
    '/assets\\main-a1b2c3d4.js',
    '/%5c..%5c..',
    '/index.html#/../../etc/passwd',
    '/serve.json',
    '/.git/config',
    '/assets/',
    'http://127.0.0.1/',
    'http://evil.example/',
    '/session/',
    '/@fs/etc/passwd',
    '/ws.',
  ])('%s is nothing', async (target) => {
    const answer = await ask(host.port, ['GET', target], { cookie });
    expect([400, 404]).toContain(answer.status);
    expect(answer.body).not.toMatch(/root:|openHost/);
    expectSafe(answer);
  });
});
