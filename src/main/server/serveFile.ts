// What a restarted server needs to be the same for a page that was open: its port and the secret behind the cookies, in serve.json of the
// workspace, readable by its owner only.
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const serveFileSchema = z.strictObject({ port: z.int().positive().max(65_535), secret: z.string().regex(/^[\w-]{43}$/) });
export type ServeFile = z.infer<typeof serveFileSchema>;

/** Undefined when there is none, it cannot be understood, or others could have read it. */
export function readServeFile(folder: string): ServeFile | undefined {
  try {
    const path = placeOf(folder);
    const isPrivate = process.platform === 'win32' || (statSync(path).mode & 0o077) === 0;
    return isPrivate ? serveFileSchema.parse(JSON.parse(readFileSync(path, 'utf8'))) : undefined;
  } catch {
    return undefined;
  }
}

export function writeServeFile(folder: string, content: ServeFile): void {
  const temporary = `${placeOf(folder)}.tmp-${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(content)}\n`, { mode: 0o600, flush: true });
  renameSync(temporary, placeOf(folder));
}

export function createSecret(): string {
  return randomBytes(32).toString('base64url');
}

function placeOf(folder: string): string {
  return join(folder, 'serve.json');
}
