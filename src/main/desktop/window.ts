import { join } from 'node:path';
import type { BrowserWindow } from 'electron';
import { startAddress } from './addresses.ts';
import type { ElectronModules } from './electronModules.ts';
import { readWindowPlace, writeWindowPlace } from './windowPlace.ts';

const firstSize = { width: 1440, height: 900 };
const leastSize = { minWidth: 960, minHeight: 600 };

/** Opens the window where it was last time; it shows itself when the page has something to show. */
export function openWindow(electron: ElectronModules, preload: string): BrowserWindow {
  const { app, BrowserWindow, nativeTheme, screen } = electron;
  const file = join(app.getPath('userData'), 'window.json');
  const place = readWindowPlace(
    file,
    screen.getAllDisplays().map((display) => display.workArea),
  );
  const { isMaximized, ...bounds } = place ?? { ...firstSize, isMaximized: false };
  const window = new BrowserWindow({
    ...bounds,
    ...leastSize,
    show: false,
    title: 'Transfer Lab',
    // Until the page is there; a white flash hurts in a dark room.
    backgroundColor: nativeTheme.shouldUseDarkColors ? '#101317' : '#ffffff',
    webPreferences: {
      preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInSubFrames: false,
      nodeIntegrationInWorker: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      // It would fetch its dictionaries from a server.
      spellcheck: false,
    },
  });
  window.once('ready-to-show', () => {
    if (isMaximized) window.maximize();
    window.show();
  });
  window.on('close', () => writeWindowPlace(file, { ...window.getNormalBounds(), isMaximized: window.isMaximized() }));
  window.webContents.on('render-process-gone', (_event, { reason }) => {
    if (reason !== 'clean-exit') void offerReload(electron, window);
  });
  void window.loadURL(startAddress);
  return window;
}

/** Asks instead of loading again by itself, so that a page that always ends does not end forever. */
async function offerReload({ app, dialog }: ElectronModules, window: BrowserWindow): Promise<void> {
  const { response } = await dialog.showMessageBox(window, {
    type: 'error',
    message: 'The page ended unexpectedly.',
    detail: 'Runs that train go on. Load the page again to see them.',
    buttons: ['Load again', 'Quit'],
    defaultId: 0,
    cancelId: 0,
  });
  if (response === 1) app.quit();
  else await window.loadURL(startAddress);
}
