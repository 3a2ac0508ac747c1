// Ports over the message channels of browsers, of Electron and of worker threads: the two ends look alike, so one class serves both. A
// message channel does not say what its peer has taken, so each end acknowledges what it received: without that, a page that sleeps
// would let the sender's memory grow.
import { LabError } from './contract/errors.ts';
import { encodeMessage, rpcLimits, type Port } from './rpc.ts';

/** What a browser's MessagePort, and that of node:worker_threads, have in common. */
export interface ChannelEnd {
  postMessage(frame: unknown): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: () => void): void;
  start(): void;
  close(): void;
}

/** A message as text, the number of characters that were taken, or null as a farewell. */
type Frame = string | number | null;

/** Takes over the end of a channel; listeners must be added before the next message can arrive, so without waiting. */
export function createMessagePort(end: ChannelEnd): Port {
  return new ChannelPort(end);
}

class ChannelPort implements Port {
  readonly #end: ChannelEnd;
  readonly #messageListeners: ((message: unknown) => void)[] = [];
  readonly #closeListeners: (() => void)[] = [];
  readonly #drainListeners: (() => void)[] = [];
  #untaken = 0;
  #isClosed = false;

  constructor(end: ChannelEnd) {
    this.#end = end;
    end.addEventListener('message', ({ data }) => this.#receive(data));
    end.addEventListener('close', () => this.#finish());
    end.start();
  }

  post(message: unknown): void {
    const text = encodeMessage(message);
    if (this.#isClosed) return;
    this.#untaken += text.length;
    this.#send(text);
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
    return this.#untaken;
  }

  close(): void {
    if (this.#isClosed) return;
    // The channel keeps the order, so the farewell comes after everything that was posted. It is needed: Chromium 156 tells a page
    // nothing when the other end closes.
    this.#send(null);
    this.#finish();
    this.#end.close();
  }

  #send(frame: Frame): void {
    this.#end.postMessage(frame);
  }

  #receive(frame: unknown): void {
    if (this.#isClosed) return;
    if (typeof frame === 'string') this.#take(frame);
    else if (typeof frame === 'number') this.#acknowledge(frame);
    // A farewell, or something that no end of this program sends.
    else this.close();
  }

  #take(text: string): void {
    let message: unknown;
    try {
      if (text.length > rpcLimits.messageBytes) throw new RangeError('The message is too long.');
      message = JSON.parse(text);
    } catch {
      this.close();
      return;
    }
    this.#send(text.length);
    for (const listener of this.#messageListeners) listener(message);
  }

  #acknowledge(count: number): void {
    if (!Number.isInteger(count) || count <= 0 || count > this.#untaken) {
      this.close();
      return;
    }
    this.#untaken -= count;
    if (this.#untaken === 0) for (const listener of this.#drainListeners) listener();
  }

  #finish(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const listener of this.#closeListeners) listener();
  }
}

/** The name of the one channel between page and host: the page asks on it, the answer carries the port. */
export const connectChannel = 'lab:connect';

interface BridgeEvent {
  readonly data: unknown;
  readonly source: unknown;
  readonly ports: readonly ChannelEnd[];
}

/** The window of a page that the preload script gave its bridge. */
export interface BridgeWindow {
  readonly lab: { connect(): void };
  addEventListener(type: 'message', listener: (event: BridgeEvent) => void): void;
  removeEventListener(type: 'message', listener: (event: BridgeEvent) => void): void;
}

/** Rejects with `connection_lost` when the host sends no port in time, as while it ends. */
export function openBridgePort(page: BridgeWindow, patienceMs = 5000): Promise<Port> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      page.removeEventListener('message', receive);
      settle();
    };
    const receive = ({ data, source, ports: [end] }: BridgeEvent): void => {
      if (source !== page || data !== connectChannel || end === undefined) return;
      finish(() => resolve(createMessagePort(end)));
    };
    const timer = setTimeout(() => {
      const error = new LabError('connection_lost', 'The lab does not answer.', { help: 'Close the window and start the lab again.' });
      finish(() => reject(error));
    }, patienceMs);
    page.addEventListener('message', receive);
    page.lab.connect();
  });
}
