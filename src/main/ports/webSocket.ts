// Ports over a WebSocket: one JSON text per message. A peer that does not answer to pings any more is cut off, so that a browser that
// sleeps or a tunnel that died holds nothing here.
import type { RawData, WebSocket } from 'ws';
import { encodeMessage, type Port } from '../../shared/rpc.ts';

const defaultHeartbeatMs = 15_000;
/** What was posted may take this long to go out after the end. */
const farewellMs = 1000;

/** Works on both ends of an open connection; whoever made the socket must have limited the length of its messages. */
export function createWebSocketPort(socket: WebSocket, heartbeatMs = defaultHeartbeatMs): Port {
  return new WebSocketPort(socket, heartbeatMs);
}

class WebSocketPort implements Port {
  readonly #socket: WebSocket;
  readonly #messageListeners: ((message: unknown) => void)[] = [];
  readonly #drainListeners: (() => void)[] = [];
  #isClosing = false;

  constructor(socket: WebSocket, heartbeatMs: number) {
    this.#socket = socket;
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    // A broken connection is a closed one: `close` follows every error.
    socket.on('error', () => undefined);
    this.#watch(heartbeatMs);
  }

  post(message: unknown): void {
    const text = encodeMessage(message);
    if (this.#isClosing || this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(text, () => {
      if (this.#socket.bufferedAmount === 0) for (const listener of this.#drainListeners) listener();
    });
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#messageListeners.push(listener);
  }

  onClose(listener: () => void): void {
    if (this.#socket.readyState === this.#socket.CLOSED) listener();
    else this.#socket.once('close', () => listener());
  }

  onDrain(listener: () => void): void {
    this.#drainListeners.push(listener);
  }

  bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#socket.close(1000);
    setTimeout(() => this.#socket.terminate(), farewellMs).unref();
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#isClosing) return;
    let message: unknown;
    try {
      if (isBinary || !Buffer.isBuffer(data)) throw new TypeError('A message is text.');
      message = JSON.parse(data.toString('utf8'));
    } catch {
      this.#socket.terminate();
      return;
    }
    for (const listener of this.#messageListeners) listener(message);
  }

  #watch(heartbeatMs: number): void {
    let hasAnswered = true;
    this.#socket.on('pong', () => {
      hasAnswered = true;
    });
    const timer = setInterval(() => {
      if (!hasAnswered) this.#socket.terminate();
      else if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
      hasAnswered = false;
    }, heartbeatMs);
    timer.unref();
    this.#socket.once('close', () => clearInterval(timer));
  }
}
