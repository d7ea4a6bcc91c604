import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { tinyPng, uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

let alice: Person;
const image = { data: { image: { base64: tinyPng(120, 64) } } };
const platform = { userId: 'clarifai', appId: 'main' };
const node = (id: string, modelId: string, inputs: string[] = [], more: object = {}) => ({
  id,
  model: { id: modelId, ...platform },
  nodeInputs: inputs.map((nodeId) => ({ nodeId })),
  ...more,
});

beforeAll(async () => {
  alice = await signedIn('alice', { workflow: 'General' });
});

describe('making a workflow', () => {
  test('nodes keep their order where it can run, and are pinned to a version', async () => {
    const reply = await alice.client.postWorkflows({
      workflows: [
        { id: 'two', nodes: [node('c', 'general-image-recognition'), node('e', 'general-image-embedding')] },
      ],
    });
    expect(reply.status?.code, reply.status?.details).toBe(10000);
    expect(reply.workflows[0]).toMatchObject({ id: 'two', userId: alice.userId, appId: alice.appId });
    expect(
      reply.workflows[0]?.nodes.map((one) => [one.id, one.model?.modelVersion?.id, one.model?.modelTypeId]),
    ).toEqual([
      ['c', 'aa7f35c01e0642fda5cf400f543e7c40', 'visual-classifier'],
      ['e', 'bb186755eda04f9cbb6fe32e816be104', 'visual-embedder'],
    ]);
    expect(reply.workflows[0]?.version?.workflowId).toBe('two');
  });

  test.each([
    ['a circle', 22107, [node('a', 'color-recognition', ['b']), node('b', 'color-recognition', ['a'])]],
    ['two nodes of one name', 22104, [node('a', 'color-recognition'), node('a', 'color-recognition')]],
    ['an input nobody makes', 22107, [node('a', 'color-recognition', ['z'])]],
    ['a model nobody has', 21200, [node('a', 'no-such-model')]],
    [
      'a version nobody has',
      21200,
      [
        {
          ...node('a', 'color-recognition'),
          model: { id: 'color-recognition', ...platform, modelVersion: { id: 'x' } },
        },
      ],
    ],
    ['no model', 22104, [{ id: 'a' }]],
  ])('%s is refused with %i', async (name, code, nodes) => {
    const id = name.replace(/\W+/g, '-');
    const reply = await alice.client.postWorkflows({ workflows: [{ id, nodes }] });
    expect([reply.status?.code, reply.status?.details]).toEqual([code, expect.stringMatching(/\w/)]);
    expect((await alice.client.getWorkflow({ workflowId: id })).status?.code).toBe(11101);
  });

  test('an untrained model is refused, and an id that is taken', async () => {
    await alice.client.postModels({ models: [{ id: 'raw' }] });
    const untrained = await alice.client.postWorkflows({
      workflows: [{ id: 'early', nodes: [{ id: 'n', model: { id: 'raw' } }] }],
    });
    expect(untrained.status?.code).toBe(22002);
    expect((await alice.client.postWorkflows({ workflows: [{ id: 'two' }] })).status?.code).toBe(22100);
  });
});

describe('finding workflows', () => {
  test('in the app, then among the platform’s own, and without an id the base workflow', async () => {
    expect((await alice.client.getWorkflow({ workflowId: 'General' })).workflow?.userId).toBe(alice.userId);
    expect((await alice.client.getWorkflow({ workflowId: 'Universal' })).workflow?.userId).toBe('clarifai');
    expect((await alice.client.getWorkflow({})).workflow?.id).toBe('General');
    const { http, json } = await alice.rest('GET', 'workflows/nowhere');
    expect([http, json.status.code, json.status.description]).toEqual([
      404,
      11101,
      'Resource does not exist',
    ]);
  });

  test('the platform’s workflows are there, General with one version', async () => {
    const main = alice.as(platform);
    const { workflows } = await main.listWorkflows({});
    expect(workflows.map((one) => one.id).sort()).toEqual(['Empty', 'Face', 'General', 'Universal']);
    expect((await main.listWorkflowVersions({ workflowId: 'General' })).workflowVersions).toHaveLength(1);
  });

  test('lists page, sort and search', async () => {
    const bob = await signedIn('bob');
    await bob.client.postWorkflows({
      workflows: [{ id: 'alpha', description: 'counting satisfied people' }, { id: 'beta' }],
    });
    const ids = async (request: Parameters<typeof bob.client.listWorkflows>[0]) =>
      (await bob.client.listWorkflows(request)).workflows.map((one) => one.id);
    expect(await ids({ sortBy: { case: 'sortById', value: true }, sortAscending: true })).toEqual(
      ['Empty', 'alpha', 'beta'].sort(),
    );
    expect(await ids({ search: 'satisfy' })).toEqual(['alpha']);
    expect(await ids({ id: 'bet*' })).toEqual(['beta']);
    expect(await ids({ page: 9, perPage: 10 })).toEqual([]);
  });
});

describe('changing workflows', () => {
  const versions = async (id: string) =>
    (await alice.client.listWorkflowVersions({ workflowId: id })).workflowVersions;

  test('words change in place; nodes make a new version, the newest first', async () => {
    await alice.client.postWorkflows({
      workflows: [{ id: 'grow', nodes: [node('c', 'color-recognition')] }],
    });
    const [first] = await versions('grow');
    await alice.client.patchWorkflows({ workflows: [{ id: 'grow', description: 'd' }], action: 'merge' });
    expect(await versions('grow')).toHaveLength(1);
    await alice.client.patchWorkflows({
      workflows: [{ id: 'grow', nodes: [node('e', 'general-image-embedding')] }],
      action: 'merge',
    });
    const { workflow } = await alice.client.getWorkflow({ workflowId: 'grow' });
    expect([workflow?.description, workflow?.nodes.map((one) => one.id)]).toEqual(['d', ['c', 'e']]);
    expect((await versions('grow'))[1]?.id).toBe(first?.id);
    await alice.client.patchWorkflows({
      workflows: [{ id: 'grow', nodes: [{ id: 'c' }] }],
      action: 'remove',
    });
    expect(
      (await alice.client.getWorkflow({ workflowId: 'grow' })).workflow?.nodes.map((one) => one.id),
    ).toEqual(['e']);
    await alice.client.patchWorkflows({
      workflows: [{ id: 'grow', nodes: [node('d', 'general-image-detection')] }],
      action: 'overwrite',
    });
    expect(
      (await alice.client.getWorkflow({ workflowId: 'grow' })).workflow?.nodes.map((one) => one.id),
    ).toEqual(['d']);
    expect(await versions('grow')).toHaveLength(4);
  });

  test('a node that gets another model is pinned anew', async () => {
    await alice.client.postWorkflows({
      workflows: [{ id: 'swap', nodes: [node('n', 'color-recognition')] }],
    });
    const reply = await alice.client.patchWorkflows({
      workflows: [{ id: 'swap', nodes: [node('n', 'general-image-embedding')] }],
      action: 'merge',
    });
    expect(reply.status?.code, reply.status?.details).toBe(10000);
    expect(reply.workflows[0]?.nodes[0]?.model?.modelVersion?.id).toBe('bb186755eda04f9cbb6fe32e816be104');
  });

  test('a model of the same name in another app is another model', async () => {
    const own = await alice.client.postModels({
      models: [{ id: 'color-recognition', modelTypeId: 'prompter' }],
    });
    await alice.client.postWorkflows({
      workflows: [{ id: 'namesake', nodes: [node('n', 'color-recognition')] }],
    });
    const model = { id: 'color-recognition', userId: alice.userId, appId: alice.appId };
    const reply = await alice.client.patchWorkflows({
      workflows: [{ id: 'namesake', nodes: [{ id: 'n', model }] }],
      action: 'merge',
    });
    expect(reply.status?.code, reply.status?.details).toBe(10000);
    expect(reply.workflows[0]?.nodes[0]?.model?.modelVersion?.id).toBe(own.model?.modelVersion?.id);
    await alice.client.deleteModel({ modelId: 'color-recognition' });
  });

  test('versions are described and deleted one by one', async () => {
    const [latest, old] = await versions('grow');
    await alice.client.patchWorkflowVersions({
      workflowId: 'grow',
      workflowVersions: [{ id: old?.id as string, description: 'older' }],
      action: 'merge',
    });
    const { workflowVersion } = await alice.client.getWorkflowVersion({
      workflowId: 'grow',
      workflowVersionId: old?.id as string,
    });
    expect([workflowVersion?.description, workflowVersion?.nodes.map((one) => one.id)]).toEqual([
      'older',
      ['e'],
    ]);
    await alice.client.deleteWorkflowVersions({
      workflowId: 'grow',
      workflowVersionIds: [latest?.id as string],
    });
    expect(
      (await alice.client.getWorkflow({ workflowId: 'grow' })).workflow?.nodes.map((one) => one.id),
    ).toEqual(['e']);
  });

  test('a version whose model is gone says that it is deprecated', async () => {
    await alice.client.postModels({ models: [{ id: 'cut', modelTypeId: 'image-crop' }] });
    await alice.client.postWorkflows({
      workflows: [{ id: 'fragile', nodes: [{ id: 'n', model: { id: 'cut' } }] }],
    });
    expect((await versions('fragile'))[0]?.isDeprecated).toBe(false);
    await alice.client.deleteModel({ modelId: 'cut' });
    expect((await versions('fragile'))[0]?.isDeprecated).toBe(true);
    expect(
      (await alice.client.postWorkflowResults({ workflowId: 'fragile', inputs: [image] })).status?.code,
    ).toBe(21200);
  });

  test('a new id leaves word at the old one; deleting takes ids, and nothing where none are given', async () => {
    await alice.client.patchWorkflowIds({ ids: [{ id: 'swap', newId: 'swapped' }], action: 'overwrite' });
    expect((await alice.client.getWorkflow({ workflowId: 'swap' })).status?.code).toBe(10050);
    expect((await alice.client.deleteWorkflow({ workflowId: 'swapped' })).status?.code).toBe(10000);
    expect((await alice.client.deleteWorkflows({})).status?.code).toBe(10000);
    expect((await alice.client.deleteWorkflows({ ids: ['nowhere'] })).status?.code).toBe(11101);
    expect((await alice.client.getWorkflow({ workflowId: 'two' })).status?.code).toBe(10000);
  });
});

describe('running a workflow', () => {
  test('one output for each node in node order, with its model', async () => {
    const reply = await alice.client.postWorkflowResults({
      workflowId: 'two',
      inputs: [image, image],
      outputConfig: { maxConcepts: 2 },
    });
    expect(reply.status?.code, reply.status?.details).toBe(10000);
    expect(reply.results).toHaveLength(2);
    const outputs = reply.results[1]?.outputs ?? [];
    expect(outputs.map((output) => output.model?.id)).toEqual([
      'general-image-recognition',
      'general-image-embedding',
    ]);
    expect(outputs[0]?.data?.concepts).toHaveLength(2);
    expect(outputs[1]?.data?.embeddings[0]?.vector).toHaveLength(256);
    expect(outputs[0]?.model?.modelVersion?.id).toBe('aa7f35c01e0642fda5cf400f543e7c40');
  });

  test('Empty answers with nothing; a missing workflow is missing', async () => {
    const reply = await alice.client.postWorkflowResults({ workflowId: 'Empty', inputs: [image] });
    expect([reply.status?.code, reply.results[0]?.outputs]).toEqual([10000, []]);
    const missing = await alice.client.postWorkflowResults({ workflowId: 'nowhere', inputs: [image] });
    expect([missing.status?.code, missing.status?.description]).toEqual([11101, 'Resource does not exist']);
  });

  test('a bad input fails alone', async () => {
    const reply = await alice.client.postWorkflowResults({
      workflowId: 'two',
      inputs: [image, {}, { data: { image: { base64: Buffer.from('x') } } }],
    });
    expect(reply.status?.code).toBe(10010);
    expect(reply.results.map((result) => result.status?.code)).toEqual([10000, 30104, 10020]);
    // What is wrong with the first in trouble stands at the top; with a result whose nodes all fail, the first node's.
    expect(reply.status?.details).toContain('neither data nor the id');
    expect(reply.results[2]?.status?.details).toContain(reply.results[2]?.outputs[0]?.status?.details);
  });

  test('at most 32 inputs', async () => {
    const reply = await alice.client.postWorkflowResults({
      workflowId: 'two',
      inputs: Array.from({ length: 33 }, () => image),
    });
    expect(reply.status?.details).toContain('32');
  });

  test('models behind a detector look at each region by itself, and suppressed nodes stay silent', async () => {
    await alice.client.postWorkflows({
      workflows: [
        {
          id: 'faces',
          nodes: [
            node('find', 'face-detection'),
            node('cut', 'margin-110-image-crop', ['find'], { suppressOutput: true }),
            node('colour', 'color-recognition', ['cut']),
            node('direct', 'general-image-embedding', ['find']),
          ],
        },
      ],
    });
    const reply = await alice.client.postWorkflowResults({
      workflowId: 'faces',
      inputs: [{ data: { image: { base64: portrait() } } }],
    });
    expect(reply.status?.code, reply.status?.details).toBe(10000);
    const [found, colours, embedded, ...rest] = reply.results[0]?.outputs ?? [];
    expect(rest).toEqual([]);
    expect(found?.data?.regions.length).toBeGreaterThan(0);
    expect(colours?.data?.regions).toHaveLength(found?.data?.regions.length as number);
    expect(colours?.data?.regions[0]?.data?.colors.length).toBeGreaterThan(0);
    expect(colours?.data?.regions[0]?.regionInfo?.boundingBox).toEqual(
      found?.data?.regions[0]?.regionInfo?.boundingBox,
    );
    expect(embedded?.data?.regions[0]?.data?.embeddings[0]?.vector).toHaveLength(256);
  });
});

test('strangers do not see the base workflow of a public app while it is private', async () => {
  const owner = await signedIn('owner', { visibility: 50 });
  await owner.client.patchApps({
    apps: [{ id: owner.appId, visibility: { gettable: 50 } }],
    action: 'overwrite',
  });
  const stranger = alice.as({ userId: owner.userId, appId: owner.appId });
  expect((await stranger.getWorkflow({ workflowId: '' })).status?.code).toBe(11101);
  expect((await owner.client.getWorkflow({ workflowId: '' })).workflow?.id).toBe('Empty');
});

test('what searches the app cannot stand in its base workflow', async () => {
  const carol = await signedIn('carol');
  const ask = { id: 'ask', model: { id: 'ask' } };
  await carol.client.postModels({ models: [{ id: 'ask', modelTypeId: 'rag-prompter' }] });
  const made = await carol.client.postWorkflows({
    workflows: [
      { id: 'asks', nodes: [ask] },
      { id: 'plain', nodes: [node('e', 'general-image-embedding')] },
    ],
  });
  expect(made.status?.code, made.status?.details).toBe(10000);
  const asBase = (id: string) =>
    carol.client.patchApp({
      action: 'overwrite',
      app: { id: carol.appId, defaultWorkflow: { id, userId: carol.userId, appId: carol.appId } },
    });
  const refused = await asBase('asks');
  expect([refused.status?.code, refused.status?.details]).toEqual([22104, expect.stringContaining("'ask'")]);
  expect((await asBase('plain')).status?.code).toBe(10000);
  const patched = await carol.client.patchWorkflows({
    action: 'overwrite',
    workflows: [{ id: 'plain', nodes: [ask] }],
  });
  expect(patched.status?.code).toBe(22104);
  const kept = await carol.client.getWorkflow({ workflowId: 'plain' });
  expect(kept.workflow?.nodes.map(({ id }) => id)).toEqual(['e']);
});

test('a base workflow without an embedder speaks of new inputs too', async () => {
  const eve = await signedIn('eve');
  await eve.client.postWorkflows({
    workflows: [{ id: 'colours', nodes: [node('colour', 'color-recognition')] }],
  });
  const apps = [{ id: eve.appId, defaultWorkflow: { id: 'colours', appId: eve.appId, userId: eve.userId } }];
  expect((await eve.client.patchApps({ apps, action: 'overwrite' })).status?.code).toBe(10000);
  await eve.client.postInputs({ inputs: [{ id: 'p', ...image }] });
  const said = async () => {
    const { annotations } = await eve.client.listAnnotations({ inputIds: ['p'], listAllAnnotations: true });
    return annotations.find(({ trusted }) => !trusted)?.data?.colors.length ?? 0;
  };
  await expect.poll(said, { timeout: 60_000, interval: 200 }).toBeGreaterThan(0);
}, 90_000);

/** Photographs of people that come inside an installed package. */
function portrait(): Buffer {
  const inside = createRequire(import.meta.url).resolve('@vladmandic/human');
  return readFileSync(join(inside, '../../assets/samples.jpg'));
}

describe('how a run is steered', () => {
  const embed = () => node('e', 'general-image-embedding');
  const square = { data: { image: { base64: tinyPng(40, 64) } } };

  test('nodes whose types do not fit together are refused', async () => {
    await alice.client.postModels({
      models: [{ id: 'keep', modelTypeId: 'concept-threshold' }],
    });
    const own = (id: string, modelId: string, from: string) => ({
      id,
      model: { id: modelId, userId: alice.userId, appId: alice.appId },
      nodeInputs: [{ nodeId: from }],
    });
    const refused = await alice.client.postWorkflows({
      workflows: [{ id: 'unfit', nodes: [embed(), own('t', 'keep', 'e')] }],
    });
    expect(refused.status?.code).toBe(22107);
    expect(refused.status?.details).toContain(
      "'t' (concept-threshold) takes concepts, and 'e' gives embeddings",
    );
  });

  test('a node overrides the thresholds of its model', async () => {
    const { outputs } = await alice
      .as(platform)
      .postModelOutputs({ modelId: 'general-image-recognition', inputs: [square] });
    const surest = outputs[0]?.data?.concepts[0]?.id ?? '';
    const above = (value: number) => ({
      id: 't',
      model: { id: 'keep', userId: alice.userId, appId: alice.appId },
      nodeInputs: [{ nodeId: 'k' }],
      outputInfoOverride: {
        data: { concepts: [{ id: surest, value }] },
        params: { concept_threshold_type: 'GREATER_THAN_OR_EQUAL_TO' },
      },
    });
    const kept = async (id: string, value: number) => {
      const made = await alice.client.postWorkflows({
        workflows: [{ id, nodes: [node('k', 'general-image-recognition'), above(value)] }],
      });
      expect(made.status?.code, made.status?.details).toBe(10000);
      const { results } = await alice.client.postWorkflowResults({ workflowId: id, inputs: [square] });
      return results[0]?.outputs[1]?.data?.concepts.map((concept) => concept.id);
    };
    expect(await kept('above-none', 2)).toEqual([]);
    expect(await kept('above-some', 0)).toEqual([surest]);
  });

  test('a state lives on from call to call; one that never was is refused', async () => {
    await alice.client.postWorkflows({ workflows: [{ id: 'stateful', nodes: [embed()] }] });
    const run = (id: string) =>
      alice.client.postWorkflowResults({ workflowId: 'stateful', inputs: [square], workflowState: { id } });
    const first = (await run('init')).workflowState?.id ?? '';
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect((await run(first)).workflowState?.id).toBe(first);
    expect((await run('never')).status?.code).toBe(11101);
  });

  test('a node cannot be sent to a place that is not there, nor a node that is not there anywhere', async () => {
    const run = (nodeRunnerSelectors: Record<string, object>) =>
      alice.client.postWorkflowResults({ workflowId: 'stateful', inputs: [square], nodeRunnerSelectors });
    const nowhere = await run({ e: { deployment: { id: 'far-away' } } });
    expect(nowhere.status).toMatchObject({ code: 11101 });
    expect(nowhere.status?.details).toContain("deployment 'far-away'");
    expect((await run({ x: { deployment: { id: 'far-away' } } })).status?.code).toBe(22104);
    expect((await run({ e: {} })).status?.code).toBe(10000);
  });

  test('how long each node took can be looked up by whoever asked', async () => {
    await alice.client.postWorkflows({
      workflows: [{ id: 'timed', nodes: [embed(), node('c', 'color-recognition')] }],
    });
    const { status } = await alice.client.postWorkflowResults({
      workflowId: 'timed',
      inputs: [square, square],
    });
    const asked = `/v2/ext/fovea/requests/${status?.reqId}/nodes`;
    const { json } = await alice.rest('GET', asked);
    expect(json.workflow_id).toBe('timed');
    expect(json.nodes.map((one: { node: string }) => one.node).sort()).toEqual(['c', 'c', 'e', 'e']);
    expect(json.nodes.every((one: { took_ms: number }) => one.took_ms > 0)).toBe(true);
    const mallory = await signedIn('mallory');
    expect((await mallory.rest('GET', asked)).http).toBe(404);
  });
});

test('a base workflow whose model is gone still lets inputs through', async () => {
  const bob = await signedIn('bob', { workflow: 'General' });
  await bob.client.postModels({ models: [{ id: 'mine', modelTypeId: 'random-sample' }] });
  await bob.client.postWorkflows({
    workflows: [
      {
        id: 'base',
        nodes: [
          node('e', 'general-image-embedding'),
          {
            id: 'm',
            model: { id: 'mine', userId: bob.userId, appId: bob.appId },
            nodeInputs: [{ nodeId: 'e' }],
          },
        ],
      },
    ],
  });
  const set = await bob.client.patchApps({
    userAppId: { userId: bob.userId, appId: '' },
    apps: [{ id: bob.appId, defaultWorkflow: { id: 'base', appId: bob.appId, userId: bob.userId } }],
    action: 'overwrite',
  });
  expect(set.status?.code, set.status?.details).toBe(10000);
  await bob.client.deleteModel({ modelId: 'mine' });
  await uploadPictures(bob, ['one', 'two']);
});
