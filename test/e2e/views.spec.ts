// What holds for every view: no serious accessibility finding in dark and light, and a reload shows the same again.
import { expect, test } from './app.ts';
import { findBarriers } from './barriers.ts';
import { trainedRunName } from './trainedWorkspace.ts';

test.use({ workspace: 'trained' });

const views = [
  { path: '/', heading: /transfer learning/i },
  { path: '/datasets', heading: 'Datasets' },
  { path: '/datasets/fashion-mnist', heading: /fashion/i },
  { path: '/new', heading: /new run/i },
  { path: '/new?template=fashion-transfer-5to9', heading: /fashion/i },
  { path: '/runs', heading: 'Runs' },
  { path: '/runs/last', heading: trainedRunName },
  { path: '/runs/last/results/0', heading: new RegExp(trainedRunName) },
  { path: '/compare', heading: 'Compare' },
  { path: '/reports', heading: 'Reports' },
  { path: '/doctor', heading: 'Doctor' },
  { path: '/settings', heading: 'Settings' },
] as const;

for (const theme of ['dark', 'light'] as const) {
  for (const { path, heading } of views) {
    test(`${path} is accessible in ${theme}`, async ({ app }) => {
      await app.page.evaluate((chosen) => localStorage.setItem('transfer-lab:theme', JSON.stringify(chosen)), theme);
      await app.open(path);
      await expect(app.page.getByRole('heading', { level: 1, name: heading })).toBeVisible();
      await app.page.waitForLoadState('networkidle');
      expect(await findBarriers(app.page)).toEqual([]);
    });
  }
}

test('a notice with Undo is accessible, and Undo takes the action back', async ({ app }) => {
  const { page } = app;
  await app.open('/runs/last');
  const name = page.getByRole('textbox', { name: 'Name of the run' });
  await name.fill('Renamed');
  await name.press('Enter');
  const notices = page.getByRole('region', { name: 'Notices' });
  await expect(notices.getByText(`Renamed ${trainedRunName} to Renamed`)).toBeVisible();
  expect(await findBarriers(page)).toEqual([]);
  await notices.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('heading', { level: 1, name: trainedRunName })).toBeVisible();
});
