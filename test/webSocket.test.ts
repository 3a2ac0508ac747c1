import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Handlers } from '../src/shared/contract/api.ts';
import type { DurableEvent, LabEvent } from '../src/shared/contract/events.ts';
import { rpcLimits, type Port } from '../src/shared/rpc.ts';
import { createClient } from '../src/shared/rpcClient.ts';
import { createServer, type EventSource, type Server } from '../src/shared/rpcServer.ts';
import { createWebSocketPort } from '../src/main/ports/webSocket.ts';
import { listenWeb, openPagePort, openPageSocket } from './webServer.ts';

vi.setConfig({ testTimeout: 60_000 });

/** A history of log lines of a kilobyte each. */
function createHistory(): EventSource & { commit(count: number): void; readonly length: () => number } {
  const events: DurableEvent[] = [];
  const listeners = new Set<(event: LabEvent) => void>();
  return {
    read: (since, limit) => events.slice(since, since + limit),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    commit: (count) => {
      for (let index = 0; index < count; index += 1) {
        const seq = events.length + 1;
        const event = {
          type: 'run.logged',
          seq,
          at: new Date(0).toISOString(),
          runId: 'test-run' as never,
          level: 'info',
          text: 'x'.repeat(1000),
        } as const;
        events.push(event);
        for (const listener of [...listeners]) listener(event);
      }
    },
    length: () => events.length,
  };
}

function serve(events: EventSource, handlers: Partial<Handlers> = {}): Server {
  const server = createServer({ events, handlers: handlers as Handlers, reach: 'any', isOutputValidated: false });
  onTestFinished(() => server.close());
  return server;
}

describe('a page that does not read', () => {
  test('costs the server no more than the limit, and catches up without gap or repetition', async () => {
    const history = createHistory();
    const opened: { port?: Port } = {};
    const door = await listenWeb(serve(history), (port) => (opened.port = port));
    const socket = await openPageSocket(door);
    const client = await createClient(createWebSocketPort(socket));
    const seen: number[] = [];
    const following = (async (): Promise<void> => {
      for await (const event of client.events(0)) {
        seen.push(event.seq);
        if (event.seq === 40_000) return;
      }
    })();
    history.commit(10);
    await expect.poll(() => seen.length).toBe(10);
    socket.pause();
    let most = 0;
    // 40 MB, several times what the two systems' socket buffers take.
    while (history.length() < 40_000) {
      history.commit(100);
      most = Math.max(most, opened.port?.bufferedBytes() ?? 0);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(most).toBeGreaterThan(rpcLimits.volatileBytes);
    expect(most).toBeLessThan(2 * rpcLimits.replayBytes + rpcLimits.eventPage * 1200);
    socket.resume();
    await following;
    expect(seen).toEqual(Array.from({ length: 40_000 }, (_, index) => index + 1));
    client.close();
  });

  test('is cut off when it asks and never takes the answers', async () => {
    const door = await listenWeb(serve(createHistory(), { 'runs.list': () => ({ runs: ['x'.repeat(900_000)] }) as never }));
    const socket = await openPageSocket(door);
    socket.on('error', () => undefined);
    const port = createWebSocketPort(socket);
    const client = await createClient(port);
    socket.pause();
    const calls: Promise<unknown>[] = [];
    for (let round = 0; round < 60; round += 1) {
      calls.push(client.call('runs.list', {}, { deadlineMs: 30_000 }).catch((error: unknown) => error));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    socket.resume();
    const answers = await Promise.all(calls);
    expect(answers.at(-1)).toMatchObject({ code: expect.stringMatching(/limit_exceeded|connection_lost/) as string });
  });
});

describe('the port', () => {
  test.each([
    ['text that is not JSON', 'hello'],
    ['bytes', Buffer.from('{"t":"hello","v":1,"token":""}')],
  ])('cuts off a page that sends %s', async (_what, message) => {
    const socket = await openPageSocket(await listenWeb(serve(createHistory())));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.send(message);
    await closed;
  });

  test('cuts off a page that sends more than a message may be', async () => {
    const socket = await openPageSocket(await listenWeb(serve(createHistory())));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.send(JSON.stringify({ t: 'hello', v: 1, token: 'x'.repeat(rpcLimits.messageBytes) }));
    expect(await closed).toBe(1009);
  });

  test('ends within a second or so though the peer takes nothing, after what was posted for one that does', async () => {
    const opened: Port[] = [];
    const door = await listenWeb(serve(createHistory()), (port) => opened.push(port));
    const taking = await openPagePort(door);
    const received: unknown[] = [];
    taking.onMessage((message) => received.push(message));
    const gone = new Promise<void>((resolve) => taking.onClose(resolve));
    opened[0]?.post({ last: 'words' });
    opened[0]?.close();
    opened[0]?.post({ after: 'the end' });
    await gone;
    expect(received).toEqual([{ last: 'words' }]);
    const late = new Promise<void>((resolve) => taking.onClose(resolve));
    await late;
    const socket = await openPageSocket(door);
    onTestFinished(() => socket.terminate());
    socket.pause();
    const ended = new Promise<void>((resolve) => opened[1]?.onClose(resolve));
    const started = performance.now();
    opened[1]?.close();
    await ended;
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
