import { expect, test } from 'vitest';
import type { Picture } from './image.ts';
import { PictureCache } from './picture-cache.ts';

function counted() {
  let decodings = 0;
  const cache = new PictureCache(2, async (bytes) => {
    decodings += 1;
    if (bytes.length === 0) throw new Error('empty');
    return { width: 1, height: 1, pixels: bytes } satisfies Picture;
  });
  return { cache, decodings: () => decodings };
}

test('the models of a workflow share one decoding, whether they ask together or in turn', async () => {
  const { cache, decodings } = counted();
  const bytes = Buffer.of(1);
  const [a, b] = await Promise.all([cache.picture(bytes), cache.picture(bytes)]);
  expect(await cache.picture(bytes)).toBe(a);
  expect(b).toBe(a);
  expect(decodings()).toBe(1);
  await cache.picture(Buffer.of(1));
  expect(decodings()).toBe(2);
});

test('a failed decoding is tried again', async () => {
  const { cache, decodings } = counted();
  const bytes = Buffer.alloc(0);
  await expect(cache.picture(bytes)).rejects.toThrow('empty');
  await expect(cache.picture(bytes)).rejects.toThrow('empty');
  expect(decodings()).toBe(2);
});

test('findings are made once for each picture, and failures are forgotten', async () => {
  const { cache } = counted();
  const picture = await cache.picture(Buffer.of(1));
  let made = 0;
  const make = async () => {
    made += 1;
    if (made === 1) throw new Error('busy');
    return made;
  };
  await expect(cache.once(picture, 'faces', make)).rejects.toThrow('busy');
  expect(await cache.once(picture, 'faces', make)).toBe(2);
  expect(await cache.once(picture, 'faces', make)).toBe(2);
  expect(await cache.once(picture, 'objects', make)).toBe(3);
});
