// The page shows the truth after a reload, a restart of the server and a killed trainer.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, test, type LabServer } from './app.ts';

const truthMs = 3000;

async function startRun(app: { readonly page: Page }): Promise<void> {
  await app.page.getByRole('button', { name: 'Train it now' }).click();
  await expect(app.page).toHaveURL(/\/runs\/[a-z0-9-]+$/);
  await expect(app.page.getByText(/full, epoch \d+ of 5/)).toBeVisible({ timeout: 90_000 });
}

test('a reload in the middle of a run shows the run', async ({ app }) => {
  await startRun(app);
  await app.page.reload();
  await expect(app.page.getByText(/full, epoch \d+ of 5/)).toBeVisible({ timeout: truthMs + 2000 });
  await app.page.getByRole('button', { name: 'Stop', exact: true }).click();
  await expect(app.page.getByText('stopped', { exact: true })).toBeVisible({ timeout: 30_000 });
});

test('a page that was open survives a restart of the server', { tag: '@browser' }, async ({ app }) => {
  await startRun(app);
  await app.lab.restart();
  await expect(app.page.getByText('connected', { exact: true })).toBeVisible({ timeout: truthMs });
  await expect(app.page.getByText('stopped', { exact: true })).toBeVisible({ timeout: truthMs });
  await expect(app.page.getByRole('button', { name: 'Resume' })).toBeVisible();
});

test('a killed trainer is told within three seconds, and the run can be resumed', async ({ app }) => {
  await startRun(app);
  killTrainer(app.lab);
  await expect(app.page.getByText('interrupted', { exact: true })).toBeVisible({ timeout: truthMs });
  await app.page.getByRole('button', { name: 'Resume' }).click();
  await expect(app.page.getByText(/full, epoch \d+ of 5/)).toBeVisible({ timeout: 60_000 });
});

test('two windows on one workspace show the same', { tag: '@browser' }, async ({ app, context }) => {
  await startRun(app);
  const other = await context.newPage();
  await other.goto(app.page.url());
  await expect(other.getByText(/full, epoch \d+ of 5/)).toBeVisible();
  await other.getByRole('button', { name: 'Stop', exact: true }).click();
  for (const page of [app.page, other]) await expect(page.getByText('stopped', { exact: true })).toBeVisible({ timeout: 30_000 });
});

/** The trainer is the child of the server that runs trainer.js. */
function killTrainer(lab: LabServer): void {
  const owner = JSON.parse(readFileSync(`${lab.folder}/owner.json`, 'utf8')) as { pid: number };
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'));
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      if (Number(parent?.[1]) === owner.pid && line.includes('trainer.js')) execFileSync('kill', ['-9', name]);
    } catch {
      // The process ended while it was looked at.
    }
  }
}
