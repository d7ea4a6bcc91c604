import { beforeAll, describe, expect, test } from 'vitest';
import {
  api,
  goSignedIn,
  makeApp,
  newUser,
  ownBrowser,
  postInputs,
  several,
  type User,
  visit,
  withoutBrowser,
} from './browser.ts';

const app = 'troubled';
const requestId = 'deadbeef'.repeat(4);

/** Each screen, and the call without which it has nothing to show. */
const calls: readonly (readonly [screen: string, path: string, call: RegExp])[] = [
  ['apps', '/', /\/v2\/users\/[^/]+\/apps(\?|$)/],
  ['tokens', '/settings/secrets', /\/keys(\?|$)/],
  ['an app', `/{user}/${app}`, /\/apps\/troubled(\?|$)/],
  ['overview', `/{user}/${app}`, /\/resource_counts/],
  ['gallery', `/{user}/${app}/inputs`, /\/inputs\/(status|stream)/],
  ['search', `/{user}/${app}/inputs?concept=disc`, /\/inputs\/searches|\/inputs\/status/],
  ['input', `/{user}/${app}/inputs/circle-1`, /\/inputs\/circle-1(\?|$)/],
  ['labels of an input', `/{user}/${app}/inputs/circle-1`, /\/annotations(\?|$)/],
  ['datasets', `/{user}/${app}/datasets`, /\/datasets(\?|$)/],
  ['dataset', `/{user}/${app}/datasets/some`, /\/datasets\/some(\?|$)/],
  ['versions of a dataset', `/{user}/${app}/datasets/some`, /\/datasets\/some\/versions(\?|$)/],
  ['models', `/{user}/${app}/models`, /\/models(\?|$)/],
  ['model', `/{user}/${app}/models/none`, /\/models\/none(\?|$)/],
  ['workflows', `/{user}/${app}/workflows`, /\/workflows(\?|$)/],
  ['workflow', `/{user}/${app}/workflows/look`, /\/workflows\/look(\?|$)/],
  ['jobs', `/{user}/${app}/jobs`, /\/(inputs\/uploads|uploads|jobs|inputs_add_jobs|models)(\/|\?|$)/],
  ['settings of an app', `/{user}/${app}/settings`, /\/collaborators(\?|$)/],
];

/** Addresses of screens end as those of calls do. */
const calling =
  (call: RegExp) =>
  (asked: URL): boolean =>
    asked.pathname.startsWith('/v2/') && call.test(asked.pathname + asked.search);

describe.skipIf(withoutBrowser)('when a call fails', { timeout: 120_000 }, () => {
  const browser = ownBrowser();
  let user: User;

  beforeAll(async () => {
    user = await newUser('tess');
    await makeApp(user, app);
    await postInputs(user, app, await several('circle', 0, 3));
    await api(user, 'POST', `apps/${app}/concepts`, { concepts: [{ id: 'disc' }] });
    await api(user, 'POST', `apps/${app}/datasets`, { datasets: [{ id: 'some' }] });
    await api(user, 'POST', `apps/${app}/workflows`, {
      workflows: [
        {
          id: 'look',
          nodes: [{ id: 'n', model: { id: 'general-image-embedding', user_id: 'clarifai', app_id: 'main' } }],
        },
      ],
    });
  });

  test.each(calls)(
    '%s: says what, why, what to do, and the id to look it up by',
    async (_screen, path, call) => {
      const visited = await visit(browser);
      try {
        const { page, context } = visited;
        await context.grantPermissions(['clipboard-read', 'clipboard-write']);
        let refused = 0;
        await page.route(calling(call), async (route) => {
          refused += 1;
          await route.fulfill({
            status: 500,
            contentType: 'application/json',
            body: JSON.stringify({
              status: {
                code: 99009,
                description: 'Internal error',
                details: 'The disk is on fire',
                req_id: requestId,
              },
            }),
          });
        });
        await goSignedIn(visited, user, path.replace('{user}', user.id));
        const alert = page.getByRole('alert').filter({ hasText: 'The disk is on fire' }).first();
        await alert.waitFor();
        expect(await alert.textContent()).toContain('look for the request id in the log of the server');
        expect(await alert.locator('code').textContent()).toBe(requestId);
        await alert.getByRole('button', { name: 'Copy the request id' }).click();
        await alert.getByRole('button', { name: 'Copied' }).waitFor();
        expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(requestId);
        expect(refused).toBeGreaterThan(0);
      } finally {
        await visited.context.close();
      }
    },
  );

  test('a screen that breaks says so in its place, and the others stay', async () => {
    const visited = await visit(browser);
    try {
      const { page, context } = visited;
      const models = /\/models\?/;
      await context.route(models, (route) =>
        route.fulfill({ json: { status: { code: 10000 }, models: [null] } }),
      );
      await goSignedIn(visited, user, `/${user.id}/${app}/models`);
      await page.locator('main').getByRole('alert').waitFor();
      await context.unroute(models);
      await page.getByRole('link', { name: 'Inputs' }).click();
      await page.getByRole('gridcell').first().waitFor();
    } finally {
      await visited.context.close();
    }
  });

  test('an address with a time that is none shows the words of the server, not a blank page', async () => {
    const visited = await visit(browser);
    try {
      const { page } = visited;
      await goSignedIn(visited, user, `/${user.id}/${app}/inputs?asOf=never`);
      await page.locator('main').getByRole('alert').getByText('as_of').waitFor();
      await page.getByRole('button', { name: 'As it was' }).click();
      await page.getByRole('button', { name: 'As it is now' }).click();
      await page.getByRole('gridcell').first().waitFor();
    } finally {
      await visited.context.close();
    }
  });

  test('a screen is itself again when the call goes through', async () => {
    const visited = await visit(browser);
    try {
      const { page } = visited;
      const call = /\/datasets(\?|$)/;
      await page.route(calling(call), (route) => route.fulfill({ status: 503, body: 'gone fishing' }));
      await goSignedIn(visited, user, `/${user.id}/${app}/datasets`);
      const again = page.getByRole('alert').getByRole('button', { name: 'Try again' }).first();
      await again.waitFor();
      await page.unrouteAll();
      await again.click();
      await page.getByRole('link', { name: 'some' }).first().waitFor();
    } finally {
      await visited.context.close();
    }
  });
});
