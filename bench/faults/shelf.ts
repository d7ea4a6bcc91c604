import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from './random.ts';
import { userId, type Victim } from './victim.ts';

/** More than are searched one by one: only of so many vectors there are files (`flatMax` of the vector host). */
const rows = 51_000;
const dims = 64;
/** Neighbours are told apart clearly, so that a graph has to find them. */
const clusters = 2_000;
const noise = 0.25;
const batch = 1_000;
const questions = 12;
const hitsAsked = 10;
/** What a graph may miss of the ten nearest. */
const missedMax = 1;
/** Until the files are written, or written anew. */
const patienceMs = 120_000;

const appId = 'shelf';
const path = `/v2/users/${userId}/apps/${appId}`;
const idOf = (row: number) => `shelf-${row}`;

const appText = `select a.key::text as app, a.user_key::text as owner,
    (select v.key::text from model_versions v where v.builtin = 'general-image-embedding' order by v.key limit 1) as version
  from apps a where a.id = $1 and a.deleted_at is null`;

// With triggers, so that all counters are right: the oracle looks through all apps.
const fillText = `
  with pictures as (
    insert into inputs (app_key, id, kind, status_code)
    select $1::bigint, id, 'image', 30000 from unnest($4::text[]) with ordinality as r(id, n) order by n returning key, id
  ), labels as (
    insert into annotations (app_key, input_key, input_id, id, input_level, worker_user_key)
    select $1::bigint, key, id, 'a', true, $2::bigint from pictures returning key, input_key, input_id
  )
  insert into embeddings (app_key, model_version_key, input_key, annotation_key, vector)
  select $1::bigint, $3::bigint, l.input_key, l.key, r.vector
  from labels l join unnest($4::text[], $5::bytea[]) as r(id, vector) on r.id = l.input_id`;

/** An app with so many vectors that searches keep files of them. */
export interface Shelf {
  /** The files of its vectors and of their graph, once all of them are written. */
  files(): Promise<string[]>;
  /** Looks for the nearest of some of its pictures. @returns what is wrong */
  check(): Promise<string[]>;
}

export async function openShelf(victim: Victim, random: Random): Promise<Shelf> {
  const { wire } = victim;
  await wire.must('POST', `/v2/users/${userId}/apps`, {
    apps: [{ id: appId, default_workflow: { id: 'General', app_id: 'main', user_id: 'clarifai' } }],
  });
  const vectors = clustered(random);
  await victim.sql(async (db) => {
    const { app, owner, version } = (await db.query(appText, [appId])).rows[0];
    for (let from = 0; from < rows; from += batch) {
      const some = Array.from({ length: batch }, (_, n) => from + n);
      const packed = some.map((row) => Buffer.from(vectors.buffer, row * dims * 4, dims * 4));
      await db.query(fillText, [app, owner, version, some.map(idOf), packed]);
    }
    await db.query('vacuum (analyze) inputs, annotations, embeddings');
  });

  const likenessOf = (one: number, other: number): number => {
    let sum = 0;
    for (let at = 0; at < dims; at++)
      sum += (vectors[one * dims + at] as number) * (vectors[other * dims + at] as number);
    return sum;
  };

  async function checkOne(asked: number): Promise<string | undefined> {
    const likeness = Float64Array.from({ length: rows }, (_, row) => likenessOf(asked, row));
    const least = likeness.toSorted().at(-hitsAsked) as number;
    const body = {
      searches: [{ query: { ranks: [{ annotation: { input_id: idOf(asked) } }] } }],
      pagination: { per_page: hitsAsked },
    };
    const { hits = [] } = await wire.must('POST', `${path}/inputs/searches`, body, 60_000);
    const found: number[] = hits.map(({ input }: { input: { id: string } }) =>
      Number(input.id.slice(idOf(0).length - 1)),
    );
    const right = found.filter((row) => (likeness[row] ?? -1) >= least - 1e-5).length;
    if (found.length === hitsAsked && found[0] === asked && right >= hitsAsked - missedMax) return undefined;
    return `a search among ${rows} vectors finds ${right} of the ${hitsAsked} nearest to ${idOf(asked)}, which stands at place ${found.indexOf(asked)} of ${found.length}`;
  }

  return {
    async check() {
      const wrong: string[] = [];
      for (let n = 0; n < questions; n++) {
        const words = await checkOne(random.below(rows));
        if (words !== undefined) wrong.push(words);
      }
      return wrong;
    },
    async files() {
      const folder = join(victim.dataDir, 'vectors');
      const kinds = ['.vectors', '.graph', '.rows', '.json'];
      for (const began = performance.now(); performance.now() - began < patienceMs; await sleep(200)) {
        const there = existsSync(folder) ? readdirSync(folder).sort() : [];
        if (kinds.every((kind) => there.some((name) => name.endsWith(kind))))
          return there
            .filter((name) => kinds.some((kind) => name.endsWith(kind)))
            .map((name) => join(folder, name));
      }
      throw new Error(`no files of ${rows} vectors after ${patienceMs / 1000} s`);
    },
  };
}

/** Unit vectors around centres drawn at random. */
function clustered(random: Random): Float32Array {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  const centres = Float64Array.from({ length: clusters * dims }, () => normal() / Math.sqrt(dims));
  const vectors = new Float32Array(rows * dims);
  for (let row = 0; row < rows; row++) {
    const centre = (row % clusters) * dims;
    const vector = vectors.subarray(row * dims, (row + 1) * dims);
    for (let at = 0; at < dims; at++)
      vector[at] = (centres[centre + at] as number) + (noise * normal()) / Math.sqrt(dims);
    const length = Math.hypot(...vector);
    for (let at = 0; at < dims; at++) vector[at] = (vector[at] as number) / length;
  }
  return vectors;
}

export const flip = (file: string, random: Random): void => {
  const bytes = readFileSync(file);
  if (bytes.length === 0) return;
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  writeFileSync(file, bytes);
};

/**
 * Damages one file after the other of what searches are made of while the server is down. Searches are right at once,
 * and the file is written anew.
 *
 * @returns how many files were damaged
 */
export async function rotShelf(
  victim: Victim,
  shelf: Shelf,
  random: Random,
  options: { kinds: readonly string[]; wrong: string[]; recoveriesMs: number[] },
): Promise<number> {
  options.wrong.push(...(await shelf.check()));
  let damaged = 0;
  for (const kind of options.kinds) {
    const file = (await shelf.files()).find((name) => name.endsWith(kind)) as string;
    await victim.killServer();
    flip(file, random);
    const rotten = readFileSync(file);
    damaged += 1;
    options.recoveriesMs.push(await victim.ready());
    const wrong = await shelf.check();
    options.wrong.push(...wrong.map((words) => `${words}, with damaged ${kind}`));
    const isRenewed = () => existsSync(file) && !readFileSync(file).equals(rotten);
    for (const began = performance.now(); !isRenewed() && performance.now() - began < patienceMs; )
      await sleep(200);
    if (!isRenewed()) options.wrong.push(`damaged ${kind} is used, or left as it is`);
    options.wrong.push(...(await shelf.check()));
  }
  return damaged;
}
