import type { Page } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { fillHistory } from '../../bench/historyFixture.ts';
import { expect, test, type LabServer } from './app.ts';
import { findBarriers } from './barriers.ts';

interface App {
  readonly page: Page;
  readonly lab: LabServer;
  open(path: string): Promise<void>;
}

/** A history of drawn runs, written while the server is away. */
async function openHistory(app: App, runs: number): Promise<void> {
  const { page, lab } = app;
  await app.open('/runs');
  await expect(page.getByRole('link', { name: 'Start the first experiment' })).toBeVisible();
  await lab.kill('SIGTERM');
  fillHistory(lab.folder, { runs, epochsPerRun: 4 }, 3);
  await lab.restart();
  await app.open('/runs');
  await expect(row(page, 0).getByRole('link').first()).toBeVisible();
}

const row = (page: Page, index: number) => page.locator(`#run-row-${index}`);
const nameIn = (page: Page, index: number) => row(page, index).getByRole('link').first();
const selected = (page: Page) => page.getByRole('toolbar', { name: 'Selected runs' });

async function expectAccessible(page: Page): Promise<void> {
  expect(await findBarriers(page)).toEqual([]);
}

test('an empty history leads to the first experiment', async ({ app }) => {
  await app.open('/runs');
  await expectAccessible(app.page);
  await app.page.getByRole('link', { name: 'Start the first experiment' }).click();
  await expect(app.page).toHaveURL(/\/new$/);
});

test('thousands of runs are sorted, filtered and scrolled, and the address keeps the choice', { tag: '@browser' }, async ({ app }) => {
  await openHistory(app, 1200);
  const { page } = app;
  const grid = page.getByRole('grid', { name: 'Runs' });
  const count = Number(await grid.getAttribute('aria-rowcount')) - 1;
  expect(count).toBeGreaterThan(900);
  expect(await grid.getByRole('row').count()).toBeLessThan(60);
  await grid.focus();
  await page.keyboard.press('End');
  await expect(nameIn(page, count - 1)).toBeVisible();
  expect(await grid.getByRole('row').count()).toBeLessThan(60);

  await page.getByRole('button', { name: 'Test acc., %' }).click();
  await expect(page.getByRole('columnheader', { name: 'Test acc., %' })).toHaveAttribute('aria-sort', 'descending');
  await expect(nameIn(page, 0)).toBeVisible();
  await page.getByRole('button', { name: 'Name', exact: true }).click({ modifiers: ['Shift'] });
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await page.getByLabel('Field', { exact: true }).click();
  await page.getByPlaceholder('Find a field').fill('phases[0].batchSize');
  await page.keyboard.press('Enter');
  await page.getByLabel('Value').fill('64');
  await page.getByRole('button', { name: 'Add the filter' }).click();
  await expect(page.getByText('phases[0].batchSize = 64')).toBeVisible();
  const filtered = selected(page).getByRole('status');
  await expect(filtered).not.toHaveText(`${count.toLocaleString('en-US')} runs`);
  const text = (await filtered.textContent()) ?? '';
  const best = (await nameIn(page, 0).textContent()) ?? '';

  await page.reload();
  await expect(filtered).toHaveText(text);
  await expect(nameIn(page, 0)).toHaveText(best);
  expect(new URL(page.url()).searchParams.get('sort')).toBe('-testAccuracy,name');
  await expectAccessible(page);
  await page.getByLabel('Search runs').fill('nothing has this name');
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await expect(filtered).toHaveText(`${count.toLocaleString('en-US')} runs`);
});

test('the keyboard searches, selects, renames, deletes and takes back', { tag: '@browser' }, async ({ app }) => {
  await openHistory(app, 40);
  const { page } = app;
  const all = (await selected(page).getByRole('status').textContent()) ?? '';
  await page.keyboard.press('/');
  await page.keyboard.type('mnist-test-4');
  await expect(page).toHaveURL(/text=mnist-test-4/);
  await expect(selected(page).getByRole('status')).not.toHaveText(all);
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('grid', { name: 'Runs' })).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Space');
  await page.keyboard.press('Shift+ArrowDown');
  await page.keyboard.press('Shift+ArrowDown');
  await expect(selected(page).getByRole('status')).toHaveText('3 selected');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Home');

  await page.keyboard.press('F2');
  await page.keyboard.type('Renamed here');
  await page.keyboard.press('Enter');
  await expect(nameIn(page, 0)).toHaveText('Renamed here');
  await expect(page.getByRole('grid', { name: 'Runs' })).toBeFocused();
  await page.keyboard.press('Delete');
  await expect(page.getByText('Moved to the trash: Renamed here', { exact: true }).first()).toBeVisible();
  await expect(nameIn(page, 0)).not.toHaveText('Renamed here');
  await page.keyboard.press('Control+z');
  await expect(nameIn(page, 0)).toHaveText('Renamed here');
  await page.keyboard.press('Shift+F10');
  await expect(page.getByRole('menuitem', { name: 'Results' })).toBeVisible();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Renamed here' })).toBeVisible();
  await page.getByRole('textbox', { name: 'Notes' }).fill('Seen twice.');
  await page.getByLabel('Add to tags').fill('seen');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Remove the tag seen' })).toBeVisible();
  await page.reload();
  await expect(page.getByRole('textbox', { name: 'Notes' })).toHaveValue('Seen twice.');
  await expect(page.getByRole('button', { name: 'Remove the tag seen' })).toBeVisible();
});

