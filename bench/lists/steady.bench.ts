import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { type Random, randomFrom } from '../faults/random.ts';
import { openVictim, userId, type Victim } from '../faults/victim.ts';
import type { Json, Wire } from '../faults/wire.ts';
import { until } from '../harness/api.ts';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';

const port = 18_330;
const seed = 7;

/** No speed, but what speed must not cost: counts and walks that are right whatever happens meanwhile. */
const steady: Bench = {
  name: 'steady',
  about: 'counts after mutations and kills, walks while inputs come and go',
  goals: [
    {
      id: 'P7.5',
      what: 'counters that differ from count(*) after 10,000 random mutations and 50 kills',
      unit: '',
      better: 'lower',
      pass: 0,
      record: 0,
    },
    {
      id: 'P7.7',
      what: 'inputs that were there all the time and that a walk showed not once, 20 walks while inputs come and go',
      unit: '',
      better: 'lower',
      pass: 0,
      record: 0,
    },
  ],
  run,
};
export default steady;

async function run(context: BenchContext): Promise<void> {
  const victim = openVictim({ main: context.serverMain, dataDir: join(context.folder, 'data'), port });
  context.defer(() => victim.destroy());
  await victim.ready();
  await counts(context, victim);
  await walks(context, victim);
}

const pathOf = (appId: string) => `/v2/users/${userId}/apps/${appId}`;

async function makeApp(wire: Wire, appId: string): Promise<string> {
  await wire.must('POST', `/v2/users/${userId}/apps`, {
    apps: [{ id: appId, default_workflow: { id: 'Empty', app_id: 'main', user_id: 'clarifai' } }],
  });
  return pathOf(appId);
}

// P7.5 ------------------------------------------------------------------------------------------------------------

const concepts = ['one', 'two', 'three', 'four', 'five'];
const writers = 6;

async function counts(context: BenchContext, victim: Victim): Promise<void> {
  const random = randomFrom(seed);
  const path = await makeApp(victim.wire, 'steady-counts');
  const kills = scaled(context, 50, 5);
  const mutationsMin = scaled(context, 10_000, 500);
  const differences: number[] = [];
  let mutations = 0;
  for (let kill = 0; kill < kills; kill++) {
    const share = ((kill + 1) * mutationsMin) / kills;
    const load = startWriters(victim.wire, path, random.fork());
    const began = performance.now();
    while ((mutations + load.done < share || load.done === 0) && performance.now() - began < 20_000)
      await sleep(5);
    const whom = random.below(3);
    if (whom === 0) await victim.killServer();
    else if (whom === 1) victim.killPostgres();
    else await victim.killBoth();
    await sleep(20);
    await load.stop();
    mutations += load.done;
    await victim.ready();
    if ((kill + 1) % Math.ceil(kills / 5) === 0) differences.push(await differing(victim, 'steady-counts'));
  }
  // Right means always right: the worst of all looks counts.
  context.measured('P7.5', [Math.max(...differences)], `${mutations} mutations acknowledged, ${kills} kills`);
  // A row that goes behind the back of whoever keeps the counters.
  await victim.sql(async (db) => {
    await db.query('set session_replication_role = replica');
    await db.query(
      `delete from inputs where key in (select i.key from inputs i join apps a on a.key = i.app_key and a.id = $1 order by i.key limit 3)`,
      ['steady-counts'],
    );
  });
  context.control('P7.5', 'deletes three rows with the triggers off', [
    await differing(victim, 'steady-counts'),
  ]);
}

interface Writers {
  readonly done: number;
  stop(): Promise<void>;
}

/** Clients that change things at random; refusals and lost replies do not matter to who counts. */
function startWriters(wire: Wire, path: string, random: Random): Writers {
  let isOver = false;
  const state = {
    done: 0,
    async stop() {
      isOver = true;
      await Promise.all(running);
    },
  };
  const running = Array.from({ length: writers }, async () => {
    const own = random.fork();
    const known: string[] = [];
    while (!isOver) {
      const { verb, what, body, size } = mutation(own, known);
      try {
        const { http } = await wire.call(verb, `${path}/${what}`, body, 10_000);
        if (http === 200) state.done += size;
      } catch {
        // The server was killed.
        return;
      }
    }
  });
  return state;
}

