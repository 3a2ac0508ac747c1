// Datasets as a person meets them: the bundled ones, sixty thousand pictures in a grid, and a folder of real PNG files dropped onto the page.
import type { Page } from '@playwright/test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from './app.ts';
import { axe } from './barriers.ts';

test.describe.configure({ timeout: 120_000 });

async function writePictures(folder: string, sides: readonly number[]): Promise<void> {
  for (const [label, name] of ['cats', 'dogs'].entries()) {
    mkdirSync(join(folder, name), { recursive: true });
    for (const [index, side] of sides.entries()) {
      const pixels = Buffer.from(Uint8Array.from({ length: side * side * 3 }, (_, at) => (at * 7 + index * 31 + label * 90) % 256));
      const picture = sharp(pixels, { raw: { width: side, height: side, channels: 3 } }).png();
      writeFileSync(join(folder, name, `${index}.png`), await picture.toBuffer());
    }
  }
}

/** As a file manager drops: Chromium reads the folder itself. */
async function drop(page: Page, path: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const at = { x: 640, y: 500, data: { items: [], files: [path], dragOperationsMask: 1 } };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) await session.send('Input.dispatchDragEvent', { type, ...at });
}

async function expectAccessible(page: Page): Promise<void> {
  // Colours on their way to another theme are neither's.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)));
  const { violations } = await axe(page).analyze();
  expect(
    violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => [id, nodes[0]?.html]),
  ).toEqual([]);
}

async function inBothThemes(page: Page, check: () => Promise<void>): Promise<void> {
  await check();
  await page.getByRole('button', { name: /^Use the (dark|light) theme$/ }).click();
  await check();
}

const chosen = (page: Page) => page.getByRole('region', { name: 'Chosen image' });

test('the bundled datasets are there at first start', async ({ app: { page, open } }) => {
  await open('/datasets');
  const row = page.getByRole('row', { name: /Fashion-MNIST/ });
  await expect(row).toContainText('60,000');
  await expect(row).toContainText('28 × 28 × 1');
  await expect(page.getByRole('row', { name: /MNIST, 10,000 digits/ })).toBeVisible();
  await expect(page.getByRole('img', { name: '8 pictures of Fashion-MNIST' })).toBeVisible();
  await expect(page.getByRole('button', { name: /^Remove/ })).toHaveCount(0);
  await inBothThemes(page, () => expectAccessible(page));
});

test('any of seventy thousand pictures is found, shown and read to the pixel', async ({ app: { page, open } }) => {
  await open('/datasets/fashion-mnist');
  const grid = page.getByRole('listbox', { name: 'Images' });
  await expect(grid).toHaveAttribute('aria-busy', 'false', { timeout: 60_000 });
  await page.getByRole('textbox', { name: 'Go to image' }).fill('34567');
  await page.keyboard.press('Enter');
  await expect(chosen(page).getByRole('heading')).toHaveText('Image 34,567');
  await expect(chosen(page)).toContainText('Trouser (1)');
  await expect(grid.getByRole('option', { selected: true })).toBeInViewport();
  expect(await grid.getByRole('option').count()).toBeLessThan(500);
  await grid.focus();
  await page.keyboard.press('ArrowRight');
  await expect(chosen(page).getByRole('heading')).toHaveText('Image 34,568');
  await page.keyboard.press('End');
  await expect(chosen(page).getByRole('heading')).toHaveText('Image 69,999');
  await expect(chosen(page)).toContainText('test');
  await page.getByRole('group', { name: /arrow keys choose a pixel/ }).focus();
  await page.keyboard.press('ArrowDown');
  await expect(chosen(page)).toContainText('row 1, column 0:');
  await page.getByRole('switch', { name: 'Labels' }).click();
  await expect(grid.getByRole('option', { selected: true })).toContainText('Sandal');
  await inBothThemes(page, () => expectAccessible(page));
  await page.getByRole('switch', { name: 'Table of values' }).click();
  await expect(page.getByRole('region', { name: 'Values of Image 69,999' }).getByRole('cell')).toHaveCount(28 * 28 + 1);
});

