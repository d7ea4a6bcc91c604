import type { Page } from 'playwright-core';
import sharp from 'sharp';
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
  type Visit,
  visit,
  withoutBrowser,
} from './browser.ts';

interface Annotations {
  readonly annotations?: readonly {
    readonly id: string;
    readonly input_level?: boolean;
    readonly data?: {
      readonly regions?: readonly {
        readonly region_info?: {
          readonly bounding_box?: Readonly<
            Record<'top_row' | 'left_col' | 'bottom_row' | 'right_col', number>
          >;
          readonly mask?: {
            readonly image?: {
              readonly base64?: string;
              readonly url?: string;
              readonly hosted?: { prefix: string; suffix: string };
            };
          };
        };
        readonly data?: { readonly concepts?: readonly { readonly id: string }[] };
      }[];
    };
  }[];
}

describe.skipIf(withoutBrowser)('labelling', { timeout: 120_000 }, () => {
  const browser = ownBrowser();
  let user: User;
  const app = 'labels';

  beforeAll(async () => {
    user = await newUser('lou');
    await makeApp(user, app);
    await postInputs(user, app, await several('circle', 0, 6));
    await api(user, 'POST', `apps/${app}/concepts`, { concepts: [{ id: 'disc' }, { id: 'ground' }] });
  });

  const openInput = async (id: string, work: (visited: Visit) => Promise<void>): Promise<void> => {
    const visited = await visit(browser);
    try {
      await goSignedIn(visited, user, `/${user.id}/${app}/inputs/${id}`);
      await visited.page.getByRole('toolbar').waitFor();
      await visited.page.getByRole('button', { name: /disc/ }).first().waitFor();
      await work(visited);
    } finally {
      await visited.context.close();
    }
  };
  const saved = (page: Page) =>
    expect.poll(() => page.locator('.save-note').getAttribute('data-state'), soon).toBe('saved');
  const shapes = async (id: string) =>
    (
      (await api<Annotations>(user, 'GET', `apps/${app}/annotations?input_ids=${id}&per_page=500`))
        .annotations ?? []
    ).filter(({ input_level }) => !input_level);

  test('twenty boxes are labelled by keyboard alone, and come back to the pixel', async () => {
    await openInput('circle-0', async ({ page, errors }) => {
      const expected: number[][] = [];
      for (let i = 0; i < 20; i++) {
        await page.keyboard.press('Shift+N');
        await page.keyboard.press(i % 2 === 0 ? '1' : '2');
        for (let step = 0; step < i % 5; step++) await page.keyboard.press('Shift+ArrowRight');
        for (let step = 0; step < i % 4; step++) await page.keyboard.press('ArrowDown');
        for (let step = 0; step < i % 3; step++) await page.keyboard.press('Control+ArrowRight');
        await page.keyboard.press('Escape');
        expected.push([10 * (i % 5), i % 4, i % 3, i % 2]);
      }
      await saved(page);
      const stored = await shapes('circle-0');
      expect(stored).toHaveLength(20);
      // The first box says where they all begin: in the middle, an eighth of the picture to every side.
      const found = stored
        .map(({ data }) => {
          const {
            left_col = 0,
            top_row = 0,
            right_col = 0,
            bottom_row = 0,
          } = data?.regions?.[0]?.region_info?.bounding_box ?? {};
          const [left, top, right, bottom] = [left_col, top_row, right_col, bottom_row].map(
            (edge) => edge * 300,
          ) as [number, number, number, number];
          for (const edge of [left, top, right, bottom])
            expect(Math.abs(edge - Math.round(edge))).toBeLessThan(1e-3);
          const isGround = data?.regions?.[0]?.data?.concepts?.[0]?.id === 'ground';
          return [
            Math.round(left) - 112,
            Math.round(top) - 112,
            Math.round(right - left) - 76,
            isGround ? 1 : 0,
          ];
        })
        .toSorted();
      expect(found).toEqual(expected.toSorted());
      expect(errors).toEqual([]);
    });
  });

  test('a brushed mask is drawn, undone, redone, and the same after a reload', async () => {
    await openInput('circle-1', async ({ page }) => {
      await page.keyboard.press('b');
      const canvas = await page.locator('.canvas').boundingBox();
      if (!canvas) throw new Error('there is a canvas');
      const middle = { x: canvas.x + canvas.width / 2, y: canvas.y + canvas.height / 2 };
      const stroke = async (dx: number, dy: number) => {
        await page.mouse.move(middle.x, middle.y);
        await page.mouse.down();
        await page.mouse.move(middle.x + dx, middle.y + dy, { steps: 6 });
        await page.mouse.up();
      };
      const list = page.locator('.object-list li');
      await stroke(80, 0);
      await expect.poll(() => list.count(), soon).toBe(1);
      await stroke(0, 80);
      await saved(page);
      const both = await maskOf((await shapes('circle-1'))[0]);
      await page.keyboard.press('Control+z');
      await saved(page);
      const one = await maskOf((await shapes('circle-1'))[0]);
      expect(one.on).toBeLessThan(both.on);
      await page.keyboard.press('Control+z');
      await expect.poll(() => list.count(), soon).toBe(0);
      await saved(page);
      expect(await shapes('circle-1')).toHaveLength(0);
      await page.keyboard.press('Control+Shift+z');
      await page.keyboard.press('Control+Shift+z');
      await saved(page);
      expect(await maskOf((await shapes('circle-1'))[0])).toEqual(both);
      await page.reload();
      await expect.poll(() => list.count(), soon).toBe(1);
      // What is read back is what is written again: nothing drifts.
      await page.keyboard.press('Control+a');
      await page.keyboard.press('l');
      await saved(page);
      expect(await maskOf((await shapes('circle-1'))[0])).toEqual(both);
    });
  });

  async function maskOf(annotation: NonNullable<Annotations['annotations']>[number] | undefined) {
    const image = annotation?.data?.regions?.[0]?.region_info?.mask?.image;
    const at = image?.url ?? (image?.hosted ? `${image.hosted.prefix}/orig/${image.hosted.suffix}` : '');
    const bytes = image?.base64
      ? Buffer.from(image.base64, 'base64')
      : Buffer.from(await (await fetch(at, { headers: { authorization: `Key ${user.pat}` } })).arrayBuffer());
    const { data, info } = await sharp(bytes).greyscale().raw().toBuffer({ resolveWithObject: true });
    const on = data.reduce((sum, level) => sum + (level > 127 ? 1 : 0), 0);
    return { width: info.width, height: info.height, on };
  }

  test('a polygon takes back its corners one by one while it is drawn', async () => {
    await openInput('circle-2', async ({ page }) => {
      await page.keyboard.press('p');
      const canvas = await page.locator('.canvas').boundingBox();
      if (!canvas) throw new Error('there is a canvas');
      for (const [x, y] of [
        [300, 200],
        [420, 200],
        [420, 320],
        [50, 50],
      ] as const)
        await page.mouse.click(canvas.x + x, canvas.y + y);
      await page.keyboard.press('Control+z');
      await page.keyboard.press('Enter');
      await saved(page);
      const polygon = (await shapes('circle-2'))[0]?.data?.regions?.[0]?.region_info as {
        polygon?: { points?: unknown[] };
      };
      expect(polygon.polygon?.points).toHaveLength(3);
    });
  });

  test('what is drawn while the server is away is saved when it is back, and a reload meanwhile loses nothing', async () => {
    await openInput('circle-3', async ({ page, context }) => {
      // Only the API is away: the page itself is there, as in a browser that keeps it.
      const isApi = /\/v2\/(?!login)|\/healthz/;
      await context.route(isApi, (route) => route.abort());
      await page.keyboard.press('Shift+N');
      await page.getByText('The server does not answer').waitFor();
      await expect.poll(() => page.locator('.save-note').getAttribute('data-state'), soon).toBe('waiting');
      expect(await shapes('circle-3')).toHaveLength(0);
      await context.unroute(isApi);
      await saved(page);
      expect(await shapes('circle-3')).toHaveLength(1);
      await expect.poll(() => page.getByText('The server does not answer').isVisible(), soon).toBe(false);

      const writes = /\/annotations(\?|$)/;
      await context.route(writes, (route) =>
        route.request().method() === 'GET' ? route.continue() : route.abort(),
      );
      await page.keyboard.press('Shift+N');
      await expect.poll(() => page.locator('.save-note').getAttribute('data-state'), soon).toBe('waiting');
      page.once('dialog', (dialog) => void dialog.accept());
      await page.reload();
      await context.unroute(writes);
      await page.getByText('What was not saved the last time is back.').waitFor();
      await saved(page);
      expect(await shapes('circle-3')).toHaveLength(2);
    });
  });

  test('an input that is left while the server is away is saved when it is back, and the next one opens by itself', async () => {
    await openInput('circle-2', async ({ page, context }) => {
      const before = (await shapes('circle-2')).length;
      const next = page.getByRole('button', { name: 'Next', exact: true });
      await expect.poll(() => next.isEnabled(), soon).toBe(true);
      const isApi = /\/v2\/(?!login)|\/healthz/;
      await context.route(isApi, (route) => route.abort());
      await page.keyboard.press('Shift+N');
      await expect.poll(() => page.locator('.save-note').getAttribute('data-state'), soon).toBe('waiting');
      await next.click();
      await page.locator('main').getByRole('alert').getByText('The server cannot be reached').waitFor();
      expect(await shapes('circle-2')).toHaveLength(before);
      await context.unroute(isApi);
      await page.getByRole('toolbar').waitFor();
      expect(new URL(page.url()).pathname).toMatch(/\/inputs\/circle-[13]$/);
      await expect.poll(async () => (await shapes('circle-2')).length, soon).toBe(before + 1);

      // What is not in its list, the medium and its labels, is read again too.
      const labels = /\/annotations(\?|$)/;
      await context.route(labels, (route) => route.abort());
      await page.goto(page.url().replace(/[^/]+$/, 'circle-2'));
      const alert = page.locator('main').getByRole('alert');
      await alert.getByText('The server cannot be reached').waitFor();
      await context.unroute(labels);
      await alert.getByRole('button', { name: 'Try again' }).click();
      await page.getByRole('toolbar').waitFor();
      await expect.poll(() => page.locator('.object-list li').count(), soon).toBe(before + 1);
    });
  });

  test('what others do meanwhile takes no way back away, and no shape', async () => {
    await openInput('circle-5', async ({ page }) => {
      const rows = page.locator('.object-list li');
      await page.keyboard.press('Shift+N');
      await saved(page);
      await page.keyboard.press('Control+ArrowRight');
      await saved(page);

      // The app is read again when somebody comes back to the window: its concepts are others now.
      await api(user, 'POST', `apps/${app}/concepts`, { concepts: [{ id: 'newcomer' }] });
      await page.getByRole('button', { name: /disc/ }).first().waitFor();
      await expect
        .poll(async () => {
          await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })));
          return page.getByRole('button', { name: /newcomer/ }).count();
        }, soon)
        .toBeGreaterThan(0);
      await page.keyboard.press('Control+z');
      await page.keyboard.press('Control+z');
      await expect.poll(() => rows.count(), soon).toBe(0);
      await page.keyboard.press('Control+Shift+z');
      await expect.poll(() => rows.count(), soon).toBe(1);
      await saved(page);

      const [{ id } = { id: '' }] = await shapes('circle-5');
      await api(user, 'DELETE', `apps/${app}/annotations`, { ids: [id], input_ids: ['circle-5'] });
      expect(await shapes('circle-5')).toHaveLength(0);
      await rows.first().getByRole('button').first().click();
      await page.keyboard.press('Control+ArrowRight');
      await saved(page);
      expect(await shapes('circle-5')).toHaveLength(1);
      await api(user, 'DELETE', `apps/${app}/annotations`, { ids: [id], input_ids: ['circle-5'] });
      await rows.first().getByRole('button').first().click();
      await page.keyboard.press('Delete');
      await saved(page);
      expect(await shapes('circle-5')).toHaveLength(0);
    });
  });

  test('focus stays in the list when a shape is deleted from it', async () => {
    await openInput('circle-4', async ({ page }) => {
      await page.keyboard.press('Shift+N');
      await page.keyboard.press('Shift+N');
      const rows = page.locator('.object-list li');
      await expect.poll(() => rows.count(), soon).toBe(2);
      await rows.first().getByRole('button').first().focus();
      await page.keyboard.press('Delete');
      await expect.poll(() => rows.count(), soon).toBe(1);
      expect(await page.evaluate(() => document.activeElement?.closest('.object-list') !== null)).toBe(true);
    });
  });

  test('an input that the server is still reading opens by itself when that is done', async () => {
    const visited = await visit(browser);
    const { page, context, errors } = visited;
    try {
      // What the server answers in the moment between an upload and its reading.
      let isRead = false;
      await context.route('**/v2/**/inputs/circle-0', async (route) => {
        const reply = await route.fetch();
        const body = (await reply.json()) as { input?: object };
        if (isRead || !body.input) return route.fulfill({ response: reply });
        const input = { ...body.input, data: { image: {} }, status: { code: 30001 } };
        return route.fulfill({ response: reply, json: { ...body, input } });
      });
      await goSignedIn(visited, user, `/${user.id}/${app}/inputs/circle-0`);
      await page.getByText('still reading').waitFor();
      isRead = true;
      await page.getByRole('toolbar').waitFor();
      await page.getByRole('heading', { name: 'circle-0.jpg' }).waitFor();
      expect(errors).toEqual([]);
    } finally {
      await context.close();
    }
  });
});
