/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { scaled } from '../harness/bench.ts';
import { ratios } from '../harness/rounds.ts';
import { at, hugeApp, manyApp, names, opened, type Stage } from './ground.ts';

const scrollMs = 4_000;

/** Scrolls what `selector` names by 120 pixels in every frame, and looks at what that costs. */
async function scroll(page: Page, selector: string, ms: number, busyMs = 0, litter = 0) {
  return page.evaluate(
    async ([selector, ms, busyMs, litter]) => {
      const scroller = document.querySelector(selector) as HTMLElement;
      const grid = scroller.firstElementChild as HTMLElement;
      for (let i = 0; i < litter; i++) grid.append(document.createElement('i'));
      let longTasks = 0;
      const observer = new PerformanceObserver((list) => {
        longTasks += list.getEntries().length;
      });
      observer.observe({ type: 'longtask' });
      let frames = 0;
      let elements = 0;
      const began = performance.now();
      await new Promise<void>((resolve) => {
        const step = () => {
          const now = performance.now();
          if (now - began > ms) return resolve();
          frames += 1;
          scroller.scrollTop += 120;
          if (frames % 6 === 0) elements = Math.max(elements, grid.querySelectorAll('*').length);
          if (busyMs > 0) while (performance.now() - now < busyMs);
          requestAnimationFrame(step);
        };
        requestAnimationFrame(step);
      });
      const seconds = (performance.now() - began) / 1000;
      await new Promise((resolve) => setTimeout(resolve, 100));
      observer.disconnect();
      return { fps: frames / seconds, longTasks, elements };
    },
    [selector, ms, busyMs, litter] as const,
  );
}

/** A list with as many cells of the same size and nothing else: what the browser itself can do. */
const bareList = `<!doctype html><style>body{margin:0}#s{height:700px;overflow:auto}#w{position:relative;height:12000000px}
.c{position:absolute;width:230px;height:180px;background:#ccc;overflow:hidden}</style><div id=s><div id=w></div></div><script>
const s=document.getElementById('s'),w=document.getElementById('w'),rows=new Map();
function draw(){const a=Math.floor(s.scrollTop/186)-1,b=a+7;for(const[k,r]of rows)if(k<a||k>b){r.forEach(c=>c.remove());rows.delete(k)}
for(let k=Math.max(0,a);k<=b;k++)if(!rows.has(k)){rows.set(k,[0,1,2,3,4].map(i=>{const c=document.createElement('div');c.className='c';c.style.top=k*186+'px';c.style.left=i*236+'px';c.textContent='input-'+(k*5+i);w.append(c);return c}))}}
s.addEventListener('scroll',draw);draw();</script>`;

export async function scrolling(stage: Stage): Promise<void> {
  const { context, browser } = stage;
  const peer = createServer((_request, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end(bareList),
  );
  await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve));
  context.defer(() => void peer.close());
  const bare = await browser.browser.newPage({ viewport: { width: 1200, height: 800 } });
  await bare.addInitScript(names);
  await bare.goto(`http://127.0.0.1:${(peer.address() as AddressInfo).port}/`);
  const page = await opened(stage, at(manyApp, '/inputs'));
  await page.locator('.grid-cell').first().waitFor();
  const ms = scaled(context, scrollMs, 800);
  const ours: Awaited<ReturnType<typeof scroll>>[] = [];
  const theirs: number[] = [];
  await scroll(page, '.grid-scroller', 500);
  for (let round = 0; round < context.rounds; round++) {
    await bare.bringToFront();
    theirs.push((await scroll(bare, '#s', ms)).fps);
    await page.bringToFront();
    ours.push(await scroll(page, '.grid-scroller', ms));
  }
  const of = (name: 'fps' | 'longTasks' | 'elements') => ours.map((one) => one[name]);
  context.measured(
    'P9.1',
    ratios(of('fps'), theirs),
    `${Math.min(...of('fps')).toFixed(0)} frames/s at least`,
  );
  context.measured('P9.2', of('longTasks'));
  context.measured('P9.2d', of('elements'));
  const slow = await scroll(page, '.grid-scroller', ms, 60, 500);
  context.control('P9.1', '60 ms of work in each frame', [slow.fps / (theirs[0] ?? 60)]);
  context.control('P9.2', '60 ms of work in each frame', [slow.longTasks]);
  context.control('P9.2d', '500 elements that are never taken away', [slow.elements]);
  await page.context().close();
  await bare.close();
}

