/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { CDPSession, Page } from 'playwright-core';
import { scaled } from '../harness/bench.ts';
import { at, drawApp, opened, pictures, type Stage } from './ground.ts';

/** Frames while the picture is dragged about: their times in milliseconds, sorted. */
async function pan(page: Page, steps: number, busyMs = 0): Promise<number[]> {
  const canvas = await page.locator('.canvas').boundingBox();
  if (!canvas) throw new Error('there is no canvas');
  const middle = { x: canvas.x + canvas.width / 2, y: canvas.y + canvas.height / 2 };
  await page.locator('.canvas canvas').nth(1).focus();
  await page.keyboard.press('Escape');
  await page.keyboard.down(' ');
  await page.mouse.move(middle.x, middle.y);
  await page.mouse.down();
  await page.evaluate((busyMs) => {
    const kept = window as unknown as { frames: number[] | undefined };
    const frames: number[] = [];
    kept.frames = frames;
    let last = performance.now();
    const tick = (now: number) => {
      frames.push(now - last);
      last = now;
      const began = performance.now();
      if (busyMs > 0) while (performance.now() - began < busyMs);
      if (kept.frames === frames) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }, busyMs);
  for (let step = 0; step < steps; step++)
    await page.mouse.move(middle.x + 150 * Math.sin(step / 12), middle.y + 100 * Math.cos(step / 9));
  const frames = await page.evaluate(() => {
    const kept = window as unknown as { frames: number[] | undefined };
    const { frames = [] } = kept;
    kept.frames = undefined;
    return frames;
  });
  await page.mouse.up();
  await page.keyboard.up(' ');
  return frames.slice(2).toSorted((a, b) => a - b);
}

const p95 = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN;

async function openInput(stage: Stage, id: string, shapes: number): Promise<Page> {
  const page = await opened(stage, at(drawApp, `/inputs/${id}`));
  await page.locator('.canvas canvas').nth(1).waitFor();
  if (shapes > 0)
    await page.waitForFunction(
      (count) => document.querySelector('.labeller-side')?.textContent?.includes(`${count} shape`),
      shapes,
    );
  return page;
}

export async function drawing(stage: Stage): Promise<void> {
  const { context } = stage;
  for (const [goal, input, shapes] of [
    ['P9.4', 'p-1', 1_000],
    ['P9.4b', 'p-2', 5_000],
  ] as const) {
    const page = await openInput(stage, input, shapes);
    const found: number[] = [];
    await pan(page, 20);
    for (let round = 0; round < context.rounds; round++)
      found.push(p95(await pan(page, scaled(context, 120, 40))));
    context.measured(goal, found);
    context.control(goal, '100 ms of work in each frame', [p95(await pan(page, 30, 100))]);
    await page.context().close();
  }
  const page = await openInput(stage, 'p-3', 0);
  await page.getByRole('button', { name: /car/ }).first().waitFor();
  await page.keyboard.press('Shift+N');
  await page.locator('.object-list li').first().waitFor();
  const labels: number[] = [];
  for (let round = 0; round < 2 * context.rounds; round++)
    labels.push(await painted(page, round % 2 ? '1' : '2', '.object-list li.selected .grow'));
  context.measured('P9.5', labels);
  context.control(
    'P9.5',
    'a tenth of a second later',
    labels.map((ms) => ms + 100),
  );
  await page.locator('.save-note[data-state=saved]').waitFor();
  const next: number[] = [];
  for (let round = 0; round < Math.min(context.rounds, pictures - 4); round++) {
    // As somebody does who looks at a picture before going on.
    await page.waitForTimeout(600);
    next.push(await painted(page, 'd', '.labeller-header h1'));
  }
  context.measured('P9.5n', next);
  context.control(
    'P9.5n',
    'three tenths of a second later',
    next.map((ms) => ms + 300),
  );
  await page.context().close();

  const gallery = await opened(stage, at(drawApp, '/inputs'));
  const times: number[] = [];
  for (let round = 0; round < context.rounds; round++) {
    await gallery
      .locator('.grid-cell img')
      .nth(4 + (round % 6))
      .waitFor();
    await gallery.waitForTimeout(500);
    times.push(
      await gallery.evaluate(
        async (at) => {
          const began = performance.now();
          (document.querySelectorAll('.grid-cell')[at] as HTMLElement).click();
          const isThere = () => document.querySelector<HTMLCanvasElement>('.canvas canvas')?.width ?? 0;
          while (isThere() < 301) await new Promise(requestAnimationFrame);
          await new Promise(requestAnimationFrame);
          return performance.now() - began;
        },
        4 + (round % 6),
      ),
    );
    await gallery.goBack();
  }
  context.measured(
    'P9.5o',
    times.slice(1),
    `the first, which loads the canvas: ${(times[0] ?? 0).toFixed(0)} ms`,
  );
  context.control(
    'P9.5o',
    'two tenths of a second later',
    times.map((ms) => ms + 200),
  );
  await gallery.context().close();
}

/** From a key to the frame after the words of an element became others. */
async function painted(page: Page, key: string, selector: string): Promise<number> {
  await page.evaluate((selector) => {
    const kept = window as unknown as { painted: Promise<number> };
    kept.painted = new Promise((resolve) => {
      const before = document.querySelector(selector)?.textContent;
      document.addEventListener(
        'keydown',
        () => {
          const began = performance.now();
          const look = () => {
            const now = document.querySelector(selector)?.textContent;
            if (now !== undefined && now !== before && document.querySelector('.canvas canvas'))
              requestAnimationFrame(() => resolve(performance.now() - began));
            else requestAnimationFrame(look);
          };
          look();
        },
        { once: true, capture: true },
      );
    });
  }, selector);
  await page.keyboard.press(key);
  return page.evaluate(() => (window as unknown as { painted: Promise<number> }).painted);
}

/** Goes to the picture beside this one, and waits until that one can be drawn on. */
async function goOn(page: Page, key: 'd' | 'f'): Promise<void> {
  const name = page.locator('.labeller-header h1');
  const before = await name.textContent();
  await page.keyboard.press(key);
  await page.waitForFunction((before) => {
    const now = document.querySelector('.labeller-header h1')?.textContent;
    return now && now !== before && document.querySelectorAll('.canvas canvas').length > 1;
  }, before);
}

/** What scripts hold after everything that can go is gone, in bytes: the least of a few looks, since some goes late. */
async function heapOf(page: Page, session: CDPSession): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 4; look++) {
    await page.waitForTimeout(500);
    for (let i = 0; i < 3; i++) await session.send('HeapProfiler.collectGarbage');
    least = Math.min(least, (await session.send('Runtime.getHeapUsage')).usedSize);
  }
  return least;
}

