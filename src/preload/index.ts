// The only thing that a page gets from the desktop host: a function that asks for a message port to the core. The port arrives as a
// message of the window to itself (shared/messagePort receives it). Runs in the sandbox, isolated from the page.
import { contextBridge, ipcRenderer } from 'electron';

/** Repeated from shared/messagePort, because a sandboxed script can import nothing but electron. */
const connectChannel = 'lab:connect';

ipcRenderer.on(connectChannel, (event) => window.postMessage(connectChannel, window.location.origin, [...event.ports]));

contextBridge.exposeInMainWorld('lab', { connect: (): void => ipcRenderer.send(connectChannel) });