function mutation(random: Random, known: string[]) {
  const labels = () =>
    concepts.filter(() => random.chance(0.4)).map((id) => ({ id, name: id, value: random.below(2) }));
  const some = () => Array.from({ length: 5 }, () => random.pick(known));
  const distinct = () => [...new Set(some())];
  const at = known.length < 20 ? 0 : random.next();
  if (at < 0.4) {
    const inputs = Array.from({ length: 10 }, () => {
      const id = `i-${random.below(2 ** 31)}-${random.below(2 ** 31)}`;
      known.push(id);
      return { id, data: { text: { raw: id }, concepts: labels() } };
    });
    return { verb: 'POST', what: 'inputs', body: { inputs }, size: inputs.length };
  }
  const ids = distinct();
  if (at < 0.6) {
    const action = random.pick(['merge', 'overwrite', 'remove']);
    const inputs = ids.map((id) => ({ id, data: { concepts: labels() } }));
    return { verb: 'PATCH', what: 'inputs', body: { action, inputs }, size: ids.length };
  }
  if (at < 0.8) {
    const annotations = ids.map((input_id) => ({ input_id, data: { concepts: labels() } }));
    return { verb: 'POST', what: 'annotations', body: { annotations }, size: ids.length };
  }
  for (const id of ids) known.splice(known.indexOf(id), 1);
  return { verb: 'DELETE', what: 'inputs', body: { ids }, size: ids.length };
}

/** Counters of an app that the API tells and that the rows do not bear out. */
async function differing(victim: Victim, appId: string): Promise<number> {
  const { wire } = victim;
  await until(
    'everything is processed',
    () => victim.sql(async (db) => (await openInputs(db)) === 0),
    120_000,
  );
  const { counts: told } = await wire.must('GET', `${pathOf(appId)}/inputs/status`);
  const { concept_counts = [] } = await wire.must('GET', `${pathOf(appId)}/concepts/status?per_page=100`);
  return victim.sql(async (db) => {
    const truth = await truthOf(db, appId);
    const kinds = ['processed', 'to_process', 'processing', 'errors'] as const;
    const wrong = kinds.filter((kind) => Number(told[kind] ?? 0) !== (truth.inputs.get(kind) ?? 0)).length;
    const said = new Map<string, string>(
      concept_counts.map(({ id, concept_type_count: { positive, negative } }: Json) => [
        id,
        `${Number(positive ?? 0)} ${Number(negative ?? 0)}`,
      ]),
    );
    return wrong + concepts.filter((id) => said.get(id) !== truth.concepts.get(id)).length;
  });
}

async function openInputs(db: pg.Client): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    'select count(*)::int as n from inputs where status_code in (30001, 30003)',
  );
  return rows[0]?.n ?? 0;
}

async function truthOf(db: pg.Client, appId: string) {
  const app = `(select key from apps where id = '${appId}' and deleted_at is null)`;
  const inputs = await db.query<{ kind: string; n: number }>(
    `select case status_code when 30000 then 'processed' when 30001 then 'to_process' when 30003 then 'processing'
       else 'errors' end as kind, count(*)::int as n from inputs where app_key = ${app} group by 1`,
  );
  const labels = await db.query<{ id: string; positive: number; negative: number }>(
    `select c.id, count(distinct l.input_key) filter (where l.value >= 0.5)::int as positive,
       count(distinct l.input_key) filter (where l.value < 0.5)::int as negative
     from concepts c left join annotation_concepts l on l.app_key = c.app_key and l.concept_id = c.id and l.trusted
     where c.app_key = ${app} group by 1`,
  );
  return {
    inputs: new Map(inputs.rows.map(({ kind, n }) => [kind, n])),
    concepts: new Map(labels.rows.map(({ id, positive, negative }) => [id, `${positive} ${negative}`])),
  };
}

// P7.7 ------------------------------------------------------------------------------------------------------------

const pageSize = 100;

