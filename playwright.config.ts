import { defineConfig } from '@playwright/test';
import { desktopSurroundings, findDesktop } from './scripts/setup/findElectron.ts';

// One suite, two ways to run it: `browser` drives browser mode in a Chromium of this machine, `electron` the desktop window. The fixture in
// test/e2e/app.ts hides the difference; the tag @browser marks what only browser mode has, @desktop what only the window has. Where no
// window can open, one test of the project `electron` says why it was skipped, for all of them.
const canOpenWindow = 'program' in findDesktop(desktopSurroundings(import.meta.dirname));

export default defineConfig({
  testDir: 'test/e2e',
  testMatch: '*.spec.ts',
  globalSetup: './test/e2e/globalSetup.ts',
  outputDir: 'test-results/e2e',
  fullyParallel: true,
  forbidOnly: true,
  workers: 2,
  retries: 0,
  timeout: 120_000,
  expect: { timeout: 15_000 },
  reporter: [['list'], ['json', { outputFile: 'test-results/e2e.json' }]],
  use: {
    viewport: { width: 1280, height: 800 },
    contextOptions: { reducedMotion: 'reduce' },
    locale: 'en-GB',
    launchOptions: { executablePath: process.env['LAB_CHROMIUM'] ?? '/usr/bin/chromium' },
    screenshot: 'only-on-failure',
  },
  projects: [
    { name: 'browser', use: { browserName: 'chromium' }, grepInvert: /@desktop/ },
    { name: 'electron', use: { browserName: 'chromium' }, ...(canOpenWindow ? { grepInvert: /@browser/ } : { grep: /@canOpen/ }) },
  ],
});
