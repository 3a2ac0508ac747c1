// `lab serve`: the browser host as a command. It is a host, so it opens the workspace itself and ends when it is told to.
import { realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import { hasDisplay, openBrowser } from '../server/browser.ts';
import type { BrowserHost } from '../server.ts';
import { readInteger } from './arguments.ts';
import { exitStatus, type HostCommand, type HostInvocation, type Options } from './command.ts';

export const serveCommand: HostCommand = {
  words: ['serve'],
  usage: '',
  summary: 'Open the lab in a browser: for machines without a display, and for others through an SSH tunnel.',
  details: [
    'Prints an address that lets one browser in. The lab answers on this machine only; to use it from another one, forward the port:',
    '`ssh -L PORT:127.0.0.1:PORT MACHINE`. It stays until Ctrl-C, which ends the runs with their work saved.',
  ],
  positionals: { least: 0, most: 0 },
  options: {
    port: { value: 'N', help: 'the port; otherwise that of last time, otherwise any free one' },
    'no-open': { help: 'do not open the browser of this machine' },
    'new-key': { help: 'pages that were open before have to be opened anew, with the printed address' },
    root: { value: 'DIR', isMultiple: true, help: 'a folder in which pages may look for data, may be repeated; otherwise the home folder' },
  },
  examples: ['serve', 'serve --port 8800 --no-open', 'serve --root /data --root ~/pictures'],
  host: serve,
};

async function serve({ options, screen, signal, folder, surroundings, onSecondInterrupt }: HostInvocation): Promise<number> {
  const { rendererFolder, ...rest } = surroundings;
  // Other commands need no web server and start sooner without it.
  const { startBrowserHost } = await import('../server.ts');
  const port = readInteger(options, 'port', 0, 65_535);
  const host = await startBrowserHost({
    core: { ...rest, folder, kind: 'browser' },
    browsableFolders: readRoots(options),
    rendererFolder,
    ...(port === undefined ? {} : { port }),
    isSecretNew: options.isSet('new-key'),
    note: (text) => screen.note(text),
  });
  onSecondInterrupt(() => host.abandon());
  const url = host.createAddress();
  if (screen.isJson) screen.emit({ ready: true, url, port: host.port });
  else screen.print([url]);
  screen.note('This address lets one browser in. Ctrl-C ends the lab, with the work of its runs saved.');
  const forget = openOwnBrowser(host, options, folder);
  await untilAborted(signal);
  screen.note('The lab is closing.');
  forget();
  await host.close();
  return exitStatus.done;
}

/** The browser gets a key of its own, so that the printed address still works elsewhere. */
function openOwnBrowser(host: BrowserHost, options: Options, folder: string): () => void {
  if (options.isSet('no-open') || !hasDisplay(process.env)) return () => undefined;
  return openBrowser(host.createAddress(), folder, process.env);
}

function readRoots(options: Options): string[] {
  const roots = options.list['root'] ?? [homedir()];
  return roots.map((root) => {
    const path = resolve(root);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory() === true) return realpathSync(path);
    throw new LabError('bad_usage', 'The value of --root is not valid.', {
      expected: 'a folder of this machine',
      received: root,
      help: 'Correct the path and try again.',
    });
  });
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
