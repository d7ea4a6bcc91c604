import type { Page } from 'playwright-core';
import { api, makeApp, type User } from './browser.ts';

/** What the screens are shown for: the sample app, and one with nothing in it. */
export interface Ground {
  readonly user: User;
  readonly app: string;
  readonly emptyApp: string;
  readonly inputId: string;
  readonly modelId: string;
}

export interface Screen {
  readonly name: string;
  readonly path: (ground: Ground) => string;
  /** What has to be there before the screen is looked at, as a selector. */
  readonly ready: string;
  /** What a person does to get there from the path. */
  readonly open?: (page: Page) => Promise<unknown>;
  readonly isSignedOut?: boolean;
  /** Where it is laid out by what is in it and may be wider than the window: canvases. */
  readonly isOfCanvas?: boolean;
}

const inApp =
  (rest: string) =>
  ({ user, app }: Ground): string =>
    `/${user.id}/${app}${rest}`;
const inEmpty =
  (rest: string) =>
  ({ user, emptyApp }: Ground): string =>
    `/${user.id}/${emptyApp}${rest}`;
const press = (selector: string) => async (page: Page) => page.locator(selector).first().click();
/** Buttons are found by what they look like, not by their words: the same list serves every language. */
const withIcon = (icon: string): string => `.button:has(path[d^="${icon}"])`;
const icons = { code: 'M8 7l-5 5', add: 'M12 5v14', trash: 'M4 7h16' };

/** Every screen, with what is in it open or not. */
export const screens: readonly Screen[] = [
  { name: 'sign-in', path: () => '/', ready: '.lone form', isSignedOut: true },
  {
    name: 'sign-in-refused',
    path: () => '/',
    ready: '[role=alert] code',
    isSignedOut: true,
    open: async (page) => {
      await page.locator('.lone input').fill('0'.repeat(32));
      await page.locator('.lone form button[type=submit]').click();
    },
  },
  { name: 'apps', path: () => '/', ready: '.app-card' },
  { name: 'new-app', path: () => '/', ready: '.dialog input', open: press(`main ${withIcon(icons.add)}`) },
  { name: 'overview', path: inApp(''), ready: '.tile' },
  { name: 'gallery', path: inApp('/inputs'), ready: '.grid-cell img' },
  {
    name: 'gallery-hits',
    path: (ground) => `${inApp('/inputs')(ground)}?concept=boat&concept=!sun&like=${ground.inputId}&min=0.2`,
    ready: '.grid-score',
  },
  {
    name: 'gallery-marked',
    path: inApp('/inputs'),
    ready: '.selection-bar',
    open: async (page) => {
      for (const at of [0, 2, 3])
        await page
          .locator('.grid-cell')
          .nth(at)
          .click({ modifiers: ['ControlOrMeta'] });
    },
  },
  {
    name: 'gallery-preview',
    path: inApp('/inputs'),
    ready: '.preview img',
    open: async (page) => {
      await page.locator('.grid-cell[tabindex="0"]').focus();
      await page.keyboard.press(' ');
    },
  },
  { name: 'gallery-empty', path: inEmpty('/inputs'), ready: '.empty' },
  { name: 'gallery-no-hits', path: (ground) => `${inApp('/inputs')(ground)}?kind=audio`, ready: '.empty' },
  {
    name: 'labeller',
    path: (ground) => inApp(`/inputs/${ground.inputId}`)(ground),
    ready: '.object-list li',
    isOfCanvas: true,
  },
  { name: 'datasets', path: inApp('/datasets'), ready: '.card' },
  { name: 'datasets-empty', path: inEmpty('/datasets'), ready: '.empty' },
  ...(['versions', 'charts', 'diff', 'leaks', 'export'] as const).map((tab) => ({
    name: `dataset-${tab}`,
    path: inApp(`/datasets/train?tab=${tab}`),
    ready: '[role=tabpanel] :is(table, canvas, .card, .button)',
  })),
  { name: 'models', path: inApp('/models'), ready: '.card' },
  {
    name: 'train-dialog',
    path: inApp('/models'),
    ready: '.dialog .concept-ticks label',
    open: press('.page-header .button.primary'),
  },
  ...(['overview', 'evaluation', 'try', 'versions'] as const).map((tab) => ({
    name: `model-${tab}`,
    path: (ground: Ground) => inApp(`/models/${ground.modelId}?tab=${tab}`)(ground),
    ready: `[role=tabpanel] :is(${tab === 'evaluation' ? '.confusion' : '.facts, table, .try-drop, .card'})`,
  })),
  {
    name: 'model-evaluation-inputs',
    path: (ground) => inApp(`/models/${ground.modelId}?tab=evaluation`)(ground),
    ready: '.dialog .entry-list li',
    open: press('.confusion td.right button'),
  },
  {
    name: 'model-delete',
    path: (ground) => inApp(`/models/${ground.modelId}`)(ground),
    ready: '.dialog',
    open: press(`.page-header ${withIcon(icons.trash)}`),
  },
  { name: 'workflows', path: inApp('/workflows'), ready: '.page .card, .page table' },
  {
    name: 'workflow-graph',
    path: inApp('/workflows/two-steps'),
    ready: '.react-flow__node',
    isOfCanvas: true,
  },
  ...(['yaml', 'versions'] as const).map((tab) => ({
    name: `workflow-${tab}`,
    path: inApp('/workflows/two-steps'),
    ready: `[role=tabpanel] :is(${tab === 'yaml' ? 'textarea' : 'table'})`,
    open: press(`[role=tab][data-key=${tab}]`),
  })),
  { name: 'jobs', path: inApp('/jobs'), ready: '.job' },
  { name: 'jobs-empty', path: inEmpty('/jobs'), ready: '.empty, .job' },
  { name: 'app-settings', path: inApp('/settings'), ready: '.page form' },
  { name: 'tokens', path: () => '/settings/secrets', ready: '.page table, .page .empty' },
  {
    name: 'new-token',
    path: () => '/settings/secrets',
    ready: '.dialog input',
    open: press(`main ${withIcon(icons.add)}`),
  },
  {
    name: 'code',
    path: inApp('/models'),
    ready: '.dialog pre',
    open: press(`.top-bar ${withIcon(icons.code)}`),
  },
  {
    name: 'shortcuts',
    path: inApp(''),
    ready: '.shortcuts kbd',
    open: (page) => page.keyboard.press('?'),
  },
  { name: 'user-menu', path: inApp(''), ready: '.menu', open: press('.top-bar .button:has(.initial)') },
  { name: 'nowhere', path: () => '/not/a/screen/at/all', ready: '.empty, [role=alert]:not([hidden])' },
  { name: 'no-such-input', path: inApp('/inputs/none'), ready: '.note.danger code' },
];

