// Hands a page its port to the core, on the one channel that the preload script has. Who asks is checked: the main frame of the window,
// showing the lab; nothing else ever gets a port.
import type { BrowserWindow, IpcMainEvent, WebFrameMain } from 'electron';
import { connectChannel } from '../../shared/messagePort.ts';
import type { Port } from '../../shared/rpc.ts';
import type { Core } from '../core.ts';
import { createElectronPort } from '../ports/electronPort.ts';
import { isLabAddress } from './addresses.ts';
import type { ElectronModules } from './electronModules.ts';

export interface PageSource {
  readonly window: () => BrowserWindow | undefined;
  /** Undefined while the program ends. */
  readonly core: () => Core | undefined;
}

/** Serves requests for ports until the program ends; a page that asks again loses the port it had. */
export function servePagePorts({ ipcMain, MessageChannelMain }: ElectronModules, { window, core }: PageSource): void {
  let open: Port | undefined;
  ipcMain.on(connectChannel, (event) => {
    const frame = findPage(event, window());
    const served = core();
    if (frame === undefined || served === undefined) return;
    open?.close();
    const { port1, port2 } = new MessageChannelMain();
    open = createElectronPort(port1);
    served.servePage(open);
    frame.postMessage(connectChannel, null, [port2]);
  });
}

/** The frame that asked, when it is one of ours; a frame that has navigated meanwhile is null. */
function findPage({ sender, senderFrame }: IpcMainEvent, window: BrowserWindow | undefined): WebFrameMain | undefined {
  if (senderFrame === null || senderFrame.parent !== null || !isLabAddress(senderFrame.url)) return undefined;
  if (window === undefined || window.isDestroyed() || sender.id !== window.webContents.id) return undefined;
  return senderFrame;
}