/** Inputs are numbered from the oldest, and the newest is shown first. */
const idAt = (index: number, total: number): string => `input-${String(total - index).padStart(8, '0')}`;

export async function jumping(stage: Stage): Promise<void> {
  const { context } = stage;
  const total = scaled(context, 1_000_000, 5_000);
  const page = await opened(stage, at(hugeApp, '/inputs'));
  await page.locator('.grid-cell').first().waitFor();
  const right: number[] = [];
  const wrong: number[] = [];
  const slowest: number[] = [];
  for (let round = 0; round < Math.min(context.rounds, 3); round++) {
    let slow = 0;
    for (const part of [1, 0.25, 0.75, 0.5, 0]) {
      const { ms, cells } = await page.evaluate(async (part) => {
        const scroller = document.querySelector('.grid-scroller') as HTMLElement;
        const began = performance.now();
        scroller.scrollTop = part * (scroller.scrollHeight - scroller.clientHeight);
        const box = scroller.getBoundingClientRect();
        const inView = () =>
          [...scroller.querySelectorAll<HTMLElement>('.grid-cell')].filter((cell) => {
            const { top, bottom } = cell.getBoundingClientRect();
            return bottom > box.top && top < box.bottom;
          });
        const until = performance.now() + 20_000;
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
        while (inView().length < 4 && performance.now() < until) await new Promise(requestAnimationFrame);
        return {
          ms: performance.now() - began,
          cells: inView().map(({ dataset }) => [Number(dataset['index']), dataset['id'] ?? ''] as const),
        };
      }, part);
      slow = Math.max(slow, ms);
      const places = cells.map(([index]) => index);
      const reached =
        part === 0
          ? places.includes(0)
          : part === 1
            ? places.includes(total - 1)
            : places.some((index) => Math.abs(index / total - part) < 0.02);
      right.push(
        reached && cells.length > 3 && cells.every(([index, id]) => id === idAt(index, total)) ? 1 : 0,
      );
      wrong.push(cells.every(([index, id]) => id === idAt(index + 128, total)) ? 1 : 0);
    }
    slowest.push(slow);
  }
  const share = (list: readonly number[]) => list.reduce((sum, one) => sum + one, 0) / list.length;
  context.measured('P9.3', [share(right)], `${right.length} jumps among ${total.toLocaleString('en')}`);
  context.control('P9.3', 'a page too far', [share(wrong)]);
  context.measured('P9.3t', slowest);
  await page.context().close();
}

export async function facets(stage: Stage): Promise<void> {
  const { context } = stage;
  const page = await opened(stage, at(manyApp, '/inputs'));
  await page.locator('.grid-cell').first().waitFor();
  await page.locator('.facet-row').filter({ hasText: 'cat' }).waitFor();
  const press = (what: string): Promise<number> =>
    page.evaluate(async (what) => {
      const row = [...document.querySelectorAll('.facet-row')].find((one) =>
        one.textContent?.includes(what),
      ) as HTMLElement;
      const count = document.querySelector('.gallery-header [role=status]') as HTMLElement;
      const before = count.textContent;
      const began = performance.now();
      (row.querySelector('input') as HTMLInputElement).click();
      const until = began + 20_000;
      while ((count.textContent === before || count.textContent === '') && performance.now() < until)
        await new Promise(requestAnimationFrame);
      return performance.now() - began;
    }, what);
  const times: number[] = [];
  for (let round = 0; round < context.rounds; round++) {
    times.push(await press('cat'), await press('cat'), await press('Failed'), await press('Failed'));
  }
  context.measured('P9.9', times);
  context.control(
    'P9.9',
    'three tenths of a second later',
    times.map((ms) => ms + 300),
  );
  await page.context().close();
}
