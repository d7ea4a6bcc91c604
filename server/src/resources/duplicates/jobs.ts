import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { renderPicture } from '#engine/image.ts';
import { HashTable, isSamePicture, type PicturePrint, probesOf } from '#engine/prints/index.ts';
import type { Job, JobHandler, NewJob } from '#jobs/index.ts';
import type { Log } from '#store/log.ts';
import type { Database, Tx } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import type { VectorCatalog } from '../vector-indexes/index.ts';
import { groupsOf } from './groups.ts';
import {
  allHashes,
  countPictures,
  type DuplicateSearch,
  endSearch,
  failSearch,
  greysOf,
  linkSameBytes,
  lockSearch,
  moveSearch,
  type PrintRow,
  pairsOf,
  picturesOf,
  printsAfter,
  putPairs,
  tier,
  wholeVectors,
  withoutPrint,
} from './store.ts';

export interface DuplicateJobParts {
  readonly db: Database;
  readonly log: Log;
  readonly vectors: VectorCatalog;
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
  /** The embedder that searches of the app go by. */
  readonly servingEmbedderOf: (db: Db, grant: AppGrant) => Promise<{ modelVersionKey: number } | undefined>;
  readonly readImageBytes: (grant: AppGrant, inputKey: number) => Promise<Buffer>;
  readonly putPrints: (
    db: Db,
    grant: AppGrant,
    prints: readonly { inputKey: number; print: PicturePrint }[],
  ) => Promise<void>;
}

export const findKind = 'duplicates.find';

interface FindPayload {
  readonly searchKey: number;
}

export const findJob = (grant: AppGrant, searchKey: number): NewJob => ({
  kind: findKind,
  key: String(searchKey),
  payload: { searchKey } satisfies FindPayload,
  appKey: grant.appKey,
  priority: -3,
});

const printsPerStep = 32;
const picturesPerStep = 100;
/** Pictures that one is compared with, by what they look like and by their vectors. */
const nearMax = 24;
const stepMs = 120_000;

/** Jobs of this family by kind, for the worker. */
export const duplicateJobs = (parts: DuplicateJobParts): Record<string, JobHandler> => ({
  [findKind]: {
    async run([job], { signal }) {
      const { appKey, payload } = job as Job<FindPayload>;
      const grant = appKey === null ? undefined : await parts.jobGrant(appKey);
      if (grant) await find(parts, grant, payload.searchKey, signal);
    },
    async onDead({ payload }, error, tx) {
      parts.log.error({ error }, 'a search for duplicates could not be ended');
      await failSearch(
        tx,
        (payload as FindPayload).searchKey,
        'The search could not be ended after several tries; the log says why.',
      );
    },
  },
});

/** Each step is one transaction that also says how far it came, so a run that was cut off goes on there. */
async function find(
  parts: DuplicateJobParts,
  grant: AppGrant,
  key: number,
  signal: AbortSignal,
): Promise<void> {
  let table: HashTable | undefined;
  for (let isOn = true; isOn; ) {
    signal.throwIfAborted();
    isOn = await parts.db.transaction(
      async (tx) => {
        const search = await lockSearch(tx, grant, key);
        if (!search) return false;
        if (search.step === '') {
          const total = await countPictures(tx, grant, search);
          await moveSearch(tx, key, { step: 'prints', afterKey: -1, done: 0, total });
          return true;
        }
        if (search.step === 'prints') return printStep(parts, tx, grant, search);
        if (search.step === 'groups') return groupStep(tx, search);
        table ??= await tableOf(tx, grant, search);
        return pairStep(parts, tx, grant, search, table);
      },
      { timeoutMs: stepMs },
    );
  }
}

/** Pictures that came before prints were made get theirs now; those that cannot be read are passed over. */
async function printStep(
  parts: DuplicateJobParts,
  tx: Tx,
  grant: AppGrant,
  search: DuplicateSearch,
): Promise<true> {
  const keys = await withoutPrint(tx, grant, search, printsPerStep);
  const prints: { inputKey: number; print: PicturePrint }[] = [];
  for (const inputKey of keys) {
    try {
      const { print } = await renderPicture(await parts.readImageBytes(grant, inputKey));
      prints.push({ inputKey, print });
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
    }
  }
  await parts.putPrints(tx, grant, prints);
  const last = keys.at(-1);
  await moveSearch(tx, search.key, {
    ...search,
    ...(last === undefined ? { step: 'pairs', afterKey: -1 } : { afterKey: last }),
  });
  return true;
}

async function tableOf(tx: Tx, grant: AppGrant, search: DuplicateSearch): Promise<HashTable> {
  const all = await allHashes(tx, grant, search);
  return new HashTable(
    all.map(({ key }) => key),
    all.map(({ hash }) => BigInt(hash)),
  );
}

