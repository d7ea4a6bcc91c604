import type { Page } from 'playwright-core';
import { file } from './browser.ts';
import type { Ground } from './furnish.ts';

export interface Screen {
  readonly name: string;
  readonly path: (ground: Ground) => string;
  /** What has to be there before the screen is looked at, as a selector. */
  readonly ready: string;
  /** What a person does to get there from the path. */
  readonly open?: (page: Page) => Promise<unknown>;
  readonly isSignedOut?: boolean;
  /** Whether it shows a video or a sound, which there are only where there is an ffmpeg. */
  readonly needsClips?: boolean;
  /** Where it is laid out by what is in it and may be wider than the window: canvases. */
  readonly isOfCanvas?: boolean;
  /** The language it is looked at in, English unless said. */
  readonly language?: string;
  /** Whether a refused or lost call is what it shows. */
  readonly isOfTrouble?: boolean;
}

async function markThree(page: Page): Promise<void> {
  for (const at of [0, 2, 3])
    await page
      .locator('.grid-cell')
      .nth(at)
      .click({ modifiers: ['ControlOrMeta'] });
}

const inApp =
  (rest: string) =>
  ({ user, app }: Ground): string =>
    `/${user.id}/${app}${rest}`;
const inEmpty =
  (rest: string) =>
  ({ user, emptyApp }: Ground): string =>
    `/${user.id}/${emptyApp}${rest}`;
const inMedia =
  (rest: string) =>
  ({ user, mediaApp }: Ground): string =>
    `/${user.id}/${mediaApp}${rest}`;
const press = (selector: string) => async (page: Page) => page.locator(selector).first().click();
/** Buttons are found by what they look like, not by their words: the same list serves every language. */
const withIcon = (icon: string): string => `.button:has(path[d^="${icon}"])`;
const icons = {
  add: 'M12 5v14',
  box: 'M4 6h16v12',
  clock: 'M12 3a9 9 0 1 0',
  code: 'M8 7l-5 5',
  map: 'M9 4 3 6',
  save: 'M5 4h11',
  trash: 'M4 7h16',
};
/** Nothing goes to the server any more; the page itself stays. */
const loseServer = (page: Page) => page.route(/\/v2\/|\/healthz/, (route) => route.abort());

/** What stands over a screen for a while, and screens that are read from the right. */
const passing: readonly Screen[] = [
  {
    name: 'lost',
    path: inApp('/inputs'),
    ready: '.lost-banner:not([hidden])',
    isOfTrouble: true,
    open: async (page) => {
      await page.locator('.grid-cell img').first().waitFor();
      await loseServer(page);
      await page.locator('.sidebar a').nth(2).click();
    },
  },
  {
    name: 'gallery-going',
    path: inApp('/inputs'),
    ready: '.notice',
    isOfTrouble: true,
    open: async (page) => {
      await markThree(page);
      await page.locator(`.selection-bar ${withIcon(icons.trash)}`).click();
      await page.locator('.dialog .what-goes img').first().waitFor();
      await page.locator('.dialog .button.danger').click();
      await page.locator('.grid-cell.going').first().waitFor();
      // They are to be looked at, not to go.
      await page.evaluate(() => {
        window.fetch = () => new Promise(() => undefined);
      });
      // React Aria says for seven seconds which button was busy, by the id of one that went with its dialog; it may begin
      // only now.
      const announced = page.locator('[data-live-announcer] [role=img]');
      await announced
        .first()
        .waitFor({ state: 'attached', timeout: 1_000 })
        .catch(() => {});
      await page.waitForFunction(() => !document.querySelector('[data-live-announcer] [role=img]'));
    },
  },
  {
    name: 'uploaded',
    path: inEmpty('/inputs'),
    ready: '.notice',
    open: async (page) => {
      const [chooser] = await Promise.all([
        page.waitForEvent('filechooser'),
        page.locator('.gallery-header .button.primary').click(),
      ]);
      await chooser.setFiles([await file('stripes', 1), await file('stripes', 2)]);
      await page
        .locator('.grid-cell')
        .nth(1)
        .click({ modifiers: ['ControlOrMeta'] });
      await page.locator('.selection-bar input').fill('striped');
      await page.keyboard.press('Enter');
    },
  },
  ...(
    [
      ['overview', '', '.label-bar'],
      ['gallery', '/inputs', '.grid-cell img'],
      ['models', '/models', '.card'],
      ['jobs', '/jobs', '.job'],
    ] as const
  ).map(([name, path, ready]) => ({ name: `${name}-arabic`, path: inApp(path), ready, language: 'ar' })),
];

