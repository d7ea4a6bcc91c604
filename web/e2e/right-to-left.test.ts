import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  api,
  goSignedIn,
  makeApp,
  newUser,
  ownBrowser,
  postInputs,
  several,
  soon,
  type User,
  visit,
  withoutBrowser,
} from './browser.ts';

const app = 'yameen';

describe.skipIf(withoutBrowser)('the page from right to left', { timeout: 240_000 }, () => {
  const browser = ownBrowser();
  let user: User;

  beforeAll(async () => {
    user = await newUser('amal');
    await makeApp(user, app);
    await postInputs(user, app, await several('circle', 0, 6));
    await api(user, 'POST', `apps/${app}/concepts`, { concepts: [{ id: 'disc' }, { id: 'ground' }] });
    await api(user, 'POST', `apps/${app}/workflows`, {
      workflows: [
        {
          id: 'look',
          nodes: [{ id: 'n', model: { id: 'general-image-embedding', user_id: 'clarifai', app_id: 'main' } }],
        },
      ],
    });
    await api(user, 'POST', `apps/${app}/datasets`, { datasets: [{ id: 'some' }] });
  });

  const inArabic = async (path: string, work: (page: Page, errors: string[]) => Promise<void>) => {
    const visited = await visit(browser, { language: 'ar' });
    try {
      await goSignedIn(visited, user, path);
      await visited.page.locator('h1, .grid-cell').first().waitFor();
      await work(visited.page, visited.errors);
    } finally {
      await visited.context.close();
    }
  };
  const left = async (page: Page, selector: string): Promise<number> =>
    (await page.locator(selector).first().boundingBox())?.x ?? Number.NaN;

  test('every screen reads from the right, in Arabic, and stays as wide as the window', async () => {
    const at = `/${user.id}/${app}`;
    const paths = [
      '/',
      '/settings/secrets',
      ...[
        '',
        '/inputs',
        '/inputs/circle-1',
        '/datasets',
        '/datasets/some',
        '/models',
        '/workflows',
        '/workflows/look',
        '/jobs',
        '/settings',
      ].map((rest) => at + rest),
    ];
    for (const path of paths)
      await inArabic(path, async (page, errors) => {
        expect(
          await page.evaluate(() => [document.documentElement.dir, document.documentElement.lang]),
        ).toEqual(['rtl', 'ar']);
        for (const width of [1280, 390]) {
          await page.setViewportSize({ width, height: 800 });
          expect(
            await page.evaluate(
              () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
            ),
            `${path} at ${width} px`,
          ).toBe(0);
        }
        // Words of the page are Arabic; what people named themselves is as they wrote it.
        const latin = await page.evaluate(() =>
          [...document.querySelectorAll('nav a, button, th, label, h2')]
            .filter((element) => element.closest('[aria-hidden=true]') === null)
            .map((element) => (element as HTMLElement).innerText.trim())
            .filter((text) => /^[A-Za-z]{3,} [a-z]{2,}/.test(text)),
        );
        expect(latin, path).toEqual([]);
        expect(errors, path).toEqual([]);
      });
  });

  test('the sidebar, the search and the tools stand at the right; pictures, graphs and code are not mirrored', async () => {
    await inArabic(`/${user.id}/${app}/inputs`, async (page) => {
      expect(await left(page, '.sidebar')).toBeGreaterThan(1280 / 2);
      expect(await left(page, '.brand')).toBeGreaterThan(1280 / 2);
      // The first picture stands where reading begins.
      const [first = 0, second = 0] = await Promise.all(
        [0, 1].map(async (at) => left(page, `[data-index="${at}"]`)),
      );
      expect(first).toBeGreaterThan(second);
    });
    await inArabic(`/${user.id}/${app}/inputs/circle-1`, async (page) => {
      await page.locator('.canvas canvas').first().waitFor();
      expect(await left(page, '.toolbar')).toBeGreaterThan(await left(page, '.labeller-side'));
      expect(await page.locator('.canvas').evaluate((element) => getComputedStyle(element).direction)).toBe(
        'ltr',
      );
      // Back points to where reading came from.
      expect(
        await page.locator('.labeller-header a .icon').evaluate((icon) => getComputedStyle(icon).scale),
      ).toBe('-1 1');
      expect(
        await page
          .locator('.button .icon')
          .first()
          .evaluate((icon) => getComputedStyle(icon).transform),
      ).toBe('none');
    });
    await inArabic(`/${user.id}/${app}/workflows/look`, async (page) => {
      await page.locator('.react-flow__node').first().waitFor();
      expect(
        await page.locator('.react-flow').evaluate((element) => getComputedStyle(element).direction),
      ).toBe('ltr');
      await page.locator('.top-bar .button:has(path[d^="M8 7l-5 5"])').click();
      expect(
        await page
          .getByRole('dialog')
          .locator('pre')
          .first()
          .evaluate((element) => getComputedStyle(element).direction),
      ).toBe('ltr');
    });
  });

  test('in the gallery the left arrow goes on and the right arrow goes back', async () => {
    await inArabic(`/${user.id}/${app}/inputs`, async (page) => {
      const at = () => page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset['index']);
      await page.locator('[data-index="0"]').focus();
      await page.keyboard.press('ArrowLeft');
      await expect.poll(at, soon).toBe('1');
      await page.keyboard.press('ArrowLeft');
      await expect.poll(at, soon).toBe('2');
      await page.keyboard.press('ArrowRight');
      await expect.poll(at, soon).toBe('1');
    });
  });

  test('a box moves to where the arrow points', async () => {
    await inArabic(`/${user.id}/${app}/inputs/circle-2`, async (page) => {
      await page.getByRole('button', { name: /disc/ }).first().waitFor();
      await page.keyboard.press('Shift+N');
      const words = () => page.locator('.object-list button').first().getAttribute('aria-label');
      const numbers = async () => ((await words()) ?? '').match(/\d+/g)?.map(Number) ?? [];
      const [before = 0] = await numbers();
      await page.keyboard.press('ArrowRight');
      await expect.poll(async () => (await numbers())[0], soon).toBe(before + 1);
      await page.keyboard.press('ArrowLeft');
      await expect.poll(async () => (await numbers())[0], soon).toBe(before);
    });
  });

  test('the language is chosen in the menu, and kept', async () => {
    const visited = await visit(browser);
    try {
      await goSignedIn(visited, user);
      const { page } = visited;
      await page.getByRole('button', { name: `Menu of ${user.id}` }).click();
      await page.getByRole('menuitemradio', { name: '日本語' }).click();
      await page.getByRole('heading', { name: 'アプリ' }).waitFor();
      await page.reload();
      await page.getByRole('heading', { name: 'アプリ' }).waitFor();
      expect(await page.evaluate(() => document.documentElement.lang)).toBe('ja');
      // The menu says which language and which look are in use.
      await page.locator('.top-bar .button:has(.initial)').click();
      await page.getByRole('menuitemradio', { name: '日本語', checked: true }).waitFor();
      expect(await page.getByRole('menuitemradio', { checked: true }).count()).toBe(2);
      await page.getByRole('menuitemradio', { name: 'ダーク' }).click();
      expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
      await page.locator('.top-bar .button:has(.initial)').click();
      await page.getByRole('menuitemradio', { name: 'ダーク', checked: true }).waitFor();
    } finally {
      await visited.context.close();
    }
  });
});
