import { expect, test } from 'vitest';
import { uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

const label = (id: string, value: number) => ({ concepts: [{ id, value }] });

async function countsOf(person: Person, id: string) {
  const { conceptCounts } = await person.client.getConceptCounts({});
  const counts = conceptCounts.find((one) => one.id === id);
  const { positive = 0, negative = 0 } = counts?.conceptTypeCount ?? {};
  const processed = counts?.detailConceptCount?.processed;
  return {
    positive,
    negative,
    processed: processed && { positive: processed.positive, negative: processed.negative },
  };
}

test('an input counts once per concept and sign, however many labels say so, and no more once the last is gone', async () => {
  const alice = await signedIn('alice');
  await uploadPictures(alice, ['a', 'b'], { a: [{ id: 'cat', value: 1 }] });
  const posted = await alice.client.postAnnotations({
    annotations: [
      { inputId: 'a', id: 'again', data: label('cat', 1) },
      { inputId: 'a', id: 'no', data: label('cat', 0) },
      { inputId: 'b', id: 'yes', data: label('cat', 1) },
    ],
  });
  expect(posted.status?.code).toBe(10000);
  expect(await countsOf(alice, 'cat')).toEqual({
    positive: 2,
    negative: 1,
    processed: { positive: 2, negative: 1 },
  });

  await alice.client.deleteAnnotations({ inputIds: ['a', 'a'], ids: ['again', 'no'] });
  expect(await countsOf(alice, 'cat')).toMatchObject({ positive: 2, negative: 0 });

  // The sign of a label turns.
  await alice.client.patchAnnotations({
    action: 'merge',
    annotations: [{ id: 'yes', inputId: 'b', data: label('cat', 0) }],
  });
  expect(await countsOf(alice, 'cat')).toMatchObject({ positive: 1, negative: 1 });

  await alice.client.deleteInputs({ ids: ['a'] });
  expect(await countsOf(alice, 'cat')).toMatchObject({ positive: 0, negative: 1 });
});

test('counts stay exact when many write labels of the same concepts and inputs at once', async () => {
  const bob = await signedIn('bob');
  const ids = Array.from({ length: 12 }, (_, i) => `input-${i}`);
  await uploadPictures(bob, ids);
  const writers = Array.from({ length: 12 }, async (_, writer) => {
    // Each writer goes through the inputs in another order, so that locks meet from both ends.
    const order = writer % 2 ? ids : [...ids].reverse();
    for (const part of [order.slice(0, 6), order.slice(6)]) {
      const annotations = part.map((inputId) => ({
        inputId,
        id: `by-${writer}`,
        data: label('cat', writer % 3 ? 1 : 0),
      }));
      const reply = await bob.client.postAnnotations({ annotations });
      expect(reply.status?.code).toBe(10000);
    }
    const undone = order.slice(0, 6);
    const gone = await bob.client.deleteAnnotations({
      inputIds: undone,
      ids: undone.map(() => `by-${writer}`),
    });
    expect(gone.status?.code).toBe(10000);
  });
  await Promise.all(writers);
  // Every writer left its label on the second half of its order: both halves have writers of both signs.
  expect(await countsOf(bob, 'cat')).toMatchObject({ positive: 12, negative: 12 });
  const { annotations } = await bob.client.listAnnotations({ perPage: 1000 });
  expect(annotations.filter(({ inputLevel }) => !inputLevel)).toHaveLength(12 * 6);

  const inputIds = annotations.map(({ inputId }) => inputId);
  const keep = new Set(ids.slice(0, 3));
  await bob.client.deleteAnnotations({ inputIds: [...new Set(inputIds)].filter((id) => !keep.has(id)) });
  expect(await countsOf(bob, 'cat')).toMatchObject({ positive: 3, negative: 3 });
});
