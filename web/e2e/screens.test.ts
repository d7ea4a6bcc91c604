import { beforeAll, describe, expect, test } from 'vitest';
import {
  api,
  choose,
  file,
  goSignedIn,
  makeApp,
  newUser,
  ownBrowser,
  postInputs,
  several,
  soon,
  type User,
  url,
  type Visit,
  visit,
  visitSignedIn,
  withoutBrowser,
} from './browser.ts';

describe.skipIf(withoutBrowser)('screens of an app', { timeout: 120_000 }, () => {
  const browser = ownBrowser();
  let user: User;
  const app = 'screens';

  beforeAll(async () => {
    user = await newUser('sam');
    await makeApp(user, app);
    await postInputs(user, app, [...(await several('circle', 0, 3)), ...(await several('stripes', 0, 3))]);
  });

  const at = (path: string, work: (visited: Visit) => Promise<void>) =>
    visitSignedIn(browser, user, `/${user.id}/${app}/${path}`, work);

  test('a workflow is made, wired as far as wires fit, run with the time of each node, and is the same in YAML', async () => {
    await at('workflows', async ({ page }) => {
      await page.getByRole('button', { name: 'New workflow' }).first().click();
      await page.getByLabel('Name').fill('look');
      await page.getByRole('button', { name: /First model/ }).click();
      await page.getByRole('option', { name: /General image detection/ }).click();
      await page.getByRole('button', { name: 'Make the workflow' }).click();
      await page.locator('.flow-node', { hasText: 'General image detection' }).click();
      await page.getByRole('button', { name: /Add a model/ }).click();
      await page
        .getByRole('option', { name: /General image embedding/ })
        .first()
        .click();
      const added = page.locator('.flow-node', { hasText: 'General image embedding' });
      await added.waitFor();
      // It follows the selected detector, region by region; that is a tick in the table, too.
      await expect.poll(() => page.getByRole('checkbox', { name: 'first' }).isChecked(), soon).toBe(true);
      // An embedding is nothing that a detector takes: no such wire is offered.
      const detector = page.getByRole('row', { name: /^first/ });
      expect(await detector.getByRole('checkbox').count()).toBe(1);
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('Saved as a new version.').waitFor();
      await choose(page, 'Choose a picture', [await file('circle', 4)]);
      await expect.poll(() => page.locator('.flow-node .badge.good').count(), { timeout: 30_000 }).toBe(2);

      await page.getByRole('tab', { name: 'YAML' }).click();
      const yaml = await page.getByRole('textbox', { name: 'YAML' }).inputValue();
      expect(yaml).toContain('node_id: first');
      await page
        .getByRole('textbox', { name: 'YAML' })
        .fill(yaml.replace('id: first', 'id: find').replace('node_id: first', 'node_id: find'));
      // A look at the graph loses nothing that was typed.
      await page.getByRole('tab', { name: 'Graph' }).click();
      await page.locator('.flow-node', { hasText: 'first' }).waitFor();
      await page.getByRole('tab', { name: 'YAML' }).click();
      await page.getByRole('button', { name: 'Take over into the graph' }).click();
      await page.getByRole('button', { name: 'Discard' }).click();
      expect(await page.getByRole('textbox', { name: 'YAML' }).inputValue()).toBe(yaml);
      await page
        .getByRole('textbox', { name: 'YAML' })
        .fill(yaml.replace('id: first', 'id: find').replace('node_id: first', 'node_id: find'));
      await page.getByRole('button', { name: 'Take over into the graph' }).click();
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByRole('tab', { name: 'Graph' }).click();
      await page.locator('.flow-node', { hasText: 'find' }).waitFor();
    });
    interface Reply {
      readonly workflow: {
        readonly nodes: readonly { readonly id: string; readonly node_inputs?: unknown }[];
      };
    }
    const read = () => api<Reply>(user, 'GET', `apps/${app}/workflows/look`);
    await expect.poll(async () => (await read()).workflow.nodes[0]?.id, soon).toBe('find');
    const { workflow } = await read();
    expect(workflow.nodes).toHaveLength(2);
    expect(workflow.nodes[1]?.node_inputs).toEqual([{ node_id: 'find' }]);
  });

  test('a node that finds nothing in the input is marked; one that fails says so by itself', async () => {
    const own = { user_id: user.id, app_id: app };
    const models = {
      tongues: ['language-id-operator', {}],
      cut: ['concept-threshold', { data: { concepts: [{ id: 'disc', value: 0.5 }] } }],
    } as const;
    for (const [id, [model_type_id, output_info]] of Object.entries(models)) {
      await api(user, 'POST', `apps/${app}/models`, { models: [{ id, model_type_id }] });
      await api(user, 'POST', `apps/${app}/models/${id}/versions`, { model_versions: [{ output_info }] });
    }
    const detector = { id: 'general-image-detection', user_id: 'clarifai', app_id: 'main' };
    const nodes = [
      { id: 'boxes', model: detector },
      { id: 'words', model: { id: 'tongues', ...own } },
      { id: 'high', model: { id: 'cut', ...own } },
    ];
    await api(user, 'POST', `apps/${app}/workflows`, { workflows: [{ id: 'mixed', nodes }] });
    await at('workflows/mixed', async ({ page, errors }) => {
      const node = (id: string) => page.locator('.flow-node', { hasText: id });
      await node('high').getByText('Takes nothing from the input').waitFor();
      expect(await page.locator('.flow-node .badge.warn').count()).toBe(1);
      const whole = await file('circle', 4);
      await choose(page, 'Choose a picture', [{ ...whole, buffer: whole.buffer.subarray(0, 200) }]);
      // A picture that breaks off is nothing for a detector, and nothing to one that reads texts.
      await node('boxes').getByText('Failed').waitFor();
      const card = page.locator('li.card', { hasText: 'boxes' });
      await card
        .getByRole('alert')
        .getByText(/could not be decoded/)
        .waitFor();
      expect(await page.locator('li.card').count()).toBe(3);
      expect(await page.locator('li.card [role=alert]').count()).toBe(1);
      // A browser itself says what was refused.
      expect(errors.splice(0)).toEqual([expect.stringContaining('status of 400')]);
      await choose(page, 'Choose a picture', [whole]);
      await node('boxes').locator('.badge.good').waitFor();
      expect(await page.locator('li.card [role=alert]').count()).toBe(0);
    });
  });

  test('a dataset is filled from the gallery, kept in versions, compared and exported', async () => {
    await at('datasets', async ({ page, context }) => {
      await page.getByRole('button', { name: 'New dataset' }).first().click();
      await page.getByLabel('Name').fill('round');
      await page.getByRole('button', { name: 'Make the dataset' }).click();
      await page.getByRole('heading', { name: 'round' }).waitFor();
      await page.goto(`${url()}/${user.id}/${app}/inputs`);
      const put = async (names: readonly string[]) => {
        for (const name of names)
          await page
            .getByRole('gridcell', { name: new RegExp(`^${name}`) })
            .click({ modifiers: ['ControlOrMeta'] });
        await page.getByRole('button', { name: /Put into a dataset/ }).click();
        await page.getByRole('option', { name: 'round' }).click();
        await page.getByText(`${names.length} put into round`).waitFor();
        await page.getByRole('button', { name: 'Unmark all' }).click();
      };
      const keep = async (versions: number) => {
        await page.goto(`${url()}/${user.id}/${app}/datasets/round`);
        await page.getByRole('button', { name: 'Keep a version' }).click();
        await expect
          .poll(() => page.locator('tbody .badge.good').count(), { timeout: 30_000 })
          .toBe(versions);
      };
      await put(['circle-0', 'circle-1']);
      await keep(1);
      await page.goto(`${url()}/${user.id}/${app}/inputs`);
      await put(['circle-2']);
      await keep(2);
      await page.getByRole('tab', { name: 'Differences' }).click();
      await page.locator('.tile', { hasText: 'Added' }).getByText('1', { exact: true }).waitFor();
      await page.getByRole('link', { name: 'circle-2' }).waitFor();
      await page.getByRole('tab', { name: 'Charts' }).click();
      await page.locator('.tile', { hasText: 'Inputs' }).getByText('3', { exact: true }).waitFor();
      await page.getByRole('tab', { name: 'Export' }).click();
      await page.getByRole('button', { name: 'Export' }).first().click();
      const download = page.getByRole('link', { name: /Download/ });
      await download.waitFor({ timeout: 30_000 });
      // The cookie alone is enough to fetch it, as a browser does.
      const archive = await context.request.get(url() + (await download.getAttribute('href')));
      expect(archive.headers()['content-type']).toBe('application/zip');
      expect((await archive.body()).subarray(0, 2).toString()).toBe('PK');
    });
  });

  test('an app is shared with a role, and a key opens it alone', async () => {
    const guest = await newUser('guest');
    await at('settings', async ({ page }) => {
      await page.getByLabel('User id').fill(guest.id);
      await page
        .locator('section', { hasText: 'User id' })
        .getByRole('button', { name: /May/ })
        .first()
        .click();
      await page.getByRole('option', { name: /Look/ }).click();
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await page.getByText(guest.id).waitFor();
      const keys = page.locator('section', { hasText: 'Keys of the app' });
      await keys.getByLabel('Description').fill('reader');
      await keys.getByRole('button', { name: 'Make a key' }).click();
      const secret = (await page.locator('.secret').textContent()) ?? '';
      expect(await keys.locator('pre').textContent()).toBe(
        [
          `export CLARIFAI_API_BASE=${url()}`,
          `export CLARIFAI_USER_ID=${user.id}`,
          `export CLARIFAI_APP_ID=${app}`,
          `export CLARIFAI_PAT=${secret}`,
        ].join('\n'),
      );
      const read = await fetch(`${url()}/v2/inputs`, { headers: { authorization: `Key ${secret}` } });
      expect(((await read.json()) as { inputs: unknown[] }).inputs).toHaveLength(6);
      const write = await fetch(`${url()}/v2/inputs`, {
        method: 'POST',
        headers: { authorization: `Key ${secret}` },
        body: JSON.stringify({ inputs: [{ data: { text: { raw: 'no' } } }] }),
      });
      expect(((await write.json()) as { status: { code: number } }).status.code).toBe(11007);
    });
    const visited = await visit(browser);
    try {
      await goSignedIn(visited, guest, `/${user.id}/${app}/inputs`);
      await visited.page.getByRole('gridcell').first().waitFor();
      await visited.page
        .getByRole('gridcell')
        .first()
        .click({ modifiers: ['ControlOrMeta'] });
      await visited.page.getByLabel('Add a label').fill('mine');
      await visited.page.keyboard.press('Enter');
      // What the guest may not do is refused in words, with the id to ask about it.
      const refusal = visited.page.getByRole('alert').filter({ hasText: 'scopes' });
      expect(await refusal.locator('code').first().textContent()).toMatch(/^[0-9a-f]{32}$/);
    } finally {
      await visited.context.close();
    }
  });

  test('a token is shown once, and works', async () => {
    const visited = await visit(browser);
    try {
      const { page } = visited;
      await goSignedIn(visited, user, '/settings/secrets');
      await page.getByRole('button', { name: 'New token' }).click();
      await page.getByLabel('Description').fill('laptop');
      await page.getByRole('button', { name: 'Make the token' }).click();
      const secret = (await page.locator('.secret').textContent()) ?? '';
      expect((await api<{ user: { id: string } }>({ id: 'me', pat: secret }, 'GET', '')).user.id).toBe(
        user.id,
      );
      expect(await page.locator('pre').textContent()).toContain(`export CLARIFAI_USER_ID=${user.id}\n`);
      await page.getByRole('button', { name: 'I have kept it' }).click();
      expect(await page.getByText(secret).count()).toBe(0);
      await page.getByRole('button', { name: 'Revoke laptop' }).click();
      await page
        .getByRole('dialog', { name: 'Revoke laptop?' })
        .getByRole('button', { name: 'Revoke' })
        .click();
      await page.getByText('laptop is revoked.').waitFor();
      expect(
        (await api<{ status: { code: number } }>({ id: 'me', pat: secret }, 'GET', '')).status.code,
      ).not.toBe(10000);
    } finally {
      await visited.context.close();
    }
  });

  test('a token that may only look reads, and writes nothing', async () => {
    const visited = await visit(browser);
    try {
      const { page } = visited;
      await goSignedIn(visited, user, '/settings/secrets');
      await page.getByRole('button', { name: 'New token' }).click();
      await page.getByLabel('Description').fill('wall display');
      await page.getByRole('button', { name: /May/ }).click();
      await page.getByRole('option', { name: /Look/ }).click();
      await page.getByRole('button', { name: 'Make the token' }).click();
      const pat = (await page.locator('.secret').textContent()) ?? '';
      const looker = { id: user.id, pat };
      const { inputs = [] } = await api<{ inputs?: unknown[] }>(looker, 'GET', `apps/${app}/inputs`);
      expect(inputs.length).toBeGreaterThan(0);
      const refused = await api<{ status: { code: number } }>(looker, 'POST', `apps/${app}/inputs`, {
        inputs: [{ data: { text: { raw: 'no' } } }],
      });
      expect(refused.status.code).toBe(11007);
      await page.getByRole('row', { name: /wall display.*and 6 more/ }).waitFor();
    } finally {
      await visited.context.close();
    }
  });

  test('jobs stand on one page, and one that failed is tried again from there', async () => {
    await api(user, 'POST', `apps/${app}/models`, {
      models: [{ id: 'hopeless', model_type_id: 'embedding-classifier' }],
    });
    const train = { output_info: { data: { concepts: [{ id: 'nowhere' }, { id: 'neither' }] } } };
    await api(user, 'POST', `apps/${app}/models/hopeless/versions`, { model_versions: [train] });
    const versions = async () =>
      (await api<{ model_versions?: object[] }>(user, 'GET', `apps/${app}/models/hopeless/versions`))
        .model_versions?.length ?? 0;
    const before = await versions();
    await at('jobs', async ({ page }) => {
      const job = page.locator('.job', { hasText: 'hopeless' });
      await job.getByText('Failed').waitFor({ timeout: 60_000 });
      await job.getByRole('button', { name: 'Try again' }).click();
      await expect.poll(versions, soon).toBe(before + 1);
    });
  });
});
