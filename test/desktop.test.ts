// The desktop host over the fake of Electron: start, window, pages, workspaces and end. The guards are in desktop.guards.test.ts.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { openWorkspaces } from '../src/main/hosts/workspaces.ts';
import { openBridgePort } from '../src/shared/messagePort.ts';
import { openDesktop } from './desktopLab.ts';
import { coreOptions, eventsUntil, makeFolder, openLab, script, transferRecipe } from './lab.ts';

describe('the start', () => {
  test('asks for the sandbox and registers the scheme before Electron is ready', async () => {
    const { electron } = await openDesktop();
    expect(electron.app.calls.slice(0, 2)).toEqual(['enableSandbox', 'registerSchemesAsPrivileged']);
    expect(electron.schemes).toEqual([
      { scheme: 'lab', privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true, codeCache: true } },
    ]);
  });

  test('opens one window with every protection on, and shows it when there is something to show', async () => {
    const { electron } = await openDesktop();
    expect(electron.windows).toHaveLength(1);
    expect(electron.window.options.webPreferences).toEqual({
      preload: '/lab/preload/index.cjs',
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInSubFrames: false,
      nodeIntegrationInWorker: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: false,
    });
    expect(electron.window.options.show).toBe(false);
    expect(electron.window.calls).toEqual(['load lab://app/']);
    electron.window.emit('ready-to-show');
    expect(electron.window.calls).toEqual(['load lab://app/', 'show']);
  });

  test('ends at once when the lab is open already, and the open one comes forward', async () => {
    const second = await openDesktop({ isSecond: true });
    await expect(second.electron.app.exited).resolves.toBe(0);
    expect(second.electron.windows).toEqual([]);
    const first = await openDesktop();
    first.electron.window.minimize();
    first.electron.app.emit('second-instance', {}, []);
    expect(first.electron.window.calls.slice(-2)).toEqual(['restore', 'focus']);
  });

  test('names the owner of the workspace within a second and ends', async () => {
    const { folder } = await openLab();
    const begin = performance.now();
    const { electron } = await openDesktop({ folder });
    await expect(electron.app.exited).resolves.toBe(1);
    expect(performance.now() - begin).toBeLessThan(1000);
    expect(electron.errors).toEqual([expect.stringContaining(`The process ${process.pid} on `)]);
    expect(electron.errors[0]).toMatch(/^Transfer Lab cannot start\n.*\(test, since .*--workspace\.$/s);
    expect(electron.windows).toEqual([]);
  });

  test.each([
    ['the pages were not built', { rendererFolder: '/nowhere' }, 'npm run build'],
    [
      'the programs cannot be found',
      {
        core: () => {
          throw new Error('No Node.');
        },
      },
      'No Node.',
    ],
  ])('says why when %s', async (_name, surroundings, text) => {
    const { electron } = await openDesktop({ surroundings });
    await expect(electron.app.exited).resolves.toBe(1);
    expect(electron.errors).toEqual([expect.stringContaining(text)]);
  });
});

describe('a page', () => {
  test('reaches the core by its port, without the methods that take paths', async () => {
    const { connect } = await openDesktop();
    const client = await connect();
    await expect(client.call('core.host', {})).resolves.toMatchObject({ kind: 'desktop', hasDialogs: true, canOpenWorkspace: true });
    await expect(client.call('datasets.import', { paths: ['/etc/passwd'] })).rejects.toMatchObject({ code: 'bad_usage' });
  });

  test('loses its port when it asks for another', async () => {
    const { connect } = await openDesktop();
    const first = await connect();
    const ended = new Promise<void>((resolve) => first.onClose(resolve));
    const second = await connect();
    await ended;
    await expect(second.call('core.host', {})).resolves.toMatchObject({ kind: 'desktop' });
  });

  test('chooses files in a native dialog in front of the window and gets tokens, never paths', async () => {
    const { electron, connect } = await openDesktop();
    const client = await connect();
    const folder = makeFolder();
    electron.choice = [folder];
    const { chosen } = await client.call('files.choose', { purpose: 'datasetFolder' });
    expect(chosen).toHaveLength(1);
    expect(JSON.stringify(chosen)).not.toContain(`${folder}/`);
    electron.choice = undefined;
    await expect(client.call('files.choose', { purpose: 'dataset' })).resolves.toEqual({ chosen: [] });
    await client.call('files.choose', { purpose: 'workspace' });
    expect(electron.dialogs.map(({ options, isInFront }) => [options.properties, isInFront])).toEqual([
      [['openDirectory'], true],
      [['openFile', 'multiSelections'], true],
      [['openDirectory', 'createDirectory'], true],
    ]);
  });

  test('that ends unexpectedly can be loaded again', async () => {
    const { electron } = await openDesktop();
    electron.window.webContents.emit('render-process-gone', {}, { reason: 'clean-exit' });
    expect(electron.window.calls).toHaveLength(1);
    electron.window.webContents.emit('render-process-gone', {}, { reason: 'crashed' });
    await vi.waitFor(() => expect(electron.window.calls).toEqual(['load lab://app/', 'load lab://app/']));
    electron.button = 1;
    electron.window.webContents.emit('render-process-gone', {}, { reason: 'crashed' });
    await expect(electron.app.exited).resolves.toBe(0);
  });
});

