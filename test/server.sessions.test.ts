// How pages get in and stay in: keys, cookies, the WebSocket door, restarts and another workspace.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { isVolatile } from '../src/shared/contract/events.ts';
import type { BrowserHost } from '../src/main/server.ts';
import { hasDisplay, openBrowser } from '../src/main/server/browser.ts';
import { createKeys } from '../src/main/server/keys.ts';
import { createClient, type Client } from '../src/shared/rpcClient.ts';
import { ask, enter, exchange, keyOf, openHost, pageHeaders, pagesFolder, requestText, type Changed } from './browserHost.ts';
import { openPagePort } from './webServer.ts';
import { makeFolder, script, transferRecipe } from './lab.ts';

vi.setConfig({ testTimeout: 60_000 });

async function startHost(folder = makeFolder(), changed: Changed = {}): Promise<BrowserHost & { folder: string }> {
  const host = await openHost(folder, changed);
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await host.close();
    isOpen = false;
  };
  onTestFinished(close);
  return { ...host, folder, close };
}

const redeem = (port: number, key: string) => ask(port, ['POST', '/session'], pageHeaders(port), JSON.stringify({ key }));
const sessionStatus = async (port: number, cookie: string): Promise<number> => (await ask(port, ['GET', '/session'], { cookie })).status;

describe('a key', () => {
  test('lets one browser in, once', async () => {
    const host = await startHost();
    const address = host.createAddress();
    expect(address).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:${host.port}/#k=[\\w-]{43}$`));
    expect(await sessionStatus(host.port, '')).toBe(401);
    const first = await redeem(host.port, keyOf(address));
    expect(first.status).toBe(204);
    expect(first.headers['set-cookie']).toMatch(
      new RegExp(`^lab-${host.port}=[\\w-]{22}\\.[\\w-]{43}; HttpOnly; SameSite=Strict; Path=/; Max-Age=34560000$`),
    );
    expect(await sessionStatus(host.port, first.headers['set-cookie']?.split(';')[0] ?? '')).toBe(204);
    const again = await redeem(host.port, keyOf(address));
    expect(again.status).toBe(403);
    expect(again.headers['set-cookie']).toBeUndefined();
  });

  test('stays good when another address is made or another key is wrong', async () => {
    const host = await startHost();
    const [first, second] = [host.createAddress(), host.createAddress()];
    expect(first).not.toBe(second);
    const statuses: number[] = [];
    for (const key of ['', 'x', keyOf(second), keyOf(first)]) statuses.push((await redeem(host.port, key)).status);
    expect(statuses).toEqual([400, 403, 204, 204]);
  });

  test('is not found by trying: from the eleventh wrong one on every answer takes a second', async () => {
    const keys = createKeys();
    const key = keys.issue();
    const measure = async (guess: string): Promise<[boolean, number]> => {
      const started = performance.now();
      return [await keys.redeem(guess), performance.now() - started];
    };
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      const [isRight, milliseconds] = await measure(`guess ${attempt}`);
      expect(isRight).toBe(false);
      expect(milliseconds).toBeLessThan(500);
    }
    expect(await measure('one more')).toEqual([false, expect.closeTo(1000, -2.7)]);
    const [isRight, milliseconds] = await measure(key);
    expect(isRight).toBe(true);
    expect(milliseconds).toBeGreaterThan(900);
    expect((await measure(key))[1]).toBeLessThan(500);
  });
});

