import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';

test('a renamed model moves its own part of the path, and no other', async () => {
  const alice = await signedIn('alice');
  await alice.client.postModels({ models: [{ id: 'old' }] });
  const renamed = await alice.client.patchModelIds({
    action: 'overwrite',
    ids: [{ id: 'old', newId: 'new' }],
  });
  expect(renamed.status?.code).toBe(10000);
  const path = `/v2/users/${alice.userId}/apps/${alice.appId}/models`;
  const response = await fetch(`${alice.url}${path}/old/versions?page=1`, {
    headers: { authorization: `Key ${alice.pat}` },
    redirect: 'manual',
  });
  expect(response.status).toBe(307);
  expect(response.headers.get('location')).toBe(`${path}/new/versions?page=1`);
});
