// From the first start to a finished comparison and its PDF, as a newcomer goes: every click is counted.
import { readFileSync } from 'node:fs';
import type { Locator } from '@playwright/test';
import { expect, test } from './app.ts';

test(
  'a newcomer gets from the start to a comparison of full against tuned and its PDF in under 15 clicks',
  { tag: '@browser' },
  async ({ app }) => {
    test.setTimeout(600_000);
    const { page } = app;
    let clicks = 0;
    const click = async (target: Locator): Promise<void> => {
      clicks += 1;
      await target.click();
    };
    await click(page.getByRole('button', { name: 'Train it now' }));
    await expect(page).toHaveURL(/\/runs\/[a-z0-9-]+$/);
    await expect(page.getByRole('group', { name: 'Progress' })).toBeVisible();
    const compare = page.getByRole('button', { name: 'Compare phases' });
    await expect(page.getByText('finished', { exact: true })).toBeVisible({ timeout: 540_000 });
    await click(compare);
    await expect(page).toHaveURL(/\/compare\?/);
    await expect(page.getByText('600,165').first()).toBeVisible();
    await expect(page.getByText('590,597').first()).toBeVisible();
    await click(page.getByRole('link', { name: 'Make report' }).or(page.getByRole('button', { name: 'Make report' })));
    await expect(page).toHaveURL(/\/reports/);
    await click(page.getByRole('button', { name: 'Create', exact: false }).first());
    const link = page.getByRole('link', { name: /pdf/i }).first();
    await expect(link).toBeVisible({ timeout: 120_000 });
    const waiting = page.waitForEvent('download');
    await click(link);
    const file = readFileSync(await (await waiting).path());
    expect(file.subarray(0, 5).toString('latin1')).toBe('%PDF-');
    expect(clicks).toBeLessThan(15);
  },
);
