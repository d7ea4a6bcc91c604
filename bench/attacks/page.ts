/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import type { Arena } from './arena.ts';
import { type Attack, ledger, type Outcome } from './attack.ts';
import { shown, signIn, type Trapped, trap, trapped, withBrowser } from './browser.ts';
import { payloads } from './payloads.ts';
import { anything, type Place, placesOf } from './places.ts';
import { type Poisoned, poison } from './poison.ts';

/** What the payloads would have left in the document, had they been taken for markup. */
const markupLeft = (): string[] =>
  [
    ...document.querySelectorAll(
      'img[src="x"], base, marquee, embed, object, iframe, math, details[ontoggle], [onerror], [onload], [onfocus], [href^="javascript:" i], [src^="javascript:" i]',
    ),
  ].map((element) => element.outerHTML.slice(0, 100));

/** Types words into every field that is shown, one after the other. @returns how many there are */
async function fillAll(page: Page, words: () => string): Promise<number> {
  const fields = page.locator(
    ':is(input:not([type]), input[type=text], input[type=search], input[type=password], textarea):visible:enabled',
  );
  const count = Math.min(await fields.count(), 12);
  let filled = 0;
  for (let at = 0; at < count; at++) {
    const done = await fields
      .nth(at)
      .fill(words(), { timeout: 500 })
      .then(
        () => true,
        () => false,
      );
    if (done) filled += 1;
    await page.evaluate(
      () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
    );
  }
  return filled;
}

interface Seen {
  /** Whether what has to be there was. */
  readonly isOpen: boolean;
  /** Whether words of ours stand on it, as words. */
  readonly showsWords: boolean;
  readonly filled: number;
}

/** Opens a screen, points at what opens by pointing, and types into what can be typed into. */
async function lookAt(page: Page, base: string, place: Place, words: () => string): Promise<Seen> {
  await page.goto(base + place.path, { waitUntil: 'load' }).catch(() => {});
  await shown(page);
  const isOpen = await (async () => {
    await place.open?.(page);
    await page.locator(place.ready).first().waitFor({ timeout: 10_000 });
    return true;
  })().catch(() => false);
  await shown(page);
  const showsWords = await page.evaluate(
    (trap) =>
      document.body.innerText.includes(trap) ||
      [...document.querySelectorAll('input, textarea, [aria-label], [title], img[alt]')].some((one) =>
        `${(one as HTMLInputElement).value ?? ''} ${one.getAttribute('aria-label')} ${one.getAttribute('title')} ${one.getAttribute('alt')}`.includes(
          trap,
        ),
      ),
    trap,
  );
  for (const opener of [
    '.grid-cell',
    '.select-button',
    '[role=tab]:not([data-selected])',
    '.bar',
    'td',
    'canvas',
  ])
    if ((await page.locator(opener).count()) > 0)
      await page
        .locator(opener)
        .first()
        .hover({ timeout: 150 })
        .catch(() => {});
  return { isOpen, showsWords, filled: await fillAll(page, words) };
}

interface Lead {
  readonly path: string;
  /** The tab that is pressed there; '' for none. */
  readonly tab: string;
}

/** One name for all addresses of a screen: what it is shown for, and how it is narrowed, are left out. */
function screenOf({ path, tab }: Lead): string {
  const [first = '', app, word = '', one] = path.split('/').filter(Boolean);
  const isOfApp = app !== undefined && first !== 'settings';
  return [isOfApp ? `app ${word} ${one === undefined ? '' : 'one'}` : path, tab].join(' ');
}

/** Where the screen that is open leads: what it links to, its tabs, and which of these is open. */
const leadsOf = (page: Page, roots: readonly string[]): Promise<{ here: Lead; leads: Lead[] }> =>
  page.evaluate((roots) => {
    const path = location.pathname;
    // Tabs of a dialog are there only while it is open, which is for a place of the list to see to.
    const tabs = [...document.querySelectorAll<HTMLElement>('main [role=tab][data-key]')];
    const open = tabs.find((tab) => tab.hasAttribute('data-selected'))?.dataset.key ?? '';
    const links = [...document.querySelectorAll<HTMLAnchorElement>('a[href^="/"]:not([download])')];
    return {
      here: { path, tab: open },
      leads: [
        ...links
          .filter(({ pathname }) => roots.some((root) => `${pathname}/`.startsWith(`${root}/`)))
          .map(({ pathname }) => ({ path: pathname, tab: '' })),
        ...tabs.map((tab) => ({ path, tab: tab.dataset.key ?? '' })),
      ],
    };
  }, roots);

