/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { ledger, type Outcome } from './attack.ts';

const browserPath = [
  process.env['FOVEA_TEST_CHROMIUM'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== '' && existsSync(path));

const noBrowser = 'there is no Chromium here: install one, or name it in FOVEA_TEST_CHROMIUM';

/** Runs `use` in a Chromium of its own; without one nothing is judged. */
export async function withBrowser(use: (browser: Browser) => Promise<Outcome>): Promise<Outcome> {
  if (browserPath === undefined) return ledger().outcome({ notJudged: noBrowser });
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-sync',
    ],
  });
  try {
    return await use(browser);
  } finally {
    await browser.close();
  }
}

export async function signIn(context: BrowserContext, base: string, pat: string): Promise<void> {
  const reply = await context.request.post(`${base}/v2/login`, { data: { password: pat } });
  if (reply.status() !== 200) throw new Error(`signing in answered ${reply.status()}`);
}

/** Waits until the screen stands, or says that it cannot. */
export async function shown(page: Page): Promise<void> {
  await page
    .waitForFunction(
      () =>
        document.querySelector('#root main, #root .lone, body > :not(#root)') &&
        !document.querySelector('main .waiting'),
      undefined,
      { timeout: 3_000 },
    )
    .catch(() => {});
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );
}

/** Called by every payload that runs. */
export const trap = 'zqtrap';

export interface Trapped {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly hits: string[];
}

/** A fresh profile in which everything that a payload could do is noticed. */
export async function trapped(browser: Browser, home: string): Promise<Trapped> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const hits: string[] = [];
  await context.exposeBinding(trap, (_source, which) => void hits.push(`payload ${which} ran`));
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on('dialog', (dialog) => {
    // The browser's own question before a page with something unsent is left.
    if (dialog.type() === 'beforeunload') return void dialog.accept();
    hits.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (asked.protocol.startsWith('http') && asked.host !== home) hits.push(`asked ${asked.host}`);
  });
  page.on('framenavigated', (frame) => {
    if (frame !== page.mainFrame()) hits.push(`a frame opened: ${frame.url().slice(0, 80)}`);
  });
  return { context, page, hits };
}
