import { beforeAll, describe, expect, test } from 'vitest';
import {
  api,
  makeApp,
  newUser,
  ownBrowser,
  postInputs,
  several,
  soon,
  type User,
  visitSignedIn,
  withoutBrowser,
} from './browser.ts';

describe.skipIf(withoutBrowser)('the gallery', { timeout: 120_000 }, () => {
  const browser = ownBrowser();
  let user: User;
  const app = 'shelf';

  beforeAll(async () => {
    user = await newUser('greta');
    await makeApp(user, app);
    await postInputs(user, app, await several('circle', 0, 4));
    const round = { concepts: [{ id: 'round', value: 1 }] };
    await api(user, 'PATCH', `apps/${app}/inputs`, {
      action: 'merge',
      inputs: [0, 1].map((n) => ({ id: `circle-${n}`, data: round })),
    });
    const concepts = [
      { id: 'red', value: 1 },
      { id: 'square', value: 0 },
    ];
    await api(user, 'POST', `apps/${app}/annotations`, {
      annotations: [{ input_id: 'circle-1', data: { concepts } }],
    });
  });

  test('tiles show what their pictures are labelled with, by whatever call, and are marked by click and key', () =>
    visitSignedIn(browser, user, `/${user.id}/${app}/inputs`, async ({ page }) => {
      const tile = (n: number) => page.locator(`.grid-cell[data-id="circle-${n}"]`);
      const labels = (n: number) => tile(n).locator('.grid-labels .chip').allTextContents();
      await expect.poll(() => labels(1), soon).toEqual(['round', 'red']);
      expect(await labels(0)).toEqual(['round']);

      const marked = () =>
        page
          .locator('.grid-cell.selected')
          .evaluateAll((tiles) => tiles.map((one) => (one as HTMLElement).dataset['id']).sort());
      await tile(3).hover();
      await tile(3).locator('.grid-mark').click();
      await expect.poll(marked, soon).toEqual(['circle-3']);
      await tile(1).click({ modifiers: ['Shift'] });
      await expect.poll(marked, soon).toEqual(['circle-1', 'circle-2', 'circle-3']);
      await tile(2).click({ modifiers: ['Control'] });
      await expect.poll(marked, soon).toEqual(['circle-1', 'circle-3']);
      // The keys go on from the tile that was pressed last.
      await page.keyboard.press('x');
      await expect.poll(marked, soon).toEqual(['circle-1', 'circle-2', 'circle-3']);
      await tile(0).click();
      await page.waitForURL(`**/${app}/inputs/circle-0`);
    }));
});
