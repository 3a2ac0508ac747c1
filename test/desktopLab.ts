// The desktop host with the real core, pretended trainers and the fake of Electron. Everything is closed after the test.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startDesktop, type DesktopSurroundings } from '../src/main/desktop.ts';
import { openBridgePort } from '../src/shared/messagePort.ts';
import { createClient, type Client } from '../src/shared/rpcClient.ts';
import { FakeElectron, type FakeOptions } from './fixtures/electron/fakeElectron.ts';
import { coreOptions, makeFolder } from './lab.ts';

export interface DesktopLab {
  readonly electron: FakeElectron;
  readonly folder: string;
  /** The page of the window, connected as the renderer does it. */
  readonly connect: () => Promise<Client>;
  /** Ends as a person does, with the exit code. */
  readonly quit: () => Promise<number>;
}

export interface DesktopChanges extends Partial<FakeOptions> {
  readonly folder?: string;
  readonly surroundings?: Partial<DesktopSurroundings>;
  /** What happens between the call and the moment at which Electron is ready. */
  readonly beforeReady?: (electron: FakeElectron) => void;
}

/** A folder of built pages: index.html, a script and a picture. */
export function makePages(): string {
  const folder = join(makeFolder(), 'renderer');
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Transfer Lab</title>');
  writeFileSync(join(folder, 'assets', 'index-AbCd1234.js'), 'export {};');
  writeFileSync(join(folder, 'icon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  return folder;
}

export async function openDesktop(changes: DesktopChanges = {}): Promise<DesktopLab> {
  const { folder = join(makeFolder(), 'lab'), surroundings, beforeReady, ...options } = changes;
  const electron = new FakeElectron({ userData: makeFolder(), ...options });
  const starting = startDesktop(electron.modules, {
    core: () => coreOptions(folder),
    rendererFolder: makePages(),
    preload: '/lab/preload/index.cjs',
    isDevelopment: false,
    ...surroundings,
  });
  beforeReady?.(electron);
  electron.app.becomeReady();
  await starting;
  const quit = (): Promise<number> => {
    electron.app.quit();
    return electron.app.exited;
  };
  onTestFinished(async () => {
    await quit();
  });
  const connect = async (): Promise<Client> => createClient(await openBridgePort(electron.openPage()));
  return { electron, folder, connect, quit };
}