/** What is watched and heard. */
const moving: readonly Screen[] = [
  {
    name: 'labeller-video',
    needsClips: true,
    path: inMedia('/inputs/clip?frame=12'),
    ready: '[data-frame="12"][data-waiting="false"]',
    isOfCanvas: true,
  },
  {
    name: 'labeller-audio',
    needsClips: true,
    path: inMedia('/inputs/tone'),
    ready: '.mark-list li',
    isOfCanvas: true,
  },
  {
    name: 'preview-video',
    needsClips: true,
    path: inMedia('/inputs?kind=video'),
    ready: '.preview video',
    open: async (page) => {
      await page.locator('.grid-cell[tabindex="0"]').focus();
      await page.keyboard.press(' ');
    },
  },
];

const readyOfTab = {
  overview: '.facts',
  evaluation: '.confusion',
  compare: '.chart canvas',
  try: '.try-drop, .card',
  versions: 'table',
};

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
  { name: 'overview', path: inApp(''), ready: '.strip img' },
  {
    name: 'overview-below',
    path: inApp(''),
    ready: '.label-bar',
    open: async (page) => {
      await page.locator('.label-bar').last().waitFor();
      await page.locator('.glance').evaluate((one) => one.scrollIntoView({ block: 'start' }));
    },
  },
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
    open: markThree,
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
  {
    name: 'labeller-no-segmenter',
    path: (ground) => inApp(`/inputs/${ground.inputId}`)(ground),
    ready: '.labeller-side pre',
    open: async (page) => {
      await page.locator('.object-list li').first().waitFor();
      await page.keyboard.press('s');
    },
    isOfCanvas: true,
  },
  {
    name: 'labeller-adjust',
    path: (ground) => inApp(`/inputs/${ground.inputId}`)(ground),
    ready: '.dialog.adjust',
    open: press('.toolbar .button:last-child'),
    isOfCanvas: true,
  },
  ...moving,
  { name: 'labeller-text', path: inMedia('/inputs/words'), ready: '.mark-list li' },
  { name: 'gallery-media', path: inMedia('/inputs'), ready: '.grid-cell img' },
  {
    name: 'map',
    path: inMedia('/inputs'),
    ready: '.dialog svg path',
    open: press(`.gallery-header ${withIcon(icons.map)}`),
  },
  {
    name: 'as-of',
    path: inApp('/inputs'),
    ready: '.dialog input',
    open: press(`.gallery-header ${withIcon(icons.clock)}`),
  },
  {
    name: 'saved-searches',
    path: inApp('/inputs?concept=boat'),
    ready: '.dialog .saved-search',
    open: press(`.gallery-header ${withIcon(icons.save)}`),
  },
  {
    name: 'search-region',
    path: inApp('/inputs'),
    ready: '.region-picture img',
    open: async (page) => {
      await page.locator('.grid-cell[tabindex="0"]').focus();
      await page.keyboard.press(' ');
      await page.locator(`.dialog ${withIcon(icons.box)}`).click();
    },
  },
  {
    name: 'gallery-delete',
    path: inApp('/inputs'),
    ready: '.dialog .what-goes img',
    open: async (page) => {
      await markThree(page);
      await page.locator(`.selection-bar ${withIcon(icons.trash)}`).click();
    },
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
  ...(['overview', 'evaluation', 'compare', 'try', 'versions'] as const).map((tab) => ({
    name: `model-${tab}`,
    path: (ground: Ground) => inApp(`/models/${ground.modelId}?tab=${tab}`)(ground),
    ready: `[role=tabpanel] :is(${readyOfTab[tab]})`,
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
  {
    name: 'nowhere',
    isOfTrouble: true,
    path: () => '/not/a/screen/at/all',
    ready: '.empty, [role=alert]:not([hidden])',
  },
  ...passing,
  { name: 'no-such-input', isOfTrouble: true, path: inApp('/inputs/none'), ready: '.note.danger code' },
];
