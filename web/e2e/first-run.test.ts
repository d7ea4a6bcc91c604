import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { choose, file, goSignedIn, newUser, openBrowser, soon, visit, withoutBrowser } from './browser.ts';

describe.skipIf(withoutBrowser)('the first run', { timeout: 240_000 }, () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => browser?.close());

  test('one form gives a full sample app, its figures lead to inputs, and the first steps tick themselves', async () => {
    const visited = await visit(browser);
    try {
      const { page, errors } = visited;
      const user = await newUser('first');
      await goSignedIn(visited, user);
      await page.getByRole('heading', { name: 'Welcome to Fovea' }).waitFor();
      await page.getByRole('button', { name: 'Begin' }).click();
      await page.getByText('First steps: 5 of 6').waitFor({ timeout: 180_000 });

      await page.getByRole('link', { name: 'Models' }).first().click();
      await page.getByRole('link', { name: 'What is it?' }).click();
      await page.getByRole('tab', { name: 'Evaluation' }).click();
      await page.getByRole('heading', { name: 'Confusion' }).waitFor();
      // Every number opens its inputs: thirty were held out, six of each kind.
      const row = page.getByRole('row', { name: /^sun/ }).first();
      const [found, , missed] = await row.locator('td button').allTextContents();
      expect(Number(found) + Number(missed)).toBe(6);
      await row.locator('td button').first().click();
      await expect.poll(() => page.getByRole('dialog').locator('li').count(), soon).toBe(Number(found));
      await page.keyboard.press('Escape');

      await page.getByRole('tab', { name: 'Try it' }).click();
      await choose(page, 'Choose a picture', [await file('circle', 2)]);
      await page.locator('.bars li').first().waitFor();
      await page.getByRole('link', { name: 'Overview' }).click();
      await page.getByText('First steps: 6 of 6').waitFor();
      expect(errors).toEqual([]);
    } finally {
      await visited.context.close();
    }
  });
});
