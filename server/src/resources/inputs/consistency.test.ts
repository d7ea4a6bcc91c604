import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';
import { imageInput, picture, settled, textInput } from './inputs.testing.ts';

test('uploads, patches and deletions at the same time fail for nobody, and every counter agrees afterwards', async () => {
  const alice = await signedIn('alice');
  const pictures = await Promise.all(Array.from({ length: 6 }, (_, i) => picture(7000 + i)));
  const codes = new Map<number, number>();
  const note = (code: number | undefined) => void codes.set(code ?? 0, (codes.get(code ?? 0) ?? 0) + 1);
  let made = 0;
  const uploader = async (lane: number) => {
    for (let round = 0; round < 8; round++) {
      const inputs = Array.from({ length: 20 }, (_, i) => {
        const id = `l${lane}-r${round}-${i}`;
        const labels = { concepts: [{ id: `c${i % 4}`, value: 1 }], metadata: { lane } };
        if (i % 3 > 0) return { id, data: { ...textInput(id, id).data, ...labels } };
        return { id, data: { ...imageInput(id, pictures[(round + i) % 6] as Buffer).data, ...labels } };
      });
      const reply = await alice.client.postInputs({ inputs, inputsAddJobId: `job-${lane % 2}` });
      note(reply.status?.code);
      made += reply.inputs.filter(({ status }) => status?.code === 30001).length;
    }
  };
  let going = true;
  const meddler = async (action: 'patch' | 'delete') => {
    while (going) {
      const { inputs } = await alice.client.listInputs({ perPage: 30 });
      const some = inputs.filter((_, i) => i % (action === 'patch' ? 2 : 5) === 0);
      if (some.length === 0) continue;
      const reply =
        action === 'delete'
          ? await alice.client.deleteInputs({ ids: some.map(({ id }) => id) })
          : await alice.client.patchInputs({
              action: 'merge',
              inputs: some.map(({ id }) => ({ id, data: { concepts: [{ id: 'patched', value: 1 }] } })),
            });
      // A patch may find that its input was deleted meanwhile.
      if (![10010, 10020].includes(reply.status?.code ?? 0) || action === 'delete') note(reply.status?.code);
    }
  };
  const meddlers = [meddler('patch'), meddler('delete'), meddler('patch')];
  await Promise.all([0, 1, 2].map(uploader));
  going = false;
  await Promise.all(meddlers);
  await settled(alice);
  expect([...codes.keys()]).toEqual([10000]);

  const listed = (await alice.client.listInputs({ perPage: 1000 })).inputs;
  const { counts } = await alice.client.getInputCount({});
  expect(counts).toMatchObject({ processed: listed.length, toProcess: 0, processing: 0, errors: 0 });
  const jobs = (await alice.client.listInputsAddJobs({})).inputsAddJobs.map(({ progress }) => progress);
  const sum = (name: 'pendingCount' | 'inProgressCount' | 'successCount' | 'failedCount') =>
    jobs.reduce((total, progress) => total + Number(progress?.[name]), 0);
  expect([sum('pendingCount'), sum('inProgressCount'), sum('successCount') + sum('failedCount')]).toEqual([
    0,
    0,
    made,
  ]);
  const { conceptCounts } = await alice.client.getConceptCounts({});
  for (const { id, conceptTypeCount } of conceptCounts) {
    const labelled = listed.filter(({ data }) => data?.concepts.some((concept) => concept.id === id));
    expect([id, conceptTypeCount?.positive]).toEqual([id, labelled.length]);
  }
}, 120_000);