/** What the page leads to by itself and no place of the list stands for: so that a new screen is attacked, too. */
function openAtlas({ userId, appId }: Poisoned) {
  const roots = [`/${userId}/${appId}`, '/settings'];
  const looked = new Set<string>();
  const waiting = new Map<string, Lead>();
  return {
    async note(page: Page): Promise<void> {
      const { here, leads } = await leadsOf(page, roots);
      looked.add(screenOf(here));
      // Of a screen with tabs, the address alone opens one of them.
      looked.add(screenOf({ path: here.path, tab: '' }));
      for (const lead of leads) if (!waiting.has(screenOf(lead))) waiting.set(screenOf(lead), lead);
    },
    /** @returns undefined when every screen was looked at */
    next(): Place | undefined {
      const found = [...waiting].find(([name]) => !looked.has(name));
      if (!found) return undefined;
      const [name, { path, tab }] = found;
      looked.add(name);
      return {
        name: `${path} ${tab}`.trim(),
        path,
        ready: anything,
        ...(tab ? { open: (page: Page) => page.locator(`[role=tab][data-key="${tab}"]`).click() } : {}),
      };
    },
  };
}

/** Files that somebody sent, opened by themselves: downloads and sandboxed documents run nothing of ours either. */
async function openMedia(
  { page, hits }: Trapped,
  base: string,
  paths: readonly string[],
  book: ReturnType<typeof ledger>,
): Promise<void> {
  for (const path of paths) {
    book.count();
    const before = hits.length;
    await page.goto(base + path, { timeout: 3_000 }).catch(() => {});
    await page.waitForTimeout(150);
    for (const hit of hits.slice(before)) book.through(`${path}: ${hit}`);
  }
}

/** With each round every field gets other payloads; concepts, files and metadata hold all of them in each. */
async function everyScreen(arena: Arena, trap: Trapped, round: number, book: ReturnType<typeof ledger>) {
  const { server, cast } = arena;
  const { page, hits } = trap;
  const home = new URL(server.url).host;
  const poisoned = await poison(arena, round * 7);
  await signIn(trap.context, server.url, cast.attacker.pat);
  const places = placesOf(poisoned);
  const atlas = openAtlas(poisoned);
  const counts = { screens: 0, showing: 0, filled: 0, taken: poisoned.taken };
  for (let place = places.shift(); place; place = places.shift() ?? atlas.next()) {
    counts.screens += 1;
    const before = hits.length;
    const seen = await lookAt(page, server.url, place, poisoned.words);
    book.count(payloads.length + seen.filled);
    // A screen that did not open was not attacked, which is no pass.
    if (!seen.isOpen) book.through(`${place.name} did not open: no ${place.ready} at ${place.path}`);
    if (seen.showsWords) counts.showing += 1;
    counts.filled += seen.filled;
    for (const hit of hits.slice(before)) book.through(`${place.name}: ${hit}`);
    for (const left of await page.evaluate(markupLeft))
      book.through(`${place.name}: became an element: ${left}`);
    await atlas.note(page);
    if (new URL(page.url()).host !== home) book.through(`${place.name} led to ${page.url()}`);
  }
  await openMedia(trap, server.url, poisoned.media, book);
  return { ...counts, refused: poisoned.refused };
}

const s40: Attack = {
  id: 'S40',
  name: 'markup and script in every free text, on every screen of the page, in a real browser',
  run: (arena) =>
    withBrowser(async (browser): Promise<Outcome> => {
      const book = ledger();
      let last = '';
      for (let round = 0; round < (arena.full ? payloads.length : 1); round++) {
        const trap = await trapped(browser, new URL(arena.server.url).host);
        const { screens, showing, filled, taken, refused } = await everyScreen(arena, trap, round, book);
        last = `${payloads.length} payloads, ${taken} writes of them taken, refused: ${refused.join(', ') || 'none'}; ${screens} screens, ${showing} show them; ${filled} fields typed into`;
        await trap.context.close();
      }
      return book.outcome({ note: last });
    }),
  /** The same trap around a page that takes the words for markup. */
  control: (arena) =>
    withBrowser(async (browser) => {
      const book = ledger();
      const server = createServer((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/html' });
        response.end(`<!doctype html><body>${payloads.slice(3, 20).join('\n')}</body>`);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const home = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      const { context, page, hits } = await trapped(browser, home);
      await page.goto(`http://${home}/`);
      await page.waitForFunction(() => document.readyState === 'complete');
      book.count();
      for (const left of await page.evaluate(markupLeft)) book.through(left);
      for (const hit of hits) book.through(hit);
      await context.close();
      server.close();
      return book.outcome();
    }),
};

export const pageAttacks = [s40];
