import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

export interface OpenBrowser {
  readonly browser: Browser;
  close(): Promise<void>;
}

export const findBrowser = (): string | undefined =>
  [
    process.env['FOVEA_TEST_CHROMIUM'] ?? '',
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
  ].find((path) => path !== '' && existsSync(path));

/** A headless browser that draws in software and talks to nobody by itself. */
export async function openBrowser(): Promise<OpenBrowser> {
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error('there is no Chromium here');
  const browser = await chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-sync',
    ],
  });
  return { browser, close: () => browser.close() };
}