/** Fills what the walk looks at beyond the sample: a workflow, a second version, an app with nothing in it. */
export async function furnish(user: User, app: string): Promise<Ground> {
  await makeApp(user, 'empty');
  const { models = [] } = await api<{ models?: { id: string }[] }>(user, 'GET', `apps/${app}/models`);
  const modelId = models[0]?.id ?? '';
  await api(user, 'POST', `apps/${app}/workflows`, {
    workflows: [
      {
        id: 'two-steps',
        nodes: [
          {
            id: 'look',
            model: { id: 'general-image-embedding', user_id: 'clarifai', app_id: 'main' },
          },
          { id: 'name', model: { id: modelId }, node_inputs: [{ node_id: 'look' }] },
        ],
      },
    ],
  });
  for (let version = 0; version < 2; version++)
    await api(user, 'POST', `apps/${app}/datasets/train/versions`, { dataset_versions: [{}] });
  await api(user, 'POST', 'keys', {
    keys: [{ description: 'the laptop in the lab', type: 'personal_access_token', scopes: ['All'] }],
  });
  const { inputs = [] } = await api<{ inputs?: { id: string; data: { concepts: { id: string }[] } }[] }>(
    user,
    'GET',
    `apps/${app}/inputs?per_page=100`,
  );
  const boat = inputs.find(({ data }) => data.concepts?.some(({ id }) => id === 'boat')) ?? inputs[0];
  return { user, app, emptyApp: 'empty', inputId: boat?.id ?? '', modelId };
}