describe('the door for WebSockets', () => {
  const opening = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  };

  test.each<[string, Record<string, string | string[] | null>, string, number]>([
    ['no origin', { origin: null }, '/ws', 403],
    ['the origin of another site', { origin: 'https://evil.example' }, '/ws', 403],
    ['the origin of another program here', { origin: 'http://127.0.0.1:1' }, '/ws', 403],
    ['the origin of a sandbox', { origin: 'null' }, '/ws', 403],
    ['a name that was bound anew', { host: 'evil.example', origin: 'http://evil.example' }, '/ws', 403],
    ['no cookie', { cookie: null }, '/ws', 403],
    ['a made-up cookie', { cookie: 'lab-PORT=a.b' }, '/ws', 403],
    ['a fetch from another port', { 'sec-fetch-site': 'same-site' }, '/ws', 403],
    ['another address', {}, '/ws/', 404],
    ['the address of a picture', {}, '/picture/1', 404],
    ['another protocol', { upgrade: 'h2c' }, '/ws', 400],
  ])('stays shut with %s', async (_what, changed, target, status) => {
    const host = await startHost();
    const good = { ...opening, origin: `http://127.0.0.1:${host.port}`, cookie: await enter(host) };
    const own = JSON.parse(JSON.stringify(changed).replaceAll('PORT', `${host.port}`)) as typeof changed;
    const answer = await ask(host.port, ['GET', target], { ...good, ...own });
    expect(answer.status).toBe(status);
  });

  test('opens for the own page, which is offered no method that takes a path', async () => {
    const host = await startHost();
    const client = await createClient(await openPagePort({ port: host.port, cookie: await enter(host) }));
    expect(await client.call('core.host', {})).toMatchObject({ kind: 'browser', hasDialogs: false, canOpenWorkspace: true });
    await expect(client.call('datasets.import', { paths: ['/etc/passwd'] })).rejects.toMatchObject({ code: 'bad_usage' });
    client.close();
  });

  test('is shut for a message that is too long', async () => {
    const host = await startHost();
    const headers = { ...opening, origin: `http://127.0.0.1:${host.port}`, cookie: await enter(host) };
    // A text frame that announces 16 MiB, masked with zeros.
    const frame = `\x81\xff${'\0'.repeat(4)}\x01\0\0\0${'\0'.repeat(4)}`;
    const answer = await exchange(host.port, [requestText(host.port, ['GET', '/ws'], headers), frame]);
    expect(answer.status).toBe(101);
    // A close frame with the code 1009.
    expect(answer.raw).toContain('\x88\x02\x03\xf1');
  });
});

