// Starts the built desktop program with Playwright where it can run, and says why where it cannot.
import { join, resolve } from 'node:path';
import { _electron, type ElectronApplication, type Page } from '@playwright/test';
import { desktopSurroundings, findDesktop } from '../../scripts/setup/findElectron.ts';

export interface OpenedDesktop {
  readonly application: ElectronApplication;
  readonly page: Page;
}

export interface DesktopPlaces {
  /** Absolute; created at first use. */
  readonly workspace: string;
  /** Where Electron keeps its own data, one for each test: it also decides which instances know each other. */
  readonly userData: string;
  /** The folder of the build with `main`, `preload` and `renderer`. */
  readonly buildFolder?: string;
}

const root = resolve(import.meta.dirname, '..', '..');

/** Resolves once the first page is there; with a reason, one sentence without its dot, when no window can be opened on this machine. */
export async function openElectron(places: DesktopPlaces): Promise<OpenedDesktop | { readonly reason: string }> {
  const electron = findDesktop(desktopSurroundings(root));
  if ('reason' in electron) return electron;
  const program = join(places.buildFolder ?? join(root, 'out'), 'main', 'index.js');
  const environment = Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const application = await _electron.launch({
    executablePath: electron.program,
    args: [program, `--user-data-dir=${places.userData}`, '--workspace', places.workspace],
    env: { ...Object.fromEntries(environment), TRANSFER_LAB_NODE: process.execPath },
    chromiumSandbox: true,
  });
  return { application, page: await application.firstWindow() };
}

/** The dialog for files is native and cannot be clicked: the next ones answer with these paths, none cancels. */
export async function answerFileDialogs({ application }: OpenedDesktop, filePaths: readonly string[]): Promise<void> {
  await application.evaluate(
    ({ dialog }, answer) => {
      dialog.showOpenDialog = () => Promise.resolve(answer);
    },
    { canceled: filePaths.length === 0, filePaths: [...filePaths] },
  );
}
