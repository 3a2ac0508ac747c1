// The new run view as a person uses it: from the template to the running training, and every way to say what shall be trained.
import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, test } from './app.ts';
import { axe } from './barriers.ts';

const button = (page: Page, name: string | RegExp) => page.getByRole('button', typeof name === 'string' ? { name, exact: true } : { name });
const tab = (page: Page, name: RegExp) => page.getByRole('tab', { name });

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await axe(page).analyze();
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
}

test('a newcomer starts a template with two clicks', async ({ app }) => {
  const { page } = app;
  await app.open('/new');
  await button(page, /classes 5-9 first/).click();
  await expect(page).toHaveURL(/template=fashion-transfer-5to9/);
  await button(page, 'Start').click();
  await expect(page).toHaveURL(/\/runs\/\d{6}-[a-z0-9]{5}/);
});

test('a network that cannot work says why, and one button repairs it', async ({ app }) => {
  const { page } = app;
  await app.open('/new?template=mnist-test-3');
  await expect(button(page, 'Start')).toBeDisabled();
  const row = page.getByRole('table', { name: 'Layers' });
  await expect(row.getByText('the Flatten and Dense layers are missing')).toBeVisible();
  await row.getByRole('button', { name: 'Insert Flatten and Dense' }).click();
  await expect(row.getByRole('button', { name: /Layer 4: dense/ })).toBeVisible();
  await expect(button(page, 'Start')).toBeEnabled();
  await page.keyboard.press('Control+z');
  await expect(button(page, 'Start')).toBeDisabled();
  await page.keyboard.press('Control+Shift+z');
  await button(page, 'Start').click();
  await expect(page).toHaveURL(/\/runs\/\d{6}-[a-z0-9]{5}/);
});

test('the freeze line moves by keyboard and by pointer, and the pre-flight follows', async ({ app }) => {
  const { page } = app;
  await app.open('/new?template=fashion-transfer-5to9');
  const cost = page.getByRole('complementary', { name: 'Pre-flight' });
  await expect(cost.getByText('9,568')).toBeVisible();
  await button(page, 'tuned').click();
  const line = page.getByRole('slider', { name: 'Freeze line of tuned' });
  await line.focus();
  await page.keyboard.press('Home');
  await expect(line).toHaveAttribute('aria-valuenow', '0');
  await expect(line).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(line).toHaveAttribute('aria-valuenow', '1');
  await expect(cost.getByText('599,845')).toBeVisible();
  const from = await line.boundingBox();
  const to = await page.locator('[data-index="2"]').boundingBox();
  if (from === null || to === null) throw new Error('The layers are not shown.');
  await page.mouse.move(from.x + 200, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(to.x + 200, to.y + to.height - 4, { steps: 4 });
  await page.mouse.up();
  await expect(line).toHaveAttribute('aria-valuenow', '3');
  await expect(cost.getByText('9,568')).toBeVisible();
});

test('edits are checked while they are typed and outlive a reload', async ({ app }) => {
  const { page } = app;
  await app.open('/new?template=fashion-test-9&part=phases');
  const epochs = page.getByLabel('Epochs', { exact: true });
  await epochs.fill('0');
  await expect(page.getByText('Epochs: Must be more than 0.', { exact: true })).toBeVisible();
  await expect(button(page, 'Start')).toBeDisabled();
  await epochs.fill('3');
  await expect(button(page, 'Start')).toBeEnabled();
  await page.reload();
  await expect(epochs).toHaveValue('3');
  await button(page, 'Reset to template').click();
  await expect(epochs).toHaveValue('20');
  await page.getByRole('group', { name: 'Schedule' }).getByRole('combobox').click();
  await page.getByRole('option', { name: 'cosine' }).click();
  await expect(page.getByRole('img', { name: /Learning rate of train: 20 epochs of .* from 0.001 to \d/ })).toBeVisible();
});

test('layers are added, moved and removed', async ({ app }) => {
  const { page } = app;
  await app.open('/new?template=fashion-test-9');
  await button(page, /Layer 1: conv2d/).click();
  await button(page, 'Add layer').click();
  await page.getByRole('menuitem', { name: 'BatchNormalization' }).click();
  const added = button(page, /Layer 2: batch_normalization/);
  await expect(added).toBeVisible();
  await added.focus();
  await page.keyboard.press('Alt+ArrowUp');
  await expect(button(page, /Layer 1: batch_normalization/)).toBeFocused();
  await page.keyboard.press('Delete');
  await expect(button(page, /Layer 1: conv2d/)).toBeVisible();
});

test('the recipe goes out as JSON and comes back from a file', { tag: '@browser' }, async ({ app }) => {
  const { page } = app;
  await app.open('/new?template=fashion-test-9&part=json');
  const text = page.getByLabel('Recipe as JSON');
  await text.fill((await text.inputValue()).replace(/"epochs": 20/, '"epochs": -1'));
  await expect(page.getByText('phases[0].epochs', { exact: true })).toBeVisible();
  await expect(button(page, 'Start')).toBeDisabled();
  await text.fill((await text.inputValue()).replace(/"epochs": -1/, '"epochs": 2'));
  await expect(tab(page, /4 Phases/)).toContainText('1 phase, 2 epochs');
  const [download] = await Promise.all([page.waitForEvent('download'), button(page, 'Save as file').click()]);
  const file = await download.path();
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ id: 'fashion-test-9', phases: [{ epochs: 2 }] });
  await app.open('/new');
  await page.locator('input[type=file]').setInputFiles({ name: 'mine.json', mimeType: 'application/json', buffer: readFileSync(file) });
  await expect(page.getByText('file mine.json')).toBeVisible();
  await page.reload();
  await expect(tab(page, /4 Phases/)).toContainText('1 phase, 2 epochs');
});

test('the time per epoch is measured before anything is started', async ({ app }) => {
  const { page } = app;
  await app.open('/new?template=mnist-test-5');
  await button(page, 'Measure time per epoch').click();
  await expect(page.getByText(/About .* of training/)).toBeVisible({ timeout: 60_000 });
});

for (const theme of ['dark', 'light']) {
  test(`nothing stands in anybody's way, ${theme}`, async ({ app }) => {
    const { page } = app;
    await page.evaluate((chosen) => localStorage.setItem('transfer-lab:theme', JSON.stringify(chosen)), theme);
    await app.open('/new');
    await expect(page.getByRole('table', { name: 'Templates' })).toBeVisible();
    await expectAccessible(page);
    await app.open('/new?template=mnist-test-3');
    for (const part of [/1 Data/, /2 Augmentation/, /3 Network/, /4 Phases/, /5 Seeds/, /JSON/]) {
      await tab(page, part).click();
      await expect(page.getByRole('tabpanel')).toBeVisible();
      await expectAccessible(page);
    }
  });
}
