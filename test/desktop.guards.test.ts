// What a page cannot do in the desktop window, guard by guard: each of these tests fails when its guard is removed. The fake of Electron
// enforces nothing, so what is asserted is what Electron is told.
import { describe, expect, test } from 'vitest';
import { isLabAddress } from '../src/main/desktop/addresses.ts';
import { openDesktop } from './desktopLab.ts';
import { FakeContents, FakeFrame, question } from './fixtures/electron/fakeWindows.ts';

const strangeAddresses = [
  'https://example.org/',
  'http://127.0.0.1:8080/',
  'file:///etc/passwd',
  'lab://app.evil.example/',
  'lab://app@evil.example/',
  'lab://evil@app/',
  'lab://app:8080/',
  'labs://app/',
  'javascript:alert(1)',
  'lab:app',
  '',
];

test('only addresses of the lab count as such', () => {
  expect(strangeAddresses.filter(isLabAddress)).toEqual([]);
  expect(['lab://app', 'lab://app/', 'lab://app/runs/x?y#z'].every(isLabAddress)).toBe(true);
});

describe('permissions', () => {
  const permissions = ['media', 'geolocation', 'notifications', 'clipboard-read', 'openExternal', 'hid', 'serial', 'usb', 'fileSystem'];

  test('are refused but for copying and the full screen', async () => {
    const { session } = (await openDesktop()).electron;
    const isGranted = (permission: string, origin: string): boolean[] => {
      const answers: boolean[] = [];
      session.permissionRequest?.({}, permission, (granted) => answers.push(granted), { requestingUrl: origin });
      return [...answers, session.permissionCheck?.({}, permission, origin, {}) ?? true];
    };
    for (const permission of permissions) expect(isGranted(permission, 'lab://app/')).toEqual([false, false]);
    for (const permission of ['clipboard-sanitized-write', 'fullscreen']) {
      expect(isGranted(permission, 'lab://app/')).toEqual([true, true]);
      expect(isGranted(permission, 'https://example.org')).toEqual([false, false]);
    }
  });

  test('devices, pairing and screens are refused', async () => {
    const { session, window } = (await openDesktop()).electron;
    expect(session.device?.({ deviceType: 'hid', origin: 'lab://app' })).toBe(false);
    const answers: unknown[] = [];
    session.pairing?.({}, (answer) => answers.push(answer));
    session.displayMedia?.({}, (answer) => answers.push(answer));
    expect(answers).toEqual([{ confirmed: false }, null]);
    const asked = question();
    const chosen: unknown[] = [];
    window.webContents.emit('select-bluetooth-device', asked, [{ deviceId: 'near' }], (id: unknown) => chosen.push(id));
    expect([asked.isPrevented, chosen]).toEqual([true, ['']]);
  });
});

describe('the way out', () => {
  test.each(['will-navigate', 'will-frame-navigate', 'will-redirect'])('%s leads to pages of the lab only', async (event) => {
    const { webContents } = (await openDesktop()).electron.window;
    const isPrevented = (url: string): boolean => {
      const asked = question(url);
      webContents.emit(event, asked);
      return asked.isPrevented;
    };
    expect(strangeAddresses.filter((url) => !isPrevented(url))).toEqual([]);
    expect(isPrevented('lab://app/runs')).toBe(false);
  });

  test('no windows, no embedded pages, also in contents that nobody expected', async () => {
    const { electron } = await openDesktop();
    const unexpected = new FakeContents();
    electron.app.emit('web-contents-created', {}, unexpected);
    for (const contents of [electron.window.webContents, unexpected]) {
      expect(contents.windowOpen?.({ url: 'lab://app/' })).toEqual({ action: 'deny' });
      const asked = question('lab://app/');
      contents.emit('will-attach-webview', asked, {}, {});
      expect(asked.isPrevented).toBe(true);
    }
  });

  test.each([
    ['lab://app/assets/index.js', false, false],
    ['blob:lab://app/0a1b', false, false],
    ['data:image/png;base64,AA==', false, false],
    ['https://example.org/', false, true],
    ['http://127.0.0.1/', true, true],
    ['ws://127.0.0.1/', true, true],
    ['file:///etc/passwd', true, true],
    ['blob:https://example.org/0a1b', false, true],
    ['chrome-extension://abc/', true, true],
    ['devtools://devtools/bundled/inspector.html', false, true],
    ['devtools://devtools/bundled/inspector.html', true, false],
  ])('a request for %s (development: %s) is cancelled: %s', async (url, isDevelopment, isCancelled) => {
    const { session } = (await openDesktop({ surroundings: { isDevelopment } })).electron;
    let answer: object | undefined;
    session.beforeRequest?.({ url }, (given) => (answer = given));
    expect(answer).toEqual({ cancel: isCancelled });
  });

  test('downloads come from the lab only', async () => {
    const { session } = (await openDesktop()).electron;
    const isPrevented = (url: string): boolean => {
      const asked = question();
      session.emit('will-download', asked, { getURL: () => url });
      return asked.isPrevented;
    };
    expect(isPrevented('https://example.org/virus')).toBe(true);
    expect(isPrevented('lab://app/report/a/report.pdf')).toBe(false);
    expect(isPrevented('blob:lab://app/0a1b')).toBe(false);
  });

  test('the tools of developers are offered to them only', async () => {
    const roles = async (isDevelopment: boolean): Promise<string> =>
      JSON.stringify((await openDesktop({ surroundings: { isDevelopment } })).electron.menu);
    await expect(roles(false)).resolves.not.toContain('toggleDevTools');
    await expect(roles(true)).resolves.toContain('toggleDevTools');
  });
});

describe('a port to the core', () => {
  test('is given on one channel, to the page of the window', async () => {
    const { electron } = await openDesktop();
    expect(electron.ipc.eventNames()).toEqual(['lab:connect']);
    electron.askForPort();
    expect(electron.window.webContents.mainFrame.received).toHaveLength(1);
  });

  test('is not given to a frame that has navigated', async () => {
    const { electron } = await openDesktop();
    expect(() => electron.askForPort({ frame: null })).not.toThrow();
  });

  test('is not given to a frame inside the page', async () => {
    const { electron } = await openDesktop();
    const inner = new FakeFrame(electron.window.webContents.mainFrame);
    inner.url = 'lab://app/';
    electron.askForPort({ frame: inner });
    expect(inner.received).toEqual([]);
  });

  test('is not given to other contents', async () => {
    const { electron } = await openDesktop();
    const stranger = new FakeContents();
    stranger.mainFrame.url = 'lab://app/';
    electron.askForPort({ frame: stranger.mainFrame, contents: stranger });
    expect(stranger.mainFrame.received).toEqual([]);
  });

  test.each(strangeAddresses)('is not given to a page at "%s"', async (url) => {
    const { electron } = await openDesktop();
    const { mainFrame } = electron.window.webContents;
    mainFrame.url = url;
    electron.askForPort();
    expect(mainFrame.received).toEqual([]);
  });
});
