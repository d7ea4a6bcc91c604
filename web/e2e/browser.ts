import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    foveaUrl: string;
    foveaPat: string;
  }
}

const browserPath = [
  process.env.FOVEA_TEST_CHROMIUM ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== '' && existsSync(path));

/** Why there is no browser to test with, or false. */
export const withoutBrowser =
  browserPath === undefined && 'no Chromium here: install one, or name it in FOVEA_TEST_CHROMIUM';
if (withoutBrowser) console.warn(`The page is not tested: ${withoutBrowser}.`);

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const url = (): string => process.env.FOVEA_TEST_URL ?? inject('foveaUrl');
export const adminPat = (): string => process.env.FOVEA_TEST_PAT ?? inject('foveaPat');
export const soon = { timeout: 20_000 };

/** What tests do with a browser: open profiles in it. */
export type Profiles = Pick<Browser, 'newContext'>;

/** A Chromium for the tests of the `describe` that calls this, from before the first until after the last. */
export function ownBrowser(): Profiles {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: browserPath ?? '', args: flags });
  });
  afterAll(async () => browser?.close());
  return {
    newContext: (options) =>
      browser ? browser.newContext(options) : Promise.reject(new Error('the browser did not open')),
  };
}

export interface User {
  readonly id: string;
  readonly pat: string;
}

/** A user of their own for every test, made the way an operator makes one. */
export async function newUser(name: string): Promise<User> {
  const id = `${name}-${Date.now().toString(36)}-${process.pid}`;
  const reply = await fetch(`${url()}/v2/ext/fovea/users`, {
    method: 'POST',
    headers: { authorization: `Key ${adminPat()}` },
    body: JSON.stringify({ id }),
  });
  const { personal_access_token: pat } = (await reply.json()) as { personal_access_token: string };
  return { id, pat };
}

/** The API as a program uses it. */
export async function api<Reply extends object>(
  user: User,
  verb: string,
  path: string,
  body?: object,
): Promise<Reply> {
  const reply = await fetch(`${url()}/v2/users/${user.id}/${path}`, {
    method: verb,
    headers: { authorization: `Key ${user.pat}` },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return (await reply.json()) as Reply;
}

/** A fresh browser profile, with everything noted that the page complains about or asks elsewhere. */
export interface Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly errors: string[];
  readonly hosts: ReadonlySet<string>;
}

export async function visit(
  browser: Profiles,
  options: Parameters<Browser['newContext']>[0] & { language?: string } = {},
): Promise<Visit> {
  const { language, ...rest } = options;
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...rest });
  if (language) await context.addInitScript((code) => localStorage.setItem('fovea.language', code), language);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const errors: string[] = [];
  const hosts = new Set<string>();
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (asked.protocol.startsWith('http')) hosts.add(asked.host);
  });
  return { context, page, errors, hosts };
}

/** Opens a place of the page, signed in: the session is made as the sign-in form makes it. */
export async function goSignedIn({ context, page }: Visit, user: User, path = '/'): Promise<void> {
  const reply = await context.request.post(`${url()}/v2/login`, { data: { password: user.pat } });
  expect(reply.status()).toBe(200);
  await page.goto(url() + path);
}

/** Does something at a place of the page, signed in; the page must have said no error meanwhile. */
export async function visitSignedIn(
  browser: Profiles,
  user: User,
  path: string,
  work: (visited: Visit) => Promise<void>,
): Promise<void> {
  const visited = await visit(browser);
  try {
    await goSignedIn(visited, user, path);
    await work(visited);
    expect(visited.errors).toEqual([]);
  } finally {
    await visited.context.close();
  }
}

export const makeApp = (user: User, id: string) =>
  api(user, 'POST', 'apps', {
    apps: [{ id, default_workflow: { id: 'Universal', app_id: 'main', user_id: 'clarifai' } }],
  });

export type Paint = 'stripes' | 'circle';

/** A picture with one clear subject; the seed moves and colours it. */
export async function picture(paint: Paint, seed: number): Promise<Buffer> {
  const hue = (seed * 47) % 360;
  const shapes = {
    stripes: Array.from(
      { length: 12 },
      (_, i) =>
        `<rect x="${i * 26 + (seed % 13)}" width="${8 + (seed % 7)}" height="300" fill="hsl(${hue} 70% 30%)"/>`,
    ).join(''),
    circle: `<circle cx="${120 + seed * 5}" cy="${140 + seed * 3}" r="${60 + seed * 3}" fill="hsl(${hue} 80% 45%)"/>`,
  };
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="300" height="300"><rect width="300" height="300" fill="hsl(${hue} 30% 88%)"/>${shapes[paint]}</svg>`;
  return sharp(Buffer.from(svg)).jpeg({ quality: 90 }).toBuffer();
}

export const file = async (paint: Paint, seed: number) => ({
  name: `${paint}-${seed}.jpg`,
  mimeType: 'image/jpeg',
  buffer: await picture(paint, seed),
});

export const several = (paint: Paint, from: number, to: number) =>
  Promise.all(Array.from({ length: to - from }, (_, i) => file(paint, from + i)));

/** Inputs posted as a program posts them; resolves when all are processed. */
export async function postInputs(
  user: User,
  app: string,
  files: Awaited<ReturnType<typeof several>>,
): Promise<void> {
  const inputs = files.map(({ name, buffer }) => ({
    id: name.replace(/\..*/, ''),
    data: { image: { base64: buffer.toString('base64') }, metadata: { filename: name } },
  }));
  await postMedia(user, app, inputs);
}

/** As `postInputs`, for media of any kind. Made for an app that is empty before. */
export async function postMedia(
  user: User,
  app: string,
  inputs: readonly { id: string; data: object }[],
): Promise<void> {
  await api(user, 'POST', `apps/${app}/inputs`, { inputs });
  for (let tries = 0; tries < 300; tries++) {
    const { counts } = await api<{ counts?: { processed?: number } }>(
      user,
      'GET',
      `apps/${app}/inputs/status`,
    );
    if (counts?.processed === inputs.length) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('the inputs were not processed within a minute');
}

/** Presses what opens a file chooser, and chooses. */
export async function choose(
  page: Page,
  press: string | RegExp,
  files: Awaited<ReturnType<typeof several>>,
): Promise<void> {
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    page
      .getByRole('button', { name: press, exact: typeof press === 'string' })
      .first()
      .click(),
  ]);
  await chooser.setFiles(files);
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds against WCAG 2.2 AA on the page as it is, in words. */
export async function axe(page: Page): Promise<string[]> {
  // A screen that fades in is judged when it is there.
  await page.waitForFunction(() =>
    document
      .getAnimations()
      .every(
        (one) =>
          one.playState !== 'running' || one.effect?.getTiming().iterations === Number.POSITIVE_INFINITY,
      ),
  );
  return page.evaluate(async (source) => {
    // Indirect eval, which the page itself may not do: the check runs beside it, through the debugger's own context.
    const run = (window as unknown as { axe?: { run: (options: object) => Promise<unknown> } }).axe;
    if (!run) throw new Error(`axe is not there: ${source.length}`);
    const { violations } = (await run.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
    })) as { violations: { id: string; help: string; nodes: { html: string; failureSummary: string }[] }[] };
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 200)} ${node.failureSummary.slice(0, 300)}`),
    );
  }, axeSource);
}

/** Gets axe into every document of a visit; the page's own policy lets no script in that it does not serve. */
export const withAxe = ({ context }: Visit): Promise<unknown> => context.addInitScript(axeSource);