/** What a page does: follows the events, and comes back by itself when the connection ends. */
async function followEvents(port: number, cookie: string, seen: number[], signal: AbortSignal): Promise<number> {
  let connections = 0;
  while (!signal.aborted) {
    try {
      const client = await createClient(await openPagePort({ port, cookie }));
      connections += 1;
      signal.addEventListener('abort', () => client.close());
      for await (const event of client.events(seen.at(-1) ?? 0, signal)) if (!isVolatile(event)) seen.push(event.seq);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return connections;
}

async function waitFor(client: Client, state: string): Promise<void> {
  await expect.poll(async () => (await client.call('runs.list', {})).runs[0]?.state, { timeout: 30_000 }).toBe(state);
}

describe('a restart', () => {
  test('is survived by a page that was open: same port, same cookie, every event once', async () => {
    const first = await startHost();
    const cookie = await enter(first);
    const { port, folder } = first;
    const gone = new AbortController();
    const seen: number[] = [];
    const following = followEvents(port, cookie, seen, gone.signal);
    const before = await createClient(await openPagePort({ port, cookie }));
    await before.call('runs.create', { recipe: transferRecipe, settings: [script({ stepMs: 40 })] });
    await expect.poll(() => seen.length, { timeout: 30_000 }).toBeGreaterThan(6);
    await first.close();
    const second = await startHost(folder);
    expect(second.port).toBe(port);
    const after = await createClient(await openPagePort({ port, cookie }));
    expect((await after.call('runs.list', {})).runs[0]?.state).toBe('stopped');
    await after.call('runs.resume', { run: 'last' });
    await waitFor(after, 'finished');
    const { since: last } = await after.call('runs.create', { recipe: transferRecipe, settings: [script({})] });
    await expect.poll(() => seen.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(last);
    gone.abort();
    expect(await following).toBeGreaterThanOrEqual(2);
    expect(seen).toEqual(seen.map((_, index) => index + 1));
  });

  test('with a new secret ends the sessions', async () => {
    const first = await startHost();
    const cookie = await enter(first);
    await first.close();
    const second = await startHost(first.folder, { isSecretNew: true });
    expect(second.port).toBe(first.port);
    expect(await sessionStatus(second.port, cookie)).toBe(401);
  });

  test('keeps port and secret from other users, and does not trust a secret that they could read', async () => {
    const first = await startHost();
    const place = join(first.folder, 'serve.json');
    expect(statSync(place).mode & 0o777).toBe(0o600);
    const before = readFileSync(place, 'utf8');
    await first.close();
    chmodSync(place, 0o644);
    await startHost(first.folder);
    expect(readFileSync(place, 'utf8')).not.toBe(before);
    expect(statSync(place).mode & 0o777).toBe(0o600);
  });

  test('takes another port when a program took the last one, and says so', async () => {
    const first = await startHost();
    await first.close();
    const other = createServer().listen(first.port, '127.0.0.1');
    onTestFinished(() => void other.close());
    const notes: string[] = [];
    const second = await startHost(first.folder, { note: (text) => notes.push(text) });
    expect(second.port).not.toBe(first.port);
    expect(notes).toEqual([expect.stringContaining(`${first.port}`)]);
    await second.close();
    await expect(openHost(first.folder, { port: first.port })).rejects.toMatchObject({ code: 'conflict' });
    // The refused host left the workspace to others.
    await startHost(first.folder);
  });

  test('without built pages is refused with what to do', async () => {
    await expect(openHost(makeFolder(), { rendererFolder: join(pagesFolder, 'assets') })).rejects.toMatchObject({
      code: 'not_found',
      help: expect.stringContaining('npm run build') as string,
    });
  });
});

describe('a workspace', () => {
  test('has one host: a second one is told who it is', async () => {
    const first = await startHost();
    const started = performance.now();
    await expect(openHost(first.folder)).rejects.toMatchObject({
      code: 'workspace_busy',
      message: expect.stringContaining(`The process ${process.pid} on `) as string,
    });
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test('that is closing lets nobody in, and its runs are stopped with their work saved', async () => {
    const host = await startHost();
    const client = await createClient(await openPagePort({ port: host.port, cookie: await enter(host) }));
    await client.call('runs.create', { recipe: transferRecipe, settings: [script({ stepMs: 100 })] });
    await waitFor(client, 'running');
    const lost = new Promise<void>((resolve) => client.onClose(resolve));
    await host.close();
    await lost;
    expect((await exchange(host.port, [requestText(host.port, ['GET', '/'])])).raw).toBe('');
    const next = await startHost(host.folder);
    const later = await createClient(await openPagePort({ port: next.port, cookie: await enter(next) }));
    expect((await later.call('runs.list', {})).runs[0]?.state).toBe('stopped');
    later.close();
  });
});

describe('the browser of this machine', () => {
  test('is there with a display', () => {
    expect(hasDisplay({}, 'linux')).toBe(false);
    expect(hasDisplay({ DISPLAY: '' }, 'linux')).toBe(false);
    expect(hasDisplay({ DISPLAY: ':0' }, 'linux')).toBe(true);
    expect(hasDisplay({ WAYLAND_DISPLAY: 'wayland-0' }, 'linux')).toBe(true);
    expect(hasDisplay({}, 'darwin')).toBe(true);
    expect(hasDisplay({ SSH_CONNECTION: 'a b' }, 'darwin')).toBe(false);
  });

  test('gets the address in a file that only this user can read', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'browser-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'bin'));
    writeFileSync(
      join(folder, 'bin', 'xdg-open'),
      `#!/bin/sh\nprintf '%s\\n' "$@" > ${folder}/given.part\nmv ${folder}/given.part ${folder}/given\n`,
      { mode: 0o755 },
    );
    const url = 'http://127.0.0.1:1/#k=secret';
    const remove = openBrowser(url, folder, { PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}` });
    await expect.poll(() => statSync(join(folder, 'given'), { throwIfNoEntry: false })?.isFile(), { timeout: 10_000 }).toBe(true);
    const path = readFileSync(join(folder, 'given'), 'utf8').trim();
    expect(path).toBe(join(folder, 'open-lab.html'));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toContain(`content="0;url=${url}"`);
    remove();
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('that is missing is no error', async () => {
    const folder = makeFolder();
    const remove = openBrowser('http://127.0.0.1:1/', folder, { PATH: folder });
    await new Promise((resolve) => setTimeout(resolve, 100));
    remove();
  });
});
