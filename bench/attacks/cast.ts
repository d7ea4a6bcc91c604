import { setTimeout as sleep } from 'node:timers/promises';
import { ruleOf, scopeRules } from '@fovea/contract';
import { tinyPng } from '../../server/src/testing/inputs.ts';
import type { Ids } from './shapes.ts';
import type { Answer, Headers, Json, Wire } from './wire.ts';

/** Somebody with a token, an app of their own, and things in it. */
export interface Owner {
  readonly userId: string;
  readonly pat: string;
  /** By kind: `app`, `input`, `concept` … */
  readonly ids: Ids;
  /** Words in every name, note and text of theirs; whoever reads them and is not entitled has seen a leak. */
  readonly canary: string;
  readonly userAppId: Json;
  readonly session: string;
}

/** A caller of the victim's app who ought to be refused. */
export interface Actor {
  readonly name: string;
  readonly headers: Headers;
  /** Scopes this actor does hold on the victim's app: what these allow is no leak. */
  readonly holds: ReadonlySet<string>;
}

export interface Cast {
  readonly victim: Owner;
  readonly attacker: Owner;
  /** Collaborator of the victim with `Concepts_Get` and `Apps_Get` alone. */
  readonly helper: Owner;
  /** Key of the victim's app with every scope; still good. */
  readonly victimAppKey: string;
  readonly actors: readonly Actor[];
  /** Every secret issued while the cast was made, by whose it is. */
  readonly secrets: readonly string[];
}

export const keyHeader = (secret: string): Headers => ({ authorization: `Key ${secret}` });

export async function say(wire: Wire, headers: Headers, rpc: string, json: Json): Promise<Json> {
  const answer = await wire.call(ruleOf(rpc), json, headers);
  if (answer.code !== 10000)
    throw new Error(
      `${rpc} of the cast failed with ${answer.code}: ${detailsOf(answer)} ${answer.text.replace(/[^ -~]+/g, ' ').slice(0, 400)}`,
    );
  return answer.message;
}

export const detailsOf = (answer: Answer): string =>
  (answer.message as unknown as { status?: { details: string } } | undefined)?.status?.details ??
  answer.text.slice(0, 300);

/** Scopes that a key may hold, with those they depend on. */
export function closureOf(names: Iterable<string>): string[] {
  const all = new Set<string>();
  const add = (name: string) => {
    if (all.has(name)) return;
    all.add(name);
    for (const needed of scopeRules.get(name)?.dependingScopes ?? []) add(needed);
  };
  for (const name of names) add(name);
  return [...all];
}

