// The built pages, read once at the start: a request gets a file only when its address is, letter by letter, one of the list. Addresses
// are never joined to paths.
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';

export interface StaticFile {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface StaticFiles {
  /** The file for the target of a request line, the first page for addresses inside the pages, undefined otherwise. */
  find(target: string): StaticFile | undefined;
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
};

/** As the builder writes them: assets/NAME-HASH.EXTENSION. */
const hashedName = /^\/assets\/.+-[\w-]{8,}\.\w+$/;
/** An address that only the pages' own router knows: words, also encoded ones, without dots, slashes and control characters in them. */
const pageAddress = /^(?:\/(?:[\w~:,+-]|%(?!2e|2f|5c|25|7f)[2-9a-f][0-9a-f])+)+$/i;

/** Throws `not_found` when the folder holds no built pages. */
export function readStaticFiles(folder: string): StaticFiles {
  const files = new Map<string, StaticFile>();
  for (const path of listFiles(folder)) {
    const address = `/${relative(folder, path).replaceAll(sep, '/')}`;
    const caching = hashedName.test(address) ? 'public, max-age=31536000, immutable' : 'no-store';
    const type = contentTypes[extname(path)] ?? 'application/octet-stream';
    files.set(address, { bytes: readFileSync(path), headers: { 'content-type': type, 'cache-control': caching } });
  }
  const first = files.get('/index.html');
  if (first === undefined) {
    throw new LabError('not_found', 'The pages of the lab have not been built.', {
      expected: `the file ${join(folder, 'index.html')}`,
      help: 'Run `npm run build` and try again.',
    });
  }
  return {
    find: (target) => {
      const address = target.split('?', 1)[0] ?? '';
      return files.get(target) ?? (address === '/' || pageAddress.test(address) ? first : undefined);
    },
  };
}

/** Plain files only, none behind a link that leads out of the folder; maps for debuggers are not served. */
function listFiles(folder: string): string[] {
  try {
    const inside = `${realpathSync(folder)}${sep}`;
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.map'))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => realpathSync(path).startsWith(inside));
  } catch {
    return [];
  }
}
