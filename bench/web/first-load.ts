/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { pat } from '../harness/server.ts';
import { at, drawApp, jpeg, opened, type Stage } from './ground.ts';

/** What comes over the wire before the gallery stands, and when it is painted. */
export async function firstLoad(stage: Stage): Promise<void> {
  const { context } = stage;
  const found = {
    kb: [] as number[],
    plainKb: [] as number[],
    paint: [] as number[],
    stands: [] as number[],
    largest: [] as number[],
  };
  for (let round = 0; round < context.rounds; round++) {
    const page = await opened(stage, at(drawApp, '/inputs'), () => {
      const seen = window as unknown as { stands: number; largest: number };
      new PerformanceObserver((list) => {
        seen.largest = list.getEntries().at(-1)?.startTime ?? 0;
      }).observe({ type: 'largest-contentful-paint', buffered: true });
      new MutationObserver(() => {
        if (document.querySelector('.grid-cell')) seen.stands ??= performance.now();
      }).observe(document, { childList: true, subtree: true });
    });
    await page.locator('.grid-cell img').first().waitFor();
    await page.waitForFunction(() => [...document.images].every((image) => image.complete));
    const seen = await page.evaluate(() => {
      const scripts = (performance.getEntriesByType('resource') as PerformanceResourceTiming[]).filter(
        ({ name }) => name.endsWith('.js'),
      );
      const { stands, largest } = window as unknown as { stands: number; largest: number };
      return {
        kb: scripts.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0) / 1000,
        plainKb: scripts.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0) / 1000,
        paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN,
        stands,
        largest,
      };
    });
    for (const name of Object.keys(found) as (keyof typeof found)[]) found[name].push(seen[name]);
    await page.context().close();
  }
  context.measured('P9.7', found.kb);
  context.control('P9.7', 'the same scripts, not compressed', found.plainKb);
  context.measured('P9.7p', found.paint);
  context.measured('P9.7i', found.stands);
  context.measured('P9.7l', found.largest);
  context.control(
    'P9.7p',
    'a second later',
    found.paint.map((ms) => ms + 1_000),
  );
}

/** From the form that signs in to a label that the server has, as somebody does it who is new. */
export async function firstLabel({ context, server, browser: { browser } }: Stage): Promise<void> {
  const seconds: number[] = [];
  let actions = 0;
  for (let round = 0; round < Math.min(context.rounds, 3); round++) {
    const profile = await browser.newContext({ viewport: { width: 1200, height: 800 }, locale: 'en' });
    const page = await profile.newPage();
    page.setDefaultTimeout(60_000);
    actions = 0;
    const act = async (one: Promise<unknown>) => {
      actions += 1;
      await one;
    };
    await page.goto(server.url);
    await page.getByLabel('Access token').waitFor();
    const began = performance.now();
    await page.getByLabel('Access token').fill(pat);
    await act(page.keyboard.press('Enter'));
    await act(page.getByRole('button', { name: 'New app' }).first().click());
    await page.getByLabel('Name').fill(`first-${round}-${Date.now().toString(36)}`);
    await act(page.keyboard.press('Enter'));
    const inputs = page.getByRole('link', { name: 'Inputs' }).first();
    await inputs.waitFor();
    if (!page.url().endsWith('/inputs')) await act(inputs.click());
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      act(page.getByRole('button', { name: 'Upload', exact: true }).first().click()),
    ]);
    await chooser.setFiles([{ name: 'first.jpg', mimeType: 'image/jpeg', buffer: await jpeg(90 + round) }]);
    await page.locator('.grid-cell img').first().waitFor();
    await act(page.locator('.grid-cell').first().click());
    await page.locator('.canvas canvas').nth(1).waitFor();
    await page.keyboard.press('r');
    const canvas = await page.locator('.canvas').boundingBox();
    if (!canvas) throw new Error('there is no canvas');
    const draw = async () => {
      await page.mouse.move(canvas.x + canvas.width * 0.4, canvas.y + canvas.height * 0.4);
      await page.mouse.down();
      await page.mouse.move(canvas.x + canvas.width * 0.6, canvas.y + canvas.height * 0.6, { steps: 4 });
      await page.mouse.up();
    };
    await act(draw());
    await page.locator('.object-list li').first().waitFor();
    await page.locator('.save-note[data-state=saved]').waitFor();
    seconds.push((performance.now() - began) / 1000);
    await profile.close();
  }
  context.measured('P9.6', seconds);
  context.measured('P9.6a', [actions]);
  context.control('P9.6a', 'a dialog to confirm after each', [2 * actions]);
}
