// The client's side of the wire: calls with deadline and cancellation, and the event stream. It owns no retry: who called knows whether
// asking twice is harmless.
import { api, type Answer, type CallInput, type MethodName } from './contract/api.ts';
import { fromWire, LabError } from './contract/errors.ts';
import type { LabEvent } from './contract/events.ts';
import { validate } from './contract/validation.ts';
import { protocolVersion, serverMessageSchema, type ClientMessage, type Port, type ServerMessage } from './rpc.ts';

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly deadlineMs?: number;
}

export interface Client {
  call<Name extends MethodName>(method: Name, input: CallInput<Name>, options?: CallOptions): Promise<Answer<Name>>;
  /** Durable events after `since` from the history, then everything live, until the signal aborts; throws when the port closes. */
  events(since: number, signal?: AbortSignal): AsyncIterable<LabEvent>;
  onClose(listener: () => void): void;
  close(): void;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: LabError) => void;
}

interface Stream {
  readonly push: (event: LabEvent) => void;
  readonly fail: (error: LabError) => void;
}

/** Resolves once the server has accepted the connection; rejects with `connection_lost` when it does not answer in time. */
export async function createClient(port: Port, options: { token?: string; helloMs?: number } = {}): Promise<Client> {
  const client = new PortClient(port);
  await client.hello(options.token ?? '', options.helloMs ?? 2000);
  return client;
}

class PortClient implements Client {
  readonly #port: Port;
  readonly #calls = new Map<number, Pending>();
  readonly #streams = new Map<number, Stream>();
  #hello: Pending | undefined;
  #lastId = 0;
  #closed: LabError | undefined;

  constructor(port: Port) {
    this.#port = port;
    port.onMessage((message) => this.#receive(message));
    port.onClose(() =>
      this.#end(new LabError('connection_lost', 'The connection to the lab was lost.', { help: 'Run the command again.' })),
    );
  }

  hello(token: string, helloMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new LabError('connection_lost', 'The owner of the workspace did not answer.', { help: 'Run the command again.' }));
        this.#port.close();
      }, helloMs);
      this.#hello = {
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#post({ t: 'hello', v: protocolVersion, token });
    });
  }

  async call<Name extends MethodName>(method: Name, input: CallInput<Name>, options: CallOptions = {}): Promise<Answer<Name>> {
    if (this.#closed !== undefined) throw this.#closed;
    options.signal?.throwIfAborted();
    const id = this.#nextId();
    const deadlineMs = options.deadlineMs ?? api[method].deadlineMs;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let onAbort: (() => void) | undefined;
    try {
      const value = await new Promise<unknown>((resolve, reject) => {
        this.#calls.set(id, { resolve, reject });
        const cancel = (error: LabError): void => {
          this.#post({ t: 'cancel', id });
          reject(error);
        };
        timer = setTimeout(() => cancel(deadlineExceeded(method, deadlineMs)), deadlineMs);
        onAbort = () => cancel(new LabError('cancelled', `The call ${method} was cancelled.`));
        options.signal?.addEventListener('abort', onAbort, { once: true });
        this.#post({ t: 'req', id, method, input });
      });
      return value as Answer<Name>;
    } finally {
      clearTimeout(timer);
      if (onAbort !== undefined) options.signal?.removeEventListener('abort', onAbort);
      this.#calls.delete(id);
    }
  }

  async *events(since: number, signal?: AbortSignal): AsyncGenerator<LabEvent> {
    if (this.#closed !== undefined) throw this.#closed;
    const waiting: LabEvent[] = [];
    const id = this.#nextId();
    const ended: { reason?: LabError } = {};
    let wake = (): void => undefined;
    this.#streams.set(id, {
      push: (event) => {
        waiting.push(event);
        wake();
      },
      fail: (error) => {
        ended.reason = error;
        wake();
      },
    });
    const onAbort = (): void => wake();
    signal?.addEventListener('abort', onAbort);
    try {
      this.#post({ t: 'sub', id, since });
      while (signal?.aborted !== true) {
        const event = waiting.shift();
        if (event !== undefined) yield event;
        else if (ended.reason !== undefined) throw ended.reason;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#streams.delete(id);
      this.#post({ t: 'unsub', id });
    }
  }

  onClose(listener: () => void): void {
    this.#port.onClose(listener);
  }

  close(): void {
    this.#port.close();
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #post(message: ClientMessage): void {
    if (this.#closed === undefined) this.#port.post(message);
  }

  #receive(message: unknown): void {
    let received: ServerMessage;
    try {
      received = validate(serverMessageSchema, message, 'The message of the lab');
    } catch (error) {
      this.#end(error);
      this.#port.close();
      return;
    }
    switch (received.t) {
      case 'hello':
        this.#hello?.resolve(undefined);
        return;
      case 'res':
        this.#calls.get(received.id)?.resolve(received.value);
        return;
      case 'evt':
        this.#streams.get(received.id)?.push(received.event);
        return;
      case 'err':
        this.#fail(received.id, fromWire(received.error));
    }
  }

  #fail(id: number | null, error: LabError): void {
    if (id === null) {
      this.#end(error);
      return;
    }
    this.#calls.get(id)?.reject(error);
    this.#streams.get(id)?.fail(error);
  }

  #end(error: unknown): void {
    if (this.#closed !== undefined) return;
    const reason = error instanceof LabError ? error : new LabError('connection_lost', String(error));
    this.#closed = reason;
    this.#hello?.reject(reason);
    for (const call of this.#calls.values()) call.reject(reason);
    for (const stream of this.#streams.values()) stream.fail(reason);
  }
}

function deadlineExceeded(method: string, deadlineMs: number): LabError {
  return new LabError('deadline_exceeded', `The call ${method} took too long.`, {
    expected: `an answer within ${deadlineMs / 1000} s`,
    help: 'Try again; if it happens often, run `lab doctor`.',
  });
}
