import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { type Found, type Ledger, nothingFound, type Write } from './ledger.ts';
import { auditApp, auditApps, checkMedia, openWork, readTruth } from './truth.ts';
import { userId, type Victim } from './victim.ts';
import type { Wire } from './wire.ts';
import { given, keyOf, stateText, type World } from './world.ts';

/** A lease of the queue, and the 30 s after it in which everything has to have ended. */
const patienceMs = 60_000;
const pageSize = 500;

export interface Subject {
  readonly world: World;
  readonly ledger: Ledger;
  /** Media whose bytes were compared; they cannot change any more. */
  readonly seen: Set<string>;
}

/** Waits until nothing is on its way. @returns what does not end */
export async function settled(victim: Victim, waitMs = patienceMs): Promise<string[]> {
  for (const began = performance.now(); ; ) {
    const open = await victim.sql(openWork);
    const isDead = open.some((words) => words.includes(' dead'));
    if (open.length === 0 || isDead || performance.now() - began > waitMs) return open;
    await sleep(30);
  }
}

/**
 * Holds the server against the ledger of an app: everything acknowledged is there as it was acknowledged last,
 * nothing is half there, all counters are right, media are whole. With `throughApi` the replies of the server are
 * read too and held against its own database.
 */
export async function check(
  victim: Victim,
  { world, ledger, seen }: Subject,
  options: {
    throughApi?: boolean;
    decided?: ReadonlySet<Write>;
    /** Where media are looked for: in the data folder unless told. */
    media?: 'api';
  } = {},
): Promise<Found> {
  const found = nothingFound();
  found.stuck.push(...(await settled(victim)));
  const there = await victim.sql((db) => readTruth(db, world.appId));
  if (there === undefined) {
    found.lost.push(`the app ${world.appId} and all that was in it`);
    return found;
  }
  const { truth, appKey, shas, hidden } = there;
  found.other.push(...ledger.settle(truth, options.decided));
  add(found, ledger.compare(truth));
  found.other.push(...(await victim.sql((db) => auditApp(db, appKey, world.isIndexed))));
  found.other.push(...(await victim.sql(auditApps)));
  add(
    found,
    options.media === 'api'
      ? await readMedia(victim.wire, world, new Set([...shas].filter((sha) => !hidden.has(sha))), seen)
      : await checkMedia(victim.dataDir, shas, ledger.freed, seen),
  );
  if (options.throughApi) {
    found.other.push(...differences('the API', await readApi(victim.wire, world), truth));
    found.other.push(...(await checkApiCounts(victim.wire, world, truth)));
    if (world.isIndexed)
      found.other.push(...(await victim.sql((db) => checkSearch(db, victim.wire, world, appKey))));
  }
  found.other.push(...ledger.refused.splice(0));
  for (const lane of world.lanes) lane.allProcessed();
  return found;
}

/** Media as the server hands them out. */
async function readMedia(
  wire: Wire,
  { appId, isIndexed }: World,
  shas: ReadonlySet<string>,
  seen: Set<string>,
): Promise<Found> {
  const found = nothingFound();
  for (const sha of shas) {
    if (seen.has(sha)) continue;
    const kind = isIndexed ? 'image' : 'text';
    const path = `/media/orig/users/${userId}/apps/${appId}/inputs/${kind}/${sha}`;
    const bytes = await wire.bytes(path).catch(() => undefined);
    if (bytes === undefined) found.lost.push(`the medium ${sha} is gone`);
    else if (createHash('sha256').update(bytes).digest('hex') !== sha)
      found.lost.push(`the medium ${sha} has other bytes`);
    else seen.add(sha);
  }
  return found;
}

export function add(to: Found, from: Found): void {
  to.lost.push(...from.lost);
  to.stuck.push(...from.stuck);
  to.other.push(...from.other);
}

function differences(
  who: string,
  told: ReadonlyMap<string, string>,
  truth: ReadonlyMap<string, string>,
): string[] {
  const keys = new Set([...told.keys(), ...truth.keys()]);
  const wrong = [...keys].filter((key) => told.get(key) !== truth.get(key));
  if (wrong.length === 0) return [];
  const [first] = wrong as [string];
  return [
    `${wrong.length} things differ between ${who} and the database, such as ${first}: ${told.get(first)} and ${truth.get(first)}`,
  ];
}

