import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { ffmpegPath, numberedClip, toneClip } from '../../server/src/testing/clips.ts';
import {
  axe,
  goSignedIn,
  newUser,
  ownBrowser,
  url,
  type Visit,
  visit,
  withAxe,
  withoutBrowser,
} from './browser.ts';
import { type Clips, furnish, type Ground } from './furnish.ts';
import { type Screen, screens } from './screens.ts';

/** `npm run screens` names a folder; the walk then leaves a picture of every screen in every look there. */
const folder = process.env.FOVEA_SCREENS;
const only = process.env.FOVEA_SCREENS_ONLY?.split(',');
const chosen = screens
  .filter(({ name }) => !only || only.some((part) => name.startsWith(part)))
  .filter(({ needsClips }) => !needsClips || ffmpegPath);
const widths = [1440, 390] as const;
const themes = ['light', 'dark'] as const;

describe.skipIf(withoutBrowser)('every screen', { timeout: 600_000 }, () => {
  const browser = ownBrowser();
  let ground: Ground;

  beforeAll(async () => {
    if (folder) mkdirSync(folder, { recursive: true });
    const user = await newUser('screens');
    const visited = await visit(browser);
    await withAxe(visited);
    await goSignedIn(visited, user);
    const { page } = visited;
    await page.locator('.first-run').waitFor();
    await inEveryLook(page, 'first-run', [], undefined);
    await page.locator('.first-run .button.primary').click();
    await page.locator('.checklist').waitFor({ timeout: 240_000 });
    ground = await furnish(user, 'sample', ffmpegPath ? await makeClips() : undefined);
    await visited.context.close();
  }, 300_000);

  /** Judges what is shown, light and dark, wide and narrow, and takes its picture. */
  async function inEveryLook(
    page: Page,
    name: string,
    errors: readonly string[],
    screen: Screen | undefined,
  ): Promise<void> {
    const faults: string[] = [];
    for (const width of widths) {
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
      for (const colorScheme of themes) {
        await page.emulateMedia({ colorScheme });
        await settled(page);
        const look = `${name}, ${width} px, ${colorScheme}`;
        for (const found of await axe(page)) faults.push(`${look}: ${found}`);
        const over = await page.evaluate(overflowing);
        for (const found of over) faults.push(`${look}: wider than the window: ${found}`);
        if (folder) await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`) });
      }
    }
    // A refused answer is said by the browser itself, too; whether it was meant is said by the screen.
    const isMeant = screen?.isSignedOut || screen?.isOfTrouble;
    for (const error of errors)
      if (!isMeant || !/status of 4\d\d|net::ERR_/.test(error)) faults.push(`${name}: ${error}`);
    expect(faults).toEqual([]);
  }

  test.each(chosen.map((screen) => [screen.name, screen] as const))('%s', async (name, screen) => {
    const { language } = screen;
    const viewport = { width: 1440, height: 900 };
    const visited = await visit(browser, { viewport, ...(language ? { language } : {}) });
    try {
      await withAxe(visited);
      const { page, errors } = visited;
      if (screen.isSignedOut) await page.goto(url() + screen.path(ground));
      else await goSignedIn(visited, ground.user, screen.path(ground));
      await open(visited, screen);
      await inEveryLook(page, name, errors, screen);
    } finally {
      await visited.context.close();
    }
  });
});

const makeClips = async (): Promise<Clips> => ({
  video: await numberedClip({ ending: 'mp4', frames: 60 }),
  sound: await toneClip('wav', 4),
});

async function open({ page }: Visit, screen: Screen): Promise<void> {
  if (screen.open) {
    // What is pressed is not there before the screen is.
    await page.locator('main :is(h1, .grid-cell, .empty), .lone form').first().waitFor();
    await screen.open(page);
  }
  await page.locator(screen.ready).first().waitFor();
}

/** Waits until nothing is fetched or moves. */
async function settled(page: Page): Promise<void> {
  await page.evaluate(
    () => new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
  );
  await page.waitForFunction(
    () =>
      document.querySelector('main .waiting') === null &&
      [...document.images].every((image) => image.complete || image.loading === 'lazy'),
  );
}

/** Elements that stick out of the window sideways, unless what they are in scrolls or clips. */
function overflowing(): string[] {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) return [];
  return [...document.querySelectorAll('body *')]
    .filter((element) => element.getBoundingClientRect().right > wide + 1)
    .slice(0, 5)
    .map((element) => element.outerHTML.slice(0, 120));
}
