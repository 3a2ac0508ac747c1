// The whole way without a pointer: from the start to a trained run, its results and a comparison, by Tab, arrows, Enter and shortcuts only.
import type { Locator, Page } from '@playwright/test';
import { expect, test } from './app.ts';

/** More stops than any view has before what is looked for. */
const mostStops = 60;

/** Presses Tab until the element has the focus. Every stop on the way must be in sight and named, as people see and hear where they are. */
async function tabTo(page: Page, target: Locator, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
  await expect(target).toBeVisible();
  for (let stop = 0; stop < mostStops; stop += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press(key);
    expect(await describeHiddenStop(page)).toBeNull();
  }
  throw new Error(`${String(target)} was not reached with ${mostStops} times ${key}.`);
}

/** The focused element, when nobody could tell that it has the focus. */
async function describeHiddenStop(page: Page): Promise<string | null> {
  return page.evaluate(() => {
    const stop = document.activeElement;
    if (stop === null || stop === document.body) return null;
    const box = stop.getBoundingClientRect();
    const isSeen = box.width > 0 && box.height > 0 && stop.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const words = `${stop.getAttribute('aria-label') ?? ''}${stop.textContent}${stop.getAttribute('title') ?? ''}`;
    const isNamed = words.trim() !== '' || stop.hasAttribute('aria-labelledby') || (stop as HTMLInputElement).labels?.length !== 0;
    return isSeen && isNamed ? null : stop.outerHTML.slice(0, 300);
  });
}

async function press(page: Page, ...keys: readonly string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

/** Ctrl+A first, so that what stood there is replaced. */
async function write(page: Page, field: Locator, text: string): Promise<void> {
  await tabTo(page, field);
  await press(page, 'Control+a');
  await page.keyboard.type(text);
  await expect(field).toHaveValue(text);
}

async function designRun(page: Page): Promise<void> {
  await press(page, 'g', 'n');
  await expect(page).toHaveURL(/\/new$/);
  await write(page, page.getByRole('textbox', { name: 'Find a start' }), 'fashion-test-9');
  await tabTo(page, page.getByRole('table', { name: 'Templates' }).getByRole('button', { name: /test 9:/ }));
  await press(page, 'Enter');
  await expect(page).toHaveURL(/template=fashion-test-9/);

  await tabTo(page, page.getByRole('tab', { name: /3 Network/ }));
  await press(page, 'ArrowRight');
  await expect(page.getByRole('tab', { name: /4 Phases/ })).toBeFocused();
  await write(page, page.getByLabel('Epochs', { exact: true }), '1');
  await tabTo(page, page.getByRole('tab', { name: /4 Phases/ }), 'Shift+Tab');
  await press(page, 'ArrowLeft', 'ArrowLeft', 'ArrowLeft');
  const limit = page.getByRole('group', { name: 'Limit training images' });
  await tabTo(page, limit.getByRole('checkbox'));
  await press(page, 'Space');
  await write(page, limit.getByLabel('Value'), '1000');
}

test('an experiment from start to comparison without a pointer', async ({ app }) => {
  test.setTimeout(240_000);
  const { page } = app;
  await designRun(page);
  await press(page, 'Control+Enter');
  await expect(page).toHaveURL(/\/runs\/\d{6}-[a-z0-9]{5}$/);
  await expect(page.getByText('finished', { exact: true })).toBeVisible({ timeout: 180_000 });

  await press(page, 'g', 'r');
  await expect(page).toHaveURL(/\/runs\b/);
  await tabTo(page, page.getByRole('grid', { name: 'Runs' }));
  await press(page, 'Home', 'Enter');
  await expect(page).toHaveURL(/\/runs\/\d{6}-[a-z0-9]{5}$/);
  await tabTo(page, page.getByRole('link', { name: 'Results', exact: true }));
  await press(page, 'Enter');
  await expect(page).toHaveURL(/\/results\/0$/);
  await expect(page.getByRole('heading', { level: 1 })).toContainText('test 9');

  await press(page, 'Control+k');
  const palette = page.getByRole('dialog');
  await expect(palette.getByPlaceholder('Find an action')).toBeFocused();
  await page.keyboard.type('compare');
  await expect(palette.getByRole('option', { name: /Compare/ }).first()).toHaveAttribute('data-highlighted', '');
  await press(page, 'Enter');
  await expect(page).toHaveURL(/\/compare/);
  await expect(palette).toBeHidden();
});

test('the list of shortcuts names what a view offers, and gives the focus back', async ({ app }) => {
  const { page } = app;
  const start = page.getByRole('button', { name: 'Train it now' });
  await tabTo(page, start);
  await press(page, '?');
  const list = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  for (const name of ['New run', 'Runs', 'Compare', 'Datasets', 'All commands']) {
    await expect(list.getByRole('cell', { name, exact: true })).toBeVisible();
  }
  await press(page, 'Tab', 'Tab', 'Tab');
  await expect(list.locator(':focus')).toHaveCount(1);
  await press(page, 'Escape');
  await expect(list).toBeHidden();
  await expect(start).toBeFocused();

  await press(page, 'Control+k');
  await expect(page.getByPlaceholder('Find an action')).toBeFocused();
  await press(page, 'Escape');
  await expect(start).toBeFocused();
});

test('Tab goes through the rail into the view, in reading order', async ({ app }) => {
  const { page } = app;
  const rail = page.getByRole('navigation', { name: 'Views' });
  const seen: string[] = [];
  for (let stop = 0; stop < 20; stop += 1) {
    await press(page, 'Tab');
    expect(await describeHiddenStop(page)).toBeNull();
    seen.push(
      await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent.trim() ?? ''),
    );
  }
  const inOrder = ['Datasets', 'New run', 'Runs', 'Compare', 'Reports', 'Doctor', 'Settings', 'Train it now'];
  expect(seen.filter((name) => inOrder.includes(name)).slice(0, inOrder.length)).toEqual(inOrder);
  for (const name of inOrder.slice(0, -1)) await expect(rail.getByRole('link', { name })).toHaveCount(1);
});

test('shortcuts are silent while text is typed and while a dialog is open', async ({ app }) => {
  const { page } = app;
  await press(page, 'g', 'n');
  const field = page.getByRole('textbox', { name: 'Find a start' });
  await write(page, field, 'gr?');
  await expect(page).toHaveURL(/\/new$/);
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await press(page, 'Tab', '?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  await press(page, 'g', 'r', 'Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page).toHaveURL(/\/new$/);
});
