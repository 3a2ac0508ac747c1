// The comparison of full against tuned: what it shows, and that its address is all it needs.
import { readFileSync } from 'node:fs';
import { expect, test } from './app.ts';
import { axe } from './barriers.ts';

test.use({ workspace: 'trained' });

test('full against tuned in one click, and the address shows the same after a reload', async ({ app }) => {
  const { page } = app;
  await app.open('/compare');
  await page.getByRole('button', { name: 'Compare full with tuned', exact: true }).click();
  const figures = page.getByRole('table', { name: /Figures of each entry/ });
  await expect(figures.getByRole('row', { name: /Trainable/ })).toContainText('−9,568, × 0.984');
  await expect(page.getByText('These accuracies do not compare')).toBeVisible();
  await expect(page.getByRole('img', { name: 'Bars of test accuracy' })).toBeVisible();

  const entries = page.getByRole('list', { name: 'Chosen entries' });
  await entries.getByRole('button', { name: 'Base: tuned' }).click();
  await expect(figures.getByRole('row', { name: /Trainable/ })).toContainText('+9,568, × 1.02');
  await page.getByRole('combobox', { name: 'Epoch that speaks for each entry' }).click();
  await page.getByRole('option', { name: 'Epoch with a number' }).click();
  await expect(page.getByText(/the rule epoch=1 chooses epoch 1/)).toBeVisible();
  await page.getByRole('switch', { name: 'Only differences' }).click();
  await expect(page.getByRole('rowheader', { name: 'phase.batchSize' })).toBeVisible();
  await expect(page).toHaveURL(/base=.+:1&rule=epoch(=|%3D)1&only=all/);

  await page.reload();
  await expect(figures.getByRole('row', { name: /Trainable/ })).toContainText('+9,568, × 1.02');
  await expect(page.getByText(/the rule epoch=1 chooses epoch 1/)).toBeVisible();
  await expect(page.getByRole('rowheader', { name: 'phase.batchSize' })).toBeVisible();
});

test('entries are searched, added, moved and removed by keyboard', async ({ app }) => {
  const { page } = app;
  await app.open('/compare');
  await page.getByRole('searchbox', { name: 'Search runs' }).fill('no such run');
  await expect(page.getByText('No run with a finished phase fits.')).toBeVisible();
  await page.getByRole('searchbox', { name: 'Search runs' }).fill('small');
  for (const phase of ['tuned', 'full']) await page.getByRole('button', { name: new RegExp(`^${phase} of Small transfer`) }).press('Enter');
  const items = page.getByRole('list', { name: 'Chosen entries' }).getByRole('listitem');
  await expect(items).toHaveText([/^tuned/, /^full/]);
  await page.getByRole('button', { name: 'Move full up' }).press('Enter');
  await expect(items).toHaveText([/^full/, /^tuned/]);
  await expect(page.getByRole('button', { name: 'Base: tuned' })).toHaveAttribute('aria-pressed', 'true');
  await page.getByRole('button', { name: 'Remove tuned' }).press('Enter');
  await expect(items).toHaveText([/^full/]);
});

test(
  'curves are hidden in both charts at once, a confusion cell leads to its predictions, and figures go to a file',
  { tag: '@browser' },
  async ({ app }) => {
    const { page } = app;
    await app.open('/compare?entries=last:0,last:1');
    const curves = page.getByRole('region', { name: 'Curves' });
    await expect(curves.getByRole('img', { name: 'Loss over epochs' }).getByText('tuned')).toBeVisible();
    await curves.getByRole('button', { name: 'tuned' }).click();
    for (const name of ['Accuracy over epochs', 'Loss over epochs']) {
      await expect(curves.getByRole('img', { name }).getByText('tuned')).toHaveCount(0);
    }

    const waiting = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export CSV' }).click();
    const [head, ...lines] = readFileSync(await (await waiting).path(), 'utf8')
      .trimEnd()
      .split('\r\n');
    expect(head).toMatch(/^\uFEFFrun,name,recipe,seed,phase,checkpointRule,total,trainable/);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain(',600165,590597,9568,');

    await expect(page.getByRole('link', { name: 'Results of tuned' })).toHaveAttribute('href', /\/results\/1$/);
    await page.getByRole('img', { name: /Confusion matrix of tuned/ }).click();
    await expect(page).toHaveURL(/\/results\/1\?tab=predictions&label=\d&predicted=\d$/);
  },
);

test('what cannot be compared is said, with the way back', async ({ app }) => {
  await app.open('/compare?entries=last:0,last:7');
  await expect(app.page.getByRole('alert')).toContainText('has no phase 8');
  await app.page.getByRole('button', { name: 'Remove phase 8' }).click();
  await expect(app.page.getByRole('table', { name: /Figures of each entry/ })).toBeVisible();
});

for (const theme of ['dark', 'light']) {
  test(`a comparison and a report in the making are accessible in ${theme}`, async ({ app }) => {
    const { page } = app;
    await page.evaluate((chosen) => localStorage.setItem('transfer-lab:theme', JSON.stringify(chosen)), theme);
    for (const path of ['/compare?entries=last:0,last:1', '/reports?entries=last:0,last:1']) {
      await app.open(path);
      await expect(page.getByRole('list', { name: 'Chosen entries' }).getByText('tuned', { exact: true })).toBeVisible();
      await page.waitForLoadState('networkidle');
      const { violations } = await axe(page).analyze();
      expect(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id }) => id)).toEqual([]);
    }
  });
}

test.describe('without runs', () => {
  test.use({ workspace: 'empty' });

  test('the comparison leads to the first run', async ({ app }) => {
    await app.open('/compare');
    await app.page.getByRole('main').getByRole('link', { name: 'New run' }).click();
    await expect(app.page).toHaveURL(/\/new$/);
  });
});
