/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Ground } from './arena.ts';
import { type Attack, ledger } from './attack.ts';
import { shown, signIn, trap, trapped, withBrowser } from './browser.ts';
import { keyHeader, say, settle } from './cast.ts';
import type { Json } from './wire.ts';

/** Words that run where they are taken for markup, for script, for an address, or for a template. */
export const payloads: readonly string[] = [
  `<script>${trap}(1)</script>`,
  `"><script>${trap}(2)</script>`,
  `</script><script>${trap}(3)</script>`,
  `<img src=x onerror=${trap}(4)>`,
  `"><img src=x onerror="${trap}(5)">`,
  `'><img src=x onerror='${trap}(6)'>`,
  `<svg onload=${trap}(7)>`,
  `<svg><script>${trap}(8)</script></svg>`,
  `<svg><animate onbegin=${trap}(9) attributeName=x dur=1s>`,
  `<math><mi//xlink:href="data:x,<script>${trap}(10)</script>">`,
  `<body onload=${trap}(11)>`,
  `<iframe srcdoc="<script>parent.${trap}(12)</script>"></iframe>`,
  `<iframe src="javascript:parent.${trap}(13)"></iframe>`,
  `<object data="data:text/html,<script>parent.${trap}(14)</script>"></object>`,
  `<embed src="data:text/html,<script>parent.${trap}(15)</script>">`,
  `<details open ontoggle=${trap}(16)>`,
  `<video><source onerror=${trap}(17)></video>`,
  `<audio src=x onerror=${trap}(18)>`,
  `<input autofocus onfocus=${trap}(19)>`,
  `<select autofocus onfocus=${trap}(20)>`,
  `<textarea autofocus onfocus=${trap}(21)>`,
  `<marquee onstart=${trap}(22)>`,
  `<style>@import'data:text/css,*{color:red}';</style><style onload=${trap}(23)></style>`,
  `<link rel=stylesheet href="data:text/css," onload=${trap}(24)>`,
  `<meta http-equiv=refresh content="0;url=javascript:${trap}(25)">`,
  `<base href="https://evil.example/">`,
  `<form action="javascript:${trap}(27)"><button autofocus onfocus=${trap}(27)>x</button></form>`,
  `<a href="javascript:${trap}(28)" id=zqlink>x</a>`,
  `javascript:${trap}(29)`,
  `JaVaScRiPt:${trap}(30)`,
  `data:text/html,<script>${trap}(31)</script>`,
  `{{constructor.constructor('${trap}(32)')()}}`,
  `\${${trap}(33)}`,
  `#{${trap}(34)}`,
  `[x](javascript:${trap}(35))`,
  `![x](x"onerror="${trap}(36))`,
  `<noscript><p title="</noscript><img src=x onerror=${trap}(37)>">`,
  `<template><img src=x onerror=${trap}(38)></template><img src=x onerror=${trap}(38)>`,
  `\u003cimg src=x onerror=${trap}(39)\u003e`,
  `<x onpointerenter=${trap}(40) onmouseover=${trap}(40) style=position:fixed;inset:0>`,
  `<img/src/onerror=${trap}(41)>`,
  `--><img src=x onerror=${trap}(42)><!--`,
  `]]><img src=x onerror=${trap}(43)>`,
  `\u202e<img src=x onerror=${trap}(44)>`,
];

