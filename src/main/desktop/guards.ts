// What pages must not do in the desktop window: leave the lab, open windows, embed foreign content, reach a network or a device. Electron
// allows most of it unless it is told otherwise (platform.md 1).
import type { Session, WebContents } from 'electron';
import { isLabAddress } from './addresses.ts';

const allowedPermissions: ReadonlySet<string> = new Set(['clipboard-sanitized-write', 'fullscreen']);

/** Must be called before the first page is loaded. */
export function guardSession(session: Session, isDevelopment: boolean): void {
  session.setPermissionRequestHandler((_contents, permission, answer, { requestingUrl }) => answer(isPermitted(permission, requestingUrl)));
  session.setPermissionCheckHandler((_contents, permission, origin) => isPermitted(permission, origin));
  session.setDevicePermissionHandler(() => false);
  session.setBluetoothPairingHandler((_details, answer) => answer({ confirmed: false }));
  session.setDisplayMediaRequestHandler((_request, answer) => answer(null));
  session.webRequest.onBeforeRequest(({ url }, answer) => answer({ cancel: !mayBeRequested(url, isDevelopment) }));
  session.on('will-download', (event, item) => {
    if (!isOwnContent(item.getURL())) event.preventDefault();
  });
}

/** Must be called for every web contents as soon as it exists. */
export function guardContents(contents: WebContents): void {
  const stay = (event: { readonly url: string; preventDefault(): void }): void => {
    if (!isLabAddress(event.url)) event.preventDefault();
  };
  contents.on('will-navigate', stay);
  contents.on('will-frame-navigate', stay);
  contents.on('will-redirect', stay);
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.on('select-bluetooth-device', (event, _devices, answer) => {
    event.preventDefault();
    answer('');
  });
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
}

function isPermitted(permission: string, origin: string): boolean {
  return allowedPermissions.has(permission) && isLabAddress(origin);
}

function mayBeRequested(url: string, isDevelopment: boolean): boolean {
  // Data addresses never leave the machine; where they may be used is up to the policy of the page.
  return isOwnContent(url) || url.startsWith('data:') || (isDevelopment && url.startsWith('devtools:'));
}

/** Our pages and what they hold in memory. */
function isOwnContent(url: string): boolean {
  return isLabAddress(url) || (url.startsWith('blob:') && isLabAddress(url.slice('blob:'.length)));
}
