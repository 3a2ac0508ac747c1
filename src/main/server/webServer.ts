// The HTTP server: bound to the loopback addresses and nothing else, with limits on everything a stranger can send, and the door for
// WebSockets. There is no option for another address: whoever is elsewhere uses an SSH tunnel.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { LabError } from '../../shared/contract/errors.ts';
import { rpcLimits, type Port } from '../../shared/rpc.ts';
import { createWebSocketPort } from '../ports/webSocket.ts';
import { Refusal, refuseConnection } from './answers.ts';
import { answerRequest, checkHost, checkOrigin, checkSession, type Entrance } from './routes.ts';

export interface WebServer {
  readonly port: number;
  /** Pages come back by themselves and meet the core that is open then. */
  dropPages(): void;
  /** No connection begins from now on; those that are open go on. */
  stopListening(): void;
  close(): Promise<void>;
}

const headerBytes = 16 * 1024;
const longestRequestMs = 3_600_000;
const farewellMs = 1200;
const mostTries = 5;

/** Any free port for 0; undefined when the port is taken on one of the loopback addresses. */
export async function openWebServer(entrance: Entrance, wanted: number): Promise<WebServer | undefined> {
  for (let attempt = 1; attempt <= mostTries; attempt += 1) {
    const opened = await listenOnBoth(entrance, wanted);
    if (opened !== undefined || wanted !== 0) return opened;
  }
  throw new LabError('conflict', 'No free port was found on this machine.', { help: 'Name one with --port.' });
}

async function listenOnBoth(entrance: Entrance, wanted: number): Promise<WebServer | undefined> {
  const pages = new Set<Port>();
  const servers = [createLimitedServer(entrance, pages), createLimitedServer(entrance, pages)] as const;
  const closeAll = async (): Promise<void> => {
    for (const page of pages) page.close();
    await Promise.all(servers.map(endServer));
  };
  const port = await listen(servers[0], '127.0.0.1', wanted);
  const second = typeof port === 'number' ? await listen(servers[1], '::1', port) : 'taken';
  // Without IPv6 the lab is at 127.0.0.1 only; a stranger at ::1 would be where `localhost` may lead.
  if (typeof port !== 'number' || second === 'taken') {
    await closeAll();
    return undefined;
  }
  return {
    port,
    dropPages: () => {
      for (const page of pages) page.close();
    },
    stopListening: () => {
      for (const server of servers) server.close();
    },
    close: closeAll,
  };
}

function createLimitedServer(entrance: Entrance, pages: Set<Port>): Server {
  const { headersMs, checkMs } = entrance.limits;
  const server = createServer(
    { maxHeaderSize: headerBytes, headersTimeout: headersMs, requestTimeout: longestRequestMs, connectionsCheckingInterval: checkMs },
    (request, response) => void answerRequest(entrance, request, response),
  );
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: rpcLimits.messageBytes,
    perMessageDeflate: false,
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const status = refuseUpgrade(entrance, request);
    if (status !== undefined) {
      refuseConnection(socket, status);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) => {
      const port = createWebSocketPort(opened, entrance.limits.heartbeatMs);
      pages.add(port);
      port.onClose(() => pages.delete(port));
      const core = entrance.core();
      if (core === undefined) port.close();
      else core.servePage(port);
    });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else refuseConnection(socket, statusOf(error.code));
  });
  return server;
}

/** The status of the refusal; undefined when the page may come in. */
function refuseUpgrade(entrance: Entrance, request: IncomingMessage): number | undefined {
  try {
    checkHost(request);
    if (request.url !== '/ws') return 404;
    checkOrigin(request);
    checkSession(entrance, request);
    return undefined;
  } catch (error) {
    return error instanceof Refusal ? 403 : 500;
  }
}

function statusOf(code: string | undefined): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
}

function listen(server: Server, host: string, port: number): Promise<number | 'taken' | 'missing'> {
  return new Promise((resolve, reject) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve('taken');
      else if (host === '::1') resolve('missing');
      else if (error.code === 'EACCES') reject(forbidden(port, error));
      else reject(error);
    });
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve(address !== null && typeof address === 'object' ? address.port : 'missing');
    });
  });
}

function forbidden(port: number, cause: Error): LabError {
  return new LabError('bad_usage', `The port ${port} is reserved by the system.`, {
    expected: 'a port from 1024 to 65535',
    help: 'Choose another one with --port.',
    cause,
  });
}

/** Answers that are on their way get a moment; connections that stay are cut off. */
async function endServer(server: Server): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), farewellMs);
  await ended;
  clearTimeout(timer);
}
