// The desktop host: one window on one workspace. It owns the order of start and end: what must be said before the application is ready,
// the guards before the first page, the core before the window, and the work of runs saved before the process ends. Electron comes in as
// a parameter; the parts lie in desktop/.
import { setTimeout as rest } from 'node:timers/promises';
import type { BrowserWindow } from 'electron';
import type { CoreOptions } from './core.ts';
import { labPrivileges, labScheme, startAddress } from './desktop/addresses.ts';
import { createChoose, showError } from './desktop/dialogs.ts';
import type { ElectronModules } from './desktop/electronModules.ts';
import { guardContents, guardSession } from './desktop/guards.ts';
import { createLabHandler } from './desktop/labProtocol.ts';
import { describeMenu } from './desktop/menu.ts';
import { servePagePorts } from './desktop/pagePort.ts';
import { openWindow } from './desktop/window.ts';
import { openWorkspaces, type Workspaces } from './hosts/workspaces.ts';
import { readStaticFiles, type StaticFiles } from './hosts/staticFiles.ts';

export interface DesktopSurroundings {
  /** Called once the application can show what it throws. */
  readonly core: () => Omit<CoreOptions, 'host' | 'kind'>;
  /** Absolute folder of the built pages. */
  readonly rendererFolder: string;
  /** Absolute path of the built preload script. */
  readonly preload: string;
  /** Offers the developer tools. */
  readonly isDevelopment: boolean;
  /** How long the end may take; the stop ladder takes 13 s. */
  readonly closeMs?: number;
}

const longestCloseMs = 20_000;

/** Resolves when the window is open, or when the application ends instead because it cannot or need not start. */
export async function startDesktop(electron: ElectronModules, surroundings: DesktopSurroundings): Promise<void> {
  const { app, protocol } = electron;
  app.enableSandbox();
  protocol.registerSchemesAsPrivileged([labPrivileges]);
  if (!app.requestSingleInstanceLock()) {
    // The one that is open shows its window.
    app.quit();
    return;
  }
  await new Desktop(electron, surroundings).start();
}

class Desktop {
  readonly #electron: ElectronModules;
  readonly #surroundings: DesktopSurroundings;
  #workspaces: Workspaces | undefined;
  #window: BrowserWindow | undefined;
  #isEnding = false;
  #isWantedAgain = false;

  constructor(electron: ElectronModules, surroundings: DesktopSurroundings) {
    this.#electron = electron;
    this.#surroundings = surroundings;
  }

  async start(): Promise<void> {
    const { app } = this.#electron;
    app.on('web-contents-created', (_event, contents) => guardContents(contents));
    app.on('second-instance', () => this.#comeForward());
    app.on('window-all-closed', () => app.quit());
    app.on('before-quit', (event) => {
      event.preventDefault();
      void this.#end();
    });
    await app.whenReady();
    try {
      const files = readStaticFiles(this.#surroundings.rendererFolder);
      this.#workspaces = await openWorkspaces({
        core: { ...this.#surroundings.core(), kind: 'desktop' },
        host: { browsableFolders: [], choose: createChoose(this.#electron, () => this.#window) },
        onChanged: () => void this.#window?.loadURL(startAddress),
      });
      if (!this.#isEnding) this.#open(files);
    } catch (error) {
      showError(this.#electron, 'Transfer Lab cannot start', error);
      app.exit(1);
    }
  }

  #open(files: StaticFiles): void {
    const { Menu, protocol, session } = this.#electron;
    const { isDevelopment, preload } = this.#surroundings;
    const core = (): ReturnType<Workspaces['core']> => this.#workspaces?.core();
    guardSession(session.defaultSession, isDevelopment);
    protocol.handle(labScheme, createLabHandler({ files, core }));
    servePagePorts(this.#electron, { window: () => this.#window, core });
    const menu = describeMenu({ openWorkspace: () => void this.#openWorkspace() }, process.platform, isDevelopment);
    Menu.setApplicationMenu(Menu.buildFromTemplate(menu));
    this.#window = openWindow(this.#electron, preload);
    this.#window.on('closed', () => (this.#window = undefined));
  }

  /** A second start shows the window that is open; one that comes while the work is being saved gets a window afterwards. */
  #comeForward(): void {
    this.#isWantedAgain = this.#isEnding;
    if (this.#window?.isMinimized() === true) this.#window.restore();
    this.#window?.focus();
  }

  /** The same two calls that a page makes. */
  async #openWorkspace(): Promise<void> {
    const client = await this.#workspaces?.core()?.connect();
    try {
      const chosen = await client?.call('files.choose', { purpose: 'workspace' });
      const [folder] = chosen?.chosen ?? [];
      if (folder !== undefined) await client?.call('workspace.open', { token: folder.token });
    } catch (error) {
      showError(this.#electron, 'The workspace was not opened', error);
    } finally {
      client?.close();
    }
  }

  /** The window is gone at once; the process stays until the work of its runs is saved. */
  async #end(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    const { app } = this.#electron;
    this.#window?.hide();
    this.#window?.close();
    const isSaved = await this.#save();
    if (this.#isWantedAgain) app.relaunch();
    app.exit(isSaved ? 0 : 1);
  }

  async #save(): Promise<boolean> {
    const late = new AbortController();
    try {
      const saving = this.#workspaces?.close().then(() => true) ?? true;
      const giveUp = rest(this.#surroundings.closeMs ?? longestCloseMs, false, { signal: late.signal }).catch(() => false);
      const isSaved = await Promise.race([saving, giveUp]);
      if (!isSaved) this.#workspaces?.abandon();
      return isSaved;
    } catch (error) {
      showError(this.#electron, 'Not everything could be saved', error);
      return false;
    } finally {
      late.abort();
    }
  }
}
