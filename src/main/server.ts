// Host of browser mode: starts the core in this process and serves pages over loopback HTTP and WebSocket. It owns the port, the keys of
// addresses and the secret behind the cookies; what the pages ask for is the core's. `lab serve` and the start without a display call it.
import { LabError } from '../shared/contract/errors.ts';
import { createKeys } from './server/keys.ts';
import { requestLimits, type RequestLimits } from './server/routes.ts';
import { createSecret, readServeFile, writeServeFile } from './server/serveFile.ts';
import { createSessions } from './server/sessions.ts';
import { readStaticFiles } from './hosts/staticFiles.ts';
import { openWebServer, type WebServer } from './server/webServer.ts';
import { openWorkspaces, type WorkspaceOptions } from './hosts/workspaces.ts';

export interface BrowserHostOptions {
  /** `folder` is the workspace that is open at first. */
  readonly core: WorkspaceOptions['core'];
  /** Folders in which pages may look for data. */
  readonly browsableFolders: readonly string[];
  /** The built pages, with index.html. */
  readonly rendererFolder: string;
  /** A port that must be free, 0 for any; undefined for the port of last time or any. */
  readonly port?: number;
  /** Pages that were open have to be let in again. */
  readonly isSecretNew?: boolean;
  /** What a person should know. */
  readonly note: (text: string) => void;
  readonly limits?: Partial<RequestLimits>;
}

export interface BrowserHost {
  readonly port: number;
  /** An address that lets one browser in. */
  createAddress(): string;
  /** Ends the runs with their work saved while the pages look on, then the server. */
  close(): Promise<void>;
  /** Ends all children at once; the process must exit afterwards. */
  abandon(): void;
}

/** Throws `workspace_busy` with the owner's name, `conflict` when the port is taken, `not_found` when no pages were built. */
export async function startBrowserHost(options: BrowserHostOptions): Promise<BrowserHost> {
  const { folder } = options.core;
  const files = readStaticFiles(options.rendererFolder);
  const opened: { server?: WebServer } = {};
  const workspace = await openWorkspaces({
    core: options.core,
    host: { browsableFolders: options.browsableFolders },
    onChanged: () => opened.server?.dropPages(),
  });
  try {
    const before = readServeFile(folder);
    const secret = options.isSecretNew === true || before === undefined ? createSecret() : before.secret;
    const keys = createKeys();
    const limits = { ...requestLimits, ...options.limits };
    const entrance = { keys, sessions: createSessions(secret), files, core: () => workspace.core(), limits };
    const open = (port: number): Promise<WebServer | undefined> => openWebServer(entrance, port);
    const server = await choosePort(open, options, before?.port);
    opened.server = server;
    writeServeFile(folder, { port: server.port, secret });
    return {
      port: server.port,
      createAddress: () => `http://127.0.0.1:${server.port}/#k=${keys.issue()}`,
      close: async () => {
        server.stopListening();
        await workspace.close();
        await server.close();
      },
      abandon: () => workspace.abandon(),
    };
  } catch (error) {
    await opened.server?.close();
    await workspace.close();
    throw error;
  }
}

async function choosePort(
  open: (port: number) => Promise<WebServer | undefined>,
  { port, note }: BrowserHostOptions,
  before: number | undefined,
): Promise<WebServer> {
  const wanted = port ?? before ?? 0;
  const server = await open(wanted);
  if (server !== undefined) return server;
  if (port !== undefined) {
    throw new LabError('conflict', `The port ${port} is taken by another program.`, {
      expected: 'a free port',
      help: 'Choose another one with --port, or leave the option out.',
    });
  }
  const other = await open(0);
  if (other === undefined) throw new LabError('conflict', 'No free port was found on this machine.', { help: 'Name one with --port.' });
  note(
    `The port ${wanted} of last time is taken by another program; it is ${other.port} this time. Pages that were open have to be opened anew.`,
  );
  return other;
}
