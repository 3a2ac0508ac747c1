// Transfer learning as a person meets it: a template without its weights, the blocks of a base with the freeze line, the ladder as a group.
import type { Page } from '@playwright/test';
import { expect, test } from './app.ts';
import { findBarriers } from './barriers.ts';

const button = (page: Page, name: string | RegExp) => page.getByRole('button', typeof name === 'string' ? { name, exact: true } : { name });
const cost = (page: Page) => page.getByRole('complementary', { name: 'Pre-flight' });
const layers = (page: Page) => page.getByRole('table', { name: 'Layers' });

/** Small enough to be trained while a test waits: a quarter of MobileNet on a hundred pictures of clothes. */
const split = {
  test: { type: 'count', count: 100 },
  validation: { type: 'count', count: 50 },
  trainLimit: 100,
};
const small = {
  version: 1,
  id: 'small-transfer',
  title: 'Small transfer',
  dataset: { id: 'fashion-mnist', classes: Array.from({ length: 10 }, (_, index) => `class ${index}`), shape: [28, 28, 1] },
  input: { size: [32, 32], scaling: 'minusOneToOne' },
  splits: { document: split, sound: split },
  network: {
    base: { network: 'MobileNet', alpha: 0.25 },
    layers: [{ type: 'GlobalAveragePooling2D' }, { type: 'Dense', units: 10, activation: 'softmax' }],
  },
  phases: [{ name: 'train', optimizer: { type: 'Adam' }, batchSize: 50, epochs: 1 }],
};

async function openSmall(page: Page): Promise<void> {
  const buffer = Buffer.from(JSON.stringify(small));
  await page.locator('input[type=file]').setInputFiles({ name: 'small.json', mimeType: 'application/json', buffer });
  await expect(page.getByText('file small.json')).toBeVisible();
}

test('the freeze line stands between the blocks of a base, folded or not', async ({ app }) => {
  const { page } = app;
  await app.open('/new?template=household-mobilenet-b1');
  await expect(cost(page).getByText('1,133,032')).toBeVisible();
  const block = button(page, 'Block of the base: block12, 7 layers');
  await expect(block).toHaveAttribute('aria-expanded', 'false');
  await block.focus();
  await page.keyboard.press('ArrowRight');
  await expect(button(page, 'Layer 77: conv_pw_12, Conv2D')).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await expect(button(page, /Layer 73: conv_pad_12/)).toBeFocused();
  const line = page.getByRole('slider', { name: 'Freeze line of train' });
  await line.focus();
  await page.keyboard.press('ArrowUp');
  await expect(line).toHaveAttribute('aria-valuetext', /^after block10: .* 66 layers above are frozen/);
  await expect(cost(page).getByText('1,401,832')).toBeVisible();
  await page.keyboard.press('PageDown');
  await page.keyboard.press('ArrowDown');
  await expect(line).toHaveAttribute('aria-valuenow', '73');
  await expect(line).toBeFocused();
  await block.focus();
  await page.keyboard.press('ArrowLeft');
  await expect(line).toHaveAttribute('aria-valuetext', /^in block12, after conv_pad_12: /);
  await layers(page)
    .getByRole('button', { name: /^yes: block12 trains/ })
    .click();
  await expect(layers(page).getByRole('button', { name: /^no: block12 does not train/ })).toBeVisible();
  await button(page, 'Freeze the base').click();
  await expect(line).toHaveAttribute('aria-valuetext', /^after block12: /);
});

