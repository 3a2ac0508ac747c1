// The server's side of the wire and the security border: every message and every input is validated here, unknown keys are errors, and
// a peer that breaks the protocol or its limits is cut off. It knows nothing of what the handlers do.
import { api, type CallContext, type Handlers, type MethodName } from './contract/api.ts';
import { LabError, toWire } from './contract/errors.ts';
import { isVolatile, type DurableEvent, type LabEvent } from './contract/events.ts';
import { validate } from './contract/validation.ts';
import { clientMessageSchema, protocolVersion, rpcLimits, type ClientMessage, type Port, type ServerMessage } from './rpc.ts';

export interface EventSource {
  /** Durable events after `since` in order, at most `limit`. */
  read(since: number, limit: number): readonly DurableEvent[];
  /** Every event from now on; the function returned ends it. */
  subscribe(listener: (event: LabEvent) => void): () => void;
}

export interface ServerOptions {
  readonly handlers: Handlers;
  readonly events: EventSource;
  /** `local` also offers methods that take paths of this machine. */
  readonly reach: 'any' | 'local';
  readonly isOutputValidated: boolean;
  /** What a client must know to be served; empty for ports that only this process has. */
  readonly token?: string;
}

export interface Server {
  serve(port: Port): void;
  /** Peers that are connected: their open calls, and for how long nothing was received from or sent to them. */
  peers(): readonly { readonly openCalls: number; readonly quietMs: number }[];
  close(): void;
}

type Handler = (input: unknown, context: CallContext) => unknown;

/** One server may serve any number of ports; each port is a peer with its own calls, subscriptions and limits. */
export function createServer(options: ServerOptions): Server {
  const peers = new Set<Peer>();
  return {
    serve: (port) => {
      const peer = new Peer(port, options);
      peers.add(peer);
      port.onClose(() => peers.delete(peer));
    },
    peers: () => [...peers].map((peer) => ({ openCalls: peer.openCalls, quietMs: performance.now() - peer.lastMessage })),
    close: () => {
      for (const peer of [...peers]) peer.close();
    },
  };
}

class Peer {
  readonly #port: Port;
  readonly #options: ServerOptions;
  readonly #calls = new Map<number, AbortController>();
  readonly #streams = new Map<number, EventStream>();
  #isWelcome = false;
  #lastMessage = performance.now();

