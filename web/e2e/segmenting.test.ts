import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { OnnxGraph } from '../../server/src/engine/convert/onnx-graph.ts';
import { broughtModel, tarFile } from '../../server/src/testing/models.ts';
import { type Person, signedIn } from '../../server/src/testing/people.ts';
import { goSignedIn, ownBrowser, postInputs, soon, type Visit, visit, withoutBrowser } from './browser.ts';

const edge = 160;

describe.skipIf(withoutBrowser)('segmenting by clicks', { timeout: 180_000 }, () => {
  const browser = ownBrowser();
  let person: Person;

  beforeAll(async () => {
    person = await signedIn('nora', { workflow: 'Universal' });
    const half = (left: number, top: number, width: number, height: number, fill: string) =>
      `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="${fill}"/>`;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${edge}" height="${edge}">${half(0, 0, edge, edge, '#f00')}${half(100, 0, 60, 60, '#0f0')}${half(100, 100, 60, 60, '#0f0')}</svg>`;
    await postInputs({ id: person.userId, pat: person.pat }, person.appId, [
      { name: 'corners.png', mimeType: 'image/png', buffer: await sharp(Buffer.from(svg)).png().toBuffer() },
    ]);
  });

  const open = async (work: (visited: Visit) => Promise<void>): Promise<void> => {
    const visited = await visit(browser);
    try {
      const { userId, appId, pat } = person;
      await goSignedIn(visited, { id: userId, pat }, `/${userId}/${appId}/inputs/corners`);
      await visited.page.getByRole('toolbar').waitFor();
      await work(visited);
      expect(visited.errors).toEqual([]);
    } finally {
      await visited.context.close();
    }
  };
  const saved = (page: Page) =>
    expect.poll(() => page.locator('.save-note').getAttribute('data-state'), soon).toBe('saved');

  test('without a model the tool is not there, and the way to one is', async () => {
    await open(async ({ page }) => {
      await page.getByText('Segment by clicking').click();
      await page
        .getByText(`fovea models pull hf:OWNER/REPO --app ${person.appId} --type visual-segmenter`)
        .waitFor();
      expect(await page.getByRole('button', { name: 'Segment by clicking' }).count()).toBe(0);
    });
  });

  test('a click offers the part under it, another with Shift adds to it, Enter takes it as one step', async () => {
    const graph = new OnnxGraph();
    const image = graph.input('pixel_values', 'float32', [1, 3, 8, 8]);
    graph.output('logits', image, 'float32', [1, 3, 8, 8]);
    const { version } = await broughtModel(
      person,
      'colours',
      'visual-segmenter',
      tarFile({
        'config.json': JSON.stringify({
          architectures: ['SegformerForSemanticSegmentation'],
          id2label: { 0: 'red', 1: 'green', 2: 'blue' },
        }),
        'preprocessor_config.json': JSON.stringify({ do_normalize: false, size: { height: 8, width: 8 } }),
        'model.onnx': graph.finish('tests'),
      }),
    );
    expect(version?.status?.code, version?.status?.details).toBe(21100);
    await open(async ({ page }) => {
      await page.getByRole('button', { name: 'Segment by clicking' }).click();
      await page.getByRole('button', { name: 'Take it' }).waitFor();
      const canvas = await page.locator('.canvas').boundingBox();
      if (!canvas) throw new Error('there is a canvas');
      await page.keyboard.press('!');
      const click = (x: number, y: number, modifiers: ('Shift' | 'Control')[] = []) =>
        page
          .locator('.canvas canvas')
          .last()
          .click({
            position: { x: (canvas.width - edge) / 2 + x, y: (canvas.height - edge) / 2 + y },
            modifiers,
          });
      const bounds = async () => {
        const words = await page.locator('.object-list li button').first().getAttribute('aria-label');
        return (
          /at (\d+), (\d+), (\d+) by (\d+)/
            .exec(words ?? '')
            ?.slice(1)
            .map(Number) ?? []
        );
      };
      // What is chosen to be drawn counts, whatever the model calls it.
      await page.locator('.concept-choices').getByRole('button', { name: /^red/ }).click();
      await click(150, 10);
      await page.keyboard.press('Enter');
      await saved(page);
      const [left = 0, top = 0, width = 0, height = 0] = await bounds();
      // The network sees eight pixels a side, so an edge is where it is but for the half of one.
      for (const [got, wanted] of [
        [left, 100],
        [top, 0],
        [width, 60],
        [height, 60],
      ] as const)
        expect(Math.abs(got - wanted)).toBeLessThanOrEqual(20);
      expect(await page.locator('.object-list li').first().textContent()).toContain('red');
      await page.keyboard.press('Control+z');
      await expect.poll(() => page.locator('.object-list li').count(), soon).toBe(0);

      await click(150, 10);
      await click(150, 150, ['Shift']);
      await page.getByRole('button', { name: 'Take it' }).click();
      await saved(page);
      const [, from = 1, , reach = 0] = await bounds();
      expect([from, reach]).toEqual([0, edge]);
      await click(20, 80);
      await page.keyboard.press('Escape');
      await page.keyboard.press('Enter');
      expect(await page.locator('.object-list li').count()).toBe(1);
    });
  });
});