const svgFile = (payload: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="40" height="40" onload="${trap}(50)"><script>${trap}(51)</script><foreignObject width="9" height="9"><body xmlns="http://www.w3.org/1999/xhtml"><img src="x" onerror="${trap}(52)"/></body></foreignObject><a xlink:href="javascript:${trap}(53)"><text>${payload.replace(/[<&>"]/g, ' ')}</text></a><rect width="20" height="20"/></svg>`;

/** Puts payloads into every free text that the contract has a place for, and returns what was taken. */
async function poison(
  { wire, cast }: Ground,
  offset: number,
): Promise<{ taken: number; paths: string[]; media: string[] }> {
  const { attacker } = cast;
  const me = keyHeader(attacker.pat);
  const { user_id } = attacker.userAppId;
  let next = offset;
  let taken = 0;
  const words = (): string => payloads[next++ % payloads.length] as string;
  const app_id = `poison-${offset}-${Date.now().toString(36)}`;
  const user_app_id = { user_id, app_id };
  const put = async (rpc: string, json: Json): Promise<Json | undefined> => {
    try {
      const reply = await say(wire, me, rpc, { user_app_id, ...json });
      taken += 1;
      return reply;
    } catch {
      // A name that the server refuses can do nothing.
      return undefined;
    }
  };
  await put('PostApps', {
    user_app_id: { user_id },
    apps: [
      {
        id: app_id,
        name: words(),
        description: words(),
        metadata: { note: words() },
        default_workflow: { id: 'Empty', app_id: 'main', user_id: 'clarifai' },
      },
    ],
  });
  const concepts = payloads.map((name, i) => ({ id: `c-${i}`, name }));
  for (let from = 0; from < concepts.length; from += 15)
    await put('PostConcepts', { concepts: concepts.slice(from, from + 15) });
  await put('PostConcepts', { concepts: [{ id: words(), name: words() }] });
  const { tinyPng } = await import('../../server/src/testing/inputs.ts');
  const png = (shade: number): string => Buffer.from(tinyPng(shade, 32)).toString('base64');
  await put('PostInputs', {
    inputs: payloads.map((payload, i) => ({
      id: `i-${i}`,
      data: {
        ...(i % 9 === 0 ? { text: { raw: payload } } : { image: { base64: png(i * 5) } }),
        concepts: [{ id: `c-${i}`, name: payload, value: 1 }],
        metadata: { filename: payload, [payload]: payload, split: payload },
      },
    })),
  });
  const svgs = payloads.slice(0, 6).map((payload, i) => ({
    id: `svg-${i}`,
    data: {
      image: { base64: Buffer.from(svgFile(payload)).toString('base64') },
      metadata: { filename: 'x.svg' },
    },
  }));
  for (const svg of svgs) await put('PostInputs', { inputs: [svg] });
  await put('PostInputs', {
    inputs: [
      {
        id: 'html',
        data: {
          text: { raw: `<html><script>${trap}(60)</script></html>` },
          metadata: { filename: 'x.html' },
        },
      },
    ],
  });
  const inputs = await settle(wire, me, user_app_id);
  await put('PostAnnotations', {
    annotations: payloads.slice(0, 12).map((payload, i) => ({
      input_id: 'i-1',
      data: {
        regions: [
          {
            region_info: {
              bounding_box: { top_row: 0.1, left_col: 0.1, bottom_row: 0.5, right_col: 0.4 + i / 40 },
            },
            data: { concepts: [{ id: `c-${i}`, name: payload, value: 1 }], text: { raw: payload } },
          },
        ],
        metadata: { note: payload },
      },
    })),
  });
  await put('PostDatasets', {
    datasets: [{ id: 'd', description: words(), notes: words(), metadata: { note: words() } }],
  });
  await put('PostDatasetInputs', {
    dataset_id: 'd',
    dataset_inputs: [{ input: { id: 'i-1' } }, { input: { id: 'i-2' } }],
  });
  for (let version = 0; version < 2; version++)
    await put('PostDatasetVersions', {
      dataset_id: 'd',
      dataset_versions: [{ description: words(), metadata: { note: words() } }],
    });
  await put('PostModels', {
    models: [
      {
        id: 'm',
        name: words(),
        description: words(),
        notes: words(),
        model_type_id: 'embedding-classifier',
        metadata: { note: words() },
      },
    ],
  });
  await put('PostWorkflows', {
    workflows: [
      {
        id: 'w',
        description: words(),
        notes: words(),
        metadata: { note: words() },
        nodes: [{ id: 'n', model: { id: 'general-image-embedding', user_id: 'clarifai', app_id: 'main' } }],
      },
    ],
  });
  await put('PostSearches', { searches: [{ id: 's', name: words(), save: true, query: { filters: [] } }] });
  await put('PostKeys', { user_app_id: { user_id }, keys: [{ description: words(), scopes: ['All'] }] });
  await put('PostKeys', {
    user_app_id: { user_id },
    keys: [{ description: words(), scopes: ['All'], apps: [{ user_id, id: app_id }] }],
  });
  const at = `/${user_id}/${app_id}`;
  const word = encodeURIComponent(words());
  const media = inputs.flatMap((input: Json) => {
    const url = input.data?.image?.url ?? input.data?.text?.url;
    return typeof url === 'string' && url !== '' ? [new URL(url).pathname] : [];
  });
  return {
    taken,
    media: media.slice(0, 12),
    paths: [
      '/',
      '/settings/secrets',
      at,
      `${at}/inputs`,
      `${at}/inputs?concept=c-1&concept=!c-2`,
      `${at}/inputs?text=${word}&like=${word}&dataset=${word}&asOf=${word}`,
      `${at}/inputs/i-1`,
      `${at}/inputs/i-0`,
      `${at}/inputs/html`,
      `${at}/inputs/svg-0`,
      `${at}/inputs/${word}`,
      `${at}/datasets`,
      ...['versions', 'charts', 'diff', 'leaks', 'export'].map((tab) => `${at}/datasets/d?tab=${tab}`),
      `${at}/models`,
      ...['overview', 'evaluation', 'try', 'versions'].map((tab) => `${at}/models/m?tab=${tab}`),
      `${at}/models/${word}?tab=${word}`,
      `${at}/workflows`,
      `${at}/workflows/w`,
      `${at}/jobs`,
      `${at}/settings`,
      `/${word}/${word}/${word}`,
      `/start#${word}`,
      '/docs',
    ],
  };
}

/** What the payloads would have left in the document, had they been taken for markup. */
const markupLeft = (): string[] =>
  [
    ...document.querySelectorAll(
      'img[src="x"], base, marquee, embed, object, iframe, math, details[ontoggle], [onerror], [onload], [onfocus], [href^="javascript:" i], [src^="javascript:" i]',
    ),
  ].map((element) => element.outerHTML.slice(0, 100));

const s40: Attack = {
  id: 'S40',
  name: 'markup and script in every free text, on every screen of the page, in a real browser',
  run: (arena) =>
    withBrowser(async (browser) => {
      const book = ledger();
      const { cast, server, full } = arena;
      const home = new URL(server.url).host;
      let taken = 0;
      // With each round every field gets other payloads; concepts, files and metadata hold all of them in each.
      for (let round = 0; round < (full ? payloads.length : 1); round++) {
        const poisoned = await poison(arena, round * 7);
        taken += poisoned.taken;
        const { context, page, hits } = await trapped(browser, home);
        await signIn(context, server.url, cast.attacker.pat);
        for (const path of poisoned.paths) {
          book.count(payloads.length);
          const before = hits.length;
          await page.goto(server.url + path, { waitUntil: 'load' }).catch(() => {});
          await shown(page);
          // Menus, tooltips and lists that open only when they are asked for.
          for (const opener of ['.grid-cell', '.select-button', '[role=tab]:not([data-selected])']) {
            await page
              .locator(opener)
              .first()
              .hover({ timeout: 200 })
              .catch(() => {});
          }
          for (const hit of hits.slice(before)) book.through(`${path}: ${hit}`);
          for (const left of await page.evaluate(markupLeft))
            book.through(`${path}: became an element: ${left}`);
          if (new URL(page.url()).host !== home) book.through(`${path} led to ${page.url()}`);
        }
        // Files that somebody sent, opened by themselves: downloads and sandboxed documents run nothing of ours either.
        for (const path of poisoned.media) {
          book.count();
          const before = hits.length;
          await page.goto(server.url + path, { timeout: 3_000 }).catch(() => {});
          await page.waitForTimeout(150);
          for (const hit of hits.slice(before)) book.through(`${path}: ${hit}`);
        }
        await context.close();
      }
      return book.outcome({ note: `${payloads.length} payloads; ${taken} writes of them were taken` });
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