  constructor(port: Port, options: ServerOptions) {
    this.#port = port;
    this.#options = options;
    port.onMessage((message) => this.#receive(message));
    port.onClose(() => this.#end());
    port.onDrain(() => {
      for (const stream of this.#streams.values()) stream.pump();
    });
  }

  get openCalls(): number {
    return this.#calls.size;
  }

  /** When something last travelled to or from the peer, on the monotonic clock. */
  get lastMessage(): number {
    return this.#lastMessage;
  }

  close(): void {
    this.#port.close();
  }

  #receive(message: unknown): void {
    this.#lastMessage = performance.now();
    try {
      const received = validate(clientMessageSchema, message, 'The message to the lab');
      if (this.#port.bufferedBytes() > rpcLimits.unreadBytes) throw new LabError('limit_exceeded', 'The answers were not read.');
      this.#act(received);
    } catch (error) {
      this.#send({ t: 'err', id: null, error: toWire(error) });
      this.#port.close();
    }
  }

  #act(message: ClientMessage): void {
    if (message.t === 'hello') {
      this.#welcome(message.v, message.token);
      return;
    }
    if (!this.#isWelcome) throw new LabError('bad_usage', 'The first message to the lab must be its greeting.');
    switch (message.t) {
      case 'req':
        this.#open(message.id, message.method, message.input);
        return;
      case 'cancel':
        this.#calls.get(message.id)?.abort(new LabError('cancelled', 'The call was cancelled.'));
        return;
      case 'sub':
        this.#subscribe(message.id, message.since);
        return;
      case 'unsub':
        this.#streams.get(message.id)?.end();
        this.#streams.delete(message.id);
    }
  }

  #welcome(version: number, token: string): void {
    if (version !== protocolVersion) {
      throw new LabError('unsupported', 'The workspace is open in another version of the program.', {
        expected: `protocol ${protocolVersion}`,
        received: `protocol ${version}`,
        help: 'Close the other program, or use its version.',
      });
    }
    if (token !== (this.#options.token ?? '')) throw new LabError('bad_usage', 'The greeting to the lab has the wrong token.');
    this.#isWelcome = true;
    this.#send({ t: 'hello', v: protocolVersion });
  }

  #subscribe(id: number, since: number): void {
    if (this.#streams.has(id) || this.#streams.size >= rpcLimits.subscriptions) {
      throw new LabError('limit_exceeded', 'There are too many event streams on one connection.', {
        expected: `at most ${rpcLimits.subscriptions}`,
      });
    }
    const post = (event: LabEvent): void => this.#send({ t: 'evt', id, event });
    const stream = new EventStream(this.#port, post, since, this.#options.events);
    this.#streams.set(id, stream);
    stream.pump();
  }

  #open(id: number, method: string, input: unknown): void {
    if (this.#calls.has(id)) throw new LabError('bad_usage', `The call ${id} is open already.`);
    if (this.#calls.size >= rpcLimits.openCalls) {
      const error = new LabError('limit_exceeded', 'There are too many open calls on one connection.', {
        expected: `at most ${rpcLimits.openCalls}`,
        help: 'Wait for an answer before asking again.',
      });
      this.#send({ t: 'err', id, error: toWire(error) });
      return;
    }
    const controller = new AbortController();
    this.#calls.set(id, controller);
    void this.#answer(id, method, input, controller);
  }

  async #answer(id: number, method: string, input: unknown, controller: AbortController): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const name = this.#findMethod(method);
      const { deadlineMs } = api[name];
      timer = setTimeout(() => controller.abort(new LabError('deadline_exceeded', `The call ${name} took too long.`)), deadlineMs);
      const value = await Promise.race([this.#handle(name, input, controller.signal), rejectOnAbort(controller.signal)]);
      this.#send({ t: 'res', id, value });
    } catch (error) {
      this.#send({ t: 'err', id, error: toWire(error) });
    } finally {
      clearTimeout(timer);
      this.#calls.delete(id);
    }
  }

  #findMethod(method: string): MethodName {
    const isKnown = Object.hasOwn(api, method);
    const name = method as MethodName;
    if (!isKnown || (api[name].reach === 'local' && this.#options.reach !== 'local')) {
      throw new LabError('bad_usage', `The lab does not offer ${JSON.stringify(method)} here.`, {
        help: 'Use a method of this version of the program.',
      });
    }
    return name;
  }

  async #handle(name: MethodName, input: unknown, signal: AbortSignal): Promise<unknown> {
    const valid = validate(api[name].input, input, `The request ${name}`);
    const handler = this.#options.handlers[name] as Handler;
    const value = await handler(valid, { signal });
    return this.#options.isOutputValidated ? validate(api[name].output, value, `The answer to ${name}`, { code: 'internal' }) : value;
  }

  #send(message: ServerMessage): void {
    this.#lastMessage = performance.now();
    this.#port.post(message);
  }

  #end(): void {
    for (const controller of this.#calls.values()) controller.abort(new LabError('connection_lost', 'The client is gone.'));
    for (const stream of this.#streams.values()) stream.end();
    this.#streams.clear();
  }
}

/** One subscription: replays from the history until it has caught up, then passes live events; a slow peer goes back to replaying. */
class EventStream {
  readonly #port: Port;
  readonly #send: (event: LabEvent) => void;
  readonly #events: EventSource;
  readonly #unsubscribe: () => void;
  #cursor: number;
  #isLive = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isEnded = false;

  constructor(port: Port, send: (event: LabEvent) => void, since: number, events: EventSource) {
    this.#port = port;
    this.#send = send;
    this.#cursor = since;
    this.#events = events;
    this.#unsubscribe = events.subscribe((event) => this.#pass(event));
  }

  /** Sends one page of what the peer has missed; does nothing when it has caught up or takes nothing. */
  pump(): void {
    if (this.#isEnded || this.#isLive || this.#timer !== undefined) return;
    if (this.#port.bufferedBytes() > rpcLimits.replayBytes) return;
    const page = this.#events.read(this.#cursor, rpcLimits.eventPage);
    for (const event of page) this.#post(event);
    if (page.length < rpcLimits.eventPage) {
      this.#isLive = true;
      return;
    }
    // A long history is sent in pages so that it never holds the event loop.
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.pump();
    }, 0);
  }

  end(): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#unsubscribe();
  }

  #pass(event: LabEvent): void {
    if (!this.#isLive) return;
    const buffered = this.#port.bufferedBytes();
    if (isVolatile(event)) {
      if (buffered <= rpcLimits.volatileBytes) this.#send(event);
    } else if (buffered > rpcLimits.replayBytes) this.#isLive = false;
    else if (event.seq > this.#cursor) this.#post(event);
  }

  #post(event: DurableEvent): void {
    this.#cursor = event.seq;
    this.#send(event);
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
