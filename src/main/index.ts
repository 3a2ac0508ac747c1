// Entry of the desktop host: hands the real Electron and the places of this program to desktop.ts. The child programs are its siblings.
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { app, BrowserWindow, dialog, ipcMain, Menu, MessageChannelMain, nativeTheme, protocol, screen, session } from 'electron';
import { chooseWorkspace } from './cli/workplace.ts';
import { startDesktop } from './desktop.ts';
import { findChildNode } from './desktop/childNode.ts';

const folder = import.meta.dirname;
const root = join(folder, '..', '..');
const extension = extname(import.meta.filename);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

function readWorkspace(): string {
  // Electron and Chromium add arguments of their own.
  const { values } = parseArgs({ args: process.argv.slice(1), options: { workspace: { type: 'string' } }, strict: false });
  return chooseWorkspace(typeof values.workspace === 'string' ? values.workspace : undefined);
}

// Not awaited: Electron becomes ready only after this file has been read to its end.
void startDesktop(
  { app, BrowserWindow, dialog, ipcMain, Menu, MessageChannelMain, nativeTheme, protocol, screen, session },
  {
    core: () => ({
      folder: readWorkspace(),
      programs: {
        node: findChildNode({
          environment: process.env,
          platform: `${process.platform}-${process.arch}`,
          toolchainFile: join(root, 'scripts', 'toolchain.json'),
        }),
        trainer: join(folder, `trainer${extension}`),
        importer: join(folder, `importer${extension}`),
        viewer: join(folder, `viewer${extension}`),
        reporter: join(folder, `reporter${extension}`),
        converter: join(folder, `converter${extension}`),
      },
      resourcesFolder: join(root, 'resources'),
      version,
      isOutputValidated: false,
    }),
    rendererFolder: join(folder, '..', 'renderer'),
    preload: join(folder, '..', 'preload', 'index.cjs'),
    isDevelopment: process.env['LAB_DEVELOPMENT'] === '1',
  },
);
