import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';

/** The desktop window cannot open the second page that axe would gather its findings in, so there it does without. */
export function axe(page: Page): AxeBuilder {
  return new AxeBuilder({ page }).setLegacyMode(page.url().startsWith('lab:'));
}

/** Serious and critical findings of axe, one line each, once no colour is on its way to another theme. */
export async function findBarriers(page: Page): Promise<string[]> {
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)));
  const { violations } = await axe(page).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ target, html }) => `${id}: ${target.join(' ')} ${html}`));
}
