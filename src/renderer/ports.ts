// The two ways to the core: a WebSocket in a browser, a message port of the preload script in the desktop window.
import { LabError } from '../shared/contract/errors.ts';
import { encodeMessage, type Port } from '../shared/rpc.ts';

/** Rejects with `connection_lost` when the server does not accept the socket. */
export function openWebSocketPort(address: string): Promise<Port> {
  const socket = new WebSocket(address);
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(new WebSocketPort(socket)), { once: true });
    socket.addEventListener(
      'close',
      () => reject(new LabError('connection_lost', 'The lab does not answer.', { help: 'Start it again with `npm start`.' })),
      { once: true },
    );
  });
}

class WebSocketPort implements Port {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  post(message: unknown): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeMessage(message));
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#socket.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      if (typeof data !== 'string') {
        this.#socket.close();
        return;
      }
      listener(JSON.parse(data));
    });
  }

  onClose(listener: () => void): void {
    if (this.#socket.readyState === WebSocket.CLOSED) listener();
    else this.#socket.addEventListener('close', () => listener(), { once: true });
  }

  /** A page posts little and never waits for it to be taken. */
  onDrain(): void {
    return;
  }

  bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  close(): void {
    this.#socket.close();
  }
}