async function makeOwner(wire: Wire, adminPat: string, userId: string, canary: string): Promise<Owner> {
  const made = await wire.send({
    verb: 'POST',
    path: '/v2/ext/fovea/users',
    headers: keyHeader(adminPat),
    body: Buffer.from(JSON.stringify({ id: userId, email: `${userId}@example.org` })),
  });
  const pat = JSON.parse(made.text).personal_access_token as string;
  const me = keyHeader(pat);
  const suffix = userId.split('-').at(-1);
  const id = (kind: string) => `${kind}-${suffix}`;
  const userAppId = { user_id: userId, app_id: id('app') };
  const named = (rpc: string, json: Json) => say(wire, me, rpc, { user_app_id: userAppId, ...json });
  const words = {
    name: `name ${canary}`,
    description: `about ${canary}`,
    notes: `notes ${canary}`,
    metadata: { secret: canary },
  };
  const image = (shade: number) => ({
    image: { base64: Buffer.from(tinyPng(shade, 16)).toString('base64') },
  });
  const workflow = { id: 'Empty', app_id: 'main', user_id: 'clarifai' };

  await say(wire, me, 'PostApps', {
    user_app_id: { user_id: userId },
    apps: ['app', 'other'].map((kind) => ({ id: id(kind), ...words, default_workflow: workflow })),
  });
  await named('PostConcepts', {
    concepts: ['concept', 'spare'].map((kind) => ({ id: id(kind), name: `${kind} ${canary}` })),
  });
  await named('PostInputs', {
    inputs: ['input', 'input2', 'input3'].map((kind, i) => ({
      id: id(kind),
      data: {
        ...image(40 + i * 50 + ((suffix?.charCodeAt(0) ?? 0) % 40)),
        concepts: [{ id: id('concept'), value: 1 }],
        metadata: { secret: canary, mark: kind },
      },
    })),
  });
  await named('PostInputs', { inputs: [{ id: id('text'), data: { text: { raw: `text ${canary}` } } }] });
  await settle(wire, me, userAppId);
  await named('PostAnnotations', {
    annotations: [
      {
        id: id('annotation'),
        input_id: id('input'),
        data: { concepts: [{ id: id('concept'), value: 1 }], metadata: { secret: canary } },
      },
    ],
  });
  await named('PostDatasets', { datasets: [{ id: id('dataset'), ...words }] });
  await named('PostDatasetInputs', {
    dataset_id: id('dataset'),
    dataset_inputs: [{ input: { id: id('input') } }],
  });
  await named('PostDatasetVersions', {
    dataset_id: id('dataset'),
    dataset_versions: [{ id: id('dataset_version'), description: canary, metadata: { secret: canary } }],
  });
  await named('PostSearches', {
    searches: [{ id: id('search'), name: canary, save: true, query: { filters: [] } }],
  }).catch(() => {});
  const { model } = await named('PostModels', {
    models: [
      {
        id: id('model'),
        model_type_id: 'random-sample',
        ...words,
        model_version: { description: canary, output_info: { params: { keep_fraction: 0.5 } } },
      },
    ],
  });
  const versionId = model.modelVersion.id as string;
  const nodes = [{ id: 'node', model: { id: id('model'), model_version: { id: versionId } } }];
  const { workflows } = await named('PostWorkflows', {
    workflows: [{ id: id('workflow'), ...words, nodes }],
  });
  const { inputsAddJobs } = await named('PostInputsUploads', {
    inputs_uploads: [
      {
        inputs_add_job_id: id('inputs_add_job'),
        upload: { id: id('upload'), content_name: `${canary}.zip`, content_length: 100 },
        input_template: { data: { metadata: { secret: canary } } },
      },
    ],
  });
  await named('PostBulkOperations', {
    bulk_operations: [
      {
        id: id('bulk_operation'),
        input_ids: { input_ids: [id('input3')] },
        operation: { add_metadata: { metadata: { secret: canary } } },
      },
    ],
  });
  await named('PostCollectors', {
    collectors: [
      {
        id: id('collector'),
        description: canary,
        pre_queue_random_sample: 1,
        collector_source: {
          api_post_model_outputs_collector_source: {
            model_user_id: userId,
            model_app_id: id('app'),
            model_id: id('model'),
            model_version_id: versionId,
            post_inputs_key_id: pat,
          },
        },
      },
    ],
  });
  await named('PostAnnotationFilters', {
    annotation_filters: [{ id: id('annotation_filter'), name: canary, saved_search: { id: id('search') } }],
  }).catch(() => {});
  await named('PutDatasetVersionExports', {
    dataset_id: id('dataset'),
    dataset_version_id: id('dataset_version'),
    exports: [{ format: 1 }],
  }).catch(() => {});
  const login = await wire.send({
    verb: 'POST',
    path: '/v2/login',
    headers: {},
    body: Buffer.from(JSON.stringify({ password: pat })),
  });
  const kinds = [
    'app',
    'concept',
    'input',
    'annotation',
    'dataset',
    'dataset_version',
    'search',
    'model',
    'workflow',
  ];
  const ids: Record<string, string> = Object.fromEntries(kinds.map((kind) => [kind, id(kind)]));
  ids['user'] = userId;
  for (const kind of ['upload', 'inputs_add_job', 'bulk_operation', 'collector', 'annotation_filter'])
    ids[kind] = id(kind);
  ids['model_version'] = versionId;
  ids['workflow_version'] = workflows[0].version.id;
  ids['inputs_extraction_job'] = inputsAddJobs[0].extractionJobs[0].id;
  // By the names that routes beside the contract give them.
  ids['version'] = id('dataset_version');
  ids['extraction'] = ids['inputs_extraction_job'] as string;
  ids['saved_search'] = id('search');
  ids['annotation_search'] = id('search');
  return { userId, pat, ids, canary, userAppId, session: JSON.parse(login.text).session_token };
}

/** Waits until no input of an app is still being worked on. */
export async function settle(
  wire: Wire,
  headers: Headers,
  userAppId: Json,
  patienceMs = 60_000,
): Promise<Json[]> {
  for (const began = Date.now(); ; await sleep(150)) {
    const reply = await say(wire, headers, 'ListInputs', { user_app_id: userAppId, per_page: 1000 });
    const busy = reply.inputs.filter((input: Json) =>
      [30001, 30003, 31001, 31003].includes(input.status?.code),
    );
    if (busy.length === 0 || Date.now() - began > patienceMs) return reply.inputs;
  }
}

