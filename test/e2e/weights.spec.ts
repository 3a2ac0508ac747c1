// The weights manager as a person meets it: what comes with the lab, a file of Keras that fits and one that does not, and weights that
// leave the lab again for Keras.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeMobileNetFile, smallAlpha, smallHead } from '../kerasFile.ts';
import { expect, test } from './app.ts';
import { findBarriers } from './barriers.ts';

test('a file of Keras is imported, reported, refused where it does not fit, and removed', { tag: '@browser' }, async ({ app }) => {
  const { page, open } = app;
  const folder = mkdtempSync(join(tmpdir(), 'lab-weights-'));
  try {
    const path = join(folder, 'small-mobilenet.h5');
    writeFileSync(path, await makeMobileNetFile());
    await open('/');
    await page.keyboard.press('g');
    await page.keyboard.press('w');
    const table = page.getByRole('table', { name: 'Weights' });
    await expect(table.getByRole('row', { name: /efficientnet-lite0-imagenet/ })).toContainText('bundled');
    await expect(page.getByRole('button', { name: /^Remove/ })).toHaveCount(0);
    await page.getByRole('button', { name: 'Import weights for VGG19' }).click();
    const dialog = page.getByRole('dialog', { name: 'Import weights' });
    await expect(dialog.getByLabel('Id')).toHaveValue('vgg19-imagenet');
    await expect(dialog.getByRole('button', { name: 'Import' })).toBeDisabled();
    await dialog.getByLabel('File to send').setInputFiles(path);
    await expect(dialog.getByRole('status')).toContainText('small-mobilenet.h5');
    await expect(dialog.getByLabel('Id')).toHaveValue('small-mobilenet');
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(page.getByRole('alert')).toContainText('small-mobilenet was not imported.');
    await expect(page.getByRole('alert')).toContainText('conv1');
    await page.getByRole('button', { name: 'Change and try again' }).click();
    await dialog.getByRole('spinbutton', { name: 'Alpha' }).fill(String(smallAlpha));
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(page.getByRole('status').getByRole('heading')).toHaveText(/^Imported small-mobilenet: every layer/);
    await expect(page.getByRole('region', { name: 'Import' })).toContainText(smallHead);
    const row = table.getByRole('row', { name: /small-mobilenet/ });
    await expect(row).toContainText('not verified');
    await page.reload();
    await row.getByRole('button', { name: 'Remove small-mobilenet' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await expect(row).toHaveCount(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.describe('of a trained run', () => {
  test.use({ workspace: 'trained' });

  test('the weights of a phase are downloaded for Keras', { tag: '@browser' }, async ({ app: { page, open } }) => {
    await open('/runs/last');
    await page
      .getByRole('button', { name: /^Export weights of/ })
      .first()
      .click();
    const waiting = page.waitForEvent('download');
    await page.getByRole('menuitem', { name: 'Keras weights (.h5)' }).click();
    const download = await waiting;
    expect(download.suggestedFilename()).toMatch(/-phase-1\.h5$/);
    expect(
      readFileSync(await download.path())
        .subarray(1, 4)
        .toString('latin1'),
    ).toBe('HDF');
  });
});

for (const theme of ['dark', 'light']) {
  test(`nothing stands in anybody's way, ${theme}`, async ({ app: { page, open } }) => {
    await page.evaluate((chosen) => localStorage.setItem('transfer-lab:theme', JSON.stringify(chosen)), theme);
    await open('/weights');
    await expect(page.getByRole('row', { name: /efficientnet-lite0-imagenet/ }).first()).toBeVisible();
    expect(await findBarriers(page)).toEqual([]);
    await page.getByRole('button', { name: 'Import weights for MobileNet v1' }).click();
    await expect(page.getByRole('dialog', { name: 'Import weights' })).toBeVisible();
    expect(await findBarriers(page)).toEqual([]);
  });
}
