// The augmentation of a phase as a person tries it: switches and sliders beside pictures as the training will see them.
import type { Page } from '@playwright/test';
import { expect, test } from './app.ts';
import { findBarriers } from './barriers.ts';

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const preview = (page: Page) => page.getByRole('listbox', { name: 'Preview' });
const tiles = (page: Page) => preview(page).getByRole('option');
const address = '/new?template=mnist-test-5&part=augmentation';

test('transforms are switched, slid and typed, and the pictures follow', async ({ app: { page, open } }) => {
  await open(address);
  await expect(tiles(page)).toHaveCount(5);
  await expect(page.getByText(/trains on the images as they are/)).toBeVisible();
  await page.getByRole('switch', { name: 'Rotation' }).click();
  await expect(tiles(page)).toHaveCount(30);
  await expect(tiles(page).nth(1)).toHaveAccessibleName(/^0, pass 1: Rotation [+−]\d/);
  const slider = page.getByRole('slider', { name: 'Rotation, degrees' });
  await expect(slider).toHaveAttribute('aria-valuetext', '45 degrees');
  await slider.press('ArrowRight');
  const number = page.getByRole('textbox', { name: 'Rotation, degrees' });
  await expect(number).toHaveValue('46');
  await number.fill('200');
  await expect(page.getByRole('group', { name: 'Rotation' }).getByRole('alert')).toBeVisible();
  await expect(button(page, 'Start')).toBeDisabled();
  await number.fill('20');
  await expect(button(page, 'Start')).toBeEnabled();
  await page.getByRole('spinbutton', { name: 'Variants of each picture' }).fill('2');
  await page.keyboard.press('Tab');
  await expect(tiles(page)).toHaveCount(15);
  const before = await preview(page).getByRole('group').first().getAttribute('aria-label');
  await button(page, 'Other pictures').click();
  await expect(preview(page).getByRole('group').first()).not.toHaveAttribute('aria-label', before ?? '');
  await preview(page).focus();
  await page.keyboard.press('ArrowDown');
  await expect(tiles(page).nth(3)).toHaveAttribute('aria-selected', 'true');
  await page.getByRole('switch', { name: 'Rotation' }).click();
  await expect(tiles(page)).toHaveCount(5);
  await page.getByRole('switch', { name: 'Rotation' }).click();
  await expect(number).toHaveValue('20');
});

test('the generator of document 001 shows its extremes, one batch exactly, and warns of digits that change', async ({ app }) => {
  const { page, open } = app;
  await open(address);
  await button(page, 'As document 001').click();
  await expect(tiles(page)).toHaveCount(30);
  await expect(page.getByRole('list', { name: 'Warnings' }).getByText(/Mirrored digits are not digits/)).toBeVisible();
  await expect(page.getByText(/Augmenting an epoch \(133 steps × 64 images\) is about/)).toBeVisible();
  await button(page, 'Strength extremes').click();
  await expect(preview(page).getByText('Rotation +45°')).toBeVisible();
  await button(page, 'Exact batch').click();
  await expect(tiles(page)).toHaveCount(40);
  await expect(tiles(page).first()).toHaveAccessibleName(/^\d, image 1 of the batch: Rotation/);
  const first = (await tiles(page).first().getAttribute('aria-label')) ?? '';
  await page.getByRole('spinbutton', { name: 'Epoch' }).fill('3');
  await page.keyboard.press('Tab');
  await expect(page.getByText(/exactly as epoch 3 shows them/)).toBeVisible();
  await expect(tiles(page).first()).not.toHaveAccessibleName(first);
  await button(page, 'Later images of the batch').click();
  await expect(tiles(page)).toHaveCount(24);
  await expect(tiles(page).first()).toHaveAccessibleName(/^\d, image 41 of the batch/);
  await button(page, 'All off').click();
  await page.keyboard.press('Control+z');
  await expect(page.getByRole('switch', { name: 'Zoom' })).toBeChecked();
});

test('each phase has an augmentation of its own, copied when wanted; mean and deviation are fitted', async ({ app }) => {
  const { page, open } = app;
  await open('/new?template=fashion-transfer-5to9&part=augmentation');
  await page.getByRole('switch', { name: 'Cutout' }).click();
  await expect(tiles(page)).toHaveCount(30);
  await button(page, 'tuned').click();
  await expect(page.getByRole('switch', { name: 'Cutout' })).not.toBeChecked();
  await button(page, 'Copy between phases').click();
  await page.getByRole('menuitem', { name: 'Same as full' }).click();
  await expect(page.getByRole('switch', { name: 'Cutout' })).toBeChecked();
  await expect(preview(page).getByRole('group', { name: 'T-shirt/top' })).toBeVisible();
  await button(page, 'Fit mean and deviation').click();
  await expect(page.getByRole('table', { name: 'Fitted values' }).getByRole('row', { name: 'grey 0.28' })).toBeVisible({ timeout: 60_000 });
  await button(page, 'Remove the fitted mean and deviation').click();
  await expect(button(page, 'Fit mean and deviation')).toBeVisible();
});

for (const theme of ['dark', 'light']) {
  test(`nothing stands in anybody's way, ${theme}`, async ({ app: { page, open } }) => {
    await page.evaluate((chosen) => localStorage.setItem('transfer-lab:theme', JSON.stringify(chosen)), theme);
    await open(address);
    await button(page, 'As document 001').click();
    for (const name of ['Brightness', 'Mixup', 'Vertical flip']) await page.getByRole('switch', { name }).click();
    await expect(tiles(page)).toHaveCount(30);
    expect(await findBarriers(page)).toEqual([]);
    await button(page, 'Strength extremes').click();
    await expect(preview(page).getByText('Rotation +45°')).toBeVisible();
    expect(await findBarriers(page)).toEqual([]);
  });
}
