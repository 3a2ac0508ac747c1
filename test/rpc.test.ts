import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Handlers } from '../src/shared/contract/api.ts';
import { LabError } from '../src/shared/contract/errors.ts';
import type { DurableEvent, LabEvent } from '../src/shared/contract/events.ts';
import { createMemoryPair, encodeMessage, rpcLimits, type Port } from '../src/shared/rpc.ts';
import { createClient } from '../src/shared/rpcClient.ts';
import { createServer, type ServerOptions } from '../src/shared/rpcServer.ts';
import { createMessagePort } from '../src/shared/messagePort.ts';
import { createElectronPort } from '../src/main/ports/electronPort.ts';
import { connectLocal, listenLocal } from '../src/main/ports/socket.ts';
import { FakeMessageChannelMain } from './fixtures/electron/fakePorts.ts';
import { listenWeb, openPagePort } from './webServer.ts';

type Handler = (input: unknown, context: { signal: AbortSignal }) => unknown;

/** Every method refuses but those a test gives. */
function handlersWith(given: Partial<Record<keyof Handlers, Handler>>): Handlers {
  const refuse = (): never => {
    throw new LabError('unsupported', 'Not part of this test.');
  };
  return new Proxy(given, { get: (target, name) => target[name as keyof Handlers] ?? refuse }) as unknown as Handlers;
}

class EventLog {
  readonly events: DurableEvent[] = [];
  readonly #listeners = new Set<(event: LabEvent) => void>();
  reads = 0;

