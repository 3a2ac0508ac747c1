// Ports over message channels, on a real channel of node:worker_threads, which clones what travels: order, the end on either side, and
// what the sender knows about a peer that does not take its messages.
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createMessagePort, openBridgePort, type BridgeWindow, type ChannelEnd } from '../src/shared/messagePort.ts';
import { rpcLimits, type Port } from '../src/shared/rpc.ts';
import { createElectronPort } from '../src/main/ports/electronPort.ts';
import { FakeMessageChannelMain } from './fixtures/electron/fakePorts.ts';

const endOf = (port: MessagePort): ChannelEnd => port as unknown as ChannelEnd;

function openPair(): { host: Port; page: Port } {
  const { port1, port2 } = new FakeMessageChannelMain();
  const host = createElectronPort(port1);
  const page = createMessagePort(port2.asPageEnd());
  onTestFinished(() => host.close());
  return { host, page };
}

/** A host whose peer does only what the test makes it do. */
function openRaw(): { host: Port; peer: MessagePort; received: unknown[] } {
  const { port1, port2 } = new MessageChannel();
  const host = createMessagePort(endOf(port1));
  const received: unknown[] = [];
  port2.on('message', (frame) => received.push(frame));
  onTestFinished(() => port2.close());
  return { host, peer: port2, received };
}

const closed = (port: Port): Promise<void> => new Promise((resolve) => port.onClose(resolve));

describe('messages', () => {
  test('arrive equal and in order, in both directions', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 30 }), async (messages) => {
        const { host, page } = openPair();
        for (const [from, to] of [
          [host, page],
          [page, host],
        ] as const) {
          const received: unknown[] = [];
          to.onMessage((message) => received.push(message));
          for (const message of messages) from.post(message);
          await vi.waitFor(() => expect(received).toHaveLength(messages.length), { interval: 1 });
          expect(received).toEqual(JSON.parse(JSON.stringify(messages)));
        }
        host.close();
      }),
      { numRuns: 30 },
    );
  });

  test('are copies of what they were when they were posted', async () => {
    const { host, page } = openPair();
    const received: unknown[] = [];
    page.onMessage((message) => received.push(message));
    const message = { values: [1, 2] };
    host.post(message);
    message.values.push(3);
    await vi.waitFor(() => expect(received).toEqual([{ values: [1, 2] }]));
  });

  test('over the limit are refused on the way out and cut off on the way in', async () => {
    const { host, peer } = openRaw();
    expect(() => host.post('x'.repeat(rpcLimits.messageBytes))).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
    expect(host.bufferedBytes()).toBe(0);
    peer.postMessage(JSON.stringify('x'.repeat(rpcLimits.messageBytes)));
    await closed(host);
  });
});

describe('a peer that does not take its messages', () => {
  test('is seen to hold them until it acknowledges, and only then drains', async () => {
    const { host, peer, received } = openRaw();
    const drained = vi.fn();
    host.onDrain(drained);
    host.post('12345678');
    host.post('1234');
    await vi.waitFor(() => expect(received).toEqual(['"12345678"', '"1234"']));
    expect(host.bufferedBytes()).toBe(16);
    peer.postMessage(10);
    await vi.waitFor(() => expect(host.bufferedBytes()).toBe(6));
    expect(drained).not.toHaveBeenCalled();
    peer.postMessage(6);
    await vi.waitFor(() => expect(drained).toHaveBeenCalledOnce());
    expect(host.bufferedBytes()).toBe(0);
  });

  test('acknowledges by itself when it is a port of ours', async () => {
    const { host, page } = openPair();
    const drained = vi.fn();
    host.onDrain(drained);
    page.onMessage(() => undefined);
    for (let count = 0; count < 100; count += 1) host.post({ count });
    expect(host.bufferedBytes()).toBeGreaterThan(1000);
    await vi.waitFor(() => expect(host.bufferedBytes()).toBe(0));
    expect(drained).toHaveBeenCalled();
    expect(page.bufferedBytes()).toBe(0);
  });

  test.each([
    ['more than there was', 1000],
    ['nothing', 0],
    ['a negative number', -1],
    ['half a character', 0.5],
    ['no number', Number.NaN],
  ])('is cut off when it acknowledges %s', async (_name, count) => {
    const { host, peer } = openRaw();
    host.post('1234');
    peer.postMessage(count);
    await closed(host);
  });
});

