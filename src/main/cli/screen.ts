// Standard output and standard error. With --json only answers reach standard output; everything for people goes to standard error. A
// reader that goes away (`| head`) ends the output, not the work.
import { toWire } from '../../shared/contract/errors.ts';

export interface Streams {
  readonly output: NodeJS.WritableStream;
  readonly errors: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
}

export interface Screen {
  readonly isJson: boolean;
  /** The answer: JSON when asked for, otherwise these lines. */
  answer(value: unknown, lines: () => readonly string[]): void;
  /** One line of JSON, only with --json. */
  emit(value: unknown): void;
  print(lines: readonly string[]): void;
  /** For people, on standard error; silent with --json. */
  note(text: string): void;
  /** The one line that is overwritten; shown only on a terminal. */
  progress(text: string): void;
  fail(error: unknown): void;
}

export function createScreen(streams: Streams, isJson: boolean): Screen {
  const gone = new Set<NodeJS.WritableStream>();
  for (const stream of [streams.output, streams.errors]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') throw error;
      gone.add(stream);
    });
  }
  const write = (stream: NodeJS.WritableStream, text: string): void => {
    if (!gone.has(stream)) stream.write(text);
  };
  const isTerminal = streams.errors.isTTY === true && !isJson;
  let hasProgress = false;
  const clear = (): void => {
    if (hasProgress) write(streams.errors, '\r\u001b[2K');
    hasProgress = false;
  };
  const emit = (value: unknown): void => write(streams.output, `${JSON.stringify(value)}\n`);
  const print = (lines: readonly string[]): void => {
    clear();
    if (lines.length > 0) write(streams.output, `${lines.join('\n')}\n`);
  };
  const note = (text: string): void => {
    if (isJson) return;
    clear();
    write(streams.errors, `${text}\n`);
  };
  return {
    isJson,
    answer: (value, lines) => {
      if (isJson) emit(value);
      else print(lines());
    },
    emit: (value) => {
      if (isJson) emit(value);
    },
    print,
    note,
    progress: (text) => {
      if (!isTerminal) return;
      const width = (streams.errors.columns ?? 80) - 1;
      write(streams.errors, `\r\u001b[2K${text.slice(0, width)}`);
      hasProgress = true;
    },
    fail: (error) => {
      const wire = toWire(error);
      if (isJson) {
        write(streams.errors, `${JSON.stringify({ error: wire })}\n`);
        return;
      }
      clear();
      write(streams.errors, `${describeError(wire).join('\n')}\n`);
    },
  };
}

/** What happened, what was expected, what was received, what to do: one line each. */
export function describeError({ message, expected, received, help }: ReturnType<typeof toWire>): string[] {
  return [
    `error: ${message}`,
    ...(expected === undefined ? [] : [`  expected: ${expected}`]),
    ...(received === undefined ? [] : [`  received: ${received.replaceAll('\n', '\n            ')}`]),
    ...(help === undefined || help === '' ? [] : [`  ${help}`]),
  ];
}
