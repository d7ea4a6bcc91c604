import { beforeAll, describe, expect, test } from 'vitest';
import {
  api,
  goSignedIn,
  makeApp,
  newUser,
  ownBrowser,
  picture,
  postMedia,
  soon,
  type User,
  visit,
  withoutBrowser,
} from './browser.ts';

describe.skipIf(withoutBrowser)('the gallery', { timeout: 120_000 }, () => {
  const browser = ownBrowser();
  let user: User;
  const app = 'shelf';

  beforeAll(async () => {
    user = await newUser('greta');
    await makeApp(user, app);
    const inputs = await Promise.all(
      ['one', 'two', 'three', 'four'].map(async (id, seed) => ({
        id,
        data: {
          image: { base64: (await picture('circle', seed)).toString('base64') },
          concepts: [{ id: 'round', value: 1 }],
        },
      })),
    );
    await postMedia(user, app, inputs);
    await api(user, 'POST', `apps/${app}/annotations`, {
      annotations: [
        {
          input_id: 'two',
          data: {
            concepts: [
              { id: 'red', value: 1 },
              { id: 'square', value: 0 },
            ],
          },
        },
      ],
    });
  });

  test('tiles show what their pictures are labelled with, by whatever call, and are marked by click and key', async () => {
    const visited = await visit(browser);
    const { page } = visited;
    try {
      await goSignedIn(visited, user, `/${user.id}/${app}/inputs`);
      const tile = (id: string) => page.locator(`.grid-cell[data-id="${id}"]`);
      const labels = (id: string) => tile(id).locator('.grid-labels .chip').allTextContents();
      await expect.poll(() => labels('two'), soon).toEqual(['round', 'red']);
      expect(await labels('one')).toEqual(['round']);

      const marked = () =>
        page
          .locator('.grid-cell.selected')
          .evaluateAll((tiles) => tiles.map((one) => (one as HTMLElement).dataset['id']).sort());
      await tile('four').hover();
      await tile('four').locator('.grid-mark').click();
      await expect.poll(marked, soon).toEqual(['four']);
      await tile('two').click({ modifiers: ['Shift'] });
      await expect.poll(marked, soon).toEqual(['four', 'three', 'two']);
      await tile('three').click({ modifiers: ['Control'] });
      await expect.poll(marked, soon).toEqual(['four', 'two']);
      // The keys go on from the tile that was pressed last.
      await page.keyboard.press('x');
      await expect.poll(marked, soon).toEqual(['four', 'three', 'two']);
      await tile('one').click();
      await page.waitForURL(`**/${app}/inputs/one`);
      expect(visited.errors).toEqual([]);
    } finally {
      await visited.context.close();
    }
  });
});
