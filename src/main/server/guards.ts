// Who may ask: every rule about the headers of a request, as pure questions. A header that is there twice fits no rule.
import type { IncomingHttpHeaders } from 'node:http';

/** A request as the guards see it; Node joins or drops repeated headers, the distinct form keeps them. */
export interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly headersDistinct: NodeJS.Dict<string[]>;
}

const localHost = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

/** The defence against DNS rebinding; the port may be another one, as through an SSH tunnel (mlflow/mlflow#22095). */
export function isForThisMachine(asked: Asked): boolean {
  const host = onlyOne(asked, 'host');
  return host !== undefined && localHost.test(host);
}

/** The page that asks was loaded from the address that is asked. */
export function isFromOwnPage(asked: Asked): boolean {
  const host = onlyOne(asked, 'host')?.toLowerCase();
  const origin = onlyOne(asked, 'origin')?.toLowerCase();
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}

/** What the browser says about the page that asks, where it says something: other programs do not. */
export function isFetchedByOwnPage(asked: Asked): boolean {
  const sites = asked.headersDistinct['sec-fetch-site'] ?? [];
  return sites.every((site) => site === 'same-origin' || site === 'none');
}

/** Forms of other sites can send no JSON and no octet stream without asking first. */
export function hasContentType(asked: Asked, type: 'application/json' | 'application/octet-stream'): boolean {
  const given = onlyOne(asked, 'content-type')?.toLowerCase().replaceAll(' ', '');
  return given === type || given === `${type};charset=utf-8`;
}

function onlyOne(asked: Asked, name: string): string | undefined {
  const values = asked.headersDistinct[name] ?? [];
  return values.length === 1 ? values[0] : undefined;
}
