import { describe, expect, test } from 'vitest';
import {
  api,
  choose,
  file,
  goSignedIn,
  makeApp,
  newUser,
  ownBrowser,
  soon,
  url,
  visit,
  withoutBrowser,
} from './browser.ts';

describe.skipIf(withoutBrowser)('the first run', { timeout: 240_000 }, () => {
  const browser = ownBrowser();

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

      // A version that was never trained is no worse one than the trained.
      await page.getByRole('tab', { name: 'Versions' }).click();
      await page.getByText('Made with the model, never trained').waitFor();
      expect(await page.locator('tbody .badge').allTextContents()).toEqual(['Ready']);

      // What a person kept comes before what was made for an evaluation, however new.
      await api(user, 'POST', 'apps/sample/datasets/test/versions', {
        dataset_versions: [{ description: 'mine' }],
      });
      const sample = { user_id: user.id, app_id: 'sample' };
      await api(user, 'POST', 'apps/sample/evaluations', {
        eval_metrics: [
          { model: { id: 'what-is-it', ...sample }, ground_truth_dataset: { id: 'test', ...sample } },
        ],
      });
      interface Versions {
        readonly dataset_versions?: readonly { readonly description?: string }[];
      }
      const predictions = async () =>
        (await api<Versions>(user, 'GET', 'apps/sample/datasets/test/versions')).dataset_versions?.filter(
          ({ description }) => description?.startsWith('Predictions of'),
        ).length;
      await expect.poll(predictions, soon).toBe(2);
      await page.goto(`${url()}/${user.id}/sample/datasets/test`);
      await page.getByRole('tab', { name: 'Charts' }).click();
      await page.getByRole('button', { name: /^mine/ }).waitFor();

      // Two evaluations of one version by the same inputs are told apart.
      await page.goto(`${url()}/${user.id}/sample/models/what-is-it?tab=compare`);
      const figures = page.getByRole('table').first().getByRole('columnheader');
      await expect.poll(() => figures.count(), soon).toBe(3);
      expect(new Set(await figures.allTextContents()).size).toBe(3);

      // The model can be taken away.
      await page.getByRole('tab', { name: 'Overview' }).click();
      await page.getByRole('button', { name: 'Export' }).click();
      const download = page.getByRole('link', { name: /^Download \(/ });
      const address = await download.getAttribute('href', { timeout: 30_000 });
      const tar = await page.request.get(`${url()}${address}`);
      expect([tar.status(), tar.headers()['content-type']]).toEqual([200, 'application/x-tar']);
      expect((await tar.body()).includes('version.json')).toBe(true);

      // The open step leads to where it is done, and to the model that learned, not to the newest.
      await api(user, 'POST', 'apps/sample/models', {
        models: [{ id: 'tongues', model_type_id: 'language-id-operator' }],
      });
      await api(user, 'POST', 'apps/sample/models/tongues/versions', { model_versions: [{}] });
      await page.getByRole('link', { name: 'Overview' }).click();
      await page.getByRole('link', { name: 'Try it on a picture of your own' }).click();
      await choose(page, 'Choose a picture', [await file('circle', 2)]);
      await page.locator('.bars li').first().waitFor();
      await page.getByRole('link', { name: 'Overview' }).click();
      await page.getByText('First steps: 6 of 6').waitFor();

      // The picture of the app leads to what it shows.
      const glance = page.locator('.glance');
      const newest = glance.locator('.strip img');
      await expect.poll(() => newest.count(), soon).toBe(10);
      await expect
        .poll(() => newest.first().evaluate((one: HTMLImageElement) => one.naturalWidth), soon)
        .toBeGreaterThan(0);
      const bar = glance.locator('.label-bar').filter({ hasText: 'boat' });
      const boats = Number(await bar.locator('.number').textContent());
      expect(boats).toBeGreaterThan(0);
      await bar.getByRole('link').click();
      await page.getByText(`${boats} inputs`).waitFor();
      await page.goBack();
      await glance.getByRole('link', { name: 'Ready' }).click();
      await expect.poll(() => new URL(page.url()).searchParams.get('status'), soon).toBe('ready');

      // What was tried in one app is not tried in another.
      await makeApp(user, 'another');
      await page.goto(`${url()}/${user.id}/another`);
      await page.getByText('First steps: 0 of 6').waitFor();
      await expect.poll(() => page.locator('.glance > *').count(), soon).toBe(0);
      expect(errors).toEqual([]);
    } finally {
      await visited.context.close();
    }
  });
});