export async function makeCast(wire: Wire, adminPat: string, seed: number): Promise<Cast> {
  const mark = (seed >>> 0).toString(36);
  const victim = await makeOwner(wire, adminPat, `victim-v${mark}`, `zqv${mark}leak`);
  const attacker = await makeOwner(wire, adminPat, `mallory-m${mark}`, `zqm${mark}own`);
  const helper = await makeOwner(wire, adminPat, `helper-h${mark}`, `zqh${mark}own`);
  const former = await makeOwner(wire, adminPat, `former-f${mark}`, `zqf${mark}own`);
  const me = keyHeader(victim.pat);
  const secrets = [victim.pat, victim.session, attacker.pat, attacker.session, helper.pat, former.pat];

  const keyOf = async (owner: Owner, key: Json): Promise<string> => {
    const reply = await say(wire, keyHeader(owner.pat), 'PostKeys', {
      user_app_id: { user_id: owner.userId },
      keys: [key],
    });
    secrets.push(reply.keys[0].id);
    return reply.keys[0].id;
  };
  const appKey = (owner: Owner, appId: string | undefined, scopes: string[], more: Json = {}) =>
    keyOf(owner, { description: 'app key', scopes, apps: [{ id: appId, user_id: owner.userId }], ...more });
  const few = closureOf(['Concepts_Get', 'Apps_Get']);

  const expired = await keyOf(victim, {
    description: 'expired',
    type: 'personal_access_token',
    scopes: ['All'],
    expires_at: new Date(Date.now() + 1500).toISOString(),
  });
  const deleted = await keyOf(victim, {
    description: 'deleted',
    type: 'personal_access_token',
    scopes: ['All'],
  });
  await say(wire, me, 'DeleteKey', { user_app_id: { user_id: victim.userId }, key_id: deleted });
  const collaborate = (userId: string, scopes: string[]) =>
    say(wire, me, 'PostCollaborators', {
      user_app_id: victim.userAppId,
      collaborators: [{ id: `c-${userId}`, user: { id: userId }, scopes }],
    });
  await collaborate(helper.userId, few);
  await collaborate(former.userId, ['All']);
  await say(wire, me, 'DeleteCollaborators', {
    user_app_id: victim.userAppId,
    collaborator_ids: [`c-${former.userId}`],
  });
  const closed = await wire.send({
    verb: 'POST',
    path: '/v2/login',
    headers: {},
    body: Buffer.from(JSON.stringify({ password: victim.pat })),
  });
  const closedToken = JSON.parse(closed.text).session_token as string;
  await wire.send({
    verb: 'DELETE',
    path: '/v2/ext/fovea/session',
    headers: { 'x-clarifai-session-token': closedToken },
  });
  const victimAppKey = await appKey(victim, victim.ids['app'], ['All']);

  const none = new Set<string>();
  const actors: Actor[] = [
    { name: 'nobody', headers: {}, holds: none },
    { name: 'made-up key', headers: keyHeader('0123456789abcdef'.repeat(2)), holds: none },
    { name: 'stranger', headers: keyHeader(attacker.pat), holds: none },
    { name: "stranger's session", headers: { 'x-clarifai-session-token': attacker.session }, holds: none },
    {
      name: "stranger's app key",
      headers: keyHeader(await appKey(attacker, attacker.ids['app'], ['All'])),
      holds: none,
    },
    {
      name: "key of the victim's other app",
      headers: keyHeader(await appKey(victim, `other-v${mark}`, ['All'])),
      holds: none,
    },
    { name: 'expired key', headers: keyHeader(expired), holds: none },
    { name: 'deleted key', headers: keyHeader(deleted), holds: none },
    { name: 'ended session', headers: { 'x-clarifai-session-token': closedToken }, holds: none },
    { name: 'former collaborator', headers: keyHeader(former.pat), holds: none },
    { name: 'collaborator with few scopes', headers: keyHeader(helper.pat), holds: new Set(few) },
    {
      name: 'app key with few scopes',
      headers: keyHeader(await appKey(victim, victim.ids['app'], few)),
      holds: new Set(few),
    },
  ];
  await sleep(1600);
  return { victim, attacker, helper, victimAppKey, actors, secrets };
}
