import clarifai from 'clarifai-nodejs-grpc';
import resources from 'clarifai-nodejs-grpc/proto/clarifai/api/resources_pb';
import client from 'clarifai-nodejs-grpc/proto/clarifai/api/service_grpc_pb';
import service from 'clarifai-nodejs-grpc/proto/clarifai/api/service_pb';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  api,
  goSignedIn,
  makeApp,
  newUser,
  ownBrowser,
  postInputs,
  several,
  soon,
  type User,
  url,
  type Visit,
  visit,
  withoutBrowser,
} from './browser.ts';

const { grpc } = clarifai;
/** Both ways, in pixels. */
const edge = 300;
const app = 'pixels';
type Box = readonly [left: number, top: number, right: number, bottom: number];

/** What is drawn in the browser and what the official client `clarifai-nodejs-grpc` reads are the same pixels. */
describe.skipIf(withoutBrowser)('the canvas and the official client', { timeout: 120_000 }, () => {
  const browser = ownBrowser();
  let user: User;
  let stub: InstanceType<typeof client.V2Client>;
  const metadata = new grpc.Metadata();

  beforeAll(async () => {
    user = await newUser('paula');
    await makeApp(user, app);
    await postInputs(user, app, await several('circle', 0, 2));
    await api(user, 'POST', `apps/${app}/concepts`, { concepts: [{ id: 'disc' }, { id: 'ground' }] });
    metadata.set('authorization', `Key ${user.pat}`);
    stub = new client.V2Client(new URL(url()).host, grpc.credentials.createInsecure());
  });
  afterAll(async () => {
    stub?.close();
  });

  const scope = () => new resources.UserAppIDSet().setUserId(user.id).setAppId(app);
  const post = (annotation: InstanceType<typeof resources.Annotation>) =>
    new Promise<void>((resolve, reject) => {
      stub.postAnnotations(
        new service.PostAnnotationsRequest().setUserAppId(scope()).setAnnotationsList([annotation]),
        metadata,
        {},
        (error, reply) => {
          const status = reply?.getStatus()?.toObject();
          if (error || status?.code !== 10000) reject(error ?? new Error(JSON.stringify(reply.toObject())));
          else resolve();
        },
      );
    });
  /** Annotations of regions, by id. */
  const stored = (inputId: string) =>
    new Promise<Map<string, resources.Annotation.AsObject>>((resolve, reject) => {
      stub.listAnnotations(
        new service.ListAnnotationsRequest().setUserAppId(scope()).setInputIdsList([inputId]).setPerPage(100),
        metadata,
        {},
        (error, reply) => {
          if (error) return reject(error);
          const all = reply.toObject().annotationsList.filter(({ inputLevel }) => !inputLevel);
          resolve(new Map(all.map((one) => [one.id, one])));
        },
      );
    });
  const regionOf = (annotation: resources.Annotation.AsObject | undefined) => {
    const region = annotation?.data?.regionsList[0];
    if (!region) throw new Error('there is no such region');
    return region;
  };
  /** Edges in pixels, each of which is a whole one. */
  const boxOf = (annotation: resources.Annotation.AsObject | undefined): number[] => {
    const { leftCol, topRow, rightCol, bottomRow } = regionOf(annotation).regionInfo?.boundingBox ?? {
      leftCol: 0,
      topRow: 0,
      rightCol: 0,
      bottomRow: 0,
    };
    return [leftCol, topRow, rightCol, bottomRow].map(pixel);
  };
  const pixel = (share: number): number => {
    expect(Math.abs(share * edge - Math.round(share * edge))).toBeLessThan(1e-3);
    return Math.round(share * edge);
  };
  const maskOf = async (annotation: resources.Annotation.AsObject | undefined) => {
    const base64 = regionOf(annotation).regionInfo?.mask?.image?.base64 as string;
    const { data, info } = await sharp(Buffer.from(base64, 'base64'))
      .extractChannel(0)
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, on: [...data.entries()].flatMap(([i, level]) => (level > 127 ? [i] : [])) };
  };
  const openInput = async (id: string, work: (visited: Visit) => Promise<void>): Promise<void> => {
    const visited = await visit(browser);
    try {
      await goSignedIn(visited, user, `/${user.id}/${app}/inputs/${id}`);
      await visited.page.getByRole('button', { name: /^disc/ }).first().waitFor();
      await work(visited);
      expect(visited.errors).toEqual([]);
    } finally {
      await visited.context.close();
    }
  };
  const saved = (page: Page) =>
    expect.poll(() => page.locator('.save-note').getAttribute('data-state'), soon).toBe('saved');

  test('box, polygon, point and mask are drawn with the mouse, and read back to the pixel', async () => {
    await openInput('circle-0', async ({ page }) => {
      const canvas = await page.locator('.canvas').boundingBox();
      if (!canvas) throw new Error('there is a canvas');
      // At 100 % the picture lies in the middle, one pixel on one.
      await page.keyboard.press('!');
      const at = (x: number, y: number): [number, number] => [
        canvas.x + (canvas.width - edge) / 2 + x,
        canvas.y + (canvas.height - edge) / 2 + y,
      ];
      const drag = async (from: [number, number], to: [number, number]) => {
        await page.mouse.move(...from);
        await page.mouse.down();
        await page.mouse.move(...to, { steps: 4 });
        await page.mouse.up();
      };
      await page.keyboard.press('1');
      await page.keyboard.press('r');
      await drag(at(51, 62), at(203, 184));
      await page.keyboard.press('p');
      for (const [x, y] of [
        [20, 20],
        [121, 33],
        [77, 140],
      ] as const)
        await page.mouse.click(...at(x, y));
      await page.keyboard.press('Enter');
      await page.keyboard.press('k');
      await page.mouse.click(...at(240, 250));
      await page.keyboard.press('b');
      await drag(at(150, 150), at(190, 150));
      await saved(page);
      const all = [...(await stored('circle-0')).values()];
      expect(all).toHaveLength(4);
      const withKind = (kind: 'boundingBox' | 'polygon' | 'point' | 'mask') =>
        all.find((one) => regionOf(one).regionInfo?.[kind]);
      expect(boxOf(withKind('boundingBox'))).toEqual([51, 62, 203, 184]);
      expect(
        regionOf(withKind('polygon')).regionInfo?.polygon?.pointsList.map(({ row, col }) => [
          pixel(col),
          pixel(row),
        ]),
      ).toEqual([
        [20, 20],
        [121, 33],
        [77, 140],
      ]);
      const { row = 0, col = 0 } = regionOf(withKind('point')).regionInfo?.point ?? {};
      expect([pixel(col), pixel(row)]).toEqual([240, 250]);
      expect(all.every((one) => regionOf(one).data?.conceptsList[0]?.id === 'disc')).toBe(true);

      // What the browser shows of the mask is what the client reads, pixel by pixel.
      const { width, on } = await maskOf(withKind('mask'));
      expect(width).toBe(edge);
      const rows = new Set(on.map((i) => Math.floor(i / edge)));
      const columns = on.map((i) => i % edge);
      const words = await page.locator('.object-list li button').first().getAttribute('aria-label');
      expect(words).toContain(
        `at ${Math.min(...columns)}, ${Math.min(...rows)}, ${Math.max(...columns) - Math.min(...columns) + 1} by ${rows.size}`,
      );
    });
  });

  test('what another client says beside a region stays when the region is moved, named anew, taken away and brought back', async () => {
    const concept = (id: string, value = 1) => new resources.Concept().setId(id).setName(id).setValue(value);
    const boxInfo = ([left, top, right, bottom]: Box) =>
      new resources.RegionInfo().setBoundingBox(
        new resources.BoundingBox()
          .setLeftCol(left / edge)
          .setTopRow(top / edge)
          .setRightCol(right / edge)
          .setBottomRow(bottom / edge),
      );
    const annotation = (id: string, data: InstanceType<typeof resources.Data>) =>
      new resources.Annotation().setId(id).setInputId('circle-1').setData(data);
    await post(
      annotation(
        'rich',
        new resources.Data()
          .setConceptsList([concept('scene')])
          .setText(new resources.Text().setRaw('seen by another'))
          .setRegionsList([
            new resources.Region()
              .setRegionInfo(boxInfo([30, 40, 90, 100]))
              .setData(
                new resources.Data()
                  .setConceptsList([concept('disc'), concept('round'), concept('square', 0)])
                  .setText(new resources.Text().setRaw('EXIT')),
              ),
          ]),
      ),
    );
    await post(
      annotation(
        'plain',
        new resources.Data().setRegionsList([
          new resources.Region()
            .setRegionInfo(boxInfo([200, 200, 260, 280]))
            .setData(new resources.Data().setConceptsList([concept('disc')])),
        ]),
      ),
    );
    const before = await stored('circle-1');
    const untouched = (one: resources.Annotation.AsObject | undefined) => ({
      region: regionOf(one).id,
      text: regionOf(one).data?.text?.raw,
      whole: one?.data?.conceptsList.map(({ id }) => id),
      said: one?.data?.text?.raw,
    });
    const concepts = (one: resources.Annotation.AsObject | undefined) =>
      regionOf(one).data?.conceptsList.map(({ id, value }) => [id, value]);
    await openInput('circle-1', async ({ page }) => {
      const row = page.locator('.object-list li', { hasText: 'EXIT' }).getByRole('button').first();
      await row.click();
      await page.keyboard.press('Shift+ArrowRight');
      await page.keyboard.press('ArrowDown');
      await saved(page);
      let after = await stored('circle-1');
      expect(boxOf(after.get('rich'))).toEqual([40, 41, 100, 101]);
      expect(untouched(after.get('rich'))).toEqual(untouched(before.get('rich')));
      expect(concepts(after.get('rich'))).toEqual(concepts(before.get('rich')));
      expect(after.get('plain')).toEqual(before.get('plain'));

      await page.keyboard.press('2');
      await saved(page);
      after = await stored('circle-1');
      expect(concepts(after.get('rich'))).toEqual([
        ['ground', 1],
        ['round', 1],
        ['square', 0],
      ]);
      expect(untouched(after.get('rich'))).toEqual(untouched(before.get('rich')));

      await page.keyboard.press('Delete');
      await saved(page);
      after = await stored('circle-1');
      expect(after.get('rich')?.data?.regionsList).toEqual([]);
      expect(after.get('rich')?.data?.conceptsList.map(({ id }) => id)).toEqual(['scene']);
      // Back to where nothing was changed: the deletion, the name, and the two ways in one step.
      for (let step = 0; step < 3; step++) await page.keyboard.press('Control+z');
      await saved(page);
      after = await stored('circle-1');
      expect(boxOf(after.get('rich'))).toEqual([30, 40, 90, 100]);
      expect(untouched(after.get('rich'))).toEqual(untouched(before.get('rich')));
      expect(concepts(after.get('rich'))?.toSorted()).toEqual(concepts(before.get('rich'))?.toSorted());
      expect(after.get('plain')).toEqual(before.get('plain'));
    });
  });

  test('a lock that is taken off, and an order, are the same after a reload', async () => {
    await openInput('circle-1', async ({ page }) => {
      const names = () =>
        page.locator('.object-list li').evaluateAll((rows) => rows.map((row) => row.textContent));
      const first = page.locator('.object-list li').first();
      const order = await names();
      await first.getByRole('button', { name: 'Lock', exact: true }).click();
      await saved(page);
      await first.getByRole('button', { name: 'Unlock', exact: true }).click();
      await saved(page);
      await page.reload();
      await first.getByRole('button', { name: 'Lock', exact: true }).waitFor();
      expect(await names()).toEqual(order);
    });
  });
});
