import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { clipSize, ffmpegPath, numberedClip, numberIn, toneClip } from '../../server/src/testing/clips.ts';
import {
  api,
  axe,
  goSignedIn,
  makeApp,
  newUser,
  ownBrowser,
  postMedia,
  soon,
  type User,
  type Visit,
  visit,
  withAxe,
  withoutBrowser,
} from './browser.ts';

interface Labels {
  readonly annotations?: readonly {
    readonly id: string;
    readonly input_level?: boolean;
    readonly annotation_info?: { readonly fovea?: { readonly outside_after?: boolean } };
    readonly data?: {
      readonly frames?: readonly {
        readonly frame_info?: { readonly number?: number; readonly time?: number };
        readonly data?: {
          readonly regions?: readonly {
            readonly track_id?: string;
            readonly region_info?: { readonly bounding_box?: Readonly<Record<string, number>> };
            readonly data?: { readonly concepts?: readonly { readonly id: string }[] };
          }[];
        };
      }[];
      readonly time_segments?: readonly {
        readonly time_info?: { readonly begin_time?: number; readonly end_time?: number };
        readonly data?: { readonly concepts?: readonly { readonly id: string }[] };
      }[];
      readonly regions?: readonly {
        readonly region_info?: {
          readonly span?: { readonly char_start?: number; readonly char_end?: number };
        };
        readonly data?: { readonly concepts?: readonly { readonly id: string }[] };
      }[];
    };
  }[];
}

/** A busy machine takes seconds to decode a frame. */
const slow = { timeout: 90_000 };

/** A variable rate: what a player that counts by a constant rate gets wrong. */
const timesMs = Array.from({ length: 60 }, (_, n) => n * 40 + (n >= 20 ? 500 : 0) + (n % 3) * 5);

