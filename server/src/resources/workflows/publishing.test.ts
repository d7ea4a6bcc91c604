import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';

test('a workflow version is published and withdrawn', async () => {
  const carol = await signedIn('carol', { visibility: 50 });
  const model = { id: 'color-recognition', userId: 'clarifai', appId: 'main' };
  const made = await carol.client.postWorkflows({
    workflows: [{ id: 'w', nodes: [{ id: 'colours', model }] }],
  });
  expect(made.status?.details).toBe('');
  const versionId = made.workflows[0]?.version?.id ?? '';
  const which = { workflowId: 'w', publications: [{ versionId }] };
  const shown = async () =>
    (await carol.client.getWorkflowVersion({ workflowId: 'w', workflowVersionId: versionId })).workflowVersion
      ?.visibility?.gettable;
  expect((await carol.client.postWorkflowVersionsPublish(which)).status?.code).toBe(10000);
  expect(await shown()).toBe(50);
  expect((await carol.client.postWorkflowVersionsUnPublish(which)).status?.code).toBe(10000);
  expect(await shown()).toBe(10);
});