describe('another workspace', () => {
  const press = (electron: Awaited<ReturnType<typeof openDesktop>>['electron'], label: string): void => {
    const items = electron.menu.flatMap(({ submenu }) => (Array.isArray(submenu) ? submenu : []));
    items.find((item) => item.label === label)?.click?.({} as never, undefined, {});
  };

  test('is opened from the menu; the page loads again and meets it', async () => {
    const { electron, connect } = await openDesktop();
    const before = await connect();
    const ended = new Promise<void>((resolve) => before.onClose(resolve));
    const other = join(makeFolder(), 'other');
    mkdirSync(other);
    electron.choice = [other];
    press(electron, 'Open Workspace…');
    await ended;
    expect(electron.window.calls).toEqual(['load lab://app/', 'load lab://app/']);
    await expect((await connect()).call('core.status', {})).resolves.toMatchObject({ workspace: other });
  });

  test('that cannot be opened is explained and changes nothing', async () => {
    const { electron, folder, connect } = await openDesktop();
    const strange = makeFolder();
    writeFileSync(join(strange, 'thesis.doc'), '');
    electron.choice = [strange];
    press(electron, 'Open Workspace…');
    await vi.waitFor(() => expect(electron.errors).toEqual([expect.stringContaining('thesis.doc')]));
    electron.choice = [folder];
    press(electron, 'Open Workspace…');
    await vi.waitFor(() => expect(electron.errors.at(-1)).toContain('is open already'));
    await expect((await connect()).call('core.status', {})).resolves.toMatchObject({ workspace: folder });
    expect(electron.window.calls).toHaveLength(1);
  });

  test('closes the first only when the next is open, and both at the end', async () => {
    const [first, second] = [join(makeFolder(), 'a'), join(makeFolder(), 'b')];
    const choose = (): Promise<readonly string[]> => Promise.resolve([second]);
    mkdirSync(second);
    const workspaces = await openWorkspaces({
      core: coreOptions(first),
      host: { browsableFolders: [], choose },
      onChanged: () => undefined,
    });
    const client = await workspaces.core()?.connect();
    const [token] = (await client?.call('files.choose', { purpose: 'workspace' }))?.chosen ?? [];
    await client?.call('workspace.open', { token: token?.token ?? '' });
    await workspaces.close();
    expect(workspaces.core()).toBeUndefined();
    for (const folder of [first, second]) await expect(openLab(folder)).resolves.toBeDefined();
  });
});

describe('the end', () => {
  const train = async (client: Awaited<ReturnType<Awaited<ReturnType<typeof openDesktop>>['connect']>>, content: object): Promise<void> => {
    const { since } = await client.call('runs.create', { recipe: transferRecipe, settings: [script(content)] });
    await eventsUntil(client, since, (event) => event.type === 'run.epochFinished');
  };

  test('hides the window at once and saves the work of the runs', async () => {
    const { electron, folder, connect, quit } = await openDesktop();
    await train(await connect(), { stepMs: 30 });
    const { window } = electron;
    const ending = quit();
    expect(window.calls.at(-1)).toBe('hide');
    electron.app.quit();
    await expect(ending).resolves.toBe(0);
    const { client } = await openLab(folder);
    await expect(client.call('runs.list', {})).resolves.toMatchObject({ runs: [{ state: 'stopped' }] });
  });

  test('follows the window, and a start that comes meanwhile gets a window afterwards', async () => {
    const { electron } = await openDesktop();
    electron.window.close();
    electron.app.emit('second-instance', {}, []);
    await expect(electron.app.exited).resolves.toBe(0);
    expect(electron.app.calls).toContain('relaunch');
  });

  test('does not wait for ever, and leaves no trainer behind', async () => {
    const ladder = { messageMs: 60_000, terminateMs: 60_000 };
    const folder = join(makeFolder(), 'lab');
    const core = (): ReturnType<typeof coreOptions> => coreOptions(folder, { ladder });
    const { connect, quit } = await openDesktop({ surroundings: { core, closeMs: 300 } });
    const client = await connect();
    await train(client, { at: { phase: 0, epoch: 2 }, then: 'hang' });
    // It hangs a few milliseconds after this epoch.
    await rest(200);
    const end = eventsUntil(client, 0, (event) => event.type === 'run.interrupted');
    await expect(quit()).resolves.toBe(1);
    await expect(end).resolves.toBeDefined();
  });

  test('serves nobody any more', async () => {
    const { electron, quit } = await openDesktop();
    const page = electron.openPage();
    void quit();
    await expect(openBridgePort(page, 50)).rejects.toMatchObject({ code: 'connection_lost' });
  });
});

describe('the place of the window', () => {
  const placeFile = (userData: string): string => join(userData, 'window.json');

  test('is remembered', async () => {
    const userData = makeFolder();
    const first = await openDesktop({ userData });
    expect(first.electron.window.options).toMatchObject({ width: 1440, height: 900, minWidth: 960, minHeight: 600 });
    first.electron.window.maximize();
    await first.quit();
    expect(JSON.parse(readFileSync(placeFile(userData), 'utf8'))).toEqual({ x: 40, y: 30, width: 1440, height: 900, isMaximized: true });
    const { electron } = await openDesktop({ userData });
    expect(electron.window.options).toMatchObject({ x: 40, y: 30, width: 1440, height: 900 });
    electron.window.emit('ready-to-show');
    expect(electron.window.calls.slice(-2)).toEqual(['maximize', 'show']);
  });

  test.each([
    ['on a screen that is gone', { x: 2500, y: 30, width: 800, height: 600, isMaximized: false }],
    ['above the screen', { x: 40, y: -500, width: 800, height: 600, isMaximized: false }],
    ['no place at all', { x: 'left' }],
  ])('is forgotten when it is %s', async (_name, place) => {
    const userData = makeFolder();
    writeFileSync(placeFile(userData), JSON.stringify(place));
    const { electron } = await openDesktop({ userData });
    expect(electron.window.options).toMatchObject({ width: 1440, height: 900 });
    expect(electron.window.options.x).toBeUndefined();
  });
});
