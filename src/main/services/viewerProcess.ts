import { spawn } from 'node:child_process';
import { fromWire, LabError } from '../../shared/contract/errors.ts';
import { viewerReplySchema, type ViewerMessage } from '../../shared/contract/viewer.ts';
import { childEnvironment } from './supervisor.ts';

type Reply =
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: LabError };

export interface Viewer {
  send(message: ViewerMessage): void;
  /** Lets it go: it ends by itself, and is ended when it does not. */
  end(): void;
  /** Resolves when the process is gone, with what to tell those it left without an answer. */
  readonly ended: Promise<LabError>;
}

const patienceMs = 3000;
const stderrCharacters = 1500;

/** One viewer child; a reply that cannot be understood ends it. */
export function startViewer(node: string, program: string, onReply: (reply: Reply) => void): Viewer {
  const child = spawn(node, [program], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
    env: childEnvironment(),
    windowsHide: true,
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-stderrCharacters);
  });
  child.on('message', (message) => {
    const parsed = viewerReplySchema.safeParse(message);
    if (!parsed.success) child.kill('SIGKILL');
    else onReply(parsed.data.type === 'answer' ? parsed.data : { ...parsed.data, error: fromWire(parsed.data.error) });
  });
  let force: ReturnType<typeof setTimeout> | undefined;
  const ended = new Promise<LabError>((resolve) => {
    const conclude = (how: string): void => {
      clearTimeout(force);
      const received = stderr.trim();
      const details = { help: 'Try again. If it happens again, run `lab doctor`.', ...(received === '' ? {} : { received }) };
      resolve(new LabError('internal', `The program that reads pictures ${how}.`, details));
    };
    child.once('error', (error) => conclude(`could not be started: ${error.message}`));
    child.once('close', (code, signal) => conclude(`ended unexpectedly: ${signal ?? `exit code ${code ?? 'unknown'}`}`));
    // Node says `close` only when it was the child that ended the channel.
    child.once('exit', () => {
      if (!child.connected) conclude('has ended');
    });
  });
  return {
    send(message) {
      // A child that is gone is noticed by its end, not by the failure to write to it.
      if (child.connected) child.send(message, () => undefined);
    },
    end() {
      if (!child.connected || child.exitCode !== null || child.signalCode !== null) return;
      child.disconnect();
      force = setTimeout(() => child.kill('SIGKILL'), patienceMs).unref();
    },
    ended,
  };
}
