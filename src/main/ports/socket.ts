// Ports over a Unix socket or named pipe: one JSON text per line. The socket file is readable by its owner only (mode 0600); the token
// of the greeting guards named pipes as well.
import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { LabError } from '../../shared/contract/errors.ts';
import { encodeMessage, rpcLimits, type Port } from '../../shared/rpc.ts';

const newline = 0x0a;

/** Listens on the endpoint; what an earlier process left there is replaced, so the caller must own the workspace. */
export async function listenLocal(endpoint: string, onPort: (port: Port) => void): Promise<{ close: () => Promise<void> }> {
  const isFile = process.platform !== 'win32';
  if (isFile) rmSync(endpoint, { force: true });
  const server = createServer((socket) => onPort(new SocketPort(socket)));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The file must never be open to others, not even between bind and chmod.
    const mask = process.umask(0o177);
    try {
      server.listen(endpoint, resolve);
    } finally {
      process.umask(mask);
    }
  });
  if (isFile) chmodSync(endpoint, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

/** Rejects with `connection_lost` when nobody listens there. */
export function connectLocal(endpoint: string): Promise<Port> {
  return new Promise((resolve, reject) => {
    const socket = connect(endpoint);
    socket.once('error', (cause) => reject(new LabError('connection_lost', 'Nobody answers for the workspace.', { cause })));
    socket.once('connect', () => resolve(new SocketPort(socket)));
  });
}

class SocketPort implements Port {
  readonly #socket: Socket;
  readonly #listeners: ((message: unknown) => void)[] = [];
  #parts: Buffer[] = [];
  #partBytes = 0;
  #isClosed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    // A reset connection is a closed one: `close` follows every error.
    socket.on('error', () => undefined);
    socket.on('end', () => this.close());
    socket.on('close', () => {
      this.#isClosed = true;
    });
  }

  post(message: unknown): void {
    const text = encodeMessage(message);
    if (!this.#isClosed) this.#socket.write(`${text}\n`);
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#listeners.push(listener);
  }

  onClose(listener: () => void): void {
    if (this.#socket.closed) listener();
    else this.#socket.on('close', () => listener());
  }

  onDrain(listener: () => void): void {
    this.#socket.on('drain', listener);
  }

  bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  /** What was posted still goes out; a peer that does not take it within a second is cut off. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.end(() => this.#socket.destroy());
    setTimeout(() => this.#socket.destroy(), 1000).unref();
  }

  #read(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      this.#parts.push(chunk.subarray(start, end));
      const line = Buffer.concat(this.#parts);
      this.#parts = [];
      this.#partBytes = 0;
      start = end + 1;
      if (line.length > rpcLimits.messageBytes) this.#socket.destroy();
      if (this.#isClosed || this.#socket.destroyed) return;
      this.#receive(line);
    }
    this.#parts.push(chunk.subarray(start));
    this.#partBytes += chunk.length - start;
    if (this.#partBytes > rpcLimits.messageBytes) this.#socket.destroy();
  }

  #receive(line: Buffer): void {
    let message: unknown;
    try {
      message = JSON.parse(line.toString('utf8'));
    } catch {
      this.#socket.destroy();
      return;
    }
    for (const listener of this.#listeners) listener(message);
  }
}
