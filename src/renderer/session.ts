// How a page gets in: in the desktop window over the bridge of the preload script; in a browser the address carries a single-use key behind
// '#', which is exchanged for a cookie and removed from the address.
import { LabError } from '../shared/contract/errors.ts';
import type { Port } from '../shared/rpc.ts';
import { openBridgePort, type BridgeWindow } from '../shared/messagePort.ts';
import { openWebSocketPort } from './ports.ts';

/** The port of this page; rejects with `not_found` when the page has neither a key nor a cookie. */
export async function openPagePort(): Promise<Port> {
  if (hasBridge(window)) return openBridgePort(window);
  await exchangeKey();
  const answer = await fetch('/session', { cache: 'no-store' });
  if (answer.status === 401) {
    throw new LabError('not_found', 'This page has not been let into the lab.', { help: 'Open the address that the lab printed.' });
  }
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return openWebSocketPort(`${scheme}//${location.host}/ws`);
}

function hasBridge(page: object): page is BridgeWindow {
  return 'lab' in page;
}

/** The key leaves the address at once, before the router remembers it; when nobody answers it comes back for the next try. */
async function exchangeKey(): Promise<void> {
  const match = /^#k=([A-Za-z0-9_-]+)$/.exec(location.hash);
  if (match === null) return;
  const plain = `${location.pathname}${location.search}`;
  history.replaceState(history.state, '', plain);
  try {
    // The key is used up when it arrives, so the cookie must be received even if the page is loaded again meanwhile.
    await fetch('/session', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ key: match[1] }),
      keepalive: true,
    });
  } catch (error) {
    history.replaceState(history.state, '', plain + match[0]);
    throw error;
  }
}
