// Starts a child program, validates what it reports, stops it by the ladder message -> 10 s -> SIGTERM -> 3 s -> SIGKILL, and says how
// it ended. It knows processes, not runs: who started the child decides what its reports mean.
import { spawn, type ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs';
import { fromWire, LabError } from '../../shared/contract/errors.ts';
import { reportSchema, type Command, type Report } from '../../shared/contract/worker.ts';
import { classifyEnd, isLibraryNoise, type ChildEnd } from './childEnd.ts';

export interface ChildPrograms {
  /** The Node that runs them. */
  readonly node: string;
  readonly trainer: string;
  readonly importer: string;
  readonly viewer: string;
  readonly reporter: string;
  readonly converter: string;
}

export interface ChildOptions {
  readonly node: string;
  readonly program: string;
  readonly command: Command;
  /** Called for each valid report, in order; an error it throws ends the child and becomes its end. */
  readonly onReport: (report: Report) => void;
  /** Called once when nothing was heard for this long while the child should be working. */
  readonly onSilence?: (seconds: number) => void;
  readonly ladder?: { readonly messageMs: number; readonly terminateMs: number };
  /** Variables for this child, before those of this process. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Child {
  readonly pid: number;
  send(command: Command): void;
  /** Asks first and forces later; resolves with the end. */
  stop(): Promise<ChildEnd>;
  kill(): void;
  readonly ended: Promise<ChildEnd>;
}

const patience = { messageMs: 10_000, terminateMs: 3000 };
const stderrLines = 200;
const silenceSeconds = 60;

export function startChild(options: ChildOptions): Child {
  const process = spawn(options.node, [options.program], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
    env: { ...childEnvironment(), ...options.environment },
    windowsHide: true,
  });
  return new SupervisedChild(process, options);
}

/** TensorFlow reads its settings when it is loaded, so they are set here; a person's own value wins. */
export function childEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const inherited = Object.entries(environment).filter(([name]) => name !== 'NODE_OPTIONS' && name !== 'NODE_CHANNEL_FD');
  const chosen = { TF_CPP_MIN_LOG_LEVEL: '2', TF_ENABLE_ONEDNN_OPTS: '1', TF_FORCE_GPU_ALLOW_GROWTH: 'true' };
  return { ...chosen, ...Object.fromEntries(inherited) };
}

class SupervisedChild implements Child {
  readonly pid: number;
  readonly ended: Promise<ChildEnd>;
  readonly #process: ChildProcess;
  readonly #options: ChildOptions;
  readonly #stderr: string[] = [];
  #failure: LabError | undefined;
  #failedReport: LabError | undefined;
  #isKilledByUs = false;
  #lastHeard = performance.now();

  constructor(process: ChildProcess, options: ChildOptions) {
    this.#process = process;
    this.#options = options;
    this.pid = process.pid ?? 0;
    this.#keepStderr();
    process.on('message', (message) => this.#receive(message));
    const silence = setInterval(() => this.#listen(), 5000);
    this.ended = this.#waitForEnd().finally(() => clearInterval(silence));
    this.send(options.command);
    this.#preferForKernel();
  }

  send(command: Command): void {
    // A child that is gone is reported by its end, not by the failure to write to it.
    if (this.#process.connected) this.#process.send(command, () => undefined);
  }

  async stop(): Promise<ChildEnd> {
    const { messageMs, terminateMs } = this.#options.ladder ?? patience;
    this.send({ type: 'stop' });
    if (await this.#endsWithin(messageMs)) return this.ended;
    this.#isKilledByUs = true;
    this.#process.kill('SIGTERM');
    if (await this.#endsWithin(terminateMs)) return this.ended;
    this.#process.kill('SIGKILL');
    return this.ended;
  }

  kill(): void {
    this.#isKilledByUs = true;
    this.#process.kill('SIGKILL');
  }

  #receive(message: unknown): void {
    this.#lastHeard = performance.now();
    if (this.#failure !== undefined) return;
    try {
      const parsed = reportSchema.safeParse(message);
      if (!parsed.success) {
        throw new LabError('internal', 'A child program reported something that cannot be understood.', {
          received: parsed.error.message.slice(0, 500),
        });
      }
      const report = parsed.data;
      if (report.type === 'failed') this.#failedReport = fromWire(report.error);
      this.#options.onReport(report);
    } catch (error) {
      this.#failure = error instanceof LabError ? error : new LabError('internal', String(error), { cause: error });
      void this.stop();
    }
  }

  #listen(): void {
    const seconds = (performance.now() - this.#lastHeard) / 1000;
    if (seconds < silenceSeconds) return;
    this.#lastHeard = Number.POSITIVE_INFINITY;
    this.#options.onSilence?.(seconds);
  }

  #keepStderr(): void {
    const stream = this.#process.stderr;
    if (stream === null) return;
    stream.setEncoding('utf8');
    let rest = '';
    stream.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = (lines.pop() ?? '').slice(-4000);
      this.#stderr.push(...lines.filter((line) => !isLibraryNoise(line)));
      this.#stderr.splice(0, Math.max(0, this.#stderr.length - stderrLines));
    });
    stream.on('end', () => {
      if (!isLibraryNoise(rest)) this.#stderr.push(rest);
    });
  }

  #endsWithin(milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), milliseconds);
      void this.ended.then(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  async #waitForEnd(): Promise<ChildEnd> {
    const child = this.#process;
    const spawnError = await new Promise<Error | undefined>((resolve) => {
      child.once('error', resolve);
      child.once('close', () => resolve(undefined));
    });
    // Reports may still lie in the channel when the process is gone; they come before `disconnect`.
    if (child.connected) {
      await new Promise<void>((resolve) => {
        child.once('disconnect', () => resolve());
        setTimeout(resolve, 2000).unref();
      });
    }
    return classifyEnd({
      exitCode: child.exitCode,
      signal: child.signalCode,
      spawnError,
      isKilledByUs: this.#isKilledByUs,
      failedReport: this.#failedReport,
      failure: this.#failure,
      stderr: this.#stderr,
    });
  }

  /** When memory runs out, Linux should end the child and not the program that holds the history. */
  #preferForKernel(): void {
    if (globalThis.process.platform !== 'linux' || this.pid === 0) return;
    writeFile(`/proc/${this.pid}/oom_score_adj`, '600', () => undefined);
  }
}
