// The core's side of the viewer child: one per core, started by the first request, kept warm, ended after a minute of rest. Requests that
// a dying child leaves unanswered are asked once more of its successor. What can be asked is contract/viewer.ts.
import { LabError } from '../../shared/contract/errors.ts';
import { validate } from '../../shared/contract/validation.ts';
import { viewerCalls, type ViewerAnswer, type ViewerCall, type ViewerRequest } from '../../shared/contract/viewer.ts';
import { startViewer, type Viewer } from './viewerProcess.ts';

export interface ViewerClient {
  /** Rejects with the signal's reason when it is aborted, with the child's LabError, or with `limit_exceeded` when too many wait. */
  ask<Call extends ViewerCall>(call: Call, request: ViewerRequest<Call>, signal: AbortSignal): Promise<ViewerAnswer<Call>>;
  /** Rejects what is unanswered; resolves when no child is left. */
  close(): Promise<void>;
}

export interface ViewerOptions {
  readonly node: string;
  readonly program: string;
  readonly idleMs?: number;
}

/** Asked of the child at once; the rest waits here, where it can be cancelled at no cost. */
const mostOpen = 6;
const mostWaiting = 2000;
const mostAttempts = 2;
const defaultIdleMs = 60_000;

export function createViewerClient(options: ViewerOptions): ViewerClient {
  return new WarmViewer(options);
}

interface Task {
  readonly call: ViewerCall;
  readonly request: unknown;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  isOver: boolean;
  attempts: number;
}

class WarmViewer implements ViewerClient {
  readonly #options: ViewerOptions;
  readonly #waiting: Task[] = [];
  readonly #open = new Map<number, Task>();
  readonly #ends = new Set<Promise<unknown>>();
  #viewer: Viewer | undefined;
  #lastId = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: ViewerOptions) {
    this.#options = options;
  }

  async ask<Call extends ViewerCall>(call: Call, request: ViewerRequest<Call>, signal: AbortSignal): Promise<ViewerAnswer<Call>> {
    signal.throwIfAborted();
    const answer = await this.#wait(call, request, signal);
    return validate(viewerCalls[call].answer, answer, `The viewer's answer to ${call}`, { code: 'internal' }) as ViewerAnswer<Call>;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const task of [...this.#open.values(), ...this.#waiting]) task.reject(closed());
    this.#waiting.length = 0;
    this.#open.clear();
    this.#release();
    await Promise.all(this.#ends);
  }

  #wait(call: ViewerCall, request: unknown, signal: AbortSignal): Promise<unknown> {
    if (this.#isClosed) throw closed();
    if (this.#waiting.length >= mostWaiting) {
      throw new LabError('limit_exceeded', 'Too many pictures were asked for at once.', {
        expected: `at most ${mostWaiting}`,
        help: 'Wait until some have arrived.',
      });
    }
    const { promise, resolve, reject } = Promise.withResolvers();
    const task: Task = { call, request, resolve, reject, isOver: false, attempts: 0 };
    const onAbort = (): void => this.#cancel(task, signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(task);
    this.#pump();
    return promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  #pump(): void {
    while (this.#open.size < mostOpen) {
      const task = this.#waiting.shift();
      if (task === undefined) break;
      this.#lastId += 1;
      task.attempts += 1;
      this.#open.set(this.#lastId, task);
      this.#warm().send({ type: 'ask', id: this.#lastId, call: task.call, request: task.request });
    }
    clearTimeout(this.#idle);
    if (this.#viewer === undefined || this.#open.size > 0) return;
    this.#idle = setTimeout(() => this.#release(), this.#options.idleMs ?? defaultIdleMs).unref();
  }

  #warm(): Viewer {
    if (this.#viewer !== undefined) return this.#viewer;
    const viewer = startViewer(this.#options.node, this.#options.program, (reply) => {
      if (reply.type === 'answer') this.#take(reply.id)?.resolve(reply.answer);
      else this.#take(reply.id)?.reject(reply.error);
      this.#pump();
    });
    this.#viewer = viewer;
    const end = viewer.ended.then((error) => {
      this.#ends.delete(end);
      if (this.#viewer === viewer) this.#recover(error);
    });
    this.#ends.add(end);
    return viewer;
  }

  #take(id: number): Task | undefined {
    const task = this.#open.get(id);
    this.#open.delete(id);
    return task;
  }

  /** The place of an open task stays taken until the child has answered, so that the child never has more than its share. */
  #cancel(task: Task, reason: unknown): void {
    task.isOver = true;
    task.reject(reason);
    const position = this.#waiting.indexOf(task);
    if (position >= 0) this.#waiting.splice(position, 1);
    for (const [id, open] of this.#open) if (open === task) this.#viewer?.send({ type: 'cancel', id });
  }

  #recover(error: LabError): void {
    this.#viewer = undefined;
    const left = [...this.#open.values()].filter((task) => !task.isOver);
    this.#open.clear();
    for (const task of left) if (task.attempts >= mostAttempts) task.reject(error);
    this.#waiting.unshift(...left.filter((task) => task.attempts < mostAttempts));
    this.#pump();
  }

  #release(): void {
    clearTimeout(this.#idle);
    this.#viewer?.end();
    this.#viewer = undefined;
  }
}

function closed(): LabError {
  return new LabError('cancelled', 'The lab is closing.', { help: 'Start it again.' });
}
