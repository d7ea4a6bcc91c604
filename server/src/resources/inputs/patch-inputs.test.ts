import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';
import { codesOf, inputOf, settled, textInput } from './inputs.testing.ts';

test('one request patches many inputs, each by itself; one that is named twice is patched twice, in order', async () => {
  const alice = await signedIn('alice');
  const ids = Array.from({ length: 60 }, (_, i) => `p${i}`);
  await alice.client.postInputs({ inputs: ids.map((id) => textInput(id, id)) });
  await settled(alice);
  const concept = (id: string, value = 1) => ({ data: { concepts: [{ id, value }] } });
  const reply = await alice.client.patchInputs({
    action: 'merge',
    inputs: [
      ...ids.map((id) => ({ id, ...concept('first') })),
      { id: 'nobody', ...concept('first') },
      { id: 'p3', ...concept('second') },
      { id: 'p4', ...concept('bad', 7) },
      { id: 'p3', ...concept('first', 0) },
    ],
  });
  expect(codesOf(reply)).toEqual([...Array(60).fill(30200), 11101, 30200, 24155, 30200]);
  expect(reply.status?.code).toBe(10010);
  const labels = async (id: string) => (await inputOf(alice, id)).data?.concepts.map((c) => [c.id, c.value]);
  expect(await labels('p3')).toEqual([
    ['first', 0],
    ['second', 1],
  ]);
  expect(await labels('p4')).toEqual([['first', 1]]);
  expect(await labels('p59')).toEqual([['first', 1]]);
});
