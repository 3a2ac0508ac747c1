// Runs the real command line as processes of their own, with child programs that only pretend.
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { z } from 'zod';
import { errorAnswerSchema, runLineSchema, type RunLine } from '../src/shared/contract/answers.ts';
import type { WireError } from '../src/shared/contract/errors.ts';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves with everything written so far once standard output holds the text. */
  until(text: string): Promise<string>;
}

const entry = join(import.meta.dirname, 'fixtures/trainer/cli.ts');

export function start(folder: string, line: readonly string[], entryFile = entry): Running {
  const child = spawn(process.execPath, [entryFile, ...line], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LAB_WORKSPACE: folder, NODE_OPTIONS: '' },
  });
  let output = '';
  let errors = '';
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    for (const listener of listeners) listener();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, output, errors }));
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const until = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!output.includes(text)) return;
        listeners.delete(look);
        resolve(output);
      };
      listeners.add(look);
      void ended.then(() => reject(new Error(`It ended without ${text}:\n${output}\n${errors}`)));
      look();
    });
  return { process: child, ended, until };
}

export function run(folder: string, ...line: readonly string[]): Promise<Ended> {
  return start(folder, line).ended;
}

/** The answer to a command that must succeed, checked against the contract's schema; nothing else may be on standard output. */
export async function answerOf<Schema extends z.ZodType>(
  schema: Schema,
  folder: string,
  ...line: readonly string[]
): Promise<z.output<Schema>> {
  const { code, output, errors } = await run(folder, ...line, '--json');
  if (code !== 0) throw new Error(`${line.join(' ')} ended with ${code}: ${errors}`);
  const lines = output.split('\n');
  if (lines.length !== 2 || lines[1] !== '') throw new Error(`There is more than one document: ${output}`);
  return schema.parse(JSON.parse(output));
}

/** The error of a command with --json: one line on standard error and nothing on standard output. */
export async function errorOf(folder: string, ...line: readonly string[]): Promise<{ code: number | null; error: WireError }> {
  const { code, output, errors } = await run(folder, ...line, '--json');
  if (output !== '' || !errors.endsWith('\n') || errors.trim().includes('\n')) throw new Error(`${output}\n${errors}`);
  return { code, error: errorAnswerSchema.parse(JSON.parse(errors)).error };
}

/** Every line checked against the contract's schema. */
export function linesOf(output: string): RunLine[] {
  return output
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => runLineSchema.parse(JSON.parse(line)));
}

/** The options that tell the fake trainer what to do. */
export function scripted(content: object): string[] {
  return ['--set', `description=${JSON.stringify(JSON.stringify(content))}`];
}
