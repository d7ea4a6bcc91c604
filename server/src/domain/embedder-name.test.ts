import { expect, test } from 'vitest';
import { embedderName, readEmbedderName } from './embedder-name.ts';

const sha = Buffer.alloc(32, 7);

test('a network and what stands on it are told apart again, one on another too', () => {
  expect(readEmbedderName(embedderName('general', null))).toEqual({ network: 'general', partSha: undefined });
  const one = embedderName('general', sha);
  expect(readEmbedderName(one)).toEqual({ network: 'general', partSha: sha.toString('hex') });
  const two = embedderName(one, Buffer.alloc(32, 9));
  expect(readEmbedderName(two)).toEqual({ network: one, partSha: '09'.repeat(32) });
});