test('a selection is tagged, archived, copied and compared; the table becomes a file', { tag: '@browser' }, async ({ app, context }) => {
  await openHistory(app, 40);
  const { page } = app;
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await row(page, 1).getByRole('checkbox').click();
  await row(page, 3)
    .getByRole('checkbox')
    .click({ modifiers: ['Shift'] });
  await expect(selected(page).getByRole('status')).toHaveText('3 selected');
  await selected(page).getByRole('button', { name: 'Tag' }).click();
  await page.getByLabel('Add to tags').fill('together');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Remove the tag together' })).toBeVisible();
  await page.keyboard.press('Escape');
  await selected(page).getByRole('button', { name: 'Copy' }).click();
  await expect(page.getByText('Copied 3 runs as a table', { exact: true }).first()).toBeVisible();
  const copied = (await page.evaluate(() => navigator.clipboard.readText())).split('\n');
  expect(copied).toHaveLength(4);
  expect(copied[1]).toContain('together');

  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()]);
  const csv = readFileSync(await download.path(), 'utf8');
  const count = Number(await page.getByRole('grid', { name: 'Runs' }).getAttribute('aria-rowcount')) - 1;
  expect(csv.trimEnd().split('\r\n')).toHaveLength(count + 1);

  await selected(page).getByRole('button', { name: 'Archive' }).click();
  await expect(selected(page).getByRole('status')).toHaveText(`${count - 3} runs`);
  await page.getByRole('button', { name: /^Archived/ }).click();
  await page.getByLabel('Search runs').fill('together');
  await expect(selected(page).getByRole('status')).toHaveText('3 runs');
  await page.getByRole('checkbox', { name: 'Select all shown' }).click();
  await selected(page).getByRole('button', { name: 'Compare' }).click();
  await expect(page).toHaveURL(/\/compare\?entries=/);
  expect(new URL(page.url()).searchParams.get('entries')?.split(',')).toHaveLength(3);
});

test('columns are chosen, ordered and remembered', { tag: '@browser' }, async ({ app }) => {
  await openHistory(app, 40);
  const { page } = app;
  await page.getByRole('button', { name: 'Columns' }).click();
  await page.getByLabel('Find a column').fill('learningRate');
  await page.getByRole('button', { name: 'Show phases[0].optimizer.learningRate' }).click();
  await page.getByRole('button', { name: 'Hide Dataset' }).click();
  await page.getByRole('button', { name: 'Move Recipe down' }).click();
  await expectAccessible(page);
  await page.reload();
  const headers = page.getByRole('columnheader');
  await expect(headers.filter({ hasText: 'phases[0].optimizer.learningRate' })).toHaveCount(1);
  const names = await headers.allTextContents();
  expect(names.map((name) => name.trim()).slice(1, 5)).toEqual(['State', 'Name', 'Epochs', 'Recipe']);
  expect(names).not.toContain('Dataset');
});

test('the queue shows what trains and waits, in an order that a person can change', { tag: '@browser' }, async ({ app }) => {
  const { page, lab } = app;
  await app.open('/runs');
  const training = lab.run(['run', 'fashion-transfer-5to9', '--seeds', '1,2,3,4']);
  const queue = page.getByRole('list', { name: 'Runs of the queue' });
  await expect(queue.getByRole('listitem')).toHaveCount(4, { timeout: 60_000 });
  const seeds = async (): Promise<string[]> =>
    (await queue.getByRole('listitem').allTextContents()).map((text) => /seed (\d)/.exec(text)?.[1] ?? '?');
  await expect.poll(seeds).toEqual(['1', '2', '3', '4']);
  await expectAccessible(page);
  await queue
    .getByRole('listitem')
    .nth(3)
    .getByRole('button', { name: / earlier$/ })
    .click();
  await expect.poll(seeds).toEqual(['1', '2', '4', '3']);
  const handle = await queue
    .getByRole('listitem')
    .nth(1)
    .getByRole('button', { name: /^Drag / })
    .boundingBox();
  const last = await queue.getByRole('listitem').nth(3).boundingBox();
  if (handle === null || last === null) throw new Error('The queue is not drawn.');
  await page.mouse.move(handle.x + 5, handle.y + 5);
  await page.mouse.down();
  await page.mouse.move(handle.x + 5, last.y + last.height - 2, { steps: 4 });
  await page.mouse.up();
  await expect.poll(seeds).toEqual(['1', '4', '3', '2']);
  await queue
    .getByRole('listitem')
    .nth(1)
    .getByRole('button', { name: /out of the queue$/ })
    .click();
  await expect.poll(seeds).toEqual(['1', '3', '2']);
  await expect(page.getByRole('grid', { name: 'Runs' }).getByText('stopped')).toHaveCount(1);
  await page.keyboard.press('Control+z');
  await expect.poll(seeds).toEqual(['1', '3', '2', '4']);
  await lab.kill('SIGTERM');
  await training;
});