/** One action a second is a quick person; so many does ten minutes have. */
const stepsInTenMinutes = 600;

export async function memory(stage: Stage): Promise<void> {
  const { context } = stage;
  const page = await openInput(stage, 'p-5', 0);
  await page.getByRole('button', { name: /car/ }).first().waitFor();
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.enable');
  const label = async (steps: number) => {
    for (let step = 0; step < steps; step++) {
      if (step % 10 === 9) {
        await page.keyboard.press('Control+a');
        await page.keyboard.press('Delete');
        await page.locator('.save-note[data-state=saved]').waitFor();
        await goOn(page, step % 20 === 9 ? 'd' : 'f');
        continue;
      }
      await page.keyboard.press('Shift+N');
      await page.keyboard.press(step % 2 ? '1' : '2');
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('Escape');
    }
    await page.locator('.save-note[data-state=saved]').waitFor();
  };
  await label(scaled(context, 100, 20));
  const before = await heapOf(page, session);
  await label(scaled(context, stepsInTenMinutes, 40));
  const after = await heapOf(page, session);
  context.measured(
    'P9.8',
    [after / before],
    `${(before / 1e6).toFixed(1)} MB before, ${(after / 1e6).toFixed(1)} MB after`,
  );
  await page.evaluate(() => {
    (window as unknown as { kept: string[][] }).kept = Array.from({ length: 40 }, (_, i) =>
      Array.from({ length: 20_000 }, (_, j) => `${i}-${j}`),
    );
  });
  context.control('P9.8', 'keeps what was drawn', [(await heapOf(page, session)) / before]);
  await page.context().close();
}
