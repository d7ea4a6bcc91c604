import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Person, signedIn } from '../server/src/testing/people.ts';
import { ownBrowser, withoutBrowser } from '../web/e2e/browser.ts';
import { drawPictures } from './pictures.ts';
import type { Session } from './web-client-page.ts';

declare function job(
  session: Session,
  pictures: { id: string; base64: string }[],
): Promise<{ posted: number; processed: number; concepts: number; found: string[] }>;
declare function told(session: Session): Promise<number>;

/** The official client `clarifai-web-grpc` in a real browser, on a page of another origin than the server. */
describe.skipIf(withoutBrowser)('clarifai-web-grpc', { timeout: 120_000 }, () => {
  let alice: Person;
  let elsewhere: Server;
  const browser = ownBrowser();
  let page: Page;
  const session = (pat = alice.pat): Session => ({
    url: alice.url,
    userId: alice.userId,
    appId: alice.appId,
    pat,
  });

  beforeAll(async () => {
    alice = await signedIn('alice', { workflow: 'General' });
    const { outputFiles } = await build({
      entryPoints: [join(import.meta.dirname, 'web-client-page.ts')],
      bundle: true,
      write: false,
      format: 'iife',
      logLevel: 'error',
    });
    const script = outputFiles[0]?.contents ?? new Uint8Array();
    elsewhere = createServer((request, response) => {
      const isScript = request.url === '/client.js';
      response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
      response.end(isScript ? script : '<script src="/client.js"></script>');
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    page = await (await browser.newContext()).newPage();
    await page.goto(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`);
  });

  afterAll(() => void elsewhere?.close());

  test('uploads, predicts and searches', async () => {
    const pictures = (await drawPictures()).slice(0, 5).map(({ id, bytes }) => ({
      id,
      base64: bytes.toString('base64'),
    }));
    const done = await page.evaluate(([who, what]) => job(who, what), [session(), pictures] as const);
    expect(done).toMatchObject({ posted: 10000, processed: 5, concepts: 20 });
    expect(done.found).toHaveLength(3);
    expect(done.found[0]).toBe(pictures[0]?.id);
  });

  test('reads why a token is refused', async () => {
    expect(await page.evaluate((who) => told(who), session('no-such-token'))).toBe(11008);
  });
});
