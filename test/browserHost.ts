// The real browser host on a temporary workspace, and requests to it letter by letter.
import { connect } from 'node:net';
import { join } from 'node:path';
import { startBrowserHost, type BrowserHost, type BrowserHostOptions } from '../src/main/server.ts';
import { coreOptions } from './lab.ts';

export const pagesFolder = join(import.meta.dirname, 'fixtures/pages');

export type Changed = Partial<Omit<BrowserHostOptions, 'core'>>;

export function openHost(folder: string, changed: Changed = {}): Promise<BrowserHost> {
  const core = coreOptions(folder, { kind: 'browser' });
  return startBrowserHost({ core, browsableFolders: [], rendererFolder: pagesFolder, note: () => undefined, ...changed });
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly raw: string;
}

/** The text of a request; a header that is null is left out, one with several values is sent several times. */
export function requestText(
  port: number,
  [method, target]: readonly [string, string],
  headers: Readonly<Record<string, string | readonly string[] | null>> = {},
  body = '',
): string {
  const all: Record<string, string | readonly string[] | null> = {
    host: `127.0.0.1:${port}`,
    connection: 'close',
    ...(body === '' ? {} : { 'content-length': `${body.length}` }),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`)));
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

/** Sends pieces as they are, at once or with a gap between them, and resolves with what came back until the server ended the connection. */
export function exchange(
  port: number,
  pieces: readonly string[],
  { patienceMs = 8000, host = '127.0.0.1', gapMs = 0 } = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = [];
    const socket = connect({ port, host });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`The server kept the connection open: ${Buffer.concat(received).toString()}`));
    }, patienceMs);
    socket.on('connect', () => {
      pieces.forEach((piece, index) => {
        if (gapMs === 0) socket.write(Buffer.from(piece, 'latin1'));
        else setTimeout(() => socket.write(Buffer.from(piece, 'latin1')), index * gapMs);
      });
    });
    socket.on('data', (data) => received.push(data));
    // A refusal may be followed by a reset, since the rest of the request was not read.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(parse(Buffer.concat(received).toString('latin1')));
    });
  });
}

export function ask(
  port: number,
  line: readonly [string, string],
  headers: Readonly<Record<string, string | readonly string[] | null>> = {},
  body = '',
): Promise<Answered> {
  return exchange(port, [requestText(port, line, headers, body)]);
}

/** What a page sends with everything that changes something. */
export function pageHeaders(port: number): { origin: string; 'content-type': string } {
  return { origin: `http://127.0.0.1:${port}`, 'content-type': 'application/json' };
}

export function keyOf(address: string): string {
  return address.split('#k=')[1] ?? '';
}

/** The `Cookie` header of a page that was let in. */
export async function enter(host: BrowserHost): Promise<string> {
  const body = JSON.stringify({ key: keyOf(host.createAddress()) });
  const { headers } = await ask(host.port, ['POST', '/session'], pageHeaders(host.port), body);
  return headers['set-cookie']?.split(';', 1)[0] ?? '';
}

function parse(raw: string): Answered {
  const [head = '', ...rest] = raw.split('\r\n\r\n');
  const [line = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((text) => [text.slice(0, text.indexOf(':')).toLowerCase(), text.slice(text.indexOf(':') + 1).trim()]),
  );
  return { status: Number(line.split(' ')[1] ?? 0), headers, body: rest.join('\r\n\r\n'), raw };
}