describe.skipIf(withoutBrowser || !ffmpegPath)(
  'labelling videos, sounds and texts',
  { timeout: 120_000 },
  () => {
    const browser = ownBrowser();
    let user: User;
    const app = 'moving';
    const words = 'Ada 🌍 met Bob in Paris.';

    beforeAll(async () => {
      user = await newUser('vera');
      await makeApp(user, app);
      const clip = (await numberedClip({ ending: 'webm', frames: 60, timesMs })).toString('base64');
      await api(user, 'POST', `apps/${app}/concepts`, { concepts: [{ id: 'ball' }, { id: 'goal' }] });
      await postMedia(user, app, [
        ...['steps', 'tracks', 'play', 'away'].map((id) => ({ id, data: { video: { base64: clip } } })),
        { id: 'tone', data: { audio: { base64: (await toneClip('wav', 4)).toString('base64') } } },
        { id: 'words', data: { text: { raw: words } } },
      ]);
    });

    const open = async (
      id: string,
      work: (visited: Visit) => Promise<void>,
      options: Parameters<typeof visit>[1] = {},
    ): Promise<void> => {
      const visited = await visit(browser, options);
      try {
        await withAxe(visited);
        await goSignedIn(visited, user, `/${user.id}/${app}/inputs/${id}`);
        await visited.page.getByRole('button', { name: /^ball/ }).first().waitFor();
        await work(visited);
      } finally {
        await visited.context.close();
      }
    };
    const saved = (page: Page) =>
      expect.poll(() => page.locator('.save-note').getAttribute('data-state'), soon).toBe('saved');
    const labels = async (id: string) =>
      (
        (await api<Labels>(user, 'GET', `apps/${app}/annotations?input_ids=${id}&per_page=500`))
          .annotations ?? []
      ).filter(({ input_level }) => !input_level);
    /** The number of the frame that is drawn, once its picture is there. */
    const frameShown = async (page: Page, expected: number) => {
      await expect
        .poll(
          () => page.locator('[data-frame]').evaluate((one) => ({ ...(one as HTMLElement).dataset })),
          slow,
        )
        .toMatchObject({ frame: String(expected), waiting: 'false' });
      // Two turns of the screen later it is painted.
      const shown = await page.evaluate(async () => {
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
        const canvas = document.querySelector<HTMLCanvasElement>('.canvas canvas');
        const context = canvas?.getContext('2d');
        if (!canvas || !context) return undefined;
        // The picture is what is not clear: along the middle of both ways.
        const ends = (line: Uint8ClampedArray): [number, number] => {
          const set = Array.from({ length: line.length / 4 }, (_, i) => (line[4 * i + 3] ?? 0) > 0);
          return [set.indexOf(true), set.lastIndexOf(true) + 1];
        };
        const [left, right] = ends(context.getImageData(0, canvas.height >> 1, canvas.width, 1).data);
        const [top, bottom] = ends(context.getImageData(canvas.width >> 1, 0, 1, canvas.height).data);
        const small = new OffscreenCanvas(96, 64).getContext('2d');
        small?.drawImage(canvas, left, top, right - left, bottom - top, 0, 0, 96, 64);
        return [...(small?.getImageData(0, 0, 96, 64).data ?? [])];
      });
      if (!shown) throw new Error('there is a canvas');
      const pixels = Buffer.from(shown.filter((_, i) => i % 4 !== 3));
      return numberIn({ ...clipSize, pixels });
    };

    test('every step shows exactly the next frame, at a variable rate', async () => {
      await open('steps', async ({ page, errors }) => {
        expect(await frameShown(page, 0)).toBe(0);
        for (const expected of [1, 2, 3]) {
          await page.keyboard.press('.');
          expect(await frameShown(page, expected)).toBe(expected);
        }
        await page.keyboard.press(',');
        expect(await frameShown(page, 2)).toBe(2);
        await page.getByLabel('Frame', { exact: true }).fill('37');
        await page.keyboard.press('Enter');
        expect(await frameShown(page, 37)).toBe(37);
        await expect.poll(() => new URL(page.url()).searchParams.get('frame'), soon).toBe('37');
        expect(await page.locator('[data-frame]').textContent()).toContain('0:01.985');
        await page.reload();
        expect(await frameShown(page, 37)).toBe(37);
        const slider = page.getByRole('slider', { name: 'Time' });
        await slider.focus();
        await page.keyboard.press('End');
        expect(await frameShown(page, 59)).toBe(59);
        expect(await slider.getAttribute('aria-valuenow')).toBe('59');
        await page.keyboard.press('Home');
        expect(await frameShown(page, 0)).toBe(0);
        expect(errors).toEqual([]);
      });
    });

    test('keyframes make a track that the server moves as the page does, with one history for all frames', async () => {
      await open('tracks', async ({ page, errors }) => {
        await frameShown(page, 0);
        await page.keyboard.press('Shift+N');
        await page.keyboard.press('1');
        const go = async (frame: number) => {
          await page.getByLabel('Frame', { exact: true }).fill(String(frame));
          await page.keyboard.press('Enter');
          await page.locator('.canvas canvas').last().focus();
          await frameShown(page, frame);
        };
        await go(10);
        // What is held on from frame 0 becomes a keyframe when it is moved.
        for (let i = 0; i < 2; i++) await page.keyboard.press('Shift+ArrowRight');
        await saved(page);
        await go(5);
        await page.locator('.object-list').getByText('between').waitFor();
        await page.keyboard.press('k');
        await expect.poll(() => page.locator('.object-list').getByText('between').count(), soon).toBe(0);
        await go(10);
        await page.keyboard.press('o');
        await saved(page);

        const keyframes = async () =>
          (await labels('tracks'))
            .map(({ data, annotation_info }) => {
              const frame = data?.frames?.[0];
              const region = frame?.data?.regions?.[0];
              return {
                number: frame?.frame_info?.number ?? 0,
                time: frame?.frame_info?.time ?? 0,
                left: Math.round((region?.region_info?.bounding_box?.['left_col'] ?? 0) * 96),
                track: region?.track_id,
                concept: region?.data?.concepts?.[0]?.id,
                leaves: annotation_info?.fovea?.outside_after ?? false,
              };
            })
            .toSorted((a, b) => a.number - b.number);
        const stored = await keyframes();
        const [first] = stored;
        const left = first?.left ?? 0;
        expect(stored.map(({ number }) => number)).toEqual([0, 5, 10]);
        expect(stored.map(({ time }) => time)).toEqual([0, timesMs[5], timesMs[10]]);
        expect(stored.map((one) => one.left - left)).toEqual([0, 10, 20]);
        expect(new Set(stored.map(({ track }) => track)).size).toBe(1);
        expect(stored.every(({ concept }) => concept === 'ball')).toBe(true);
        expect(stored.map(({ leaves }) => leaves)).toEqual([false, false, true]);

        const { annotation_tracks: tracks } = await api<{
          annotation_tracks?: {
            id: string;
            start_frame_nr?: number;
            end_frame_nr?: number;
            concept?: object;
          }[];
        }>(user, 'GET', `apps/${app}/inputs/tracks/annotation_tracks`);
        expect(tracks).toMatchObject([{ id: first?.track, end_frame_nr: 10, concept: { id: 'ball' } }]);

        // The server's own way between keyframes ends where the object leaves.
        await go(20);
        await page.keyboard.press('k');
        await saved(page);
        const filled = await api<Labels>(
          user,
          'POST',
          `apps/${app}/inputs/tracks/track_annotations/searches`,
          { track_id: first?.track, annotation_type: 'BOUNDING_BOX', worker: { user: { id: user.id } } },
        );
        expect(filled).toMatchObject({ status: { code: 10000 } });
        const numbers = (filled.annotations ?? []).map(
          ({ data }) => data?.frames?.[0]?.frame_info?.number ?? 0,
        );
        expect(numbers).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20]);

        // One history: going back leads to the frame where something changes.
        await page.keyboard.press('Control+z');
        await page.keyboard.press('Control+z');
        await frameShown(page, 10);
        await saved(page);
        expect((await keyframes()).map(({ leaves }) => leaves)).toEqual([false, false, false]);
        await page.reload();
        await frameShown(page, 10);
        expect(await page.locator('.timeline-moment').count()).toBe(3);
        expect(errors).toEqual([]);
        expect(await axe(page)).toEqual([]);
      });
    });

    test('it plays, and stands still on the very frame whose number it says', async () => {
      await open('play', async ({ page }) => {
        await frameShown(page, 0);
        await page.locator('.canvas canvas').last().focus();
        await page.keyboard.press('l');
        const frame = async () => Number(await page.locator('[data-frame]').getAttribute('data-frame'));
        await expect.poll(frame, soon).toBeGreaterThan(3);
        await page.keyboard.press('k');
        await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
        await expect
          .poll(() => page.locator('[data-frame]').getAttribute('data-waiting'), soon)
          .toBe('false');
        const stood = await frame();
        expect(await frameShown(page, stood)).toBe(stood);
      });
    });

    test('a stretch of time is marked, labelled, and found after a reload', async () => {
      await open('play', async ({ page }) => {
        await frameShown(page, 0);
        await page.getByLabel('Frame', { exact: true }).fill('4');
        await page.keyboard.press('Enter');
        await frameShown(page, 4);
        // The field lets go of the keyboard.
        await page.keyboard.press('<');
        for (let i = 0; i < 4; i++) await page.keyboard.press('.');
        await frameShown(page, 8);
        await page.keyboard.press('>');
        await page.keyboard.press('2');
        await page.getByRole('button', { name: 'Label as goal' }).click();
        await saved(page);
        const [segment] = (await labels('play')).flatMap(({ data }) => data?.time_segments ?? []);
        expect(segment?.time_info).toEqual({ begin_time: timesMs[4], end_time: timesMs[9] });
        expect(segment?.data?.concepts?.[0]?.id).toBe('goal');
        await page.reload();
        await page.getByRole('heading', { name: '1 stretch' }).waitFor();
      });
    });

    test('what is labelled while the server is away is saved when it is back, tracks too', async () => {
      await open('away', async ({ page, context }) => {
        await frameShown(page, 0);
        await context.route(/\/v2\/(?!login)|\/healthz/, (route) => route.abort());
        await page.keyboard.press('Shift+N');
        await expect.poll(() => page.locator('.save-note').getAttribute('data-state'), soon).toBe('waiting');
        expect(await labels('away')).toHaveLength(0);
        await context.unroute(/\/v2\/(?!login)|\/healthz/);
        await context.unrouteAll();
        await saved(page);
        expect(await labels('away')).toHaveLength(1);
        const { annotation_tracks = [] } = await api<{ annotation_tracks?: object[] }>(
          user,
          'GET',
          `apps/${app}/inputs/away/annotation_tracks`,
        );
        expect(annotation_tracks).toHaveLength(1);
      });
    });

    test('a sound is labelled along its waveform', async () => {
      await open('tone', async ({ page, errors }) => {
        const slider = page.getByRole('slider', { name: 'Time' });
        await expect
          .poll(() => slider.locator('img').evaluate((one: HTMLImageElement) => one.naturalWidth), soon)
          .toBeGreaterThan(0);
        const box = await slider.boundingBox();
        if (!box) throw new Error('there is a line of time');
        await page.keyboard.down('Shift');
        await page.mouse.move(box.x + box.width / 4, box.y + 20);
        await page.mouse.down();
        await page.mouse.move(box.x + box.width / 2, box.y + 20, { steps: 4 });
        await page.mouse.up();
        await page.keyboard.up('Shift');
        await page.getByRole('button', { name: 'Label as ball' }).click();
        await page.getByLabel('Label the whole').fill('goal');
        await page.keyboard.press('Enter');
        await saved(page);
        const [segment] = (await labels('tone')).flatMap(({ data }) => data?.time_segments ?? []);
        expect(Math.abs((segment?.time_info?.begin_time ?? 0) - 1000)).toBeLessThan(20);
        expect(Math.abs((segment?.time_info?.end_time ?? 0) - 2000)).toBeLessThan(20);
        const { input } = await api<{ input?: { data?: { concepts?: { id: string }[] } } }>(
          user,
          'GET',
          `apps/${app}/inputs/tone`,
        );
        expect(input?.data?.concepts?.map(({ id }) => id)).toEqual(['goal']);
        expect(errors).toEqual([]);
        expect(await axe(page)).toEqual([]);
      });
    });

    test('words of a text are labelled by selecting them, counted as Unicode does', async () => {
      await open('words', async ({ page, errors }) => {
        const at = words.indexOf('Bob');
        await page.locator('.text-page').evaluate((element, from) => {
          const node = element.querySelector('span')?.firstChild as Text;
          getSelection()?.setBaseAndExtent(node, from, node, from + 3);
          element.dispatchEvent(new PointerEvent('pointerup', { bubbles: true }));
        }, at);
        await page.getByRole('button', { name: 'Label as ball' }).click();
        // By keyboard alone, over a part of the first.
        await page.getByLabel('From').fill('6');
        await page.getByLabel('To', { exact: true }).fill('12');
        await page.getByRole('button', { name: /^goal/ }).click();
        await page.getByRole('button', { name: 'Label as goal' }).click();
        await saved(page);
        const spans = (await labels('words'))
          .flatMap(({ data }) => data?.regions ?? [])
          .map(({ region_info, data }) => [
            data?.concepts?.[0]?.id,
            region_info?.span?.char_start,
            region_info?.span?.char_end,
          ]);
        expect(spans.toSorted()).toEqual([
          ['ball', 10, 13],
          ['goal', 6, 12],
        ]);
        await page.keyboard.press('Control+z');
        await saved(page);
        expect(await labels('words')).toHaveLength(1);
        expect(errors).toEqual([]);
        expect(await axe(page)).toEqual([]);
      });
    });

    test('on a narrow screen everything of a video can be reached', async () => {
      await open(
        'tracks',
        async ({ page }) => {
          await expect
            .poll(() => page.locator('.canvas').evaluate((one) => one.clientHeight), soon)
            .toBeGreaterThan(150);
          for (const name of ['Play', 'One frame on', 'Keyframe'])
            expect(await page.getByRole('button', { name, exact: true }).isVisible()).toBe(true);
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
          expect(await axe(page)).toEqual([]);
        },
        { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
      );
    });
  },
);
