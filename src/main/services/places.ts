// The folders in which pages may browse, and the one check that a path lies in them. Paths are compared after every link in them was
// followed, when they are shown and again when they are used.
import { realpathSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';

export interface Places {
  /** Real paths of those that exist, in the order of the host. */
  list(): string[];
  /** The outermost place that holds this real path. */
  findAround(realPath: string): string | undefined;
  /** The real path when it lies in a place; undefined when it does not, or does not exist. */
  follow(path: string): Promise<string | undefined>;
  followNow(path: string): string | undefined;
  /** Real paths from the place down to this real path, both included; empty when it lies in no place. */
  trail(realPath: string): string[];
}

export function createPlaces(folders: readonly string[]): Places {
  const list = (): string[] => [...new Set(folders.map(resolveNow).filter((path) => path !== undefined))];
  const findAround = (path: string): string | undefined =>
    list()
      .filter((place) => isInside(place, path))
      .sort((a, b) => a.length - b.length)[0];
  const confine = (path: string | undefined): string | undefined =>
    path !== undefined && findAround(path) !== undefined ? path : undefined;
  return {
    list,
    findAround,
    follow: async (path) => confine(await realpath(path).catch(() => undefined)),
    followNow: (path) => confine(resolveNow(path)),
    trail(path) {
      const place = findAround(path);
      const found: string[] = [];
      for (let at = path; place !== undefined; at = dirname(at)) {
        found.unshift(at);
        if (at === place) break;
      }
      return found;
    },
  };
}

/** Both are absolute, without links and without a separator at the end. */
function isInside(place: string, path: string): boolean {
  return path === place || path.startsWith(place.endsWith(sep) ? place : place + sep);
}

function resolveNow(path: string): string | undefined {
  try {
    return realpathSync(join(path));
  } catch {
    return undefined;
  }
}
