import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { zipOf } from '../../server/src/testing/archives.ts';
import { ffmpegPath, numberedClip } from '../../server/src/testing/clips.ts';
import {
  api,
  axe,
  goSignedIn,
  makeApp,
  newUser,
  ownBrowser,
  picture,
  type User,
  url,
  type Visit,
  visit,
  withAxe,
  withoutBrowser,
} from './browser.ts';

describe.skipIf(withoutBrowser)('sets and large files', { timeout: 180_000 }, () => {
  const browser = ownBrowser();
  let user: User;
  let folder: string;
  const app = 'sets';

  beforeAll(async () => {
    user = await newUser('tara');
    await makeApp(user, app);
    folder = mkdtempSync(join(tmpdir(), 'fovea-e2e-'));
  });
  afterAll(async () => {
    if (folder) rmSync(folder, { recursive: true });
  });

  const open = async (path: string, work: (visited: Visit) => Promise<void>) => {
    const visited = await visit(browser);
    try {
      await withAxe(visited);
      await goSignedIn(visited, user, `/${user.id}/${app}/${path}`);
      await work(visited);
    } finally {
      await visited.context.close();
    }
  };
  const pick = async (page: Page, path: string) => {
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: 'Upload', exact: true }).first().click(),
    ]);
    await chooser.setFiles(path);
  };

  /** A small COCO set with a box that has no picture. */
  async function cocoZip(): Promise<string> {
    const names = ['a.jpg', 'b.jpg', 'c.jpg'];
    const pictures = await Promise.all(names.map((_, seed) => picture('circle', seed)));
    const box = (id: number, image_id: number, category_id: number) => ({
      id,
      image_id,
      category_id,
      bbox: [10, 20, 30, 40],
      area: 1200,
      iscrowd: 0,
    });
    const set = {
      images: [...names, 'gone.jpg'].map((file_name, i) => ({
        id: i + 1,
        file_name,
        width: 300,
        height: 300,
      })),
      categories: [
        { id: 1, name: 'disc' },
        { id: 2, name: 'ring' },
      ],
      annotations: [box(1, 1, 1), box(2, 1, 2), box(3, 2, 1), box(4, 4, 1)],
    };
    const path = join(folder, 'street.zip');
    writeFileSync(
      path,
      zipOf([
        { path: 'annotations/instances.json', bytes: Buffer.from(JSON.stringify(set)) },
        ...names.map((name, i) => ({ path: `images/${name}`, bytes: pictures[i] as Buffer })),
      ]),
    );
    return path;
  }

  test('a set of another tool is looked through, imported, and exported in another format', async () => {
    const zip = await cocoZip();
    await open('inputs', async ({ page, errors }) => {
      await pick(page, zip);
      const dialog = page.getByRole('dialog', { name: 'Import street.zip' });
      expect(await dialog.getByLabel('Into the dataset').inputValue()).toBe('street');
      await dialog.getByRole('button', { name: 'Look inside' }).click();
      await dialog.getByRole('heading', { name: 'What is in it: COCO' }).waitFor();
      const count = (name: string) =>
        dialog
          .getByRole('row', { name: new RegExp(`^${name}`) })
          .first()
          .locator('td')
          .textContent();
      expect(await count('disc')).toBe('3');
      expect(await count('ring')).toBe('1');
      expect(await count('box')).toBe('4');
      await dialog.getByText('gone.jpg').first().waitFor();
      // A look writes nothing.
      expect(await api(user, 'GET', `apps/${app}/datasets`)).not.toHaveProperty('datasets.0');
      expect(await axe(page)).toEqual([]);
      // The button that was pressed could not be pressed meanwhile; the keyboard is in the dialog all the same.
      expect(await dialog.evaluate((one) => one.contains(document.activeElement))).toBe(true);
      await dialog.getByRole('button', { name: 'Import', exact: true }).click();
      await dialog
        .getByText(/^3 inputs added, 0 were there before, 3 annotations/)
        .waitFor({ timeout: 60_000 });
      await dialog.getByRole('button', { name: 'Show inputs' }).click();
      await page.getByText('3 inputs').waitFor();
      expect(new URL(page.url()).searchParams.get('dataset')).toBe('street');
      expect(errors).toEqual([]);
    });
    await open('datasets/street?tab=export', async ({ page, errors }) => {
      await page.getByRole('button', { name: /Format/ }).click();
      await page.getByRole('option', { name: 'YOLO detection' }).click();
      await page.getByRole('button', { name: 'Export', exact: true }).first().click();
      const link = page.getByRole('link', { name: /^Download/ });
      await link.waitFor({ timeout: 60_000 });
      expect(await axe(page)).toEqual([]);
      const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
      expect(download.suggestedFilename()).toBe('street-yolo-detect.zip');
      const href = await link.getAttribute('href');
      const reply = await fetch(url() + href, { headers: { authorization: `Key ${user.pat}` } });
      const names = Buffer.from(await reply.arrayBuffer()).toString('latin1');
      expect(names).toMatch(/data\.yaml/);
      expect(names).toMatch(/labels\/[\w/.-]+\.txt/);
      expect(errors).toEqual([]);
    });
    await aVersionIsWhatItWas();
    await open('jobs', async ({ page }) => {
      await page.getByText('Import of a set').first().waitFor();
      await page.getByText('Look into a set').first().waitFor();
    });
  });

  /** Keeps a version, takes a picture out of the dataset, and exports both: only the version has the picture. */
  async function aVersionIsWhatItWas(): Promise<void> {
    await api(user, 'POST', `apps/${app}/datasets/street/versions`, { dataset_versions: [{ id: 'kept' }] });
    const { inputs = [] } = await api<{ inputs?: { id: string }[] }>(user, 'GET', `apps/${app}/inputs`);
    await open('datasets/street', async ({ page, errors }) => {
      await expect.poll(() => page.locator('tbody .badge.good').count(), { timeout: 60_000 }).toBe(1);
      await api(user, 'DELETE', `apps/${app}/datasets/street/inputs`, { input_ids: [inputs[0]?.id] });
      await page.goto(`${url()}/${user.id}/${app}/datasets/street?tab=export`);
      const other = page.getByRole('region', { name: 'In formats of other tools' });
      const exported = async (state: RegExp, ready: number) => {
        await other.getByRole('button', { name: /What/ }).click();
        await page.getByRole('option', { name: state }).click();
        await other.getByRole('button', { name: 'Export', exact: true }).click();
        const links = other.getByRole('link', { name: /^Download/ });
        await expect.poll(() => links.count(), { timeout: 60_000 }).toBe(ready);
        const href = await links.first().getAttribute('href');
        const reply = await fetch(url() + href, { headers: { authorization: `Key ${user.pat}` } });
        const archive = Buffer.from(await reply.arrayBuffer()).toString('latin1');
        return new Set(archive.match(/[\w./-]+\.(?:jpe?g|png)/g)).size;
      };
      // The one of the test before lies there, too.
      expect(await exported(/^kept/, 2)).toBe(3);
      expect(await exported(/as it is now/, 3)).toBe(2);
      expect(errors).toEqual([]);
    });
  }

  test.skipIf(!ffmpegPath)('a large video goes in parts, over lost connections and a reload', async () => {
    const clip = await numberedClip({ ending: 'mp4', frames: 30 });
    // A box that players skip makes it large.
    const padding = Buffer.alloc(34_000_000);
    padding.writeUInt32BE(padding.length, 0);
    padding.write('free', 4);
    const path = join(folder, 'large.mp4');
    writeFileSync(path, Buffer.concat([clip, padding]));
    await open('inputs', async ({ page, context }) => {
      const sent: number[] = [];
      let isCut = true;
      await context.route(/content_parts/, async (route) => {
        const number = Number(/content_parts\/(\d+)/.exec(route.request().url())?.[1]);
        // The second part is lost once; the fourth until the page is loaded again.
        const isLost = (number === 2 && sent.at(-1) !== 2) || (number === 4 && isCut);
        sent.push(number);
        if (isLost) await route.abort();
        else await route.continue();
      });
      await page.getByRole('button', { name: 'Upload', exact: true }).first().waitFor();
      await pick(page, path);
      await expect.poll(() => sent.includes(4), { timeout: 60_000 }).toBe(true);
      expect(sent.slice(0, 5)).toEqual([1, 2, 2, 3, 4]);
      page.once('dialog', (dialog) => void dialog.accept());
      await page.reload();
      isCut = false;
      sent.length = 0;
      await page.getByRole('button', { name: 'Upload', exact: true }).first().waitFor();
      await pick(page, path);
      await page.getByText('1 uploaded').waitFor({ timeout: 90_000 });
      expect(sent).toEqual([4, 5]);
    });
    const { inputs = [] } = await api<{
      inputs?: {
        id: string;
        status: { code: number };
        data: { video?: { video_info?: { frame_count?: number } }; metadata?: object };
      }[];
    }>(user, 'GET', `apps/${app}/inputs?per_page=100`);
    const [large] = inputs.filter(({ data }) => data.video);
    expect(large?.status.code).toBe(30000);
    expect(Number(large?.data.video?.video_info?.frame_count)).toBe(30);
    expect(large?.data.metadata).toEqual({ filename: 'large.mp4' });
  });
});
