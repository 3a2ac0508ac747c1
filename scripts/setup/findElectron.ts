/**
 * Says whether the desktop window can be opened here: an Electron binary, a display, and rights that its sandbox accepts.
 *
 * It only looks. Whoever starts the lab uses browser mode for the reason that comes back instead of a program. It never loads the package
 * `electron`, because that would begin a download.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';

export type ElectronFinding = { readonly program: string } | { readonly reason: string };

/** What the answers depend on; tests pass their own. */
export type DesktopSurroundings = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  /** The number of the user; undefined on Windows. */
  readonly userId: number | undefined;
  /** The root of the checkout. */
  readonly root: string;
  /** The text of a file, undefined when there is none. */
  readonly read: (path: string) => string | undefined;
  /** Owner and rights of a file, undefined when there is none. */
  readonly inspect: (path: string) => { readonly uid: number; readonly mode: number } | undefined;
};

const FETCH_HELP = '`npm run electron-binary` fetches it where the network allows';
const SET_USER_ID = 0o4000;

export function desktopSurroundings(root: string): DesktopSurroundings {
  return {
    environment: process.env,
    platform: process.platform,
    userId: process.getuid?.(),
    root,
    read: (path) => {
      try {
        return readFileSync(path, 'utf8');
      } catch {
        return undefined;
      }
    },
    inspect: (path) => statSync(path, { throwIfNoEntry: false }),
  };
}

/** The program that opens the window, when nothing that can be known beforehand keeps it from doing so. */
export function findDesktop(surroundings: DesktopSurroundings): ElectronFinding {
  const electron = findElectron(surroundings);
  if ('reason' in electron) return electron;
  const reason = findDisplayProblem(surroundings) ?? findSandboxProblem(electron.program, surroundings);
  return reason === undefined ? electron : { reason };
}

/** The binary that the package `electron` would start: ELECTRON_OVERRIDE_DIST_PATH, else its own folder `dist` once it is whole. */
export function findElectron({ environment, platform, root, read, inspect }: DesktopSurroundings): ElectronFinding {
  const electron = join(root, 'node_modules', 'electron');
  const override = environment['ELECTRON_OVERRIDE_DIST_PATH'];
  if (override !== undefined && override !== '') {
    const program = join(override, programName(platform));
    if (isAbsolute(override) && inspect(program) !== undefined) return { program };
    return { reason: `ELECTRON_OVERRIDE_DIST_PATH leads to no Electron: expected ${program}` };
  }
  // Its installer writes path.txt last.
  const path = read(join(electron, 'path.txt'));
  if (path === undefined) return { reason: `there is no Electron binary; ${FETCH_HELP}` };
  const program = join(electron, 'dist', path);
  const wanted = versionOf(read(join(electron, 'package.json')));
  const found = read(join(electron, 'dist', 'version'))
    ?.trim()
    .replace(/^v/, '');
  if (inspect(program) !== undefined && found === wanted) return { program };
  return { reason: `the Electron binary is not whole: expected version ${wanted ?? '?'}, received ${found ?? 'none'}; ${FETCH_HELP}` };
}

/** Why no window can be shown; other systems than Linux always have a display. */
export function findDisplayProblem({ environment, platform, inspect }: DesktopSurroundings): string | undefined {
  if (platform === 'darwin' || platform === 'win32') return undefined;
  if ((environment['WAYLAND_DISPLAY'] ?? '') !== '') return undefined;
  const display = environment['DISPLAY'] ?? '';
  if (display === '') return 'there is no display: neither WAYLAND_DISPLAY nor DISPLAY is set';
  const [, number] = /^(?:unix)?:(\d+)(?:\.\d+)?$/.exec(display) ?? [];
  if (number !== undefined && inspect(`/tmp/.X11-unix/X${number}`) === undefined) {
    return `there is no display: nothing answers for DISPLAY=${display}`;
  }
  return undefined;
}

/** Why Chromium's sandbox cannot work; the lab never switches it off. */
export function findSandboxProblem(program: string, { platform, userId, read, inspect }: DesktopSurroundings): string | undefined {
  if (platform !== 'linux') return undefined;
  if (userId === 0) return 'the sandbox of Electron does not work for root; start the lab as another user';
  const isForbidden =
    read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns')?.trim() === '1' ||
    read('/proc/sys/kernel/unprivileged_userns_clone')?.trim() === '0';
  const helper = join(dirname(program), 'chrome-sandbox');
  const rights = inspect(helper);
  const isHelperReady = rights?.uid === 0 && (rights.mode & SET_USER_ID) !== 0;
  if (!isForbidden || isHelperReady) return undefined;
  return `this system forbids the sandbox of Electron; \`sudo chown root ${helper} && sudo chmod 4755 ${helper}\` allows it`;
}

function programName(platform: NodeJS.Platform): string {
  if (platform === 'darwin') return 'Electron.app/Contents/MacOS/Electron';
  return platform === 'win32' ? 'electron.exe' : 'electron';
}

function versionOf(packageText: string | undefined): string | undefined {
  return packageText === undefined ? undefined : (JSON.parse(packageText) as { version?: string }).version;
}
