import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';

test('the catalogue of codes needs no key and holds the words clients know', async () => {
  const alice = await signedIn('alice', { app: false });
  const stranger = alice.as({ pat: 'nobody' });
  const { statuses } = await stranger.listStatusCodes({});
  expect(statuses.length).toBeGreaterThan(400);
  expect(statuses.find((status) => status.code === 21200)?.description).toBe('Model does not exist');
  const one = await stranger.getStatusCode({ statusCodeId: '11101' });
  expect(one.status).toMatchObject({ code: 11101, description: 'Resource does not exist' });
  expect((await stranger.getStatusCode({ statusCodeId: '1' })).status?.code).toBe(11101);
});