test('a template whose weights are missing says so and begins in another way', async ({ app }) => {
  const { page } = app;
  await app.open('/new');
  await page.getByLabel('Find a start').fill('features of VGG16');
  await button(page, /features of VGG16 needs weights/).click();
  await expect(page.getByText('vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5', { exact: true })).toBeVisible();
  await page.keyboard.press('Escape');
  await page.getByLabel('Find a start').press('Enter');
  await expect(page).toHaveURL(/template=cifar-vgg16-features/);
  await expect(button(page, 'Start')).toBeDisabled();
  await expect(page.getByRole('link', { name: 'Import weights' })).toHaveAttribute('href', '/weights');
  await button(page, 'Use EfficientNet-Lite0').click();
  await expect(page.getByRole('combobox', { name: 'Weights of the base' })).toHaveText('efficientnet-lite0-imagenet');
  await expect(button(page, 'Block of the base: block7a, 8 layers')).toBeVisible();
  await button(page, 'Scale as the weights expect').click();
  await expect(button(page, 'Scale as the weights expect')).toBeHidden();
  await page.getByRole('combobox', { name: 'Last block of the base' }).click();
  await page.getByRole('option', { name: 'block5a' }).click();
  await expect(page.getByRole('combobox', { name: 'Last layer of the base' })).toHaveText('block5a_project_bn');
  await expect(page.getByRole('slider')).toHaveAttribute('aria-valuetext', /^after block5a: /);
});

test('phases are planned: learning rates by depth, the best epoch, gradual unfreezing', async ({ app }) => {
  const { page } = app;
  await app.open('/new');
  await openSmall(page);
  await page.getByRole('tab', { name: /4 Phases/ }).click();
  await page.getByRole('switch', { name: 'Different learning rates by depth' }).click();
  const rates = page.getByRole('table', { name: 'Learning rates' });
  await expect(rates.getByLabel('Multiplier of block12')).toHaveValue('0.25');
  await page.getByRole('radio', { name: /by the batch/ }).check();
  await button(page, /Find the best epoch/).click();
  await page.getByRole('menuitem', { name: 'best by validation accuracy' }).click();
  await expect(page.getByText(/Runs as two phases/)).toBeVisible();
  await expect(cost(page).getByText(/as many epochs as 'train' had at its best/)).toBeVisible();
  await button(page, 'Without retraining').click();
  await button(page, 'Unfreeze gradually').click();
  await page.getByRole('menuitem', { name: '2 steps, down to block12' }).click();
  await expect(page.getByRole('list', { name: 'Phases' }).getByRole('listitem')).toHaveText([
    /head/,
    /unfreeze block13/,
    /unfreeze block12/,
  ]);
});

test('the ladder shows its costs and its rungs run as one group', async ({ app }) => {
  const { page } = app;
  await app.open('/new');
  await openSmall(page);
  await button(page, 'Transfer ladder').click();
  const rungs = page.getByRole('table', { name: 'Rungs of the transfer ladder' });
  await expect(rungs.getByRole('row', { name: /^tune all/ })).toContainText('215,498');
  await rungs.getByRole('checkbox', { name: "Run 'Features, augmented'" }).uncheck();
  await rungs.getByRole('checkbox', { name: "Run 'Fine-tune block13'" }).uncheck();
  await button(page, 'Start 2 runs').click();
  await expect(page).toHaveURL(/\/runs\?filters=.*group/);
  await expect(page.getByRole('grid').getByText('Small transfer: Features')).toBeVisible();
  await expect(page.getByRole('grid').getByText('finished')).toHaveCount(2, { timeout: 90_000 });
  await button(page, 'Compare group').click();
  await expect(page).toHaveURL(/\/compare\?entries=.*,.*/);
});

for (const theme of ['dark', 'light']) {
  test(`nothing stands in anybody's way, ${theme}`, async ({ app }) => {
    const { page } = app;
    await page.evaluate((chosen) => localStorage.setItem('transfer-lab:theme', JSON.stringify(chosen)), theme);
    await app.open('/new?template=household-mobilenet-a');
    await button(page, 'Unfold the base').click();
    await expect(button(page, /Layer 1: conv1/)).toBeVisible();
    expect(await findBarriers(page)).toEqual([]);
    await page.getByRole('tab', { name: /4 Phases/ }).click();
    await page.getByRole('switch', { name: 'Different learning rates by depth' }).click();
    expect(await findBarriers(page)).toEqual([]);
    await button(page, 'Transfer ladder').click();
    await expect(page.getByRole('table', { name: 'Rungs of the transfer ladder' })).toBeVisible();
    expect(await findBarriers(page)).toEqual([]);
  });
}