async function walks(context: BenchContext, { wire }: Victim): Promise<void> {
  const path = await makeApp(wire, 'steady-walks');
  const stayers = scaled(context, 3_000, 600);
  const passers = Math.floor(stayers / 3);
  const ids = Array.from({ length: stayers + passers }, (_, n) => `${n % 4 === 3 ? 'goes' : 'stays'}-${n}`);
  const post = (batch: readonly string[]) =>
    wire.must('POST', `${path}/inputs`, { inputs: batch.map((id) => ({ id, data: { text: { raw: id } } })) });
  for (let at = 0; at < ids.length; at += 100) await post(ids.slice(at, at + 100));
  const staying = ids.filter((id) => id.startsWith('stays'));
  const random = randomFrom(seed);
  const going = ids.filter((id) => id.startsWith('goes'));
  let isOver = false;
  let came = 0;
  const coming = (async () => {
    while (!isOver) {
      const fresh = Array.from({ length: 5 }, () => `goes-new-${came++}`);
      await post(fresh);
      going.push(...fresh);
    }
  })();
  const leaving = (async () => {
    while (!isOver) {
      const gone = Array.from({ length: 5 }, () => going.splice(random.below(going.length), 1)[0]);
      await wire.must('DELETE', `${path}/inputs`, { ids: gone.filter((id) => id !== undefined) });
    }
  })();
  const wrong: number[] = [];
  const byPages: number[] = [];
  try {
    const runs = scaled(context, 20, 4);
    for (let n = 0; n < runs; n++) {
      // By the time of their coming, and by their ids.
      const before = came;
      const isLate = (id: string) => Number(/^goes-new-(\d+)$/.exec(id)?.[1] ?? -1) >= before;
      const seen = await walk(wire, path, { byId: n % 2 === 1, isLate });
      wrong.push(staying.filter((id) => seen.get(id) !== 1).length);
    }
    byPages.push(await pagesWrong(wire, path, staying));
  } finally {
    isOver = true;
    await Promise.all([coming, leaving]);
  }
  context.measured(
    'P7.7',
    [Math.max(...wrong)],
    `${wrong.length} walks, ${staying.length} inputs stayed, ${came} came meanwhile`,
  );
  context.control('P7.7', 'walks by page numbers', byPages);
}

/** How often a walk showed each input. It ends with an empty page; by time, with one that came after it began, too. */
async function walk(
  wire: Wire,
  path: string,
  { byId, isLate }: { byId: boolean; isLate: (id: string) => boolean },
): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  // Cursors of which the last may be gone by the time it is used; the one before it then stands in.
  let cursors: string[] = [];
  let shown: string[] = [];
  for (;;) {
    const last = cursors.at(-1) ?? '';
    const query = `per_page=${pageSize}&last_id=${last}${byId ? '&order_by_id=true' : ''}`;
    const { http, json } = await wire.call('GET', `${path}/inputs/stream?${query}`);
    if (http === 404 && cursors.length > 0) {
      cursors = cursors.slice(0, -1);
      continue;
    }
    if (http !== 200) throw new Error(`StreamInputs: ${http} ${JSON.stringify(json.status)}`);
    const page: string[] = (json.inputs ?? []).map(({ id }: Json) => id);
    // Behind a cursor that stood in, what the page before showed after it comes once more.
    const again = new Set(shown.slice(shown.indexOf(last) + 1));
    const fresh = page.filter((id) => last === '' || !again.has(id));
    for (const id of fresh) seen.set(id, (seen.get(id) ?? 0) + 1);
    shown = [...shown, ...fresh].slice(-3 * pageSize);
    cursors = [...cursors, ...page].slice(-3 * pageSize);
    // What goes between two looks of the server leaves a page short, so that a short one is not the end. By ids, those
    // that came late stand in the middle, and whole pages of them are no end either.
    if (byId ? page.length === 0 : page.every(isLate)) return seen;
  }
}

/** The same by page numbers, which whatever comes and goes pushes along. */
async function pagesWrong(wire: Wire, path: string, staying: readonly string[]): Promise<number> {
  const seen = new Map<string, number>();
  for (let page = 1; ; page++) {
    const { inputs = [] } = await wire.must('GET', `${path}/inputs?page=${page}&per_page=${pageSize}`);
    for (const { id } of inputs) seen.set(id, (seen.get(id) ?? 0) + 1);
    if (inputs.length < pageSize) break;
  }
  return staying.filter((id) => seen.get(id) !== 1).length;
}
