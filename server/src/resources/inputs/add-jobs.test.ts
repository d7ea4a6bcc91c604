import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';
import { imageInput, picture, settled, textInput, urlInput, webServer } from './inputs.testing.ts';

test('an add job counts its inputs before PostInputs returns, and is over when all of them can be listed', async () => {
  const alice = await signedIn('alice');
  const pictures = await Promise.all(Array.from({ length: 12 }, (_, i) => picture(100 + i)));
  const inputs = [
    ...pictures.map((bytes, i) => imageInput(`p${i}`, bytes)),
    imageInput('junk', Buffer.from('junk')),
    { id: 'empty' },
  ];
  const reply = await alice.client.postInputs({ inputsAddJobId: 'job-1', inputs });
  expect(reply.inputsAddJob).toMatchObject({
    id: 'job-1',
    status: { code: 64001 },
    progress: { pendingCount: 13n, failedCount: 0n },
  });
  for (;;) {
    const { inputsAddJob } = await alice.client.getInputsAddJob({ id: 'job-1' });
    const { pendingCount, inProgressCount, successCount, failedCount } = inputsAddJob?.progress ?? {};
    expect(Number(pendingCount) + Number(inProgressCount) + Number(successCount) + Number(failedCount)).toBe(
      13,
    );
    const listed = await alice.client.listInputs({ status: { code: 30000 } });
    // Whatever the counters call done was visible before they said so.
    expect(listed.inputs.length).toBeGreaterThanOrEqual(Number(successCount));
    if (pendingCount === 0n && inProgressCount === 0n) {
      expect([successCount, failedCount, inputsAddJob?.status?.code]).toEqual([12n, 1n, 64002]);
      break;
    }
  }
  const more = await alice.client.postInputs({ inputsAddJobId: 'job-1', inputs: [textInput('late', 'x')] });
  expect(more.inputsAddJob?.progress).toMatchObject({ pendingCount: 1n, successCount: 12n });
  await settled(alice);
  const { json } = await alice.rest('GET', 'inputs/jobs/add/job-1');
  expect(json.inputs_add_job.progress).toMatchObject({ success_count: '13', failed_count: '1' });
});

test('an add job exists even where none of its inputs was accepted', async () => {
  const alice = await signedIn('alice');
  await alice.client.postInputs({ inputsAddJobId: 'idle', inputs: [{ id: 'empty' }] });
  const { inputsAddJob, status } = await alice.client.getInputsAddJob({ id: 'idle' });
  expect(status?.code).toBe(10000);
  expect(inputsAddJob).toMatchObject({
    progress: { pendingCount: 0n, inProgressCount: 0n },
    status: { code: 64002 },
  });
  expect((await alice.client.getInputsAddJob({ id: 'nobody' })).status?.code).toBe(11101);
  await alice.client.postInputs({ inputsAddJobId: 'newer', inputs: [{ id: 'empty' }] });
  expect((await alice.client.listInputsAddJobs({})).inputsAddJobs.map(({ id }) => id)).toEqual([
    'newer',
    'idle',
  ]);
});

test('deleting an input that nobody has begun with does not leave its job waiting', async () => {
  const alice = await signedIn('alice');
  const ids = Array.from({ length: 40 }, (_, i) => `d${i}`);
  await alice.client.postInputs({ inputsAddJobId: 'job', inputs: ids.map((id) => textInput(id, id)) });
  await alice.client.deleteInputs({ ids });
  const { inputsAddJob } = await alice.client.getInputsAddJob({ id: 'job' });
  const { pendingCount, inProgressCount, successCount, failedCount } = inputsAddJob?.progress ?? {};
  expect([pendingCount, inProgressCount, Number(successCount) + Number(failedCount)]).toEqual([0n, 0n, 40]);
});

test('cancelling an add job ends what nobody has begun with, and the counters agree', async () => {
  const alice = await signedIn('alice');
  const web = await webServer({ '/slow.jpg': await picture(500) });
  const inputs = Array.from({ length: 128 }, (_, i) => urlInput(`c${i}`, `${web.url}/slow.jpg?${i}`));
  await alice.client.postInputs({ inputsAddJobId: 'job', inputs });
  await alice.client.postInputs({
    inputsAddJobId: 'job',
    inputs: inputs.map(({ id, data }) => ({
      id: `x${id}`,
      data: { image: { ...data.image, allowDuplicateUrl: true } },
    })),
  });
  const { inputsAddJob } = await alice.client.cancelInputsAddJob({ id: 'job' });
  expect(inputsAddJob?.status?.code).toBe(64004);
  expect(inputsAddJob?.progress?.pendingCount).toBe(0n);
  await settled(alice);
  const progress = (await alice.client.getInputsAddJob({ id: 'job' })).inputsAddJob?.progress;
  const { counts } = await alice.client.getInputCount({});
  expect([progress?.pendingCount, progress?.inProgressCount]).toEqual([0n, 0n]);
  expect([Number(progress?.successCount), Number(progress?.failedCount)]).toEqual([
    counts?.processed,
    counts?.errors,
  ]);
  expect(counts?.errors).toBeGreaterThan(0);
  expect((await alice.client.cancelInputsAddJob({ id: 'nobody' })).status?.code).toBe(11101);
  await web.close();
});
