import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';
import { hasPhotos, photoPath } from '#testing/photos.ts';

test.skipIf(!hasPhotos)(
  'what the base workflow sees is kept as untrusted annotations, and found by name',
  async () => {
    const alice = await signedIn('alice', { workflow: 'Universal' });
    await alice.client.postInputs({
      inputs: [{ id: 'chelsea', data: { image: { base64: readFileSync(photoPath('chelsea.png')) } } }],
    });
    const seen = async () =>
      (
        await alice.client.listAnnotations({ inputIds: ['chelsea'], listAllAnnotations: true })
      ).annotations.filter((one) => !one.trusted);
    await expect
      .poll(async () => (await seen()).length, { timeout: 100_000, interval: 200 })
      .toBeGreaterThan(1);
    const workers = new Set((await seen()).map((one) => one.worker?.worker.case));
    expect(workers).toEqual(new Set(['model']));
    const reply = await alice.client.postInputsSearches({
      searches: [{ query: { ranks: [{ annotation: { data: { concepts: [{ name: 'cat', value: 1 }] } } }] } }],
    });
    expect(reply.hits[0]?.input?.id).toBe('chelsea');
    expect(reply.hits[0]?.score).toBeGreaterThan(0.2);
    const trusted = await alice.client.listAnnotations({ inputIds: ['chelsea'] });
    expect(trusted.annotations.map((one) => one.inputLevel)).toEqual([true]);
  },
  120_000,
);
