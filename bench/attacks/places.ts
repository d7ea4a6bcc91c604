import type { Page } from 'playwright-core';
import type { Poisoned } from './poison.ts';

/** A screen of the page, as the tests of the page walk them (`web/e2e/screens.ts`), with what is opened on it. */
export interface Place {
  readonly name: string;
  readonly path: string;
  /** What must be there, or the screen was not looked at. */
  readonly ready: string;
  readonly open?: (page: Page) => Promise<unknown>;
}

/** Buttons by what they look like: the same in every language. */
const withIcon = (path: string): string => `.button:has(path[d^="${path}"])`;
const press = (selector: string) => (page: Page) => page.locator(selector).first().click();
const preview = async (page: Page) => {
  await page.locator('.grid-cell[tabindex="0"]').focus();
  await page.keyboard.press(' ');
};
const markThree = async (page: Page) => {
  for (const at of [1, 2, 3])
    await page
      .locator('.grid-cell')
      .nth(at)
      .click({ modifiers: ['ControlOrMeta'] });
};
const add = `main ${withIcon('M12 5v14')}`;

/** What is on any screen. */
export const anything = '.grid-cell, main h1, main .empty, main [role=alert], .lone, main form';

/**
 * Screens of the page with what is opened on them, over an app whose every text is a payload. Screens that are not
 * here and that these lead to are found by themselves (page.ts). */
