/** `npm run electron-binary`: fetches the Electron binary with the package's own installer, which checks it against its checksums. */
import { resolve } from 'node:path';
import { fetchElectron } from './setup/fetchElectron.ts';
import { explainFileError, reportToPerson } from './setup/report.ts';

const root = resolve(import.meta.dirname, '..');

try {
  const program = await fetchElectron(root, reportToPerson);
  process.stdout.write(`${program}\n`);
} catch (error) {
  const { message, help } = explainFileError(error, root);
  process.stderr.write(`error: ${message}\n${help}\n`);
  process.exitCode = 1;
}
