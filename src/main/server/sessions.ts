// The cookie of a page: signed with the secret of the workspace, so that a restarted server knows the pages that were open. Nothing is
// stored about sessions; another secret ends them all.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export interface Sessions {
  /** The value of a `Set-Cookie` header for the server on this port. */
  open(port: number): string;
  /** Whether a `Cookie` header holds a session of the server on this port. */
  isOpen(port: number, cookies: string | undefined): boolean;
}

/** The longest time that browsers keep a cookie: 400 days. */
const longestSeconds = 400 * 24 * 3600;

export function createSessions(secret: string): Sessions {
  const sign = (id: string): string => createHmac('sha256', secret).update(`session ${id}`).digest('base64url');
  const isSigned = (value: string): boolean => {
    const [id = '', signature = ''] = value.split('.');
    const expected = Buffer.from(sign(id));
    const given = Buffer.from(signature);
    return given.length === expected.length && timingSafeEqual(given, expected);
  };
  return {
    open: (port) => {
      const id = randomBytes(16).toString('base64url');
      return `${nameOf(port)}=${id}.${sign(id)}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${longestSeconds}`;
    },
    isOpen: (port, cookies) =>
      (cookies ?? '')
        .split(';')
        .map((cookie) => cookie.trim())
        .some((cookie) => cookie.startsWith(`${nameOf(port)}=`) && isSigned(cookie.slice(nameOf(port).length + 1))),
  };
}

/** Browsers share cookies between the ports of a host, so each server has a name of its own. */
function nameOf(port: number): string {
  return `lab-${port}`;
}