async function readApi(wire: Wire, { path }: World): Promise<Map<string, string>> {
  const told = new Map<string, string>();
  const every = async (what: string, field: string, each: (item: Record<string, never>) => void) => {
    for (let page = 1; ; page++) {
      const items =
        (await wire.must('GET', `${path}/${what}?page=${page}&per_page=${pageSize}`))[field] ?? [];
      for (const item of items) each(item);
      if (items.length < pageSize) return;
    }
  };
  const recordOf = (concepts: { id: string; value: number }[] = []) =>
    Object.fromEntries(concepts.map(({ id, value }) => [id, value]));
  // biome-ignore lint/suspicious/noExplicitAny: replies are read by name
  type Any = any;
  await every('concepts', 'concepts', ({ id, name }: Any) => {
    if (!given.has(keyOf.concept(id))) told.set(keyOf.concept(id), name);
  });
  await every('inputs', 'inputs', ({ id, data }: Any) => {
    const url: string = (data.text ?? data.image)?.url ?? '';
    const sha = url.slice(-64);
    told.set(
      keyOf.input(id),
      stateText.input({ sha, labels: recordOf(data.concepts), metadata: data.metadata ?? {} }),
    );
  });
  // The labels of inputs themselves are annotations too; they came with the inputs.
  await every('annotations', 'annotations', ({ id, input_id, data }: Any) => {
    if (id.startsWith('annotation-'))
      told.set(keyOf.annotation(input_id, id), stateText.annotation(Object.keys(recordOf(data.concepts))));
  });
  await every('inputs/jobs/add', 'inputs_add_jobs', ({ id, progress }: Any) => {
    const { success_count: good = 0, failed_count: bad = 0 } = progress;
    told.set(keyOf.job(id), stateText.job(Number(good) + Number(bad)));
  });
  for (const dataset of ['set-0', 'set-1']) {
    await every(
      `datasets/${dataset}/inputs`,
      'dataset_inputs',
      ({ input }: Any) => void told.set(keyOf.member(dataset, input.id), stateText.member),
    );
    await every(`datasets/${dataset}/versions`, 'dataset_versions', ({ id, status }: Any) => {
      told.set(keyOf.version(dataset, id), status.code === 64015 ? stateText.version : `${status.code}`);
    });
  }
  return told;
}

async function checkApiCounts(
  wire: Wire,
  { path }: World,
  truth: ReadonlyMap<string, string>,
): Promise<string[]> {
  const { counts } = await wire.must('GET', `${path}/inputs/status`);
  const inputs = [...truth.keys()].filter((key) => key.startsWith('input ')).length;
  const wrong =
    Number(counts.processed) === inputs
      ? []
      : [`the API counts ${counts.processed} processed inputs of ${inputs}`];
  if (Number(counts.to_process) + Number(counts.processing) + Number(counts.errors) > 0)
    wrong.push(`the API counts ${JSON.stringify(counts)}`);
  return wrong;
}

const hitsMax = 1000;

/** The pictures found by likeness to one of them: all there are, ordered as their vectors say. */
async function checkSearch(db: pg.Client, wire: Wire, { path }: World, appKey: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string; vector: Buffer }>(
    `select i.id, e.vector from embeddings e join annotations a on a.key = e.annotation_key and a.input_level
       join inputs i on i.key = e.input_key where e.app_key = $1 and i.status_code = 30000`,
    [appKey],
  );
  const [asked] = rows;
  if (asked === undefined || rows.length > hitsMax) return [];
  const floats = (packed: Buffer) =>
    Float32Array.from({ length: packed.length / 4 }, (_, at) => packed.readFloatLE(at * 4));
  const query = floats(asked.vector);
  const likeness = new Map(
    rows.map(({ id, vector }) => [
      id,
      floats(vector).reduce((sum, x, at) => sum + x * (query[at] as number), 0),
    ]),
  );
  const body = {
    searches: [{ query: { ranks: [{ annotation: { input_id: asked.id } }] } }],
    pagination: { per_page: hitsMax },
  };
  const { hits = [] } = await wire.must('POST', `${path}/inputs/searches`, body);
  const ids: string[] = hits.map((hit: { input: { id: string } }) => hit.input.id);
  const wrong: string[] = [];
  const missing = rows.filter(({ id }) => !ids.includes(id));
  const strange = ids.filter((id) => !likeness.has(id));
  if (missing.length + strange.length > 0) {
    wrong.push(
      `a search finds ${ids.length} of ${rows.length} pictures; ${missing.length} are missing, ${strange.length} are not there any more`,
    );
  }
  const values = ids.map((id) => likeness.get(id) ?? 0);
  if (values.some((value, at) => at > 0 && value > (values[at - 1] as number) + 1e-3))
    wrong.push('a search orders pictures otherwise than their vectors');
  return wrong;
}
