// Reports: made from a filled form in one click, kept, downloaded, and removed for good.
import { readFileSync } from 'node:fs';
import { expect, test } from './app.ts';

test.use({ workspace: 'trained' });

test(
  'a report is made in one click, downloaded, found again after a reload, and removed after a question',
  { tag: '@browser' },
  async ({ app }) => {
    const { page } = app;
    await app.open('/reports?entries=last:0,last:1');
    await expect(page.getByRole('textbox', { name: 'Title' })).toHaveValue('Small transfer: full against tuned');
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    const pages = page.getByRole('link', { name: /Download the PDF/ });
    await expect(pages).toBeVisible({ timeout: 90_000 });

    for (const [link, start] of [
      [pages, '%PDF-'],
      [page.getByRole('link', { name: 'Download runs.csv' }), '\uFEFF'],
    ] as const) {
      const waiting = page.waitForEvent('download');
      await link.click();
      expect(readFileSync(await (await waiting).path(), 'utf8').startsWith(start)).toBe(true);
    }

    await page.reload();
    await expect(page.getByRole('article', { name: 'Small transfer: full against tuned' })).toBeVisible();
    await page.getByRole('button', { name: 'Remove this report' }).click();
    await page.getByRole('button', { name: 'Keep it' }).click();
    await expect(pages).toBeVisible();
    await page.getByRole('button', { name: 'Remove this report' }).click();
    await page.getByRole('button', { name: 'Remove for good' }).click();
    await expect(page.getByText('None yet.')).toBeVisible();
    await expect(page.getByRole('form', { name: 'New report' })).toBeVisible();
  },
);

test('a report that is cancelled leaves no trace', async ({ app }) => {
  const { page } = app;
  await app.open('/reports?entries=last:0,last:1');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('button', { name: 'Cancel' })).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Create', exact: true })).toBeEnabled();
  await page.reload();
  await expect(page.getByText('None yet.')).toBeVisible();
});

test('the form says what is missing', async ({ app }) => {
  const { page } = app;
  await app.open('/reports');
  await expect(page.getByRole('button', { name: 'Create', exact: true })).toBeDisabled();
  await expect(page.getByText('Choose at least one entry.')).toBeVisible();
  await page.getByRole('button', { name: /^tuned of Small transfer/ }).click();
  await expect(page.getByRole('textbox', { name: 'Title' })).toHaveValue('Small transfer: tuned');
  await page.getByRole('checkbox', { name: 'PDF' }).click();
  await page.getByRole('checkbox', { name: 'CSV' }).click();
  await expect(page.getByText('Choose at least one kind of file.')).toBeVisible();
});