async function pairStep(
  parts: DuplicateJobParts,
  tx: Tx,
  grant: AppGrant,
  search: DuplicateSearch,
  table: HashTable,
): Promise<true> {
  const some = await printsAfter(tx, grant, search, picturesPerStep);
  const last = some.at(-1);
  if (!last) {
    await moveSearch(tx, search.key, { ...search, step: 'groups', afterKey: -1 });
    return true;
  }
  const keys = some.map(({ key }) => key);
  await linkSameBytes(tx, grant, search, keys);
  const similar = await similarTo(parts, tx, grant, search, keys);
  await putPairs(
    tx,
    search,
    similar.filter(({ score }) => score >= search.scoreMin).map((pair) => ({ tier: tier.similar, ...pair })),
  );
  const maybe = new Map<number, Set<number>>(some.map((one) => [one.key, new Set(lookingLike(table, one))]));
  for (const { one, other } of similar) maybe.get(one)?.add(other);
  await putPairs(tx, search, await samePictures(tx, grant, search, some, maybe));
  await moveSearch(tx, search.key, { ...search, afterKey: last.key, done: search.done + some.length });
  return true;
}

/** Pictures whose hashes are near that of a picture, or near those that cuts of it would have. */
function lookingLike(table: HashTable, { key, hash, grey }: PrintRow): number[] {
  const nearest = new Map<number, number>();
  for (const probe of probesOf(grey, BigInt(hash)))
    for (const found of table.near(probe, nearMax))
      if (found.key !== key)
        nearest.set(found.key, Math.min(found.distance, nearest.get(found.key) ?? found.distance));
  return [...nearest]
    .sort(([a, one], [b, other]) => one - other || a - b)
    .slice(0, nearMax)
    .map(([other]) => other);
}

async function samePictures(
  tx: Tx,
  grant: AppGrant,
  search: DuplicateSearch,
  some: readonly PrintRow[],
  maybe: ReadonlyMap<number, ReadonlySet<number>>,
) {
  const wanted = new Set([...maybe.values()].flatMap((others) => [...others]));
  const greys = new Map((await greysOf(tx, grant, search, [...wanted])).map(({ key, grey }) => [key, grey]));
  return some.flatMap(({ key, grey }) =>
    [...(maybe.get(key) ?? [])].flatMap((other) => {
      const found = greys.get(other);
      return found && isSamePicture(grey, found) ? [{ tier: tier.same, one: key, other }] : [];
    }),
  );
}

/** Where copies may differ more than their hashes can: as searches score it, (1 + cosine) / 2. */
const copyScoreMin = 0.93;

async function similarTo(
  { vectors, servingEmbedderOf }: DuplicateJobParts,
  tx: Tx,
  grant: AppGrant,
  search: DuplicateSearch,
  keys: readonly number[],
): Promise<{ one: number; other: number; score: number }[]> {
  const embedder = await servingEmbedderOf(tx, grant);
  const index = embedder && (await vectors.open(grant, embedder.modelVersionKey));
  if (!embedder || !index) return [];
  const minScore = 2 * Math.min(search.scoreMin, copyScoreMin) - 1;
  const found: { one: number; embeddingKey: number; score: number }[] = [];
  for (const { inputKey, vector } of await wholeVectors(tx, grant, embedder.modelVersionKey, keys)) {
    const query = Float32Array.from({ length: vector.length / 4 }, (_, d) => vector.readFloatLE(d * 4));
    const near = await index.search(query, nearMax + 1, { metric: 'cosine', minScore });
    for (const [n, embeddingKey] of near.keys.entries())
      found.push({ one: inputKey, embeddingKey, score: (1 + (near.scores[n] as number)) / 2 });
  }
  const owners = new Map(
    (
      await picturesOf(
        tx,
        grant,
        search,
        found.map(({ embeddingKey }) => embeddingKey),
      )
    ).map(({ key, inputKey }) => [key, inputKey]),
  );
  return found.flatMap(({ one, embeddingKey, score }) => {
    const other = owners.get(embeddingKey);
    return other === undefined || other === one ? [] : [{ one, other, score }];
  });
}

async function groupStep(tx: Tx, search: DuplicateSearch): Promise<false> {
  const pairs = await pairsOf(tx, search);
  const groupsIn = (wanted: readonly number[]) =>
    groupsOf(
      pairs.filter((pair) => wanted.includes(pair.tier)).map(({ one, other }) => [one, other] as const),
    );
  // What is the same is similar too.
  const [same, similar] = [groupsIn([tier.same]), groupsIn([tier.same, tier.similar])];
  const membersOf = (of: number, groups: Map<number, number[]>) =>
    [...groups].flatMap(([group, inputs]) => inputs.map((input) => ({ tier: of, group, input })));
  await endSearch(tx, search, [...membersOf(tier.same, same), ...membersOf(tier.similar, similar)], {
    same: same.size,
    similar: similar.size,
  });
  return false;
}
