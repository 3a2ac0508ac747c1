// What only the desktop window has: its own scheme, one function as its bridge, native dialogs. Every other spec without the tag @browser
// runs in it too. Where it cannot open, the first test is reported as skipped with the reason, and stands for all of them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from './app.ts';
import { answerFileDialogs } from './electronApp.ts';

test('the desktop window', { tag: ['@desktop', '@canOpen'] }, async ({ app }) => {
  const { page, lab } = app;
  expect(new URL(page.url()).protocol).toBe('lab:');
  await expect(page.getByText('connected', { exact: true })).toBeVisible();
  const reach = await page.evaluate(() => ['require', 'process', 'module', 'Buffer'].filter((name) => name in window));
  expect(reach).toEqual([]);
  expect(JSON.parse(await lab.run(['runs', 'list']))).toEqual({ runs: [] });
});

test('the window stays in the lab and opens no other', { tag: '@desktop' }, async ({ app }) => {
  const { page, lab } = app;
  const before = page.url();
  await page.evaluate(() => {
    window.open('lab://app/settings');
    location.assign('https://elsewhere.invalid/');
  });
  await page.waitForTimeout(500);
  expect(page.url()).toBe(before);
  expect(lab.desktop?.application.windows()).toHaveLength(1);
});

test('a folder is chosen in the native dialog', { tag: '@desktop' }, async ({ app }) => {
  const { page, lab } = app;
  const folder = mkdtempSync(join(tmpdir(), 'lab-e2e-chosen-'));
  try {
    if (lab.desktop === null) throw new Error('This test is for the desktop window.');
    await answerFileDialogs(lab.desktop, [folder]);
    await app.open('/datasets');
    await page.keyboard.press('i');
    const dialog = page.getByRole('dialog', { name: 'Import a dataset' });
    await dialog.getByRole('button', { name: 'Choose a folder…' }).click();
    await expect(dialog).toContainText(basename(folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