export function placesOf({ userId, appId, hasClips, words }: Poisoned): Place[] {
  const at = `/${userId}/${appId}`;
  const model = `${at}/models/m`;
  const word = encodeURIComponent(words());
  const gallery = (name: string, ready: string, open: (page: Page) => Promise<unknown>, query = '') => ({
    name,
    path: `${at}/inputs${query}`,
    ready,
    open: async (page: Page) => {
      await page.locator('.grid-cell:has(img)').nth(3).waitFor();
      await open(page);
    },
  });
  const labeller = (name: string, id: string, ready: string, open?: (page: Page) => Promise<unknown>) => ({
    name,
    path: `${at}/inputs/${id}`,
    ready,
    ...(open ? { open } : {}),
  });
  return [
    { name: 'apps', path: '/', ready: '.app-card' },
    { name: 'new-app', path: '/', ready: '.dialog input', open: press(add) },
    { name: 'app switcher', path: at, ready: '[role=listbox]', open: press('.top-bar .select-button') },
    { name: 'overview', path: at, ready: '.tile' },
    { name: 'gallery', path: `${at}/inputs`, ready: '.grid-cell' },
    { name: 'gallery-hits', path: `${at}/inputs?concept=c-1&concept=!c-2&like=i-1`, ready: anything },
    {
      name: 'gallery of words in the address',
      path: `${at}/inputs?text=${word}&concept=${word}&like=${word}&dataset=${word}&asOf=${word}&kind=${word}`,
      ready: '.gallery-header',
    },
    gallery('gallery-marked', '.selection-bar .chip', markThree, '?kind=image'),
    gallery('gallery-preview', '.preview img', preview, '?kind=image'),
    gallery(
      'search-region',
      '.region-picture img',
      async (page) => {
        await preview(page);
        await page.locator(`.dialog ${withIcon('M4 6h16v12')}`).click();
      },
      '?kind=image',
    ),
    gallery('map', '.dialog svg path', press(`.gallery-header ${withIcon('M9 4 3 6')}`)),
    gallery('as-of', '.dialog input', press(`.gallery-header ${withIcon('M12 3a9 9 0 1 0')}`)),
    gallery('saved-searches', '.dialog .saved-search', press(`.gallery-header ${withIcon('M5 4h11')}`)),
    gallery(
      'gallery-delete',
      '.dialog .what-goes img',
      async (page) => {
        await markThree(page);
        await page.locator(`.selection-bar ${withIcon('M4 7h16')}`).click();
      },
      '?kind=image',
    ),
    labeller('labeller', 'i-1', '.object-list li'),
    labeller('labeller-no-segmenter', 'i-1', '.labeller-side pre', async (page) => {
      await page.locator('.object-list li').first().waitFor();
      await page.keyboard.press('s');
    }),
    labeller('labeller-adjust', 'i-1', '.dialog.adjust', press('.toolbar .button:last-child')),
    labeller('labeller-text', 'i-0', '.mark-list li'),
    labeller('a page of somebody as a text', 'html', '.labeller'),
    labeller('an input that could not be read', 'broken', anything),
    labeller('a drawing', 'svg-0', anything),
    labeller('an input of that name', word, anything),
    ...(hasClips
      ? [
          labeller('labeller-video', 'clip?frame=0', '[data-frame="0"][data-waiting="false"]'),
          labeller('labeller-audio', 'tone', '.mark-list li'),
          { name: 'preview-video', path: `${at}/inputs?kind=video`, ready: '.preview video', open: preview },
        ]
      : []),
    { name: 'datasets', path: `${at}/datasets`, ready: '.card' },
    ...['versions', 'charts', 'diff', 'leaks', 'export'].map((tab) => ({
      name: `dataset-${tab}`,
      path: `${at}/datasets/d?tab=${tab}`,
      ready: '[role=tabpanel] :is(table, canvas, .card, .button, .empty)',
    })),
    { name: 'models', path: `${at}/models`, ready: '.card' },
    {
      name: 'train-dialog',
      path: `${at}/models`,
      ready: '.dialog .concept-ticks label',
      open: press('.page-header .button.primary'),
    },
    ...['overview', 'evaluation', 'compare', 'try', 'versions'].map((tab) => ({
      name: `model-${tab}`,
      path: `${model}?tab=${tab}`,
      ready: '[role=tabpanel] :is(table, canvas, .card, .facts, .try-drop)',
    })),
    {
      name: 'what the model says',
      path: `${model}?tab=try`,
      ready: '.answer, [role=tabpanel] :is(li, table)',
      open: tryIt,
    },
    {
      name: 'model-evaluation-inputs',
      path: `${model}?tab=evaluation`,
      ready: '.dialog .entry-list li',
      open: press('.confusion td button'),
    },
    {
      name: 'model-delete',
      path: model,
      ready: '.dialog',
      open: press(`.page-header ${withIcon('M4 7h16')}`),
    },
    { name: 'a model of that name', path: `${at}/models/${word}?tab=${word}`, ready: anything },
    { name: 'workflows', path: `${at}/workflows`, ready: '.page .card, .page table' },
    { name: 'workflow-graph', path: `${at}/workflows/w`, ready: '.react-flow__node' },
    ...['yaml', 'versions'].map((tab) => ({
      name: `workflow-${tab}`,
      path: `${at}/workflows/w`,
      ready: '[role=tabpanel] :is(textarea, table)',
      open: press(`[role=tab][data-key=${tab}]`),
    })),
    { name: 'jobs', path: `${at}/jobs`, ready: '.job' },
    { name: 'app-settings', path: `${at}/settings`, ready: '.page form' },
    { name: 'tokens', path: '/settings/secrets', ready: '.page table' },
    { name: 'new-token', path: '/settings/secrets', ready: '.dialog input', open: press(add) },
    ...['curl', 'python', 'typescript'].map((language) => ({
      name: `code-${language}`,
      path: `${at}/models`,
      ready: `.dialog [role=tab][data-key=${language}][data-selected]`,
      open: async (page: Page) => {
        await press(`.top-bar ${withIcon('M8 7l-5 5')}`)(page);
        await press(`.dialog [role=tab][data-key=${language}]`)(page);
        await page.locator('.dialog pre').first().waitFor();
      },
    })),
    { name: 'shortcuts', path: at, ready: '.shortcuts kbd', open: (page) => page.keyboard.press('?') },
    { name: 'user-menu', path: at, ready: '.menu', open: press('.top-bar .button:has(.initial)') },
    { name: 'uploads', path: `${at}/inputs`, ready: '.dock', open: upload(words) },
    { name: 'nowhere', path: `/${word}/${word}/${word}`, ready: anything },
    { name: 'welcome', path: `/start#${word}`, ready: 'body' },
    { name: 'docs', path: '/docs', ready: 'body' },
  ];
}

const smallPng = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** Files with payloads for names: some are pictures, some are not what they say. */
const upload = (words: () => string) => async (page: Page) => {
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    page
      .locator(`main ${withIcon('M12 16V5')}`)
      .first()
      .click(),
  ]);
  await chooser.setFiles(
    [words(), words(), words()].map((name, i) => ({
      name: `${name.replaceAll('/', ' ')}.png`,
      mimeType: 'image/png',
      buffer: i === 2 ? Buffer.from(name) : smallPng,
    })),
  );
};

async function tryIt(page: Page): Promise<void> {
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    page.locator('.try-drop .button').first().click(),
  ]);
  await chooser.setFiles([{ name: 'x.png', mimeType: 'image/png', buffer: smallPng }]);
}
