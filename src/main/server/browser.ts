// Opens the person's browser. The address holds a key, and other users can read command lines, so the browser is given a file of the
// workspace that only this user can read and that leads to the address.
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const openers: Readonly<Record<string, readonly string[]>> = { darwin: ['open'], win32: ['cmd', '/c', 'start', ''] };
/** A browser that starts cold on a slow disk needs its time. */
const keptMs = 30_000;

export function hasDisplay(environment: NodeJS.ProcessEnv, platform: NodeJS.Platform = process.platform): boolean {
  if (platform === 'win32' || platform === 'darwin') return environment['SSH_CONNECTION'] === undefined;
  return [environment['DISPLAY'], environment['WAYLAND_DISPLAY']].some((display) => display !== undefined && display !== '');
}

/** The function returned removes the file; a browser that cannot be started is no error, the address was printed. */
export function openBrowser(url: string, folder: string, environment: NodeJS.ProcessEnv): () => void {
  const path = join(folder, 'open-lab.html');
  const remove = (): void => rmSync(path, { force: true });
  remove();
  const page = `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url=${url}">\n`;
  writeFileSync(path, page, { mode: 0o600, flag: 'wx' });
  const [program = 'xdg-open', ...parameters] = openers[process.platform] ?? ['xdg-open'];
  const child = spawn(program, [...parameters, path], { env: environment, detached: true, stdio: 'ignore' });
  child.on('error', () => undefined);
  child.unref();
  const timer = setTimeout(remove, keptMs);
  timer.unref();
  return () => {
    clearTimeout(timer);
    remove();
  };
}
