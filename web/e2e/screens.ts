import type { Page } from 'playwright-core';
import { api, file, makeApp, postMedia, type User } from './browser.ts';

/** What the screens are shown for: the sample app, and one with nothing in it. */
export interface Ground {
  readonly user: User;
  readonly app: string;
  readonly emptyApp: string;
  /** Videos, sounds, texts and places. */
  readonly mediaApp: string;
  readonly inputId: string;
  readonly modelId: string;
}

/** A video of 60 frames at 25 a second, and a sound of four seconds. */
export interface Clips {
  readonly video: Buffer;
  readonly sound: Buffer;
}

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

/** Fills what the walk looks at beyond the sample: a workflow, a second version, an app with nothing in it. */
export async function furnish(user: User, app: string, clips: Clips | undefined): Promise<Ground> {
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
  await evaluateAgain(user, app, modelId);
  await furnishMedia(user, clips);
  const boat = inputs.find(({ data }) => data.concepts?.some(({ id }) => id === 'boat')) ?? inputs[0];
  return { user, app, emptyApp: 'empty', mediaApp: 'media', inputId: boat?.id ?? '', modelId };
}

/** A second evaluation, to compare with the first. */
async function evaluateAgain(user: User, app: string, modelId: string): Promise<void> {
  const named = { user_id: user.id, app_id: app };
  await api(user, 'POST', `apps/${app}/evaluations`, {
    eval_metrics: [
      { id: 'again', model: { id: modelId, ...named }, ground_truth_dataset: { id: 'train', ...named } },
    ],
  });
  for (let tries = 0; tries < 300; tries++) {
    const { eval_metrics } = await api<{ eval_metrics?: { status?: { code?: number } } }>(
      user,
      'GET',
      `apps/${app}/evaluations/again`,
    );
    if (eval_metrics?.status?.code === 21300) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('the second evaluation was not there within a minute');
}

const words =
  'The lighthouse at Cape Grey was lit for the first time in 1871. Its keeper, Ada Holm, wrote down every ship that ' +
  'passed: their names, their flags, and the weather. Ships from Bergen came in spring, those from Lisbon in autumn.';

/** An app with something of every kind, labelled, some of it at places of the world. */
async function furnishMedia(user: User, clips: Clips | undefined): Promise<void> {
  const app = 'media';
  await makeApp(user, app);
  const places = [
    ['bergen', 60.39, 5.32],
    ['lisbon', 38.72, -9.14],
    ['nairobi', -1.29, 36.82],
  ] as const;
  const pictures = await Promise.all(
    places.map(async ([id, latitude, longitude], i) => ({
      id,
      data: {
        image: { base64: (await file('circle', i)).buffer.toString('base64') },
        geo: { geo_point: { latitude, longitude } },
      },
    })),
  );
  const moving = clips
    ? [
        { id: 'clip', data: { video: { base64: clips.video.toString('base64') } } },
        { id: 'tone', data: { audio: { base64: clips.sound.toString('base64') } } },
      ]
    : [];
  const text = { id: 'words', data: { text: { raw: words } } };
  await postMedia(user, app, [...pictures, ...moving, text]);
  const concept = (id: string) => ({ concepts: [{ id, value: 1 }] });
  const span = (word: string, id: string) => {
    const at = words.indexOf(word);
    const region_info = { span: { char_start: at, char_end: at + word.length } };
    return { input_id: 'words', data: { regions: [{ region_info, data: concept(id) }] } };
  };
  const stretch = (input_id: string, from: number, to: number, id: string) => ({
    input_id,
    data: { time_segments: [{ time_info: { begin_time: from, end_time: to }, data: concept(id) }] },
  });
  const keyframe = (number: number, left: number) => ({
    input_id: 'clip',
    data: {
      frames: [
        {
          frame_info: { number, time: number * 40 },
          data: {
            regions: [
              {
                track_id: 'ferry',
                region_info: {
                  bounding_box: { top_row: 0.25, bottom_row: 0.75, left_col: left, right_col: left + 0.3 },
                },
                data: concept('ship'),
              },
            ],
          },
        },
      ],
    },
  });
  const marks = clips
    ? [
        stretch('tone', 500, 1500, 'horn'),
        stretch('tone', 2000, 3600, 'wind'),
        stretch('clip', 400, 1200, 'arrival'),
        ...[keyframe(0, 0.05), keyframe(20, 0.35), keyframe(40, 0.6)],
      ]
    : [];
  if (clips)
    await api(user, 'POST', `apps/${app}/inputs/clip/annotation_tracks`, {
      annotation_tracks: [{ id: 'ferry', concept: { id: 'ship' }, start_frame_nr: 0, end_frame_nr: 40 }],
    });
  await api(user, 'POST', `apps/${app}/annotations`, {
    annotations: [span('Ada Holm', 'person'), span('Bergen', 'place'), span('Lisbon', 'place'), ...marks],
  });
}
