import type * as Electron from 'electron';

/** The parts of Electron that the desktop host uses; index.ts passes the real ones, so that everything else loads in plain Node. */
export type ElectronModules = Pick<
  typeof Electron,
  'app' | 'BrowserWindow' | 'dialog' | 'ipcMain' | 'Menu' | 'MessageChannelMain' | 'nativeTheme' | 'protocol' | 'screen' | 'session'
>;
