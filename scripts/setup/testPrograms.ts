/** Programs of Debian that tests ask as outside witnesses: poppler reads the PDF files that the lab writes. */
import { existsSync } from 'node:fs';
import { findProgram, lastLines, runCommand } from './command.ts';
import { SetupError, type Report } from './report.ts';

const INSTALLER = '/usr/bin/apt-get';

/** Makes sure of `pdftotext`, `pdffonts` and `pdfinfo`; throws with one instruction when they are missing and cannot be had. */
export async function setUpPoppler(report: Report): Promise<void> {
  if (findProgram(['pdftotext']) !== undefined) return;
  const problem = await installWithApt('poppler-utils', report);
  if (problem === undefined && findProgram(['pdftotext']) !== undefined) return;
  throw new SetupError(
    `The tests of PDF reports need poppler's programs (pdftotext). ${problem ?? 'They are not in PATH.'}`,
    'Install them: `apt-get install poppler-utils`.',
  );
}

/** Undefined when the package is there afterwards, else why not; tried as root where apt exists. */
export async function installWithApt(name: string, report: Report): Promise<string | undefined> {
  if (process.getuid?.() !== 0 || !existsSync(INSTALLER)) return 'Installing it needs apt and the rights of root.';
  report(`Installing ${name} for the tests with apt`);
  const environment = { DEBIAN_FRONTEND: 'noninteractive' };
  for (const parameters of [['update'], ['install', '--yes', '--no-install-recommends', name]]) {
    const answer = await runCommand(INSTALLER, parameters, { environment });
    if (answer.code !== 0) return `apt-get failed: ${lastLines(answer.output, 3)}`;
  }
  return undefined;
}
