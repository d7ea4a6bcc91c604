import { expect, test } from 'vitest';
import { extentOf, runsOf, textOf } from './rle.ts';

// Texts as pycocotools 2.0.10 encodes these masks: mask.encode(np.asfortranarray(pixels)).
test.each([
  ['nothing', 2, 2, [0, 0, 0, 0], '4'],
  ['everything', 2, 2, [1, 1, 1, 1], '04'],
  ['one pixel', 3, 2, [0, 0, 0, 0, 1, 0], '312'],
  ['two columns', 4, 2, [0, 1, 0, 1, 0, 1, 0, 1], '2220'],
])('%s is encoded as the reference does', (_, width, height, pixels, text) => {
  expect(textOf(runsOf(Uint8Array.from(pixels), width, height))).toBe(text);
});

test('the box around covered pixels', () => {
  expect(extentOf(Uint8Array.from([0, 0, 0, 0, 1, 1]), 3)).toEqual({ area: 2, bbox: [1, 1, 2, 1] });
  expect(extentOf(new Uint8Array(4), 2)).toEqual({ area: 0, bbox: [0, 0, 0, 0] });
});
