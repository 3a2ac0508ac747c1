// The wire between a client and the core: what a port is, which messages travel on it, and the limits both sides keep. The client is
// rpcClient.ts, the server rpcServer.ts; ports over sockets live with the process that has sockets. Modelled on VS Code's ipc.ts: a tiny
// protocol over any channel that carries messages in order.
import { z } from 'zod';
import { LabError, wireErrorSchema } from './contract/errors.ts';
import { labEventSchema } from './contract/events.ts';

export interface Port {
  /** Throws `limit_exceeded` for a message over the limit; does nothing after the port is closed. */
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once, whichever side closed; at once when the port is closed already. */
  onClose(listener: () => void): void;
  /** Called whenever the peer has taken everything that was posted. */
  onDrain(listener: () => void): void;
  /** What the peer has not taken yet. */
  bufferedBytes(): number;
  close(): void;
}

export const protocolVersion = 1;

export const rpcLimits = {
  /** platform.md 2.3: larger answers are read by page. */
  messageBytes: 1024 * 1024,
  openCalls: 64,
  subscriptions: 32,
  /** Above this a peer gets no progress; above `replayBytes` it gets its events later, from the history. */
  volatileBytes: 64 * 1024,
  replayBytes: 256 * 1024,
  /** A peer that asks and never reads is cut off. */
  unreadBytes: 8 * 1024 * 1024,
  eventPage: 200,
} as const;

const id = z.int().positive();

export const clientMessageSchema = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('hello'), v: z.int(), token: z.string() }),
  z.strictObject({ t: z.literal('req'), id, method: z.string().max(64), input: z.unknown() }),
  z.strictObject({ t: z.literal('cancel'), id }),
  z.strictObject({ t: z.literal('sub'), id, since: z.int().nonnegative() }),
  z.strictObject({ t: z.literal('unsub'), id }),
]);
export type ClientMessage = z.infer<typeof clientMessageSchema>;

export const serverMessageSchema = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('hello'), v: z.int() }),
  z.strictObject({ t: z.literal('res'), id, value: z.unknown() }),
  /** Without an id the whole connection was refused. */
  z.strictObject({ t: z.literal('err'), id: id.nullable(), error: wireErrorSchema }),
  z.strictObject({ t: z.literal('evt'), id, event: labEventSchema }),
]);
export type ServerMessage = z.infer<typeof serverMessageSchema>;

/** The text of a message as every port sends it; throws `limit_exceeded` when it is too long. */
export function encodeMessage(message: unknown): string {
  const text = JSON.stringify(message);
  // A UTF-16 unit is at most three bytes of UTF-8, so short texts need no exact count.
  if (text.length * 3 <= rpcLimits.messageBytes) return text;
  const bytes = new TextEncoder().encode(text).byteLength;
  if (bytes <= rpcLimits.messageBytes) return text;
  throw new LabError('limit_exceeded', 'The message is too long for one answer.', {
    expected: `at most ${rpcLimits.messageBytes} bytes`,
    received: `${bytes} bytes`,
    help: 'Ask for fewer entries at once.',
  });
}

/** Two connected ports in one process; messages are copied as on a socket and arrive in order, never within `post`. */
export function createMemoryPair(): [Port, Port] {
  const first = new MemoryPort();
  const second = new MemoryPort();
  first.connect(second);
  second.connect(first);
  return [first, second];
}

class MemoryPort implements Port {
  #peer: MemoryPort | undefined;
  #buffered = 0;
  #isClosed = false;
  readonly #messageListeners: ((message: unknown) => void)[] = [];
  readonly #closeListeners: (() => void)[] = [];
  readonly #drainListeners: (() => void)[] = [];

  connect(peer: MemoryPort): void {
    this.#peer = peer;
  }

  post(message: unknown): void {
    if (this.#isClosed) return;
    const text = encodeMessage(message);
    this.#buffered += text.length;
    queueMicrotask(() => {
      this.#buffered -= text.length;
      this.#peer?.receive(JSON.parse(text));
      if (this.#buffered === 0) for (const listener of this.#drainListeners) listener();
    });
  }

  receive(message: unknown): void {
    if (this.#isClosed) return;
    for (const listener of this.#messageListeners) listener(message);
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#messageListeners.push(listener);
  }

  onClose(listener: () => void): void {
    if (this.#isClosed) listener();
    else this.#closeListeners.push(listener);
  }

  onDrain(listener: () => void): void {
    this.#drainListeners.push(listener);
  }

  bufferedBytes(): number {
    return this.#buffered;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const listener of this.#closeListeners) listener();
    const peer = this.#peer;
    // What was posted before the end still arrives before the end.
    queueMicrotask(() => peer?.close());
  }
}
