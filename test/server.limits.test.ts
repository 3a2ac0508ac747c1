// What a stranger can send without end, what the core answers on its way out, and a page on another workspace.
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { Answer } from '../src/shared/contract/api.ts';
import { createClient, type Client } from '../src/shared/rpcClient.ts';
import type { BrowserHost } from '../src/main/server.ts';
import { sendAsset, sendRefusal, Refusal, type AssetAnswer } from '../src/main/server/answers.ts';
import { ask, enter, exchange, openHost, pageHeaders, requestText, type Answered, type Changed } from './browserHost.ts';
import { openPagePort } from './webServer.ts';
import { makeFolder, script, transferRecipe } from './lab.ts';

vi.setConfig({ testTimeout: 60_000 });

const impatient = { headersMs: 400, checkMs: 100, sessionBodyMs: 400, bodyPauseMs: 400 };

async function startHost(folder = makeFolder(), changed: Changed = {}): Promise<BrowserHost> {
  const host = await openHost(folder, changed);
  onTestFinished(() => host.close());
  return host;
}

describe('a request', () => {
  const open = (): Promise<BrowserHost> => startHost(makeFolder(), { limits: impatient });

  test('with long headers is refused', async () => {
    const { port } = await open();
    const answers = await Promise.all([
      ask(port, ['GET', '/'], { cookie: 'x'.repeat(20_000) }),
      ask(port, ['GET', `/${'x'.repeat(20_000)}`]),
      ask(port, ['GET', '/'], Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`x${index}`, 'y']))),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([431, 431, 431]);
    expect(answers[0].headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
  });

  test('with a long body is refused, announced or not', async () => {
    const { port } = await open();
    const headers = pageHeaders(port);
    const long = `${JSON.stringify({ key: 'x' })}${' '.repeat(5000)}`;
    const chunked = requestText(port, ['POST', '/session'], { ...headers, 'transfer-encoding': 'chunked' });
    const answers = await Promise.all([
      ask(port, ['POST', '/session'], headers, long),
      exchange(port, [requestText(port, ['POST', '/session'], { ...headers, 'content-length': '99999999' })]),
      exchange(port, [chunked, `${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`]),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([413, 413, 413]);
  });

  test('that does not arrive is ended: headers, body, and an upload that stops', async () => {
    const { port, ...host } = await open();
    const cookie = await enter({ port, ...host });
    const client = await createClient(await openPagePort({ port, cookie }));
    const { uploadId } = await client.call('uploads.open', { fileCount: 1, totalBytes: 10 });
    await client.call('uploads.name', { uploadId, from: 0, names: ['a.png'] });
    const upload = { origin: `http://127.0.0.1:${port}`, cookie, 'content-type': 'application/octet-stream', 'content-length': '10' };
    const answers = await Promise.all([
      exchange(port, ['GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n']),
      exchange(port, [requestText(port, ['POST', '/session'], { ...pageHeaders(port), 'content-length': '20' }), '{"key"']),
      exchange(
        port,
        [requestText(port, ['POST', '/session'], { ...pageHeaders(port), 'content-length': '15' }), ...Array.from('{"key":"drops"}')],
        {
          gapMs: 150,
        },
      ),
      exchange(port, [requestText(port, ['PUT', `/upload/${uploadId}/0`], upload), 'abc']),
    ]);
    expect(answers.map(({ status }) => status).slice(0, 3)).toEqual([408, 408, 408]);
    expect(answers[3].status).toBeGreaterThanOrEqual(400);
    client.close();
  });

  test('that can be read in two ways is refused', async () => {
    const { port } = await open();
    const twice = { ...pageHeaders(port), 'content-length': '4', 'transfer-encoding': 'chunked' };
    const answers = await Promise.all([
      exchange(port, ['hello\r\n\r\n']),
      exchange(port, [requestText(port, ['POST', '/session'], twice), '0\r\n\r\nGET /serve.json HTTP/1.1\r\n\r\n']),
      exchange(port, [requestText(port, ['POST', '/session'], { ...pageHeaders(port), 'content-length': ['2', '3'] }), '{} ']),
      exchange(port, [requestText(port, ['GET', '/'], { 'x-a': 'b\nx-c: d' }).replace('\nx-c', '\0x-c')]),
      exchange(port, [`CONNECT evil.example:443 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`]),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400, 0]);
  });

  test('for a session is JSON with one key', async () => {
    const { port } = await open();
    for (const body of ['', 'x', '[]', 'null', '{"key":1}', '{"key":""}', `{"key":"${'x'.repeat(300)}"}`, '{"key":"x","admin":true}']) {
      expect((await ask(port, ['POST', '/session'], pageHeaders(port), body)).status).toBe(400);
    }
  });
});

describe('a page that sleeps', () => {
  test('is cut off when it answers to no ping, and one that answers is kept', async () => {
    const host = await startHost(makeFolder(), { limits: { heartbeatMs: 150 } });
    const cookie = await enter(host);
    const headers = { origin: `http://127.0.0.1:${host.port}`, cookie };
    const open = async (autoPong: boolean): Promise<WebSocket> => {
      const socket = new WebSocket(`ws://127.0.0.1:${host.port}/ws`, { headers, autoPong });
      await new Promise((resolve) => socket.once('open', resolve));
      return socket;
    };
    const [awake, asleep] = await Promise.all([open(true), open(false)]);
    await new Promise((resolve) => asleep.once('close', resolve));
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(awake.readyState).toBe(WebSocket.OPEN);
    awake.terminate();
  });
});

/** A server that answers every request with what the core is said to have answered. */
async function answering(answer: AssetAnswer): Promise<(method?: string) => Promise<Answered>> {
  const server = createServer((request, response) => {
    sendAsset(request, response, answer).catch((error: unknown) => {
      if (error instanceof Refusal) sendRefusal(request, response, error);
      else response.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return (method = 'GET') => ask(port, [method, '/']);
}

describe('what the core answers', () => {
  test('is sent as bytes, with its headers over those of every answer', async () => {
    const headers = { 'Content-Type': 'image/png', 'Cache-Control': 'public, max-age=31536000, immutable' };
    const send = await answering({ status: 200, headers, body: Buffer.from('picture') });
    const answer = await send();
    expect([answer.status, answer.body]).toEqual([200, 'picture']);
    expect(answer.headers).toMatchObject({ 'content-type': 'image/png', 'content-length': '7', 'x-content-type-options': 'nosniff' });
    expect(answer.raw.match(/cache-control/gi)).toHaveLength(1);
    expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(await send('HEAD')).toMatchObject({ status: 200, body: '', headers: { 'content-length': '7' } });
  });

  test('is streamed from a file', async () => {
    const file = join(makeFolder(), 'report.pdf');
    const content = 'page '.repeat(1_000_000);
    writeFileSync(file, content);
    const headers = { 'Content-Type': 'application/pdf', 'Content-Security-Policy': 'sandbox' };
    const answer = await (await answering({ status: 200, headers, body: { file } }))();
    expect(answer.body === content).toBe(true);
    expect(answer.headers).toMatchObject({
      'content-length': `${content.length}`,
      'content-security-policy': 'sandbox',
      'cache-control': 'no-store',
    });
  });

  test('is 404 when the file is gone, and nothing more than a status when there is no body', async () => {
    const send = await answering({ status: 200, headers: {}, body: { file: join(makeFolder(), 'gone') } });
    expect(await send()).toMatchObject({ status: 404, body: expect.stringContaining('"not_found"') as string });
    expect(await (await answering({ status: 204, headers: {}, body: null }))()).toMatchObject({ status: 204, body: '' });
  });
});

describe('another workspace', () => {
  const tokenOf = async (client: Client, name: string): Promise<string> => {
    const [place] = (await client.call('files.places', {})).places;
    const listed: Answer<'files.browse'> = await client.call('files.browse', { token: place?.token ?? '' });
    return listed.entries.find((entry) => entry.name === name)?.token ?? '';
  };

  test('is opened behind the same address: pages come back and meet it, runs of the last one are stopped', async () => {
    const roots = makeFolder();
    for (const name of ['first', 'second', 'foreign']) mkdirSync(join(roots, name));
    writeFileSync(join(roots, 'foreign', 'letter.txt'), 'Dear');
    const host = await startHost(join(roots, 'first'), { browsableFolders: [realpathSync(roots)] });
    const cookie = await enter(host);
    const client = await createClient(await openPagePort({ port: host.port, cookie }));
    await client.call('runs.create', { recipe: transferRecipe, settings: [script({ stepMs: 100 })] });
    for (const [name, code] of [
      ['foreign', 'bad_usage'],
      ['first', 'conflict'],
    ] as const) {
      await expect(client.call('workspace.open', { token: await tokenOf(client, name) })).rejects.toMatchObject({ code });
    }
    expect((await client.call('runs.list', {})).runs).toHaveLength(1);
    const dropped = new Promise<void>((resolve) => client.onClose(resolve));
    await client.call('workspace.open', { token: await tokenOf(client, 'second') });
    await dropped;
    const back = await createClient(await openPagePort({ port: host.port, cookie }));
    expect((await back.call('runs.list', {})).runs).toEqual([]);
    // The last workspace is busy until the work of its run is saved.
    const open = async (): Promise<object> => back.call('workspace.open', { token: await tokenOf(back, 'first') });
    await expect.poll(() => open().catch(() => undefined), { timeout: 20_000, interval: 100 }).toBeDefined();
    const again = await createClient(await openPagePort({ port: host.port, cookie }));
    expect((await again.call('runs.list', {})).runs.map(({ state }) => state)).toEqual(['stopped']);
    again.close();
    back.close();
  });
});
