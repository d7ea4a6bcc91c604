import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { newSubjects } from './kills.ts';
import type { Write } from './ledger.ts';
import { startLoad, wordsOf } from './load.ts';
import { check, type Subject, settled } from './oracle.ts';
import type { Random } from './random.ts';
import { type Context, type Outcome, report, type Scenario, sized } from './scenario.ts';
import { openVictim, pat, userId, type Victim } from './victim.ts';
import type { Json, Wire } from './wire.ts';

async function withVictim(context: Context, work: (victim: Victim) => Promise<void>): Promise<void> {
  const victim = openVictim({
    main: context.main,
    dataDir: join(context.folder, 'data'),
    port: context.port(),
  });
  try {
    await victim.ready();
    await work(victim);
  } finally {
    await victim.destroy();
  }
}

/** A request that ends in the middle, or whose reply nobody waits for. @returns whether all of it was sent */
export function hangUp({ url }: Victim, write: Write, random: Random): Promise<boolean> {
  const body = JSON.stringify(write.body);
  const head = `${write.verb} ${write.path} HTTP/1.1\r\nhost: x\r\nauthorization: Key ${pat}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  const whole = Buffer.from(head + body);
  const bytes = random.chance(0.5) ? whole.length : random.below(whole.length);
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => {
      socket.write(whole.subarray(0, bytes), () => {
        setTimeout(() => socket.destroy(), random.between(0, 40));
      });
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(bytes === whole.length));
  });
}

const openFiles = (pid: number | undefined): number =>
  pid === undefined ? 0 : readdirSync(`/proc/${pid}/fd`).length;

async function clientsHangUp(context: Context, outcome: Outcome): Promise<void> {
  const { random } = context;
  await withVictim(context, async (victim) => {
    const subjects = await newSubjects(victim, context, 0);
    const [first, last] = [subjects[0], subjects[1]] as [Subject, Subject];
    const warm = startLoad(victim.wire, first.ledger, first.world);
    await sleep(500);
    await warm.stop();
    report(context, outcome, await check(victim, first), 'at the start');
    const load = startLoad(victim.wire, first.ledger, first.world, { pauseMs: 20 });
    const [pid, before] = [victim.pid(), openFiles(victim.pid())];
    const times = sized(context, 60, 500);
    for (let time = 0; time < times; time++) {
      const { ledger, world } = random.chance(0.3) ? last : first;
      const lane = random.pick(world.lanes);
      const write = random.chance(0.7) ? lane.postInputs() : lane.postConcepts();
      // One that was cut short must leave no trace, so the ledger does not hear of it.
      if (await hangUp(victim, write, random)) ledger.doubt(write);
      outcome.kills += 1;
    }
    await load.stop();
    await sleep(1_500);
    for (const subject of subjects)
      report(context, outcome, await check(victim, subject, { throughApi: true }), 'at the end');
    outcome.acknowledged = first.ledger.acknowledged + last.ledger.acknowledged;
    if (victim.pid() !== pid) outcome.found.other.push('the server ended');
    if (/unhandled|uncaught/i.test(victim.said()))
      outcome.found.other.push(`the server says: ${victim.said().slice(-500)}`);
    const drafts = join(victim.dataDir, 'objects', '.drafts');
    const left = readdirSync(drafts);
    if (left.length > 0) outcome.found.other.push(`${left.length} files of interrupted uploads are left`);
    const after = openFiles(pid);
    if (after > before + 20)
      outcome.found.other.push(`${after - before} more files and sockets are open than before`);
    outcome.aside = `${before} files and sockets open before, ${after} after`;
  });
}

interface Step {
  readonly rpc: string;
  readonly verb: string;
  readonly path: string;
  readonly body?: Json;
}

const home = `/v2/users/${userId}/apps`;

/** A session that changes everything a client can name; each is sent twice. */
function session(appId: string): Step[] {
  const app = `${home}/${appId}`;
  const step = (rpc: string, verb: string, path: string, body?: Json): Step => ({ rpc, verb, path, body });
  const inApp = (rpc: string, verb: string, path: string, body?: Json) =>
    step(rpc, verb, `${app}/${path}`, body);
  return [
    step('PostApps', 'POST', home, {
      apps: [{ id: appId, default_workflow: { id: 'Empty', app_id: 'main', user_id: 'clarifai' } }],
    }),
    step('PatchApps', 'PATCH', home, { action: 'overwrite', apps: [{ id: appId, description: 'twice' }] }),
    inApp('PostConcepts', 'POST', 'concepts', {
      concepts: [
        { id: 'a', name: 'a' },
        { id: 'b', name: 'b' },
      ],
    }),
    inApp('PatchConcepts', 'PATCH', 'concepts', {
      action: 'overwrite',
      concepts: [{ id: 'a', name: 'another a' }],
    }),
    inApp('PostDatasets', 'POST', 'datasets', { datasets: [{ id: 'd' }] }),
    inApp('PatchDatasets', 'PATCH', 'datasets', {
      action: 'overwrite',
      datasets: [{ id: 'd', description: 'twice' }],
    }),
    inApp('PostInputs', 'POST', 'inputs', {
      inputs_add_job_id: 'j',
      inputs: ['x', 'y', 'z'].map((id) => ({
        id,
        ...(id === 'z' ? { dataset_ids: ['d'] } : {}),
        data: { text: { raw: `${appId} ${id}` }, concepts: [{ id: 'a', value: 1 }], metadata: { n: 1 } },
      })),
    }),
    inApp('PatchInputs merge', 'PATCH', 'inputs', {
      action: 'merge',
      inputs: [{ id: 'x', data: { concepts: [{ id: 'b', value: 0 }], metadata: { m: 2 } } }],
    }),
    inApp('PatchInputs overwrite', 'PATCH', 'inputs', {
      action: 'overwrite',
      inputs: [{ id: 'y', data: { concepts: [{ id: 'b', value: 1 }] } }],
    }),
    inApp('PatchInputs remove', 'PATCH', 'inputs', {
      action: 'remove',
      inputs: [{ id: 'z', data: { concepts: [{ id: 'a' }] } }],
    }),
    inApp('PostAnnotations', 'POST', 'annotations', {
      annotations: [{ id: 'n', input_id: 'x', data: { concepts: [{ id: 'a', value: 1 }] } }],
    }),
    inApp('PatchAnnotations', 'PATCH', 'annotations', {
      action: 'overwrite',
      annotations: [{ id: 'n', input_id: 'x', data: { concepts: [{ id: 'b', value: 1 }] } }],
    }),
    inApp('PostDatasetInputs', 'POST', 'datasets/d/inputs', {
      dataset_inputs: [{ input: { id: 'x' } }, { input: { id: 'y' } }],
    }),
    inApp('PostDatasetVersions', 'POST', 'datasets/d/versions', { dataset_versions: [{ id: 'v' }] }),
    inApp('PutDatasetVersionExports', 'PUT', 'datasets/d/versions/v/exports', { exports: [{ format: 1 }] }),
    inApp('PostUploads', 'POST', 'uploads', {
      uploads: [{ id: 'u', content_name: 'a.zip', content_length: 4 }],
    }),
    inApp('PutUploadContentParts', 'PUT', 'uploads/u/content_parts', {
      content_parts: [{ part_number: 1, range_start: 0, data: 'QUE=' }],
    }),
    inApp('PostInputsUploads', 'POST', 'inputs/uploads', {
      inputs_uploads: [{ inputs_add_job_id: 'from-archive', upload: { id: 'archive', content_length: 9 } }],
    }),
    inApp('DeleteUploads', 'DELETE', 'uploads', { ids: ['u'] }),
    inApp('PostBulkOperations', 'POST', 'bulk_operations', {
      bulk_operations: [
        {
          id: 'b',
          input_ids: { input_ids: ['x'] },
          operation: { add_metadata: { metadata: { bulk: true } } },
        },
      ],
    }),
    inApp('DeleteBulkOperations', 'DELETE', 'bulk_operations', { ids: ['b'] }),
    inApp('PostAnnotationFilters', 'POST', 'annotation_filters', {
      annotation_filters: [{ id: 'f', name: 'f', search: { query: {} } }],
    }),
    inApp('PostAppDuplications', 'POST', 'duplications', {
      app_duplications: [
        { id: `copy-${appId}`, destination_app: { id: `${appId}-copy` }, filter: { copy_concepts: true } },
      ],
    }),
    step('DeleteApp of the copy', 'DELETE', `${home}/${appId}-copy`),
    inApp('PatchAnnotationsStatus', 'PATCH', 'task/-/annotations/status', {
      action: 'overwrite',
      user_ids: [userId],
      status_code: 24151,
    }),
    inApp('PostModels', 'POST', 'models', { models: [{ id: 'm' }] }),
    inApp('PatchModels', 'PATCH', 'models', {
      action: 'overwrite',
      models: [{ id: 'm', description: 'twice' }],
    }),
    inApp('PostWorkflows', 'POST', 'workflows', {
      workflows: [
        {
          id: 'w',
          nodes: [
            { id: 'one', model: { id: 'general-image-embedding', user_id: 'clarifai', app_id: 'main' } },
          ],
        },
      ],
    }),
    inApp('DeleteWorkflows', 'DELETE', 'workflows', { ids: ['w'] }),
    inApp('DeleteModels', 'DELETE', 'models', { ids: ['m'] }),
    inApp('DeleteDatasetVersions', 'DELETE', 'datasets/d/versions', { dataset_version_ids: ['v'] }),
    inApp('DeleteDatasetInputs', 'DELETE', 'datasets/d/inputs', { input_ids: ['x'] }),
    inApp('DeleteAnnotations', 'DELETE', 'annotations', { ids: ['n'], input_ids: ['x'] }),
    inApp('DeleteInputs', 'DELETE', 'inputs', { ids: ['x', 'y'] }),
    inApp('DeleteDatasets', 'DELETE', 'datasets', { dataset_ids: ['d'] }),
    step('DeleteApp', 'DELETE', `${home}/${appId}`),
  ];
}

/** Columns that say when, not what. */
const times = ['created_at', 'modified_at', 'completed_at', 'search_revision', 'xid', 'next_at'];
/** Of what is under way, or of when something was written. */
const notCompared = ['jobs', 'job_schedules', 'fovea_migrations', 'sessions', 'app_changes'];

/** A fingerprint of each table, times aside. */
async function fingerprint(db: pg.Client): Promise<Map<string, string>> {
  const { rows: tables } = await db.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' and table_name <> all($1)",
    [notCompared],
  );
  const prints = new Map<string, string>();
  for (const { name } of tables) {
    // A counter at nothing is as good as none.
    const notEmpty = name.endsWith('_tallies')
      ? "where (to_jsonb(x) - 'app_key' - 'bucket' - 'status_code' - 'slot' - 'state' - 'concept_id')::text ~ '[1-9]'"
      : '';
    const { rows } = await db.query(
      `select count(*) || ' rows, ' || md5(coalesce(string_agg(line, '' order by line), '')) as print
       from (select (to_jsonb(x) - $1::text[])::text as line from ${name} x ${notEmpty}) l`,
      [name === 'concept_tallies' ? [...times, 'slot'] : times],
    );
    prints.set(name, rows[0].print);
  }
  return prints;
}

async function requestsTwice(context: Context, outcome: Outcome): Promise<void> {
  const { random } = context;
  let [answered, known] = [0, 0];
  await withVictim(context, async (victim) => {
    const rounds = sized(context, 1, 10);
    for (let round = 0; round < rounds; round++) {
      for (const step of session(`twice-${round}`)) {
        const first = await victim.wire.call(step.verb, step.path, step.body);
        if (first.http !== 200) throw new Error(`${step.rpc}: ${first.http} ${wordsOf(first)}`);
        outcome.acknowledged += 1;
        await settled(victim);
        const before = await victim.sql(fingerprint);
        // In one of five the server, or its database, dies between the two.
        if (random.chance(0.2)) {
          if (random.chance(0.5)) await victim.killServer();
          else await victim.killBoth();
          outcome.kills += 1;
          outcome.recoveriesMs.push(await victim.ready());
        } else await sleep(random.between(0, 30));
        const second = await victim.wire.call(step.verb, step.path, step.body);
        if (second.http >= 500)
          outcome.found.other.push(
            `${step.rpc} sent again answers ${second.http} ${JSON.stringify(second.json.status)}`,
          );
        if (second.http === 200) answered += 1;
        else known += 1;
        await settled(victim);
        const after = await victim.sql(fingerprint);
        for (const [table, print] of after) {
          if (before.get(table) !== print)
            outcome.found.other.push(
              `${step.rpc} sent again changes ${table}: ${before.get(table)}, ${print}`,
            );
        }
      }
    }
  });
  for (const words of outcome.found.other.slice(0, 10)) context.say(words);
  outcome.aside = `${answered} answered alike, ${known} refused as known or gone`;
}

/** Many clients change fields of the same few things; each knows what its own fields have to say. */
async function patchesTogether(context: Context, outcome: Outcome): Promise<void> {
  const clients = 16;
  const { random } = context;
  const each = sized(context, 40, 400);
  await withVictim(context, async (victim) => {
    const { wire } = victim;
    const app = `${home}/together`;
    await wire.must('POST', home, {
      apps: [{ id: 'together', default_workflow: { id: 'Empty', app_id: 'main', user_id: 'clarifai' } }],
    });
    await wire.must('POST', `${app}/concepts`, {
      concepts: [
        { id: 'shared', name: 'shared' },
        ...Array.from({ length: clients }, (_, n) => ({ id: `own-${n}`, name: `own-${n}` })),
      ],
    });
    const shared = ['one', 'two', 'three'];
    await wire.must('POST', `${app}/inputs`, {
      inputs: [...shared, 'whole'].map((id) => ({ id, data: { text: { raw: id } } })),
    });
    await settled(victim);
    const wrong = (words: string) => outcome.found.other.push(words);
    const wanted = new Map<string, number>();
    const names = new Set<string>();
    const work = async (client: number, own: Random) => {
      for (let n = 1; n <= each; n++) {
        const id = own.pick(shared);
        const at = own.next();
        if (at < 0.6) {
          const value = own.below(2);
          await patch(wire, wrong, `${app}/inputs`, {
            action: 'merge',
            inputs: [
              {
                id,
                data: { concepts: [{ id: `own-${client}`, value }], metadata: { [`own-${client}`]: n } },
              },
            ],
          });
          wanted.set(`${id} label ${client}`, value);
          wanted.set(`${id} field ${client}`, n);
          await readOwn(wire, wrong, app, id, client, wanted);
        } else if (at < 0.85) {
          await patch(wire, wrong, `${app}/inputs`, {
            action: 'overwrite',
            inputs: [
              { id: 'whole', data: { metadata: { left: client * 1e6 + n, right: client * 1e6 + n } } },
            ],
          });
          const { metadata } = (await wire.must('GET', `${app}/inputs/whole`)).input.data;
          if (metadata.left !== metadata.right)
            wrong(`an overwritten input is mixed: ${JSON.stringify(metadata)}`);
        } else {
          const name = `${client} ${n}`;
          await patch(wire, wrong, `${app}/concepts`, {
            action: 'overwrite',
            concepts: [{ id: 'shared', name }],
          });
          names.add(name);
        }
        outcome.acknowledged += 1;
      }
    };
    await Promise.all(Array.from({ length: clients }, (_, client) => work(client, random.fork())));
    for (const id of shared)
      for (let client = 0; client < clients; client++) await readOwn(wire, wrong, app, id, client, wanted);
    const { concept } = await wire.must('GET', `${app}/concepts/shared`);
    if (names.size > 0 && !names.has(concept.name))
      wrong(`a concept has the name ${concept.name}, which nobody gave it`);
  });
  outcome.aside = `${clients} clients, ${each} changes each`;
}

async function patch(wire: Wire, wrong: (words: string) => void, path: string, body: Json): Promise<void> {
  const { http, json } = await wire.call('PATCH', path, body);
  if (http !== 200) wrong(`PATCH ${path} answers ${http} ${JSON.stringify(json.status)}`);
}

async function readOwn(
  wire: Wire,
  wrong: (words: string) => void,
  app: string,
  id: string,
  client: number,
  wanted: ReadonlyMap<string, number>,
): Promise<void> {
  const { data } = (await wire.must('GET', `${app}/inputs/${id}`)).input;
  const field = data.metadata?.[`own-${client}`];
  const label = data.concepts?.find((one: Json) => one.id === `own-${client}`)?.value;
  if (field !== wanted.get(`${id} field ${client}`))
    wrong(`client ${client} wrote ${wanted.get(`${id} field ${client}`)} into ${id} and reads ${field}`);
  if (label !== wanted.get(`${id} label ${client}`))
    wrong(`client ${client} labelled ${id} ${wanted.get(`${id} label ${client}`)} and reads ${label}`);
}

export const requestScenarios: readonly Scenario[] = [
  { id: 'R16', name: 'clients that hang up', run: clientsHangUp },
  { id: 'R17', name: 'requests sent twice', run: requestsTwice },
  { id: 'R18', name: 'many clients change the same things', run: patchesTogether },
];