describe('the end', () => {
  test.each([
    ['host', 'page'],
    ['page', 'host'],
  ] as const)('of the %s reaches the other after everything that was posted, once', async (first, second) => {
    const ports = openPair();
    const seen: unknown[] = [];
    ports[second].onMessage((message) => seen.push(message));
    ports[second].onClose(() => seen.push('end'));
    ports[first].onClose(() => seen.push('own end'));
    for (let count = 0; count < 5; count += 1) ports[first].post(count);
    ports[first].close();
    ports[first].close();
    ports[first].post('too late');
    await closed(ports[second]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen).toEqual(['own end', 0, 1, 2, 3, 4, 'end']);
    expect(ports[first].bufferedBytes()).toBeLessThan(10);
  });

  test('is noticed when the peer is gone without a farewell, as a page that was loaded again', async () => {
    const { host, peer } = openRaw();
    peer.close();
    await closed(host);
    host.post('nobody');
  });

  test('is said, for channels that do not tell it by themselves', async () => {
    const { host, received } = openRaw();
    host.post('last');
    host.close();
    await vi.waitFor(() => expect(received).toEqual(['"last"', null]));
  });

  test('is noticed by the farewell alone', async () => {
    const { host, peer } = openRaw();
    peer.postMessage(null);
    await closed(host);
  });

  test.each([
    ['an object', {}],
    ['something that is not JSON', '{'],
    ['a truth', true],
  ])('comes at once for a peer that sends %s', async (_name, frame) => {
    const { host, peer } = openRaw();
    const received = vi.fn();
    host.onMessage(received);
    peer.postMessage(frame);
    await closed(host);
    expect(received).not.toHaveBeenCalled();
  });

  test('is told at once to whoever asks afterwards', () => {
    const { host } = openPair();
    host.close();
    const told = vi.fn();
    host.onClose(told);
    expect(told).toHaveBeenCalledOnce();
  });
});

describe('a page that asks for its port', () => {
  interface Sent {
    readonly data: unknown;
    readonly source: unknown;
    readonly ports: readonly ChannelEnd[];
  }

  function openPage(answers: (page: BridgeWindow) => readonly Sent[]): { page: BridgeWindow; listeners: Set<(event: Sent) => void> } {
    const listeners = new Set<(event: Sent) => void>();
    const page: BridgeWindow = {
      lab: {
        connect: () => {
          for (const answer of answers(page)) for (const listener of [...listeners]) listener(answer);
        },
      },
      addEventListener: (_type, listener) => void listeners.add(listener),
      removeEventListener: (_type, listener) => void listeners.delete(listener),
    };
    return { page, listeners };
  }

  test('takes it from its own window only, and stops listening', async () => {
    const { port1, port2 } = new MessageChannel();
    const stranger = new MessageChannel();
    const { page, listeners } = openPage((source) => [
      { data: 'lab:connect', source: {}, ports: [endOf(stranger.port1)] },
      { data: 'other', source, ports: [endOf(stranger.port1)] },
      { data: 'lab:connect', source, ports: [] },
      { data: 'lab:connect', source, ports: [endOf(port1)] },
    ]);
    const port = await openBridgePort(page);
    const received = vi.fn();
    port2.on('message', received);
    port.post('hello');
    await vi.waitFor(() => expect(received).toHaveBeenCalledWith('"hello"'));
    expect(listeners.size).toBe(0);
    port.close();
    stranger.port1.close();
  });

  test('says so when none comes', async () => {
    const { page, listeners } = openPage(() => []);
    await expect(openBridgePort(page, 20)).rejects.toMatchObject({ code: 'connection_lost' });
    expect(listeners.size).toBe(0);
  });
});
