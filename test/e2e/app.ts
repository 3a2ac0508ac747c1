// The lab as a person has it in front of them, on a workspace of its own: browser mode, or the desktop window in the project `electron`.
// The page may not misbehave: what test/e2e/offences.ts finds fails the test that caused it.
import { expect, test as base, type Page } from '@playwright/test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDesktop, startServer, type LabHost } from './labHost.ts';
import { watchOffences } from './offences.ts';
import { copyTrainedWorkspace } from './trainedWorkspace.ts';

export type { LabHost as LabServer } from './labHost.ts';
export { expect };

interface Fixtures {
  /** `trained` begins with a finished run of document 000; say `test.use({ workspace: 'trained' })`. */
  readonly workspace: 'empty' | 'trained';
  readonly lab: LabHost;
  readonly app: { readonly page: Page; readonly lab: LabHost; readonly open: (path: string) => Promise<void> };
}

export const test = base.extend<Fixtures>({
  workspace: ['empty', { option: true }],
  lab: async ({ workspace }, use, testInfo) => {
    const folder = mkdtempSync(join(tmpdir(), 'lab-e2e-'));
    try {
      if (workspace === 'trained') copyTrainedWorkspace(folder);
      const host = testInfo.project.name === 'electron' ? await startDesktop(folder) : await startServer(folder);
      if ('reason' in host) {
        testInfo.skip(true, host.reason);
        return;
      }
      await use(host);
      await host.kill('SIGTERM');
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  },
  // In the desktop window these are its own; the browser of the project stays empty.
  context: async ({ context, lab }, use) => use(lab.desktop?.application.context() ?? context),
  page: async ({ context, lab }, use) => use(lab.desktop?.page ?? (await context.newPage())),
  app: async ({ context, page, lab }, use) => {
    /** Connected, too: a page that is left before its key was exchanged would not be let in again. */
    const isReady = async (): Promise<void> => {
      await expect(page.getByRole('navigation', { name: 'Views' })).toBeVisible();
      await expect(page.getByRole('contentinfo').getByText('connected', { exact: true })).toBeVisible();
    };
    const offences = await watchOffences(context, originOf(lab.url));
    await page.goto(lab.url);
    await isReady();
    await use({
      page,
      lab,
      open: async (path) => {
        await page.goto(new URL(path, lab.url).href);
        await isReady();
      },
    });
    expect(offences.list(lab.wasAway)).toEqual([]);
  },
});

/** The origin of lab:// is "null" for URL. */
function originOf(address: string): string {
  const { protocol, host } = new URL(address);
  return `${protocol}//${host}`;
}
