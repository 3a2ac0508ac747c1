// One HTTP request to one answer: guards first, then the session, what the core sends as files, and the built pages. It owns no rule of
// its own: guards.ts says who may ask, the core what an address means.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Core } from '../core.ts';
import { Refusal, sendAsset, sendBytes, sendRefusal } from './answers.ts';
import { readBody, readJson } from './body.ts';
import { hasContentType, isFetchedByOwnPage, isForThisMachine, isFromOwnPage } from './guards.ts';
import type { Keys } from './keys.ts';
import type { Sessions } from './sessions.ts';
import type { StaticFiles } from '../hosts/staticFiles.ts';

export interface Entrance {
  readonly keys: Keys;
  readonly sessions: Sessions;
  readonly files: StaticFiles;
  /** The core of the workspace that is open; undefined while the program ends. */
  readonly core: () => Pick<Core, 'assets' | 'servePage'> | undefined;
  readonly limits: RequestLimits;
}

export interface RequestLimits {
  readonly headersMs: number;
  /** How often Node looks for connections that are too slow. */
  readonly checkMs: number;
  readonly bodyPauseMs: number;
  readonly sessionBodyMs: number;
  readonly heartbeatMs: number;
}

export const requestLimits: RequestLimits = {
  headersMs: 10_000,
  checkMs: 2000,
  bodyPauseMs: 30_000,
  sessionBodyMs: 5000,
  heartbeatMs: 15_000,
};

/** The core knows how long an announced file is and refuses more; this only ends what has no end. */
const uploadLimits = { bytes: 2 ** 40, totalMs: 3_600_000 };
const sessionBytes = 4096;
const assetAddress = /^\/(?:sheet|picture|mean|augmented|report|exported|upload)\//;
const sessionSchema = z.strictObject({ key: z.string().min(1).max(200) });

/** Always answers, whatever goes wrong; what the core throws becomes a 500 without its text. */
export async function answerRequest(entrance: Entrance, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    await route(entrance, request, response);
  } catch (error) {
    if (request.socket.destroyed) response.destroy();
    else sendRefusal(request, response, error instanceof Refusal ? error : brokenDown());
  }
}

/** Throws the refusal of a request that no page of this lab can have sent. */
export function checkHost(request: IncomingMessage): void {
  if (isForThisMachine(request)) return;
  throw new Refusal(403, 'bad_usage', 'The lab answers on this machine only.', 'Open the address that the lab printed.');
}

export function checkSession({ sessions }: Entrance, request: IncomingMessage): void {
  if (hasSession(sessions, request)) return;
  throw new Refusal(401, 'bad_usage', 'This page has not been let into the lab.', 'Open the address that the lab printed.');
}

export function checkOrigin(request: IncomingMessage): void {
  if (isFromOwnPage(request) && isFetchedByOwnPage(request)) return;
  throw foreign();
}

async function route(entrance: Entrance, request: IncomingMessage, response: ServerResponse): Promise<void> {
  checkHost(request);
  const target = request.url ?? '';
  const isReading = request.method === 'GET' || request.method === 'HEAD';
  if (!isReading) checkOrigin(request);
  if (target === '/session') await answerSession(entrance, request, response);
  else if (assetAddress.test(target)) await answerAsset(entrance, request, response, target);
  else if (isReading) sendPage(entrance, request, response, target);
  else throw wrongMethod();
}

async function answerSession(entrance: Entrance, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { keys, sessions, limits } = entrance;
  if (request.method === 'GET') {
    sendBytes(request, response, { status: hasSession(sessions, request) ? 204 : 401 });
    return;
  }
  if (request.method !== 'POST') throw wrongMethod();
  checkContentType(request, 'application/json');
  const body = await readJson(request, { bytes: sessionBytes, pauseMs: limits.sessionBodyMs, totalMs: limits.sessionBodyMs });
  const given = sessionSchema.safeParse(body);
  if (!given.success) throw new Refusal(400, 'bad_input', 'The request holds no key.', 'Open the address that the lab printed.');
  if (!(await keys.redeem(given.data.key))) {
    const help = 'Start `lab serve` again, or use the browser in which the lab is open.';
    throw new Refusal(403, 'bad_usage', 'The key is wrong or was used before.', help);
  }
  sendBytes(request, response, { status: 204, headers: { 'set-cookie': sessions.open(portOf(request)) } });
}

async function answerAsset(entrance: Entrance, request: IncomingMessage, response: ServerResponse, target: string): Promise<void> {
  checkSession(entrance, request);
  if (!isFetchedByOwnPage(request)) throw foreign();
  const isSending = request.method === 'PUT';
  if (isSending) checkContentType(request, 'application/octet-stream');
  else if (request.method !== 'GET' && request.method !== 'HEAD') throw wrongMethod();
  const core = entrance.core();
  if (core === undefined) throw closing();
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const body = isSending ? readBody(request, { ...uploadLimits, pauseMs: entrance.limits.bodyPauseMs }) : null;
  const path = target.split('?', 1)[0] ?? '';
  const answer = await core.assets.respond({ method: isSending ? 'PUT' : 'GET', path, body }, gone.signal);
  await sendAsset(request, response, answer);
}

function sendPage({ files }: Entrance, request: IncomingMessage, response: ServerResponse, target: string): void {
  const file = files.find(target);
  if (file === undefined)
    throw new Refusal(404, 'not_found', 'There is nothing at this address.', 'Open the address that the lab printed.');
  sendBytes(request, response, { status: 200, headers: file.headers }, file.bytes);
}

function checkContentType(request: IncomingMessage, type: 'application/json' | 'application/octet-stream'): void {
  if (!hasContentType(request, type)) throw new Refusal(415, 'bad_input', `The request is not ${type}.`, 'Load the page again.');
}

function hasSession(sessions: Sessions, request: IncomingMessage): boolean {
  return sessions.isOpen(portOf(request), request.headers.cookie);
}

/** The port of this machine, which the browser may know under another number. */
function portOf(request: IncomingMessage): number {
  return request.socket.localPort ?? 0;
}

function foreign(): Refusal {
  return new Refusal(403, 'bad_usage', 'The request comes from another page.', 'Open the address that the lab printed.');
}

function wrongMethod(): Refusal {
  return new Refusal(405, 'bad_usage', 'This address does not take such a request.', 'Load the page again.');
}

function closing(): Refusal {
  return new Refusal(503, 'workspace_busy', 'The lab is closing.', 'Start it again.');
}

function brokenDown(): Refusal {
  return new Refusal(500, 'internal', 'The lab could not answer.', 'Try again; if it happens often, run `lab doctor`.');
}
