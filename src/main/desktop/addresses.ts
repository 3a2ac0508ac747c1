// The one address under which pages live in the desktop window.
import type { CustomScheme } from 'electron';

export const labScheme = 'lab';
export const startAddress = 'lab://app/';

/** Must be registered once, before the application is ready; without bypassCSP and corsEnabled (platform.md 1.18). */
export const labPrivileges: CustomScheme = {
  scheme: labScheme,
  privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true, codeCache: true },
};

/** True for addresses and origins of our own pages; parsed, because prefixes can be imitated (`lab://app.evil/`, `lab://app@evil/`). */
export function isLabAddress(text: string): boolean {
  const address = URL.parse(text);
  // Node gives schemes that it does not know the origin "null", so the parts are compared.
  return address?.protocol === `${labScheme}:` && address.host === 'app' && address.username === '' && address.password === '';
}
