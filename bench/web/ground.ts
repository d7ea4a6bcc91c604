/// <reference lib="dom" />
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { rest, until } from '../harness/api.ts';
import { type BenchContext, scaled } from '../harness/bench.ts';
import { fillApp, makeApp, settle } from '../harness/rows.ts';
import { type BenchServer, pat, userId } from '../harness/server.ts';
import { randomFrom } from '../numeric/vector-set.ts';
import type { OpenBrowser } from './browser.ts';

/** What is measured: the page of a server, in a browser, with what is in its apps. */
export interface Stage {
  readonly context: BenchContext;
  readonly server: BenchServer;
  readonly browser: OpenBrowser;
}

export const manyApp = 'bench-many';
export const hugeApp = 'bench-huge';
export const drawApp = 'bench-draw';
export const at = (app: string, rest = ''): string => `/${userId}/${app}${rest}`;

export const pictures = 12;

export async function furnish({ context, server }: Stage): Promise<void> {
  context.say('filling the apps');
  const db = await server.database();
  await fillApp(db, await makeApp(server, db, manyApp), scaled(context, 100_000, 2_000));
  await fillApp(db, await makeApp(server, db, hugeApp), scaled(context, 1_000_000, 5_000));
  await settle(db);
  await db.end();
  await rest(server, 'POST', `/v2/users/${userId}/apps`, {
    apps: [{ id: drawApp, default_workflow: { id: 'Empty', app_id: 'main', user_id: 'clarifai' } }],
  });
  const api = `/v2/users/${userId}/apps/${drawApp}`;
  const jpegs = await Promise.all(Array.from({ length: pictures }, (_, i) => jpeg(i)));
  await rest(server, 'POST', `${api}/inputs`, {
    inputs: jpegs.map((bytes, i) => ({
      id: `p-${i}`,
      data: { image: { base64: bytes.toString('base64') } },
    })),
  });
  await until('the pictures are processed', async () => {
    const { counts } = await rest<{ counts?: { processed?: number } }>(server, 'GET', `${api}/inputs/status`);
    return counts?.processed === pictures;
  });
  await rest(server, 'POST', `${api}/concepts`, { concepts: [{ id: 'car' }, { id: 'person' }] });
  for (const [input, count] of [
    ['p-1', 1_000],
    ['p-2', 5_000],
  ] as const)
    for (let from = 0; from < count; from += 100)
      await rest(server, 'POST', `${api}/annotations`, {
        annotations: Array.from({ length: 100 }, (_, i) => ({
          input_id: input,
          data: {
            regions: [
              {
                region_info: { bounding_box: boxAt(from + i, count) },
                data: { concepts: [{ id: i % 2 ? 'car' : 'person', value: 1 }] },
              },
            ],
          },
        })),
      });
}

/** Boxes side by side over the whole picture, each overlapping the next. */
function boxAt(index: number, count: number) {
  const side = Math.ceil(Math.sqrt(count));
  const [x, y] = [(index % side) / side, Math.floor(index / side) / side];
  return {
    left_col: x,
    top_row: y,
    right_col: Math.min(1, x + 1.5 / side),
    bottom_row: Math.min(1, y + 1.5 / side),
  };
}

/** A picture of soft blobs, another for every seed, made from bare pixels: the server's decoders read no drawings. */
export function jpeg(seed: number): Promise<Buffer> {
  const random = randomFrom(seed + 1);
  const coarse = Buffer.from(Array.from({ length: 32 * 24 * 3 }, () => Math.floor(random() * 256)));
  return sharp(coarse, { raw: { width: 32, height: 24, channels: 3 } })
    .resize(1280, 960)
    .jpeg({ quality: 90 })
    .toBuffer();
}

/** Benches are compiled with the names of functions kept, by a helper that the page has to have too. */
export const names = 'globalThis.__name = (one) => one';

/** Opens an address with an empty cache, signed in. */
export async function opened(
  { server, browser: { browser } }: Stage,
  path: string,
  init?: () => void,
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
  await context.addInitScript(names);
  await context.request.post(`${server.url}/v2/login`, { data: { password: pat } });
  if (init) await context.addInitScript(init);
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(server.url + path);
  return page;
}