  commit(count: number): void {
    for (let index = 0; index < count; index += 1) {
      const seq = this.events.length + 1;
      const event: DurableEvent = {
        type: 'run.logged',
        seq,
        at: new Date(0).toISOString(),
        runId: 'test-run' as never,
        level: 'info',
        text: `${seq}`,
      };
      this.events.push(event);
      for (const listener of this.#listeners) listener(event);
    }
  }

  show(): void {
    const event: LabEvent = {
      type: 'dataset.progress',
      seq: this.events.length,
      at: new Date(0).toISOString(),
      name: 'x',
      done: 1,
      total: 2,
    };
    for (const listener of this.#listeners) listener(event);
  }

  read(since: number, limit: number): DurableEvent[] {
    this.reads += 1;
    return this.events.filter((event) => event.seq > since).slice(0, limit);
  }

  subscribe(listener: (event: LabEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

type Changed = Partial<Omit<ServerOptions, 'handlers'>> & { handlers?: Partial<Record<keyof Handlers, Handler>> };

function serverWith(changed: Changed = {}): ReturnType<typeof createServer> {
  const { handlers = {}, ...rest } = changed;
  const server = createServer({
    events: new EventLog(),
    reach: 'local',
    isOutputValidated: true,
    ...rest,
    handlers: handlersWith(handlers),
  });
  onTestFinished(() => server.close());
  return server;
}

async function memoryPort(server: ReturnType<typeof createServer>): Promise<Port> {
  const [client, other] = createMemoryPair();
  server.serve(other);
  return Promise.resolve(client);
}

/** A fake of Electron's channel over a real one that clones; the page's end is the class that pages use. */
async function electronPort(server: ReturnType<typeof createServer>): Promise<Port> {
  const { port1, port2 } = new FakeMessageChannelMain();
  server.serve(createElectronPort(port1));
  return Promise.resolve(createMessagePort(port2.asPageEnd()));
}

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'rpc-'));
  const endpoint = join(folder, 'lab.sock');
  const listening = await listenLocal(endpoint, (port) => server.serve(port));
  onTestFinished(async () => {
    server.close();
    await listening.close();
    rmSync(folder, { recursive: true });
  });
  return endpoint;
}

const ports = [
  { name: 'memory', open: memoryPort },
  { name: 'local socket', open: async (server: ReturnType<typeof createServer>) => connectLocal(await listen(server)) },
  { name: 'Electron', open: electronPort },
  { name: 'WebSocket', open: async (server: ReturnType<typeof createServer>) => openPagePort(await listenWeb(server)) },
];

const noRuns = { 'runs.list': () => ({ runs: [] }) };

describe.each(ports)('the wire over the $name port', ({ open }) => {
  const clientOf = async (changed: Changed = {}): Promise<Awaited<ReturnType<typeof createClient>>> => {
    const client = await createClient(await open(serverWith(changed)), { token: changed.token ?? '' });
    onTestFinished(() => client.close());
    return client;
  };

  test('answers a call and fills in defaults', async () => {
    let received: unknown;
    const client = await clientOf({ handlers: { 'runs.list': (input) => ((received = input), { runs: [] }) } });
    await expect(client.call('runs.list', {})).resolves.toEqual({ runs: [] });
    expect(received).toEqual({ state: null, recipeId: null, limit: 100, after: null });
  });

  test('refuses unknown keys and wrong values, naming the field', async () => {
    const client = await clientOf({ handlers: noRuns });
    await expect(client.call('runs.list', { limit: 0 })).rejects.toMatchObject({
      code: 'bad_input',
      message: 'The request runs.list: the field limit is not valid.',
    });
    await expect(client.call('runs.list', { colour: 'red' } as never)).rejects.toMatchObject({ code: 'bad_input' });
    await expect(client.call('runs.eat' as never, {} as never, { deadlineMs: 1000 })).rejects.toMatchObject({ code: 'bad_usage' });
    await expect(client.call('toString' as never, {} as never, { deadlineMs: 1000 })).rejects.toMatchObject({ code: 'bad_usage' });
  });

  test('keeps methods with paths from pages', async () => {
    const client = await clientOf({ reach: 'any', handlers: { 'datasets.import': () => null } });
    await expect(client.call('datasets.import', { paths: ['/etc/passwd'] })).rejects.toMatchObject({ code: 'bad_usage' });
  });

  test('validates answers when told to', async () => {
    const wrong = { 'runs.list': () => ({ runs: 'none' }) };
    const checked = await clientOf({ handlers: wrong });
    await expect(checked.call('runs.list', {})).rejects.toMatchObject({ code: 'internal' });
    const trusted = await clientOf({ handlers: wrong, isOutputValidated: false });
    await expect(trusted.call('runs.list', {})).resolves.toEqual({ runs: 'none' });
  });

  test('carries typed errors without their stack', async () => {
    const error = new LabError('dataset_missing', 'Gone.', { expected: 'a', received: 'b', help: 'c' });
    const client = await clientOf({
      handlers: {
        'runs.list': () => {
          throw error;
        },
      },
    });
    const caught: unknown = await client.call('runs.list', {}).catch((reason: unknown) => reason);
    expect(caught).toBeInstanceOf(LabError);
    expect(caught).toMatchObject({ code: 'dataset_missing', message: 'Gone.', expected: 'a', received: 'b', help: 'c' });
    expect(String((caught as Error).stack)).not.toContain('handlers');
  });

  test('cancels the handler when the caller does', async () => {
    const aborted = Promise.withResolvers<unknown>();
    const wait: Handler = (_input, { signal }) => new Promise(() => signal.addEventListener('abort', () => aborted.resolve(signal.reason)));
    const client = await clientOf({ handlers: { 'runs.list': wait } });
    const controller = new AbortController();
    const call = client.call('runs.list', {}, { signal: controller.signal });
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'cancelled' });
    await expect(aborted.promise).resolves.toMatchObject({ code: 'cancelled' });
  });

  test('ends a call at its deadline on both sides', async () => {
    const aborted = Promise.withResolvers<unknown>();
    const wait: Handler = (_input, { signal }) => new Promise(() => signal.addEventListener('abort', () => aborted.resolve(true)));
    const client = await clientOf({ handlers: { 'runs.list': wait } });
    await expect(client.call('runs.list', {}, { deadlineMs: 30 })).rejects.toMatchObject({ code: 'deadline_exceeded' });
    await expect(aborted.promise).resolves.toBe(true);
  });

  test('cancels everything of a client that leaves', async () => {
    const aborted = Promise.withResolvers<unknown>();
    const wait: Handler = (_input, { signal }) => new Promise(() => signal.addEventListener('abort', () => aborted.resolve(signal.reason)));
    const client = await clientOf({ handlers: { 'runs.list': wait } });
    const call = client.call('runs.list', {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.close();
    await expect(call).rejects.toMatchObject({ code: 'connection_lost' });
    await expect(aborted.promise).resolves.toMatchObject({ code: 'connection_lost' });
    await expect(client.call('runs.list', {})).rejects.toMatchObject({ code: 'connection_lost' });
  });

  test('limits the open calls of one client and no other', async () => {
    const release = Promise.withResolvers<unknown>();
    const server = serverWith({ handlers: { 'runs.list': () => release.promise } });
    const greedy = await createClient(await open(server));
    const calls = Array.from({ length: rpcLimits.openCalls }, () => greedy.call('runs.list', {}));
    await expect(greedy.call('runs.list', {})).rejects.toMatchObject({ code: 'limit_exceeded' });
    release.resolve({ runs: [] });
    await expect(Promise.all(calls)).resolves.toHaveLength(rpcLimits.openCalls);
    await expect(greedy.call('runs.list', {})).resolves.toEqual({ runs: [] });
    greedy.close();
  });

  test('limits the event streams of one client', async () => {
    const client = await clientOf();
    const streams = Array.from({ length: rpcLimits.subscriptions + 1 }, () => client.events(0)[Symbol.asyncIterator]().next());
    await expect(Promise.all(streams)).rejects.toMatchObject({ code: 'limit_exceeded' });
    await Promise.allSettled(streams);
  });

  test('answers with an error instead of a message that is too long', async () => {
    const long = { runs: ['x'.repeat(rpcLimits.messageBytes)] };
    const client = await clientOf({
      handlers: { 'runs.list': () => long, 'recipes.list': () => ({ recipes: [] }) },
      isOutputValidated: false,
    });
    await expect(client.call('runs.list', {})).rejects.toMatchObject({ code: 'limit_exceeded' });
    await expect(client.call('recipes.list', {})).resolves.toEqual({ recipes: [] });
  });

  test('wants the token and the same protocol', async () => {
    const refused = createClient(await open(serverWith({ token: 'secret' })), { token: 'guess' });
    await expect(refused).rejects.toMatchObject({ code: 'bad_usage' });
    const port = await open(serverWith());
    const answered = Promise.withResolvers<unknown>();
    port.onMessage((message) => answered.resolve(message));
    port.post({ t: 'hello', v: 999, token: '' });
    await expect(answered.promise).resolves.toMatchObject({ t: 'err', error: { code: 'unsupported' } });
  });

  test.each([
    ['a call before the greeting', { t: 'req', id: 1, method: 'runs.list', input: {} }],
    ['something else', { t: 'dance' }],
    ['an unknown key', { t: 'hello', v: 1, token: '', admin: true }],
  ])('cuts off a client that sends %s', async (_name, message) => {
    const port = await open(serverWith({ handlers: noRuns }));
    const closed = new Promise<void>((resolve) => port.onClose(resolve));
    port.post(message);
    await closed;
  });

  test('replays what was missed, then goes on live without gap or repetition', async () => {
    const log = new EventLog();
    log.commit(rpcLimits.eventPage * 2 + 7);
    const client = await clientOf({ events: log });
    const seen: number[] = [];
    const until = rpcLimits.eventPage * 2 + 57;
    for await (const event of client.events(3)) {
      if (seen.length === 0) log.commit(25);
      if (seen.length === 300) log.commit(25);
      seen.push(event.seq);
      if (event.seq === until) break;
    }
    expect(seen).toEqual(Array.from({ length: until - 3 }, (_, index) => index + 4));
  });

  test('ends a stream with the signal, and with the port', async () => {
    const client = await clientOf();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    for await (const event of client.events(0, controller.signal)) expect.unreachable(event.type);
    const stream = client.events(0)[Symbol.asyncIterator]().next();
    setTimeout(() => client.close(), 20);
    await expect(stream).rejects.toMatchObject({ code: 'connection_lost' });
  });
});

describe('a client that does not read', () => {
  /** A port whose peer takes nothing until it is told to. */
  function slowPort(): { port: Port; sent: { t: string; event?: LabEvent }[]; receive: (message: unknown) => void; take: () => void } {
    const sent: { t: string; event?: LabEvent }[] = [];
    let buffered = 0;
    let receive: (message: unknown) => void = () => undefined;
    const drains: (() => void)[] = [];
    const port: Port = {
      post: (message) => {
        buffered += encodeMessage(message).length;
        sent.push(message as { t: string });
      },
      onMessage: (listener) => (receive = listener),
      onClose: () => undefined,
      onDrain: (listener) => void drains.push(listener),
      bufferedBytes: () => buffered,
      close: () => undefined,
    };
    const take = (): void => {
      buffered = 0;
      for (const listener of drains) listener();
    };
    return { port, sent, receive: (message) => receive(message), take };
  }

  test('gets no progress and later every durable event, from the history', async () => {
    const log = new EventLog();
    const { port, sent, receive, take } = slowPort();
    serverWith({ events: log }).serve(port);
    receive({ t: 'hello', v: 1, token: '' });
    receive({ t: 'sub', id: 1, since: 0 });
    log.show();
    expect(sent.filter((message) => message.event?.type === 'dataset.progress')).toHaveLength(1);
    log.commit(600);
    expect(port.bufferedBytes()).toBeGreaterThan(rpcLimits.volatileBytes);
    expect(port.bufferedBytes()).toBeLessThan(rpcLimits.replayBytes);
    const before = sent.length;
    log.show();
    expect(sent).toHaveLength(before);
    log.commit(4400);
    expect(sent.length).toBeLessThan(4000);
    const seqs = (): number[] => sent.flatMap((message) => (message.event?.type === 'run.logged' ? [message.event.seq] : []));
    while (seqs().length < 5000) {
      take();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(seqs()).toEqual(log.events.map((event) => event.seq));
  });
});

describe('the local socket', () => {
  const raw = async (server: ReturnType<typeof createServer>): Promise<Socket> => {
    const socket = connect(await listen(server));
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('connect', resolve));
    return socket;
  };
  const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve));

  test('can be opened by its owner only', async () => {
    expect(statSync(await listen(serverWith())).mode & 0o777).toBe(0o600);
  });

  test('cuts off a line that is too long, and a line that is not JSON', async () => {
    const long = await raw(serverWith());
    const end = closed(long);
    for (let sent = 0; sent < 20 && !long.destroyed; sent += 1) long.write('x'.repeat(100_000));
    await end;
    const wrong = await raw(serverWith());
    wrong.write('hello\n');
    await closed(wrong);
  });

  test('understands a message that arrives in pieces, between characters too', async () => {
    const server = serverWith({ token: 'ü€😀' });
    const socket = await raw(server);
    const answered = new Promise<string>((resolve) => socket.once('data', (data: Buffer) => resolve(data.toString())));
    for (const byte of Buffer.from(`${JSON.stringify({ t: 'hello', v: 1, token: 'ü€😀' })}\n`)) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect(answered).resolves.toBe('{"t":"hello","v":1}\n');
    socket.destroy();
  });
});
