// The page's connection to the core: opens a port, follows the events from where it was, and does so again when the connection ends.
// It owns no meaning: stores call methods and listen to events. A workspace that changed underneath is announced, not repaired.
import { LabError } from '../shared/contract/errors.ts';
import type { LabEvent } from '../shared/contract/events.ts';
import { isVolatile } from '../shared/contract/events.ts';
import { createClient, type Client } from '../shared/rpcClient.ts';
import type { Port } from '../shared/rpc.ts';

export type ConnectionState = 'connecting' | 'connected' | 'reconnecting' | 'locked';

export interface LabConnection {
  /** Waits up to ten seconds for a connection; rejects with `connection_lost` afterwards. */
  readonly call: Client['call'];
  state(): ConnectionState;
  onState(listener: (state: ConnectionState) => void): () => void;
  onEvent(listener: (event: LabEvent) => void): () => void;
  /** Called when the workspace is another one than before; everything known is void. */
  onOtherWorkspace(listener: () => void): () => void;
  /** Called after every connection, before its events. */
  onConnected(listener: () => void): () => void;
  close(): void;
}

export interface ConnectionOptions {
  /** Rejects with `not_found` when the person must open the lab with its key again. */
  readonly openPort: () => Promise<Port>;
  readonly retryMs?: number;
  readonly patienceMs?: number;
}

export function connectLab(options: ConnectionOptions): LabConnection {
  return new Connection(options);
}

class Listeners<Value> {
  readonly #all = new Set<(value: Value) => void>();

  add(listener: (value: Value) => void): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  tell(value: Value): void {
    for (const listener of [...this.#all]) listener(value);
  }
}

class Connection implements LabConnection {
  readonly #options: ConnectionOptions;
  readonly #states = new Listeners<ConnectionState>();
  readonly #events = new Listeners<LabEvent>();
  readonly #strangers = new Listeners<null>();
  readonly #arrivals = new Listeners<null>();
  readonly #end = new AbortController();
  #state: ConnectionState = 'connecting';
  #client: Client | undefined;
  #workspace: string | undefined;
  #since = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    void this.#keepConnected();
  }

  readonly call: Client['call'] = async (method, input, options) => {
    const client = this.#client ?? (await this.#untilConnected(options?.signal));
    return client.call(method, input, options);
  };

  state(): ConnectionState {
    return this.#state;
  }

  onState(listener: (state: ConnectionState) => void): () => void {
    return this.#states.add(listener);
  }

  onEvent(listener: (event: LabEvent) => void): () => void {
    return this.#events.add(listener);
  }

  onOtherWorkspace(listener: () => void): () => void {
    return this.#strangers.add(listener);
  }

  onConnected(listener: () => void): () => void {
    return this.#arrivals.add(listener);
  }

  close(): void {
    this.#end.abort();
    this.#client?.close();
  }

  async #keepConnected(): Promise<void> {
    while (!this.#isEnded()) {
      try {
        await this.#follow();
      } catch (error) {
        if (error instanceof LabError && error.code === 'not_found') {
          this.#become('locked');
          return;
        }
      }
      this.#client = undefined;
      if (this.#isEnded()) return;
      this.#become('reconnecting');
      await pause(this.#options.retryMs ?? 400);
    }
  }

  /** Resolves or rejects when the connection has ended. */
  async #follow(): Promise<void> {
    const client = await createClient(await this.#options.openPort(), { helloMs: 5000 });
    const { workspace, latest } = await client.call('core.status', {});
    if (this.#workspace !== undefined && this.#workspace !== workspace) this.#strangers.tell(null);
    if (this.#workspace !== workspace) this.#since = latest;
    this.#workspace = workspace;
    this.#client = client;
    this.#become('connected');
    this.#arrivals.tell(null);
    for await (const event of client.events(this.#since, this.#end.signal)) {
      if (!isVolatile(event)) this.#since = event.seq;
      this.#events.tell(event);
    }
  }

  /** A question and not a field, because it may change while the connection waits. */
  #isEnded(): boolean {
    return this.#end.signal.aborted;
  }

  #become(state: ConnectionState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#states.tell(state);
  }

  #untilConnected(signal: AbortSignal | undefined): Promise<Client> {
    return new Promise((resolve, reject) => {
      const lost = (): LabError =>
        new LabError('connection_lost', 'The connection to the lab is lost.', { help: 'It is being restored; try again in a moment.' });
      const timer = setTimeout(() => finish(() => reject(lost())), this.#options.patienceMs ?? 10_000);
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        unsubscribe();
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = (): void => finish(() => reject(new LabError('cancelled', 'The call was cancelled.')));
      const unsubscribe = this.#states.add(() => {
        const client = this.#client;
        if (client !== undefined) finish(() => resolve(client));
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
