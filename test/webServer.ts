// The real loopback web server around any server of the wire, and the port that a page has to it.
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { Port } from '../src/shared/rpc.ts';
import type { Server } from '../src/shared/rpcServer.ts';
import { createWebSocketPort } from '../src/main/ports/webSocket.ts';
import { createKeys } from '../src/main/server/keys.ts';
import { requestLimits } from '../src/main/server/routes.ts';
import { createSecret } from '../src/main/server/serveFile.ts';
import { createSessions } from '../src/main/server/sessions.ts';
import { openWebServer } from '../src/main/server/webServer.ts';

export interface Door {
  readonly port: number;
  /** The `Cookie` header of a page that was let in. */
  readonly cookie: string;
}

export async function listenWeb(server: Server, onPort: (port: Port) => void = () => undefined): Promise<Door> {
  const sessions = createSessions(createSecret());
  const servePage = (port: Port): void => {
    onPort(port);
    server.serve(port);
  };
  const assets = { respond: () => Promise.resolve({ status: 404, headers: {}, body: null }) };
  const entrance = {
    keys: createKeys(),
    sessions,
    files: { find: () => undefined },
    core: () => ({ assets, servePage }),
    limits: requestLimits,
  };
  const web = await openWebServer(entrance, 0);
  if (web === undefined) throw new Error('There is no free port.');
  onTestFinished(() => web.close());
  return { port: web.port, cookie: sessions.open(web.port).split(';', 1)[0] ?? '' };
}

/** Rejects when the server does not let the page in. */
export async function openPagePort(door: Door): Promise<Port> {
  return createWebSocketPort(await openPageSocket(door));
}

export function openPageSocket({ port, cookie }: Door): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers: { origin: `http://127.0.0.1:${port}`, cookie } });
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
  });
}