test('class and part of the dataset are kept by the address', async ({ app: { page, open } }) => {
  await open('/datasets/fashion-mnist');
  await page.getByRole('button', { name: 'Coat' }).click({ timeout: 60_000 });
  await expect(page.getByRole('status').getByText('7,000 images')).toBeVisible();
  await page.getByRole('button', { name: 'Dress' }).click({ modifiers: ['Control'] });
  await page.getByRole('group', { name: 'Part of the dataset' }).getByRole('button', { name: 'Test' }).click();
  await expect(page.getByRole('status').getByText('2,000 images')).toBeVisible();
  await page.getByRole('listbox', { name: 'Images' }).getByRole('option').nth(1).click();
  const heading = chosen(page).getByRole('heading');
  await expect(heading).toHaveText(/^Image 6\d,\d{3}$/);
  const title = (await heading.textContent()) ?? '';
  await expect(page).toHaveURL(/split=test&class=3\.4&at=6\d{4}$/);
  await page.reload();
  await expect(page.getByRole('status').getByText('2,000 images')).toBeVisible();
  await expect(heading).toHaveText(title);
  await page.getByRole('button', { name: 'All classes' }).click();
  await expect(page.getByRole('status').getByText('10,000 images')).toBeVisible();
  await expect(heading).toHaveText(title);
});

test(
  'a dropped folder becomes a dataset, with the files that do not fit listed, and goes again',
  { tag: '@browser' },
  async ({ app: { page, open } }) => {
    const folder = mkdtempSync(join(tmpdir(), 'lab-pets-'));
    try {
      await writePictures(folder, [12, 12, 12, 12, 20, 20]);
      writeFileSync(join(folder, 'cats', 'notes.txt'), 'not a picture');
      await open('/datasets');
      await expect(page.getByRole('row', { name: /Fashion-MNIST/ })).toBeVisible();
      await drop(page, folder);
      const dialog = page.getByRole('dialog', { name: 'Import a dataset' });
      await expect(dialog).toContainText('13 files');
      await dialog.getByRole('textbox', { name: 'Name' }).fill('Pets');
      await expectAccessible(page);
      await dialog.getByRole('button', { name: 'Import' }).click();
      await expect(page.getByRole('alert')).toContainText('Pets was not imported.');
      await expect(page.getByRole('alert')).toContainText('different sizes');
      await page.getByRole('button', { name: 'Change and try again' }).click();
      await dialog.getByRole('checkbox', { name: 'Resize to' }).click();
      await dialog.getByRole('spinbutton', { name: 'Side in pixels' }).fill('16');
      await dialog.getByRole('button', { name: 'Import' }).click();
      await expect(page).toHaveURL(/\/datasets\/pets$/);
      await expect(page.getByRole('region', { name: 'Files left out' })).toContainText('cats/notes.txt');
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Pets');
      await expect(page.getByRole('listbox', { name: 'Images' }).getByRole('option')).toHaveCount(12);
      await expect(page.getByRole('listbox', { name: 'Images' })).toHaveAttribute('aria-busy', 'false');
      await page.getByRole('button', { name: 'Remove this dataset' }).click();
      await expect(page.getByRole('dialog')).toContainText('No run has used it.');
      await page.getByRole('button', { name: 'Remove', exact: true }).click();
      await expect(page).toHaveURL(/\/datasets$/);
      await expect(page.getByRole('row', { name: /Fashion-MNIST/ })).toBeVisible();
      await expect(page.getByRole('row', { name: /Pets/ })).toHaveCount(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test("the lab's machine is browsed from its places down", async ({ app: { page, open } }) => {
  await open('/datasets');
  await page.getByRole('button', { name: 'Import' }).click();
  await page.getByRole('button', { name: "On the lab's machine" }).click();
  const picker = page.getByRole('region', { name: "Folders of the lab's machine" });
  await picker
    .getByRole('button', { name: /^Open / })
    .first()
    .click();
  await picker.getByRole('checkbox', { name: /^This folder/ }).click();
  await expect(page.getByRole('dialog').getByRole('button', { name: 'Import' })).toBeEnabled();
  await picker.getByRole('button', { name: 'Places' }).click();
  await expect(picker.getByRole('checkbox', { name: /^This folder/ })).toHaveCount(0);
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});
