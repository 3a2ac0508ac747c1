import type { BrowserWindow, OpenDialogOptions } from 'electron';
import { toWire } from '../../shared/contract/errors.ts';
import type { CoreOptions } from '../core.ts';
import type { ElectronModules } from './electronModules.ts';

type Choose = NonNullable<NonNullable<CoreOptions['host']>['choose']>;

const questions: Readonly<Record<Parameters<Choose>[0], OpenDialogOptions>> = {
  dataset: { title: 'Import a dataset', buttonLabel: 'Import', properties: ['openFile', 'multiSelections'] },
  datasetFolder: { title: 'Import a folder of pictures', buttonLabel: 'Import', properties: ['openDirectory'] },
  weights: {
    title: 'Import weights',
    buttonLabel: 'Import',
    properties: ['openFile'],
    filters: [{ name: 'Weights of Keras', extensions: ['h5', 'hdf5', 'keras'] }],
  },
  workspace: { title: 'Open a workspace', buttonLabel: 'Open', properties: ['openDirectory', 'createDirectory'] },
};

/** Native dialogs in front of the window; see HostFeatures. */
export function createChoose({ dialog }: ElectronModules, window: () => BrowserWindow | undefined): Choose {
  return async (purpose) => {
    const parent = window();
    const question = questions[purpose];
    const answer = await (parent === undefined ? dialog.showOpenDialog(question) : dialog.showOpenDialog(parent, question));
    return answer.canceled ? [] : answer.filePaths;
  };
}

/** Waits until the person has read it; on Linux before the application is ready it goes to standard error. */
export function showError({ dialog }: ElectronModules, title: string, error: unknown): void {
  const { message, expected, received, help } = toWire(error);
  const lines = [
    message,
    ...(expected === undefined ? [] : [`Expected: ${expected}.`]),
    ...(received === undefined ? [] : [`Received: ${received}.`]),
    ...(help === undefined ? [] : ['', help]),
  ];
  dialog.showErrorBox(title, lines.join('\n'));
}
