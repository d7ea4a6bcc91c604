import { beforeAll, describe, expect, test } from 'vitest';
import {
  api,
  axe,
  choose,
  file,
  goSignedIn,
  makeApp,
  newUser,
  ownBrowser,
  picture,
  postMedia,
  soon,
  type User,
  type Visit,
  visit,
  withAxe,
  withoutBrowser,
} from './browser.ts';

const places = {
  lisbon: [38.72, -9.14],
  porto: [41.15, -8.61],
  berlin: [52.52, 13.4],
  suva: [-18.14, 178.44],
} as const;

describe.skipIf(withoutBrowser)('searching', { timeout: 120_000 }, () => {
  const browser = ownBrowser();
  let user: User;
  const app = 'seek';

  beforeAll(async () => {
    user = await newUser('finn');
    await makeApp(user, app);
    const inputs = await Promise.all(
      Object.entries(places).map(async ([id, [latitude, longitude]], seed) => ({
        id,
        data: {
          image: { base64: (await picture(seed < 2 ? 'stripes' : 'circle', seed)).toString('base64') },
          geo: { geo_point: { latitude, longitude } },
          concepts: [{ id: seed < 2 ? 'coast' : 'inland', value: 1 }],
        },
      })),
    );
    await postMedia(user, app, inputs);
  });

  const open = async (
    work: (visited: Visit) => Promise<void>,
    query = '',
    options: Parameters<typeof visit>[1] = {},
  ) => {
    const visited = await visit(browser, options);
    try {
      await withAxe(visited);
      await goSignedIn(visited, user, `/${user.id}/${app}/inputs${query}`);
      await work(visited);
      expect(visited.errors).toEqual([]);
    } finally {
      await visited.context.close();
    }
  };
  const ids = async ({ page }: Visit) =>
    (
      await page
        .getByRole('gridcell')
        .evaluateAll((cells) => cells.map((one) => one.getAttribute('aria-label') ?? ''))
    )
      .map((label) => label.split(/[ ,.]/)[0])
      .toSorted();

  test('a circle on the map narrows to what lies in it, by pointer and by numbers', async () => {
    await open(async (visited) => {
      const { page } = visited;
      await page.getByRole('button', { name: 'Map' }).click();
      await page.getByText('4 of 4 with a place are inside').waitFor();
      expect(await axe(page)).toEqual([]);
      const map = page.getByRole('img', { name: /Map of the world/ });
      await page.locator('.map-point').nth(3).waitFor();
      const at = async (name: string) => {
        const box = await map.locator('circle', { hasText: name }).boundingBox();
        if (!box) throw new Error(`${name} is on the map`);
        return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
      };
      // Around Portugal: from Lisbon, past Porto, short of Berlin.
      const [lisbon, porto] = [await at('lisbon'), await at('porto')];
      const reach = 2 * Math.hypot(porto.x - lisbon.x, porto.y - lisbon.y) + 4;
      await page.mouse.move(lisbon.x, lisbon.y);
      await page.mouse.down();
      await page.mouse.move(lisbon.x - reach, lisbon.y, { steps: 3 });
      await page.mouse.up();
      await page.getByText('2 of 4 with a place are inside').waitFor();
      await page.getByRole('button', { name: 'Search in this circle' }).click();
      await page.getByText('2 inputs').waitFor();
      await expect.poll(() => ids(visited), soon).toEqual(['lisbon', 'porto']);
      expect(new URL(page.url()).searchParams.get('near')).toMatch(/^3\d\.\d+,-\d+\.\d+,\d+/);

      await page.getByRole('button', { name: 'Map' }).click();
      await page.getByLabel('Latitude').fill('-18');
      await page.getByLabel('Longitude').fill('-179');
      await page.getByLabel('Radius in km').fill('400');
      await page.getByText('1 of 4 with a place is inside').waitFor();
      await page.getByRole('button', { name: 'Search in this circle' }).click();
      await page.getByText('1 input', { exact: true }).waitFor();
      await expect.poll(() => ids(visited), soon).toEqual(['suva']);
    });
  });

  test('a search is kept, renamed, run from elsewhere, and deleted', async () => {
    await open(async (visited) => {
      const { page } = visited;
      await page.getByText('2 inputs').waitFor();
      await page.getByRole('button', { name: 'Saved searches' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Name').fill('<i>By the sea</i>');
      await dialog.getByRole('button', { name: 'Keep this search' }).click();
      await dialog.getByRole('button', { name: /^<i>By the sea/ }).waitFor();
      expect(await axe(page)).toEqual([]);
      await dialog.getByRole('button', { name: /^Rename/ }).click();
      await dialog.locator('li').getByLabel('Name').fill('By the sea');
      await page.keyboard.press('Enter');
      await dialog.getByRole('button', { name: 'By the sea', exact: true }).waitFor();
      const { searches = [] } = await api<{ searches?: { name: string }[] }>(
        user,
        'GET',
        `apps/${app}/searches`,
      );
      expect(searches.map(({ name }) => name)).toEqual(['By the sea']);

      await page.goto(page.url().replace(/\?.*/, ''));
      await page.getByText('4 inputs').waitFor();
      await page.getByRole('button', { name: 'Saved searches' }).click();
      await page.getByRole('button', { name: 'By the sea', exact: true }).click();
      await page.getByText('2 inputs').waitFor();
      expect(new URL(page.url()).searchParams.getAll('concept')).toEqual(['coast']);
      await page.getByRole('button', { name: 'Saved searches' }).click();
      await page.getByRole('button', { name: 'Delete By the sea' }).click();
      await page.getByText('No search is kept yet').waitFor();
    }, '?concept=coast');
  });

  test('what was labelled later is not there as of before', async () => {
    const before = new Date();
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await api(user, 'PATCH', `apps/${app}/inputs`, {
      action: 'merge',
      inputs: [{ id: 'berlin', data: { concepts: [{ id: 'capital', value: 1 }] } }],
    });
    await open(async ({ page }) => {
      await page.getByText('1 input', { exact: true }).waitFor();
      await page.getByRole('button', { name: 'As it was' }).click();
      const local = new Date(before.getTime() - before.getTimezoneOffset() * 60_000);
      await page.getByLabel('At this time').fill(local.toISOString().slice(0, 19));
      expect(await axe(page)).toEqual([]);
      await page.getByRole('button', { name: 'Look', exact: true }).click();
      await page.getByText('0 inputs').waitFor();
      expect(new URL(page.url()).searchParams.get('asOf')).toBe(`${before.toISOString().slice(0, 19)}.000Z`);
      await page.getByRole('button', { name: 'As it was' }).click();
      await page.getByRole('button', { name: 'As it is now' }).click();
      await page.getByText('1 input', { exact: true }).waitFor();
    }, '?concept=capital');
  });

  test('a part of a picture is searched by, and a hit says why it was found', async () => {
    await open(async ({ page }) => {
      await page.getByText('4 inputs').waitFor();
      await choose(page, 'Search by a picture', [await file('circle', 2)]);
      await page.getByRole('button', { name: 'A part of it' }).click();
      const box = await page.getByRole('dialog').getByRole('img').boundingBox();
      if (!box) throw new Error('there is a picture');
      await page.mouse.move(box.x + box.width * 0.25, box.y + box.height * 0.25);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.75, box.y + box.height * 0.75, { steps: 3 });
      await page.mouse.up();
      expect(await page.getByLabel('Left').inputValue()).toBe('25');
      await page.getByLabel('Right').fill('80');
      expect(await axe(page)).toEqual([]);
      const asked = page.waitForRequest(
        (request) =>
          request.url().includes('/searches') && (request.postData() ?? '').includes('fovea_explain'),
      );
      await page.getByRole('button', { name: 'Search by this part' }).click();
      await expect
        .poll(() => new URL(page.url()).searchParams.get('region'), soon)
        .toMatch(/^0\.2[45]\d*,0\.2[45]\d*,0\.7[45]\d*,0\.8000$/);
      await asked;
      const cell = page.getByRole('gridcell').first();
      await cell.waitFor();
      await cell.focus();
      await page.keyboard.press('Space');
      await page.getByText('Why it was found:').waitFor();
      await page.getByText(/^Looks alike: 0?[.,\d]+/).waitFor();
      expect(await axe(page)).toEqual([]);
    });
  });

  test('where no match is a good one, that is said, and no cut is offered that leaves nothing', async () => {
    await open(async ({ page, context }) => {
      let goodFrom = 2;
      await context.route('**/inputs/searches', async (route) => {
        const response = await route.fetch();
        const json = { ...(await response.json()), fovea_explain: [{ cutoff: { score: goodFrom } }] };
        await route.fulfill({ response, json });
      });
      await page.getByText('4 inputs').waitFor();
      await choose(page, 'Search by a picture', [await file('circle', 2)]);
      await page.getByText('No match is a good one: those begin at 2').waitFor();
      expect(await page.getByRole('button', { name: /^Good matches end/ }).count()).toBe(0);
      goodFrom = 0.001;
      await choose(page, 'Search by a picture', [await file('circle', 3)]);
      await page.getByRole('button', { name: /^Good matches end at 0.001/ }).waitFor();
      await context.unrouteAll({ behavior: 'ignoreErrors' });
    });
  });

  test('a page that was opened anew asks for the picture again, and shows nothing else meanwhile', async () => {
    await open(async ({ page }) => {
      await page.getByRole('heading', { name: 'The picture has to be dropped again' }).waitFor();
      expect(await page.getByRole('gridcell').count()).toBe(0);
      expect(await axe(page)).toEqual([]);
      // Nor can another question be kept in its place.
      await page.getByRole('button', { name: 'Saved searches' }).click();
      await page.getByRole('dialog', { name: 'Saved searches' }).waitFor();
      expect(await page.getByRole('button', { name: 'Keep this search' }).count()).toBe(0);
      await page.keyboard.press('Escape');
      await choose(page, 'Choose a picture', [await file('circle', 2)]);
      await page.getByRole('gridcell').first().waitFor();
      expect(await page.getByAltText('The picture searched by').count()).toBe(1);
    }, '?picture=deadbeef');
  });

  test('on a narrow, dark screen the map fits', async () => {
    await open(
      async ({ page }) => {
        await page.getByRole('button', { name: 'Map' }).click();
        await page.locator('.map-point').nth(3).waitFor();
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
        expect(await axe(page)).toEqual([]);
      },
      '',
      { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
    );
  });
});
