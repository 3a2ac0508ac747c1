// Results of a finished phase: from a figure to the pictures behind it, and a person's own pictures through the trained network.
import type { Page } from '@playwright/test';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from './app.ts';
import { findBarriers } from './barriers.ts';
import { trainedRunName } from './trainedWorkspace.ts';

test.use({ workspace: 'trained' });

const grid = (page: Page) => page.getByRole('listbox', { name: 'Predictions on the test set' });
const tab = (page: Page, name: string) => page.getByRole('tab', { name });

/** A light square on a dark ground, or the other way round. */
async function drawPicture(name: string, isInverted = false): Promise<{ name: string; mimeType: string; buffer: Buffer }> {
  const level = (value: number): number => (isInverted ? 255 - value : value);
  const pixels = Buffer.from(
    Uint8Array.from({ length: 56 * 56 }, (_, at) => level(at % 56 > 14 && at % 56 < 42 && at > 56 * 14 && at < 56 * 42 ? 230 : 0)),
  );
  const picture = sharp(pixels, { raw: { width: 56, height: 56, channels: 1 } }).png();
  return { name, mimeType: 'image/png', buffer: await picture.toBuffer() };
}

test('every part shows the test set, readable in both themes', async ({ app: { page, open } }) => {
  await open('/runs/last/results/0');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Results of ${trainedRunName}`);
  await expect(page.getByText(/test set, 5,000 images · epoch 2/)).toBeVisible();
  const accuracy = page.getByRole('row', { name: /^Accuracy/ });
  await expect(accuracy).toContainText('66.14 %');
  await expect(page.getByRole('button', { name: /^Wrong: / })).toHaveCount(40);
  const explained = page.getByRole('button', { name: 'Calibration error (ECE)' });
  await explained.focus();
  await expect(explained).toHaveAccessibleDescription(/^How far stated probabilities are/);
  await page.keyboard.press('Escape');
  for (const theme of ['first', 'other']) {
    for (const name of ['Summary', 'Confusion matrix', 'Classes', 'Predictions', 'Try it']) {
      await tab(page, name).click();
      await expect(page.getByRole('tabpanel', { name })).toBeVisible();
      if (name === 'Predictions') await expect(grid(page).getByRole('option').first()).toBeVisible();
      expect(await findBarriers(page)).toEqual([]);
    }
    if (theme === 'first') await page.getByRole('button', { name: /^Use the (dark|light) theme$/ }).click();
  }
  await page.getByRole('link', { name: '2. tuned' }).click();
  await expect(page).toHaveURL(/\/results\/1\?tab=try$/);
  await expect(page.getByRole('link', { name: 'Compare', exact: true }).last()).toHaveAttribute('href', /\/compare\?entries=.+:1$/);
});

test('a cell of the matrix leads by keyboard to its pictures, and the address holds them', async ({ app: { page, open } }) => {
  await open('/runs/last/results/0?tab=confusion');
  const cell = page.getByRole('gridcell', { name: /^Sandal recognised/ });
  await expect(cell).toBeVisible();
  await page.getByRole('button', { name: 'Share of class, %' }).click();
  await page.reload();
  await expect(page.getByRole('button', { name: 'Share of class, %' })).toHaveAttribute('aria-pressed', 'true');
  await cell.focus();
  await page.keyboard.press('ArrowLeft');
  await expect(page.getByRole('rowheader', { name: 'True Sandal' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/tab=predictions&label=0$/);
  await expect(page.getByRole('status').filter({ hasText: '1,000 images' })).toBeVisible();

  await grid(page).focus();
  await page.keyboard.press('End');
  await expect(page).toHaveURL(/at=999$/);
  await expect(page.getByRole('option', { selected: true })).toHaveAttribute('aria-posinset', '1000');
  const detail = page.getByRole('region', { name: 'Chosen prediction' });
  await expect(detail.getByRole('listitem')).toHaveCount(5);
  const title = await detail.getByRole('heading').textContent();
  await page.reload();
  await expect(detail.getByRole('heading')).toHaveText(title ?? '');
  await expect(page.getByRole('option', { selected: true })).toBeInViewport();
  const picture = detail.getByRole('img');
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(28);

  await page.getByRole('button', { name: '✗ Wrong' }).click();
  await page.getByRole('combobox', { name: 'Order' }).click();
  await page.getByRole('option', { name: 'Most confident' }).click();
  await expect(page).toHaveURL(/outcome=wrong&label=0&order=confidence$/);
  await expect(grid(page).getByRole('option').first()).toHaveAccessibleName(/^Wrong: .+; true: Sandal$/);
  await page.goBack();
  await expect(page).toHaveURL(/outcome=wrong&label=0$/);
});

test('the classes are sorted by what matters and lead to what was missed', async ({ app: { page, open } }) => {
  await open('/runs/last/results/0?tab=classes');
  const table = page.getByRole('table', { name: 'Scores of each class' });
  await page.getByRole('button', { name: 'Recall' }).click();
  await expect(table.getByRole('columnheader', { name: 'Recall' })).toHaveAttribute('aria-sort', 'descending');
  const values = await table.locator('tbody tr td:nth-child(4)').allTextContents();
  const recalls = values.map((text) => Number.parseFloat(text));
  expect(recalls).toHaveLength(5);
  expect(recalls).toEqual([...recalls].sort((first, second) => second - first));
  const missed = table.getByRole('button', { name: /images of Bag missed$/ });
  const count = await missed.textContent();
  await missed.click();
  await expect(page).toHaveURL(/outcome=wrong&label=3$/);
  await expect(page.getByRole('status').filter({ hasText: `${count?.trim() ?? ''} image` })).toBeVisible();
});

test('own pictures are predicted, inverted, compared between phases, and gone from the lab afterwards', async ({ app }) => {
  const { page, lab } = app;
  const uploads = (): readonly string[] => {
    const folder = join(lab.folder, 'cache', 'uploads');
    return existsSync(folder) ? readdirSync(folder) : [];
  };
  await app.open('/runs/last/results/0?tab=try');
  const broken = { name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('nonsense') };
  await page.getByLabel('Pictures to try').setInputFiles([await drawPicture('square.png'), broken]);
  await expect(page.getByText('2 pictures, predicted by the weights of epoch 2')).toBeVisible();
  const square = page.getByRole('listitem', { name: 'square.png' });
  await expect(square.getByRole('list', { name: 'Probabilities for square.png' }).getByRole('listitem')).toHaveCount(5);
  await expect(page.getByRole('listitem', { name: 'broken.png' })).toContainText('not a picture of a known format');
  const seen = square.getByRole('img', { name: 'square.png as the network saw it' });
  const corner = (): Promise<number> =>
    seen.evaluate((canvas: HTMLCanvasElement) => canvas.getContext('2d')?.getImageData(0, 0, 1, 1).data[0] ?? -1);
  expect([await corner(), await seen.evaluate((canvas: HTMLCanvasElement) => canvas.width)]).toEqual([0, 28]);
  expect(await findBarriers(page)).toEqual([]);

  await page.getByRole('switch', { name: 'Invert' }).click();
  await expect(seen).toBeVisible();
  await expect.poll(corner).toBe(255);
  await page.getByRole('link', { name: '2. tuned' }).click();
  await expect(page).toHaveURL(/\/results\/1/);
  await expect(square.getByRole('list', { name: 'Probabilities for square.png' })).toContainText('Dress');
  expect(uploads()).toHaveLength(1);

  const pasted = (await drawPicture('image.png', true)).buffer.toString('base64');
  await page.evaluate((base64) => {
    const clipboardData = new DataTransfer();
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    clipboardData.items.add(new File([bytes], 'image.png', { type: 'image/png' }));
    document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
  }, pasted);
  await expect(page.getByRole('listitem', { name: 'Pasted picture' })).toBeVisible();
  await expect(page.getByText('1 picture, predicted by')).toBeVisible();
  await expect.poll(uploads).toHaveLength(1);
  await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Doctor' }).click();
  await expect.poll(uploads).toEqual([]);
});

test('a phase that is not there says so and leads to the run', async ({ app: { page, open } }) => {
  await open('/runs/last/results/7');
  await expect(page.getByText(`${trainedRunName} has 2 phases; there is no other.`)).toBeVisible();
  await page.getByRole('link', { name: 'To the run' }).click();
  await expect(page).toHaveURL(/\/runs\/[^/]+$/);
});
