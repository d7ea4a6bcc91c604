import type { Page } from 'playwright-core';
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
  url,
  type Visit,
  visitSignedIn,
  withoutBrowser,
} from './browser.ts';

interface Inputs {
  readonly inputs?: readonly {
    readonly id: string;
    readonly data: { readonly concepts?: readonly { readonly id: string; readonly value: number }[] };
  }[];
}

/** Whatever is done to data is undone by one press; what is deleted is asked about before. */
describe.skipIf(withoutBrowser)('ways back', { timeout: 120_000 }, () => {
  const browser = ownBrowser();
  let user: User;
  const app = 'back';

  beforeAll(async () => {
    user = await newUser('ida');
    await makeApp(user, app);
    await postInputs(user, app, await several('circle', 0, 4));
    await api(user, 'PATCH', `apps/${app}/inputs`, {
      action: 'merge',
      inputs: [
        { id: 'circle-0', data: { concepts: [{ id: 'round', value: 1 }] } },
        { id: 'circle-1', data: { concepts: [{ id: 'round', value: 0 }] } },
      ],
    });
    await api(user, 'POST', `apps/${app}/datasets`, { datasets: [{ id: 'some' }] });
    await api(user, 'POST', `apps/${app}/datasets/some/inputs`, {
      dataset_inputs: [{ input: { id: 'circle-0' } }],
    });
  });

  const at = (path: string, work: (visited: Visit) => Promise<void>) =>
    visitSignedIn(browser, user, `/${user.id}/${app}/${path}`, work);
  const mark = async (page: Page, names: readonly string[]) => {
    for (const name of names)
      await page
        .getByRole('gridcell', { name: new RegExp(`^${name}`) })
        .click({ modifiers: ['ControlOrMeta'] });
  };
  const labels = async () => {
    const { inputs = [] } = await api<Inputs>(user, 'GET', `apps/${app}/inputs?per_page=50`);
    return Object.fromEntries(
      inputs.map(({ id, data }) => [id, (data.concepts ?? []).map((one) => `${one.id} ${one.value ?? 0}`)]),
    );
  };
  const members = async () => {
    const reply = await api<{ dataset_inputs?: { input: { id: string } }[] }>(
      user,
      'GET',
      `apps/${app}/datasets/some/inputs?per_page=50`,
    );
    return (reply.dataset_inputs ?? []).map(({ input }) => input.id).toSorted();
  };
  const undo = (page: Page) => page.locator('.notice').getByRole('button', { name: 'Undo' }).last().click();

  test('labels of many are given and taken away, and undone to what each had before', async () => {
    const before = await labels();
    await at('inputs', async ({ page }) => {
      await mark(page, ['circle-0', 'circle-1', 'circle-2']);
      await page.getByLabel('Add a label').fill('round');
      await page.keyboard.press('Enter');
      await page.getByText('3 labelled round').waitFor();
      expect(Object.values(await labels()).flat()).toEqual(['round 1', 'round 1', 'round 1']);
      await undo(page);
      await expect.poll(labels, soon).toEqual(before);

      await page.getByRole('button', { name: 'Take round away from all that is marked' }).click();
      await page.getByText('round taken away from 3').waitFor();
      expect(Object.values(await labels()).flat()).toEqual([]);
      await undo(page);
      await expect.poll(labels, soon).toEqual(before);
    });
  });

  test('inputs go into a dataset and out of it, and come back', async () => {
    await at('inputs', async ({ page }) => {
      await mark(page, ['circle-0', 'circle-1']);
      await page.getByRole('button', { name: /Put into a dataset/ }).click();
      await page.getByRole('option', { name: 'some' }).click();
      await page.getByText('1 put into some').waitFor();
      expect(await members()).toEqual(['circle-0', 'circle-1']);
      await undo(page);
      // The one that was in it before stays.
      await expect.poll(members, soon).toEqual(['circle-0']);
    });
    await at('inputs?dataset=some', async ({ page }) => {
      await mark(page, ['circle-0']);
      await page.getByRole('button', { name: 'Take out of some' }).click();
      await page.getByText('1 taken out of some').waitFor();
      expect(await members()).toEqual([]);
      await undo(page);
      await expect.poll(members, soon).toEqual(['circle-0']);
    });
  });

  test('a saved search that is deleted comes back as it was', async () => {
    await api(user, 'POST', `apps/${app}/inputs/searches`, {
      searches: [
        {
          id: 'kept',
          name: 'round ones',
          save: true,
          query: { filters: [{ annotation: { data: { concepts: [{ id: 'round', value: 1 }] } } }] },
        },
      ],
    });
    const saved = async () =>
      (
        await api<{ searches?: { id: string; name: string; query: object }[] }>(
          user,
          'GET',
          `apps/${app}/searches`,
        )
      ).searches?.map(({ id, name, query }) => ({ id, name, query }));
    const before = await saved();
    expect(before).toHaveLength(1);
    await at('inputs', async ({ page }) => {
      await page.getByRole('button', { name: 'Saved searches' }).click();
      await page.getByRole('button', { name: 'Delete round ones' }).click();
      await page.getByText('round ones is deleted.').waitFor();
      expect((await saved()) ?? []).toEqual([]);
      await undo(page);
      await expect.poll(saved, soon).toEqual(before);
    });
  });

  /** Marks an input and says yes to its deletion. */
  const remove = async (page: Page, name: string) => {
    await mark(page, [name]);
    await page.locator('.selection-bar').getByRole('button', { name: 'Delete' }).click();
    const dialog = page.getByRole('dialog', { name: 'Delete 1 input?' });
    await dialog.getByAltText(`${name}.jpg`).waitFor();
    await dialog.getByText('Labels that go').waitFor();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await page.getByText('1 input is deleted in ten seconds').last().waitFor();
  };
  const ids = async () => Object.keys(await labels()).toSorted();

  test('inputs that are deleted stay, whole, for who takes it back, also from another screen', async () => {
    const before = await labels();
    await at('inputs', async ({ page }) => {
      await remove(page, 'circle-0');
      const cell = page.getByRole('gridcell', { name: /^circle-0.*Being deleted/ });
      await cell.waitFor();
      await page.getByRole('link', { name: 'Models' }).click();
      await page.getByRole('heading', { name: 'Models' }).waitFor();
      await undo(page);
      await page.waitForTimeout(12_000);
      await page.getByRole('link', { name: 'Inputs' }).first().click();
      await page.getByRole('gridcell', { name: /^circle-0/ }).waitFor();
      expect(await cell.count()).toBe(0);
      expect(await labels()).toEqual(before);
      expect(await members()).toEqual(['circle-0']);
    });
  });

  test('they go when the time is over, or the page is closed, and what comes again is another input', async () => {
    await postAgain('circle-4');
    await at('inputs', async ({ page }) => {
      await remove(page, 'circle-3');
      expect(await ids()).toContain('circle-3');
      await page.getByText('1 deleted').waitFor();
      expect(await ids()).not.toContain('circle-3');
      await expect.poll(() => page.getByRole('gridcell', { name: /^circle-3/ }).count(), soon).toBe(0);

      await remove(page, 'circle-2');
      await page.goto('about:blank');
      await expect.poll(ids, { timeout: 5_000 }).not.toContain('circle-2');
    });
    // A server that could not be told is told when the page is next opened, about those very inputs and no others.
    await at('inputs', async ({ page }) => {
      await remove(page, 'circle-1');
      await remove(page, 'circle-4');
      await page.evaluate(() => {
        window.fetch = () => Promise.reject(new TypeError('the browser lets nothing out'));
      });
      await page.goto('about:blank');
      expect(await ids()).toEqual(['circle-0', 'circle-1', 'circle-4']);
      await api(user, 'DELETE', `apps/${app}/inputs`, { ids: ['circle-4'] });
      await postAgain('circle-4');
      await page.goto(`${url()}/${user.id}/${app}/models`);
      await page.getByText('1 deleted').waitFor();
      expect(await ids()).toEqual(['circle-0', 'circle-4']);
    });
  });

  /** Sends an input of that id and waits until it is read. */
  const postAgain = async (id: string) => {
    const [file] = await several('circle', 4, 5);
    await api(user, 'POST', `apps/${app}/inputs`, {
      inputs: [
        {
          id,
          data: {
            image: { base64: file?.buffer.toString('base64') },
            metadata: { filename: `${id}.jpg` },
          },
        },
      ],
    });
    const read = async () =>
      (await api<{ input?: { status?: { code: number } } }>(user, 'GET', `apps/${app}/inputs/${id}`)).input
        ?.status?.code;
    await expect.poll(read, soon).toBe(30000);
  };

  test('what cannot come back is asked about by name, and stays when nobody says yes', async () => {
    await at('inputs', async ({ page }) => {
      await mark(page, ['circle-0']);
      await page.locator('.selection-bar').getByRole('button', { name: 'Delete' }).click();
      await page.getByRole('dialog', { name: 'Delete 1 input?' }).getByAltText('circle-0.jpg').waitFor();
      await page.keyboard.press('Escape');
      expect(await ids()).toContain('circle-0');
    });
    await api(user, 'POST', `apps/${app}/datasets/some/versions`, { dataset_versions: [{}] });
    await at('datasets/some', async ({ page }) => {
      await page.getByRole('button', { name: /^Delete the version/ }).click();
      await page.getByRole('dialog').getByText('It holds 1 inputs').waitFor();
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
      await page.getByText('No version yet').waitFor();
    });
  });
});
