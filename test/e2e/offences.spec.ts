// The watch of every other spec, proved: each thing that a page may not do is found.
import { expect, test, type LabServer } from './app.ts';
import { watchOffences } from './offences.ts';

const originOf = (lab: LabServer): string => new URL(lab.url).origin;

test('every offence of a page is found', { tag: '@browser' }, async ({ context, page, lab }) => {
  const offences = await watchOffences(context, originOf(lab));
  const found = (): string => offences.list(false).join('\n');
  await page.goto(lab.url);
  await expect(page.getByRole('navigation', { name: 'Views' })).toBeVisible();
  expect(offences.list(false)).toEqual([]);

  await page.evaluate("console.error('an error in words')");
  await page.evaluate("console.warn('a warning in words')");
  await page.evaluate(() => void setTimeout(() => void Promise.reject(new Error('thrown and not caught'))));
  await page.evaluate(() => {
    const frame = document.createElement('img');
    frame.src = 'https://elsewhere.invalid/picture.png';
    document.body.append(frame);
  });
  await page.evaluate("new WebSocket('ws://127.0.0.1:9/') !== null").catch(() => undefined);
  for (const words of [
    'an error in words',
    'a warning in words',
    'thrown and not caught',
    'broken: img-src blocked',
    'broken: connect-src',
  ]) {
    await expect.poll(found).toContain(words);
  }
});

test('requests that leave the lab are found where no policy stops them', { tag: '@browser' }, async ({ context, page, lab }) => {
  const offences = await watchOffences(context, originOf(lab));
  await context.route('https://elsewhere.invalid/**', (route) => route.fulfill({ body: 'a page without a policy' }));
  await page.goto('https://elsewhere.invalid/');
  await page.evaluate("new WebSocket('wss://elsewhere.invalid/socket') !== null");
  await expect.poll(() => offences.list(false)).toContain('request to https://elsewhere.invalid/');
  await expect.poll(() => offences.list(false)).toContain('socket to wss://elsewhere.invalid/socket');
});

test('requests without an answer are forgiven only to tests that end the lab', { tag: '@browser' }, async ({ context, page, lab }) => {
  const offences = await watchOffences(context, originOf(lab));
  await page.goto(lab.url);
  await expect(page.getByRole('navigation', { name: 'Views' })).toBeVisible();
  await lab.kill('SIGTERM');
  await page.evaluate(() => fetch('/api/session').catch(() => undefined));
  await expect.poll(() => offences.list(false).length).toBeGreaterThan(0);
  expect(lab.wasAway).toBe(true);
  expect(offences.list(true)).toEqual([]);
});

test('a page whose parts nobody answers says so in words', { tag: '@browser' }, async ({ page, lab }) => {
  await page.route('**/assets/start-*.js', (route) => route.abort());
  await page.goto(lab.url);
  await expect(page.getByText('The page of Transfer Lab could not be loaded')).toBeVisible();
  await page.unroute('**/assets/start-*.js');
  await page.reload();
  await expect(page.getByRole('navigation', { name: 'Views' })).toBeVisible();
});
