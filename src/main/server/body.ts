// Bodies of requests, read with limits: a body that is too long, or that stops arriving, ends the request.
import type { IncomingMessage } from 'node:http';
import { Refusal } from './answers.ts';

export interface BodyLimits {
  readonly bytes: number;
  /** Between two pieces. */
  readonly pauseMs: number;
  readonly totalMs: number;
}

/** Throws a refusal (413, 408) at the limit and leaves the connection open for it; what a person aborts ends with the stream's error. */
export async function* readBody(request: IncomingMessage, limits: BodyLimits): AsyncGenerator<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > limits.bytes) throw tooLong();
  const slow = Promise.withResolvers<never>();
  slow.promise.catch(() => undefined);
  const giveUp = (): void => slow.reject(new Refusal(408, 'deadline_exceeded', 'The request did not arrive in time.', 'Send it again.'));
  const total = setTimeout(giveUp, limits.totalMs);
  // Leaving early must not destroy the connection: the refusal still has to go out.
  const pieces = request.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Uint8Array>;
  let bytes = 0;
  try {
    for (;;) {
      const pause = setTimeout(giveUp, limits.pauseMs);
      const next = await Promise.race([pieces.next(), slow.promise]).finally(() => clearTimeout(pause));
      if (next.done === true) return;
      bytes += next.value.byteLength;
      if (bytes > limits.bytes) throw tooLong();
      yield next.value;
    }
  } finally {
    clearTimeout(total);
  }
}

/** Undefined when the body is not JSON. */
export async function readJson(request: IncomingMessage, limits: BodyLimits): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  for await (const piece of readBody(request, limits)) pieces.push(piece);
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch {
    return undefined;
  }
}

function tooLong(): Refusal {
  return new Refusal(413, 'limit_exceeded', 'The request is too long.', 'Send less at once.');
}
