import { describe, expect, test } from 'vitest';
import {
  choose,
  file,
  goSignedIn,
  makeApp,
  newUser,
  ownBrowser,
  picture,
  several,
  soon,
  url,
  type Visit,
  visit,
  withoutBrowser,
} from './browser.ts';

describe.skipIf(withoutBrowser)('the page', { timeout: 90_000 }, () => {
  const browser = ownBrowser();
  let opened: Visit | undefined;

  const inNewVisit = async (
    work: (visited: Visit) => Promise<void>,
    options: Parameters<typeof visit>[1] = {},
  ): Promise<void> => {
    opened = await visit(browser, options);
    try {
      await work(opened);
    } finally {
      await opened.context.close();
    }
  };

  test('somebody uploads, labels, searches, trains and predicts, and the page asks nobody else', {
    timeout: 180_000,
  }, async () => {
    await inNewVisit(async (visited) => {
      const { page, errors, hosts } = visited;
      await goSignedIn(visited, await newUser('mira'));
      await page.getByRole('button', { name: 'New app' }).first().click();
      await page.getByLabel('Name').fill('Red & blue shapes');
      await page.getByRole('button', { name: 'Make the app' }).click();
      await page.getByRole('heading', { name: 'Red-blue-shapes' }).waitFor();
      await page.getByRole('link', { name: 'Inputs' }).first().click();
      const broken = { ...(await file('circle', 1)), name: 'broken.jpg' };
      broken.buffer = broken.buffer.subarray(0, 300);
      await choose(page, 'Upload', [
        ...(await several('stripes', 0, 7)),
        ...(await several('circle', 0, 7)),
        broken,
      ]);
      await page.getByText('14 uploaded').waitFor({ timeout: 60_000 });
      await page.getByRole('button', { name: 'Show files' }).click();
      await expect.poll(() => page.locator('.dock-why').textContent(), soon).toMatch(/decod/i);
      await page.locator('.dock').getByRole('button', { name: 'Close' }).click();
      await expect.poll(() => page.getByRole('gridcell').count(), soon).toBe(15);
      // What cannot be shown says its name. Both in one look: a list that is read again tries the picture once more.
      const named = page.getByRole('gridcell', { name: /^broken/ });
      const shown = () =>
        named.evaluate((cell) =>
          ['[data-text="broken.jpg"]', 'img'].map((what) => cell.querySelectorAll(what).length),
        );
      await expect.poll(shown, soon).toEqual([1, 0]);
      // The thumbnail came with the session cookie alone.
      await expect
        .poll(
          () =>
            page
              .getByRole('gridcell', { name: /^stripes-3/ })
              .locator('img')
              .evaluate((one: HTMLImageElement) => one.naturalWidth),
          soon,
        )
        .toBeGreaterThan(0);

      for (const paint of ['stripes', 'circle'] as const) {
        for (let seed = 0; seed < 7; seed++)
          await page
            .getByRole('gridcell', { name: new RegExp(`^${paint}-${seed}`) })
            .click({ modifiers: ['ControlOrMeta'] });
        await page.getByLabel('Add a label').fill(paint);
        await page.keyboard.press('Enter');
        await page.getByText(`7 labelled ${paint}`).waitFor();
        await page.getByRole('button', { name: 'Unmark all' }).click();
      }
      await page.getByLabel('Search', { exact: true }).fill('stripes');
      await page.keyboard.press('Enter');
      await page.getByText('7 inputs').waitFor();
      expect(new URL(page.url()).searchParams.getAll('concept')).toEqual(['stripes']);
      await page.getByRole('button', { name: 'Clear' }).click();
      await page.getByText('15 inputs').waitFor();

      await choose(page, 'Search by a picture', [await file('circle', 3)]);
      await expect
        .poll(() => page.getByRole('gridcell').first().getAttribute('aria-label'), soon)
        .toMatch(/^circle-3\.jpg.*score (1|0\.99)/);

      await page.getByRole('link', { name: 'Models' }).first().click();
      await page.getByRole('button', { name: 'Train a model' }).first().click();
      await page.getByLabel('Name').fill('shapes');
      await page.getByRole('button', { name: 'Train', exact: true }).click();
      await page.getByText('Model is trained and ready for deployment').waitFor({ timeout: 60_000 });
      await page.getByRole('tab', { name: 'Try it' }).click();
      await choose(page, 'Choose a picture', [await file('stripes', 9)]);
      await expect.poll(() => page.locator('.bars li').first().textContent(), soon).toMatch(/^stripes[5-9]/);

      await page.getByRole('button', { name: 'Show the calls of this screen as code' }).click();
      const code = page.getByRole('dialog').locator('pre');
      expect(await code.first().textContent()).toContain('/models/shapes/');
      await page.getByRole('tab', { name: 'Python' }).click();
      expect(await code.first().textContent()).toContain('stub.PostModelOutputs(request');
      expect(errors).toEqual([]);
      expect([...hosts]).toEqual([new URL(url()).host]);
    });
  });

  test('a wrong token is refused with a reason and an id, and gives no session', async () => {
    await inNewVisit(async ({ page, context }) => {
      await page.goto(url());
      await page.getByLabel('Access token').fill('0'.repeat(32));
      await page.getByRole('button', { name: 'Sign in' }).click();
      const alert = page.getByRole('alert').filter({ hasText: 'Check the token' });
      expect(await alert.locator('code').textContent()).toMatch(/^[0-9a-f]{32}$/);
      expect(await context.cookies()).toEqual([]);
      expect(await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }))).not.toContain(
        '0000',
      );
    });
  });

  test('signing out ends the session, which no script can read', async () => {
    const user = await newUser('omar');
    await inNewVisit(async (visited) => {
      const { page, context } = visited;
      await page.goto(url());
      await page.getByLabel('Access token').fill(user.pat);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('button', { name: `Menu of ${user.id}` }).click();
      expect((await context.cookies()).map(({ httpOnly, sameSite }) => [httpOnly, sameSite])).toEqual([
        [true, 'Strict'],
      ]);
      expect(
        await page.evaluate(() => document.cookie + JSON.stringify({ ...sessionStorage, ...localStorage })),
      ).not.toContain(user.pat);
      await page.getByRole('menuitem', { name: 'Sign out' }).click();
      await page.getByLabel('Access token').waitFor();
      expect(await context.cookies()).toEqual([]);
      await page.reload();
      await page.getByLabel('Access token').waitFor();
    });
  });

  test('the session cookie alone, without the header of the page, does nothing', async () => {
    const user = await newUser('csrf');
    await inNewVisit(async (visited) => {
      await goSignedIn(visited, user);
      const attempt = (headers: Record<string, string>) =>
        visited.context.request.post(`${url()}/v2/users/${user.id}/apps`, {
          headers,
          data: { apps: [{ id: 'forged' }] },
        });
      expect((await attempt({})).status()).toBe(401);
      expect((await attempt({ 'x-fovea-page': '1' })).status()).toBe(200);
    });
  });

  test('names with markup are text, whoever chose them', async () => {
    const user = await newUser('eve');
    await makeApp(user, 'markup');
    await inNewVisit(async (visited) => {
      const { page, errors } = visited;
      await goSignedIn(visited, user, `/${user.id}/markup/inputs`);
      const nasty = '"><img src=x onerror=document.title=1>.jpg';
      await choose(page, 'Upload', [
        { name: nasty, mimeType: 'image/jpeg', buffer: await picture('circle', 3) },
      ]);
      const cell = page.getByRole('gridcell').first();
      await cell.click({ modifiers: ['ControlOrMeta'] });
      await page.getByLabel('Add a label').fill('<b>bold</b>');
      await page.keyboard.press('Enter');
      await page.locator('.facet-row', { hasText: '<b>bold</b>' }).waitFor();
      await cell.click();
      await page.getByRole('heading', { name: nasty.slice(0, 20) }).waitFor();
      expect(await page.locator('img[src="x"], #root b').count()).toBe(0);
      expect(errors).toEqual([]);
    });
  });

  test('an address that leads nowhere says so', async () => {
    const user = await newUser('ned');
    await inNewVisit(async (visited) => {
      await goSignedIn(visited, user, `/${user.id}/nowhere/inputs`);
      await visited.page.getByRole('alert').filter({ hasText: 'does not exist' }).first().waitFor();
      await visited.page.goto(`${url()}/not/a/screen`);
      await visited.page
        .getByRole('alert')
        .or(visited.page.getByRole('heading', { name: 'Nothing is here' }))
        .first()
        .waitFor();
    });
  });

  test('no other page may frame it, and its scripts are its own', async () => {
    const reply = await fetch(`${url()}/`, { headers: { accept: 'text/html' } });
    const policy = reply.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toContain('unsafe');
    expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
    const html = await reply.text();
    expect(html).not.toMatch(/<style|style=|<script(?![^>]* src=)/);
    const script = await fetch(url() + (/src="([^"]+)"/.exec(html)?.[1] ?? ''));
    expect(script.status).toBe(200);
    expect(script.headers.get('cache-control')).toContain('immutable');
    expect((await fetch(`${url()}/assets/main-AAAAAAAA.js`)).status).toBe(404);
    for (const path of ['/settings/secrets', '/somebody/an-app/models/a-model'])
      expect(await (await fetch(url() + path, { headers: { accept: 'text/html' } })).text()).toBe(html);
    expect((await fetch(`${url()}/nothing.json`)).status).toBe(404);
  });
});
