/** Tells whether node_modules already holds what the lock file asks for, from the list that npm keeps inside it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type LockedPackage = {
  readonly version?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
};
type LockFile = { readonly packages: Readonly<Record<string, LockedPackage>> };

/**
 * True when every package is installed in the locked version.
 *
 * npm writes its list last, so an interrupted installation has none. It spares a person who ran `npm install NAME` a second
 * installation, and other programs of the same checkout the moment in which `npm ci` empties node_modules.
 */
export function arePackagesInstalled(root: string): boolean {
  const locked = readLockFile(join(root, 'package-lock.json'))?.packages ?? {};
  const installed = readLockFile(join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (installed === undefined) return false;
  const isComplete = Object.entries(locked).every(([name, wanted]) => {
    const found = installed[name];
    if (found === undefined) return name === '' || !isNeededHere(wanted);
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
  return isComplete && Object.keys(installed).every((name) => locked[name] !== undefined);
}

/** Optional packages are the prebuilt parts of others: the one for this platform is needed, those for others are not. */
function isNeededHere({ optional = false, os, cpu, libc }: LockedPackage): boolean {
  if (!optional) return true;
  const isForThisSystem = os?.includes(process.platform) === true && cpu?.includes(process.arch) === true;
  return isForThisSystem && (libc?.includes('glibc') ?? true);
}

function readLockFile(path: string): LockFile | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as LockFile;
  } catch {
    return undefined;
  }
}
