// Answers the requests of pages for lab://app/: the built pages from their list, everything else by the core's asset service. No address
// is ever joined to a path here.
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { LabError, toWire } from '../../shared/contract/errors.ts';
import { securityHeaders } from '../hosts/contentSecurity.ts';
import type { Core } from '../core.ts';
import type { StaticFiles } from '../hosts/staticFiles.ts';
import { isLabAddress } from './addresses.ts';

type AssetAnswer = Awaited<ReturnType<Core['assets']['respond']>>;
type Body = ConstructorParameters<typeof Response>[0];

export interface LabContent {
  readonly files: StaticFiles;
  /** Undefined while the program ends. */
  readonly core: () => Core | undefined;
}

/** The handler for `protocol.handle`; it never rejects. */
export function createLabHandler(content: LabContent): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      return await answer(content, request);
    } catch (error) {
      return refuse(500, new LabError('internal', 'The lab could not answer.', { help: 'Load the page again.', cause: error }));
    }
  };
}

async function answer({ files, core }: LabContent, request: Request): Promise<Response> {
  if (!isLabAddress(request.url)) return refuse(404, missing());
  const { pathname } = new URL(request.url);
  const isReading = request.method === 'GET' || request.method === 'HEAD';
  const page = isReading ? files.find(pathname) : undefined;
  if (page !== undefined) return respond(200, page.headers, request.method === 'HEAD' ? null : page.bytes);
  const assets = core()?.assets;
  if (assets === undefined) return refuse(503, new LabError('connection_lost', 'The lab is closing.', { help: 'Start it again.' }));
  const body = request.body as AsyncIterable<Uint8Array> | null;
  return sendAsset(request, await assets.respond({ method: request.method, path: pathname, body }, request.signal));
}

async function sendAsset(request: Request, { status, headers, body }: AssetAnswer): Promise<Response> {
  if (request.method === 'HEAD' || body === null) return respond(status, headers, null);
  if (body instanceof Uint8Array) return respond(status, headers, body);
  const file = await open(body.file, 'r').catch(() => undefined);
  if (file === undefined) return refuse(404, missing());
  const { size } = await file.stat();
  // The length was promised: what is appended meanwhile is not part of the answer. An empty range cannot be written as a stream's end.
  if (size === 0) await file.close();
  const stream = size === 0 ? null : (Readable.toWeb(file.createReadStream({ end: size - 1 })) as Body);
  return respond(status, { ...headers, 'content-length': String(size) }, stream);
}

function respond(status: number, headers: Readonly<Record<string, string>>, body: Body | Uint8Array): Response {
  const all = new Headers(securityHeaders);
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  return new Response(body as Body, { status, headers: all });
}

function refuse(status: number, error: LabError): Response {
  return respond(status, { 'content-type': 'application/json; charset=utf-8' }, Buffer.from(JSON.stringify({ error: toWire(error) })));
}

function missing(): LabError {
  return new LabError('not_found', 'The lab has nothing at this address.', { help: 'Load the page again.' });
}
