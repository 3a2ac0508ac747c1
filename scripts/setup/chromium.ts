/** A browser for the end-to-end tests: one that the machine has, else Debian's by apt as root, else Playwright's own download. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, lastLines, runCommand } from './command.ts';
import { SetupError, type Report } from './report.ts';
import { installWithApt } from './testPrograms.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/** LAB_CHROMIUM, else the first in PATH. */
function findChromium(): string | undefined {
  const chosen = process.env['LAB_CHROMIUM'];
  return chosen === undefined || chosen === '' ? findProgram(NAMES) : chosen;
}

/** The path of a Chromium or Chrome; throws with one instruction when there is none and none can be had. */
export async function setUpChromium(root: string, report: Report): Promise<string> {
  const found = findChromium();
  if (found !== undefined) return found;
  const tried = ['LAB_CHROMIUM is not set and PATH has neither chromium nor google-chrome'];
  const problem = await installWithApt('chromium', report);
  const installed = findChromium();
  if (installed !== undefined) return installed;
  tried.push(problem ?? 'apt installed no program of that name');
  report('Fetching a Chromium for the end-to-end tests with Playwright');
  const playwright = join(root, 'node_modules', '@playwright', 'test', 'cli.js');
  const answer = await runCommand(process.execPath, [playwright, 'install', 'chromium'], { cwd: root });
  const downloaded = answer.code === 0 ? await findDownloaded() : undefined;
  if (downloaded !== undefined) return downloaded;
  tried.push(`Playwright could not fetch one: ${lastLines(answer.output, 3)}`);
  throw new SetupError(
    `There is no Chromium for the end-to-end tests. ${tried.join('; ')}.`,
    'Install one (`apt-get install chromium`), or name one in LAB_CHROMIUM; LAB_SKIP_E2E=1 leaves these tests out.',
  );
}

async function findDownloaded(): Promise<string | undefined> {
  const { chromium } = await import('@playwright/test');
  const path = chromium.executablePath();
  return existsSync(path) ? path : undefined;
}
