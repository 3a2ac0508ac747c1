// A workspace with a finished run of document 000 (a small one: 2,000 pictures, two epochs per phase), trained once before all tests by the
// real program. Tests that need results get a copy of it.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const variable = 'LAB_E2E_TRAINED';

export const trainedRunName = 'Small transfer';

/** Called by Playwright before all tests; the function returned is called after them. */
export function trainWorkspace(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'lab-trained-'));
  const settings = ['splits.document.trainLimit=2000', 'phases.0.epochs=2', 'phases.1.epochs=2'].flatMap((setting) => ['--set', setting]);
  const cli = resolve(root, process.env['LAB_E2E_BUILD'] ?? 'out', 'main/cli.js');
  const parameters = [cli, 'run', 'fashion-transfer-5to9', ...settings, '--name', trainedRunName, '--workspace', folder, '--json'];
  execFileSync(process.execPath, parameters, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  process.env[variable] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}

export function copyTrainedWorkspace(target: string): void {
  const source = process.env[variable];
  if (source === undefined) throw new Error('The workspace with a finished run was not trained.');
  cpSync(source, target, { recursive: true });
}
