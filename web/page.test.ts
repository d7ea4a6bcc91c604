import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';

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
const withoutBrowser =
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

const url = (): string => process.env.FOVEA_TEST_URL ?? inject('foveaUrl');
const adminPat = (): string => process.env.FOVEA_TEST_PAT ?? inject('foveaPat');

const soon = { timeout: 20_000 };

type Paint = 'stripes' | 'circle';

/** A picture with one clear subject; the seed moves and colours it. */
async function picture(paint: Paint, seed: number): Promise<Buffer> {
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

const file = async (paint: Paint, seed: number) => ({
  name: `${paint}-${seed}.jpg`,
  mimeType: 'image/jpeg',
  buffer: await picture(paint, seed),
});
const several = (paint: Paint, from: number, to: number) =>
  Promise.all(Array.from({ length: to - from }, (_, i) => file(paint, from + i)));

/** A user of their own for every test, made the way an operator makes one. */
async function newUser(name: string): Promise<string> {
  const reply = await fetch(`${url()}/v2/ext/fovea/users`, {
    method: 'POST',
    headers: { authorization: `Key ${adminPat()}` },
    body: JSON.stringify({ id: `${name}-${Date.now().toString(36)}-${process.pid}` }),
  });
  const { personal_access_token: token } = (await reply.json()) as { personal_access_token: string };
  return token;
}

describe.skipIf(withoutBrowser)('the page', { timeout: 60_000 }, () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let errors: string[];
  let hosts: Set<string>;

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: browserPath ?? '', args: flags });
  });
  afterAll(async () => browser?.close());
  afterEach(async () => context.close());

  /** A fresh browser profile, with everything noted that the page complains about or asks elsewhere. */
  async function openPage(options: Parameters<Browser['newContext']>[0] = {}): Promise<void> {
    context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    page = await context.newPage();
    page.setDefaultTimeout(20_000);
    errors = [];
    hosts = new Set();
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('request', (request) => {
      const asked = new URL(request.url());
      if (asked.protocol.startsWith('http')) hosts.add(asked.host);
    });
  }

  async function signIn(token: string, path = '/'): Promise<void> {
    await page.goto(url() + path);
    await page.getByLabel('Personal access token').fill(token);
    await page.getByRole('button', { name: 'Sign in' }).click();
  }

  async function makeApp(id: string): Promise<void> {
    await page.getByLabel('Id of the app').fill(id);
    await page.getByRole('button', { name: 'Create app' }).click();
    await page.getByRole('heading', { name: 'No pictures yet' }).waitFor();
  }

  async function choose(press: string | RegExp, files: Awaited<ReturnType<typeof file>>[]): Promise<void> {
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: press }).first().click(),
    ]);
    await chooser.setFiles(files);
  }

  const tile = (name: string) =>
    page.locator('.tile', { has: page.getByRole('button', { name: new RegExp(`^${name};`) }) });

  const uploads = (words: string) => page.locator('.dock strong', { hasText: words });

  test('somebody uploads, labels, searches, trains and predicts, and the page asks nobody else', {
    timeout: 180_000,
  }, async () => {
    await openPage();
    await signIn(await newUser('mira'));
    await makeApp('shapes');

    const broken = {
      name: 'broken.jpg',
      mimeType: 'image/jpeg',
      buffer: (await picture('circle', 1)).subarray(0, 300),
    };
    await choose('Add pictures', [
      ...(await several('stripes', 0, 7)),
      ...(await several('circle', 0, 7)),
      broken,
    ]);
    await uploads('14 of 15 uploaded, 1 failed').waitFor({ timeout: 60_000 });
    await expect.poll(() => page.locator('.tile.ready').count(), soon).toBe(14);
    const reason = await page.locator('.tile.failed .tile-why').textContent();
    expect(reason).toMatch(/decod/i);
    await expect.poll(() => page.locator('.line').textContent(), soon).toBe('15 pictures · 1 failed');
    // The thumbnail came with the session cookie alone.
    await expect
      .poll(
        () =>
          tile('stripes-3.jpg')
            .locator('img')
            .evaluate((image: HTMLImageElement) => image.naturalWidth),
        soon,
      )
      .toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Close' }).click();

    for (const paint of ['stripes', 'circle'] as const) {
      for (let seed = 0; seed < 7; seed++) {
        await tile(`${paint}-${seed}.jpg`)
          .locator('.face')
          .click(seed === 0 ? {} : { modifiers: ['ControlOrMeta'] });
      }
      await page.keyboard.press('l');
      await page.keyboard.type(paint);
      await page.keyboard.press('Enter');
      await page.getByText(`7 pictures labelled “${paint}”`).waitFor();
    }
    await page.locator('.facet', { hasText: 'circle' }).getByText('7').waitFor();
    await page.getByRole('button', { name: 'Clear the selection' }).click();

    await page.keyboard.press('/');
    await page.keyboard.type('stri');
    await page.keyboard.press('Enter');
    await page.getByText('7 pictures found').waitFor();
    expect(new URL(page.url()).searchParams.getAll('q')).toEqual(['stripes']);
    await page.getByRole('button', { name: 'Clear the search' }).click();

    await tile('circle-2.jpg').hover();
    await tile('circle-2.jpg')
      .getByRole('button', { name: /^Search by this picture/ })
      .click();
    await page.getByText('14 pictures found').waitFor();
    expect(await page.locator('.tile .face').first().getAttribute('aria-label')).toMatch(
      /^circle-2\.jpg; .*score 1\.000/,
    );

    await choose(/^Search by a picture from this computer/, [await file('stripes', 3)]);
    await expect
      .poll(() => page.locator('.tile .face').first().getAttribute('aria-label'), soon)
      .toMatch(/^stripes-3\.jpg; .*score (1\.000|0\.99)/);

    await page.getByRole('button', { name: 'Train', exact: true }).click();
    await page.locator('form').getByRole('button', { name: 'Train' }).click();
    await page
      .locator('.model', { hasText: 'trained' })
      .getByText('accuracy', { exact: true })
      .waitFor({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.getByRole('heading', { name: 'Try a model' }).waitFor();
    await choose('Choose a picture', [await file('stripes', 9)]);
    await expect.poll(() => page.locator('.bars li').first().textContent(), soon).toMatch(/^stripes0\.[5-9]/);

    await page.getByLabel('Model', { exact: true }).selectOption({ label: 'Color recognition' });
    await page.locator('.swatches li').first().waitFor();
    await page.getByRole('button', { name: 'Show the last call as curl' }).click();
    const curl = await page.locator('dialog pre').textContent();
    expect(curl).toContain('/models/color-recognition/outputs');
    expect(curl).toContain('Key $FOVEA_PAT');

    expect(errors).toEqual([]);
    expect([...hosts]).toEqual([new URL(url()).host]);
  });

  test('a wrong token is refused with a reason and an id, and gives no session', async () => {
    await openPage();
    await signIn('0'.repeat(32));
    const alert = page.getByRole('alert');
    await alert.getByText('You are not signed in.').waitFor();
    expect(await alert.locator('code').textContent()).toMatch(/^[0-9a-f]{32}$/);
    expect(await context.cookies()).toEqual([]);
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  });

  test('signing out ends the session that showed pictures', async () => {
    await openPage();
    await signIn(await newUser('omar'));
    await makeApp('gone');
    expect((await context.cookies()).map(({ httpOnly }) => httpOnly)).toEqual([true]);
    await page.locator('.menu summary').click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Personal access token').waitFor();
    expect(await context.cookies()).toEqual([]);
    await page.reload();
    await page.getByLabel('Personal access token').waitFor();
  });

  test('names with markup are text, whoever chose them', async () => {
    await openPage();
    await signIn(await newUser('eve'));
    await makeApp('<img src=x onerror=alert(1)>'.replaceAll(/[/\\?#%]/g, ''));
    const nasty = '"><img src=x onerror=document.title=1>.jpg';
    await choose('Add pictures', [{ ...(await file('circle', 3)), name: nasty }]);
    await page.locator('.tile.ready').waitFor();
    await page.locator('.tile .face').click();
    await page.keyboard.press('l');
    await page.keyboard.type('<b>bold</b>');
    await page.keyboard.press('Enter');
    await page.locator('.facet', { hasText: '<b>bold</b>' }).waitFor();
    await page.locator('.tile .face').dblclick();
    await page.getByRole('heading', { name: nasty }).waitFor();
    expect(await page.locator('img[src="x"], #app b').count()).toBe(0);
    expect(errors).toEqual([]);
  });

  test('folders that are chosen offer their names as labels', async () => {
    await openPage();
    await signIn(await newUser('fay'));
    await makeApp('folders');
    // What a drop of a folder looks like to the page: the browser's own entries cannot be made by a script.
    const buffers = await Promise.all([picture('stripes', 1), picture('circle', 1)]);
    await page.evaluate(
      (pictures) => {
        const names = ['stripes', 'circle'];
        const files = pictures.map((base64, i) => {
          const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
          const made = new File([bytes], 'one.jpg', { type: 'image/jpeg' });
          Object.defineProperty(made, 'webkitRelativePath', { value: `all/${names[i]}/one.jpg` });
          return made;
        });
        const click = HTMLInputElement.prototype.click;
        HTMLInputElement.prototype.click = function () {
          if (this.type !== 'file') return click.call(this);
          Object.defineProperty(this, 'files', { value: files });
          this.dispatchEvent(new Event('change'));
        };
      },
      buffers.map((bytes) => bytes.toString('base64')),
    );
    await page.getByRole('button', { name: 'Add a folder' }).first().click();
    await page.getByRole('heading', { name: 'Use folder names as labels?' }).waitFor();
    await page.getByRole('button', { name: 'Label with folder names' }).click();
    await uploads('2 pictures uploaded').waitFor();
    await expect.poll(() => page.locator('.facet').allTextContents(), soon).toEqual(['circle1', 'stripes1']);
  });

  test('a new concept whose name is a part of another one is offered first', async () => {
    await openPage();
    await signIn(await newUser('tess'));
    await makeApp('shirts');
    await choose('Add pictures', await several('circle', 0, 2));
    await expect.poll(() => page.locator('.tile.ready').count(), soon).toBe(2);
    for (const [seed, words] of [
      [0, 't-shirt'],
      [1, 'shirt'],
    ] as const) {
      await tile(`circle-${seed}.jpg`).locator('.face').click();
      await page.keyboard.press('l');
      await page.keyboard.type(words);
      await page.keyboard.press('Enter');
      await page.locator('.facet', { hasText: new RegExp(`^${words}`) }).waitFor();
      await page.keyboard.press('Escape');
    }
    await page.locator('.selection input').fill('shi');
    expect(await page.locator('.selection [role=option]').allTextContents()).toEqual([
      'shirt1',
      't-shirt1',
      'New concept “shi”',
    ]);
  });

  test('keys alone are enough to select and delete', async () => {
    await openPage();
    await signIn(await newUser('kim'));
    await makeApp('keys');
    await choose('Add pictures', await several('circle', 0, 3));
    await expect.poll(() => page.locator('.tile.ready').count(), soon).toBe(3);
    await page.getByRole('button', { name: 'Select all' }).focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await page.keyboard.press('Shift+ArrowRight');
    await page.getByText('2 pictures', { exact: true }).waitFor();
    await page.keyboard.press('Delete');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('2 pictures deleted.').waitFor();
    expect(await page.locator('.tile').count()).toBe(1);
    await page.reload();
    await expect.poll(() => page.locator('.tile').count(), soon).toBe(1);
  });

  test.each([
    ['light', 1440],
    ['dark', 390],
  ] as const)('it fits a %s screen of %i pixels', async (colorScheme, width) => {
    await openPage({ colorScheme, viewport: { width, height: 800 } });
    await signIn(await newUser('lee'));
    await makeApp('narrow');
    for (const view of ['pictures', 'train', 'try']) {
      await page.locator(`[data-view="${view}"]`).click();
      await page.locator('.empty').waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    }
    expect(errors).toEqual([]);
  });

  test('an address that leads nowhere says so', async () => {
    await openPage();
    await signIn(await newUser('ned'), '/?app=nowhere');
    await page.getByRole('heading', { name: 'No such app' }).waitFor();
  });

  test('no other page may frame it or send its scripts astray', async () => {
    const reply = await fetch(`${url()}/`);
    const policy = reply.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
    const html = await reply.text();
    expect(html).not.toMatch(/<style|style=|<script(?![^>]* src=)/);
    const script = await fetch(url() + (/src="([^"]+)"/.exec(html)?.[1] ?? ''));
    expect(script.status).toBe(200);
    expect(script.headers.get('cache-control')).toContain('immutable');
    expect((await fetch(`${url()}/assets/0123-main.js`)).status).toBe(404);
    expect(await (await fetch(`${url()}/settings/secrets`)).text()).toBe(html);

    const stranger = createServer((_request, response) =>
      response.end(`<iframe src="${url()}/"></iframe>`),
    ).listen(0, '127.0.0.1');
    try {
      await new Promise((resolve) => stranger.once('listening', resolve));
      await openPage();
      const { port } = stranger.address() as { port: number };
      await page.goto(`http://127.0.0.1:${port}/`);
      await expect.poll(() => errors.join(), soon).toMatch(/frame-ancestors/);
    } finally {
      stranger.close();
    }
  });
});
