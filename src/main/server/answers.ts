// Answers on their way out: every one carries the security headers, problems are JSON in the grammar of contract/errors, and files of
// this machine are streamed.
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Duplex } from 'node:stream';
import { LabError, toWire, type ErrorCode } from '../../shared/contract/errors.ts';
import { securityHeaders } from '../hosts/contentSecurity.ts';
import type { Core } from '../core.ts';

export type AssetAnswer = Awaited<ReturnType<Core['assets']['respond']>>;

/** A request that is not answered with what it asks for. */
export class Refusal extends LabError {
  readonly status: number;

  constructor(status: number, code: ErrorCode, message: string, help: string) {
    super(code, message, { help });
    this.name = 'Refusal';
    this.status = status;
  }
}

interface Head {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
}

export function sendBytes(request: IncomingMessage, response: ServerResponse, { status, headers }: Head, bytes?: Uint8Array): void {
  const isBodiless = status === 204 || status === 304;
  const length = isBodiless ? {} : { 'content-length': bytes?.byteLength ?? 0 };
  response.writeHead(status, { ...securityHeaders, ...lowerCased(headers ?? {}), ...length });
  if (bytes === undefined || isBodiless || request.method === 'HEAD') response.end();
  else response.end(bytes);
}

export function sendRefusal(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // What the request still wants to send is not read, so the connection cannot be used again.
  const connection = request.method === 'GET' || request.method === 'HEAD' ? {} : { connection: 'close' };
  const bytes = Buffer.from(JSON.stringify({ error: toWire(refusal) }));
  const headers = { 'content-type': 'application/json; charset=utf-8', ...connection };
  sendBytes(request, response, { status: refusal.status, headers }, bytes);
}

/** Sends what the core answered; a file that is gone is answered with 404. */
export async function sendAsset(request: IncomingMessage, response: ServerResponse, answer: AssetAnswer): Promise<void> {
  const { body } = answer;
  if (body === null || body instanceof Uint8Array) {
    sendBytes(request, response, answer, body ?? undefined);
    return;
  }
  const file = await open(body.file, 'r').catch(() => undefined);
  if (file === undefined) throw new Refusal(404, 'not_found', 'The file is no longer there.', 'Load the page again.');
  try {
    const { size } = await file.stat();
    response.writeHead(answer.status, { ...securityHeaders, ...lowerCased(answer.headers), 'content-length': size });
    if (request.method === 'HEAD' || size === 0) response.end();
    // The length was promised: what is appended meanwhile is not part of the answer.
    else await pipeline(createReadStream('', { fd: file, autoClose: false, end: size - 1 }), response);
  } finally {
    await file.close();
  }
}

/** For connections on which there is no answer object: upgrades and requests that could not be parsed. */
export function refuseConnection(socket: Duplex, status: number): void {
  const headers = { ...securityHeaders, connection: 'close', 'content-length': '0' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => undefined);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`, () => socket.destroy());
}

function lowerCased(headers: Readonly<Record<string, string | number>>): Record<string, string | number> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
