import type { AppGrant } from '#domain/grant.ts';
import { grouped } from '#domain/grouped.ts';
import type { JobHandler, Periodic } from '#jobs/index.ts';
import type { Log } from '#store/log.ts';
import type { Database } from '#store/postgres/index.ts';
import { type Db, first, rows, run, type Sql, sql } from '#store/sql.ts';
import { textToIndex, textVector } from '../common/text.ts';
import { marksIn, putInputTexts, putSearchTerms, textOf } from './search-terms.ts';
import { unpackData } from './translate.ts';

export interface BackfillDeps {
  readonly db: Database;
  readonly log: Log;
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
  /** The text that belongs to an input itself; undefined where it has none. */
  readonly readInputText: (grant: AppGrant, inputKey: number) => Promise<string | undefined>;
}

const backfillKind = 'annotations.term-backfill';
const chunkMax = 500;

/** It is asked for again and again, and has nothing to do from the second time on. */
export const termBackfillPeriodic: readonly Periodic[] = [{ kind: backfillKind, everyMs: 24 * 3_600_000 }];

/**
 * Makes texts, clusters and tracks findable that were stored before they were, and the earlier states of annotations
 * that were kept before their search terms were. Chunk by chunk, each with its mark in one transaction: killed
 * anywhere, it goes on there and writes nothing twice.
 */
export const termBackfillJobs = (deps: BackfillDeps): Record<string, JobHandler> => ({
  [backfillKind]: {
    async run(_, { signal }) {
      for (const [kind, fill] of Object.entries(fills)) {
        let done = 0;
        for (let more = true; more; ) {
          signal.throwIfAborted();
          const looked = await chunk(deps, kind, fill);
          done += looked;
          more = looked > 0;
        }
        if (done > 0) deps.log.info({ kind, rows: done }, 'what was stored earlier has its search terms now');
      }
    },
  },
});

interface Row {
  readonly key: number;
  readonly appKey: number;
}
type Fill = (db: Db, deps: BackfillDeps, after: number, until: number) => Promise<readonly Row[]>;

/** @returns how many rows were looked at */
function chunk(deps: BackfillDeps, kind: string, fill: Fill): Promise<number> {
  return deps.db.transaction(async (tx) => {
    const mark = await first<{ next: number; until: number }>(
      tx,
      sql`select next_key as next, until_key as until from search_term_backfills
          where kind = ${kind} and next_key < until_key for update`,
    );
    if (!mark) return 0;
    const looked = await fill(tx, deps, mark.next, mark.until);
    const next = looked.at(-1)?.key ?? mark.until;
    await run(tx, sql`update search_term_backfills set next_key = ${next} where kind = ${kind}`);
    return looked.length;
  });
}

/** Runs work for the rows of each app; apps that are gone have nothing to find. */
async function byApp<T extends Row>(
  deps: BackfillDeps,
  found: readonly T[],
  work: (grant: AppGrant, own: readonly T[]) => Promise<void>,
): Promise<readonly T[]> {
  for (const [appKey, own] of grouped(found, (row) => row.appKey)) {
    const grant = await deps.jobGrant(appKey);
    if (grant) await work(grant, own);
  }
  return found;
}

interface DataRow extends Row {
  readonly data: Uint8Array;
}

const fills: Record<string, Fill> = {
  async annotations(db, deps, after, until) {
    const found = await rows<DataRow>(
      db,
      sql`select key, app_key as "appKey", data from annotations
          where key > ${after} and key <= ${until} order by key limit ${chunkMax} for share`,
    );
    return byApp(deps, found, (grant, own) =>
      putSearchTerms(
        db,
        grant,
        own.map(({ key, data }) => ({ key, data: unpackData(data) })),
      ),
    );
  },

  async versions(db, deps, after, until) {
    const found = await rows<DataRow>(
      db,
      sql`select version as key, app_key as "appKey", data from annotation_versions
          where version > ${after} and version <= ${until} order by version limit ${chunkMax}`,
    );
    return byApp(deps, found, (grant, own) => putVersionTerms(db, grant, own));
  },

  async inputs(db, deps, after, until) {
    const found = await rows<Row & { lacks: boolean }>(
      db,
      sql`select i.key, i.app_key as "appKey", i.kind = 'text' and i.status_code = 30000 and not exists (
            select from annotation_texts t where t.input_key = i.key and t.source = 'input') as lacks
          from inputs i where i.key > ${after} and i.key <= ${until} order by i.key limit ${chunkMax}`,
    );
    return byApp(deps, found, async (grant, own) => {
      for (const { key, lacks } of own) {
        const text = lacks ? await readText(deps, grant, key) : undefined;
        if (text !== undefined) await putInputTexts(db, grant, [{ inputKey: key, text }]);
      }
    });
  },
};

/** A text whose bytes are damaged or gone is passed over: it would stop all others. */
async function readText(deps: BackfillDeps, grant: AppGrant, key: number): Promise<string | undefined> {
  try {
    return await deps.readInputText(grant, key);
  } catch (error) {
    deps.log.warn({ input: key, error: (error as Error).message }, 'the text of an input could not be read');
    return undefined;
  }
}

async function putVersionTerms(db: Db, grant: AppGrant, versions: readonly DataRow[]): Promise<void> {
  const held = versions.map(({ key, data }) => ({ key, data: unpackData(data) }));
  const texts = held.flatMap(({ key, data }) => {
    const text = textOf(data);
    return text === '' ? [] : [{ key, text }];
  });
  const marks = held.flatMap(({ key, data }) => marksIn(data).map((mark) => ({ ...mark, key })));
  const then = (columns: Sql<unknown>) =>
    sql`v.key, v.input_key, v.app_key, ${columns}, v.valid_from, v.valid_to`;
  if (texts.length > 0)
    await run(
      db,
      sql`insert into annotation_text_versions (annotation_key, input_key, app_key, words, valid_from, valid_to)
          select ${then(textVector(grant.defaultLanguage, sql`n.text`))}
          from unnest(${texts.map(({ key }) => key)}::bigint[], ${texts.map(({ text }) => textToIndex(text))}::text[]) as n(version, text)
          join annotation_versions v on v.version = n.version and v.app_key = ${grant.appKey}`,
    );
  if (marks.length > 0)
    await run(
      db,
      sql`insert into annotation_mark_versions (annotation_key, input_key, app_key, kind, value, valid_from, valid_to)
          select distinct ${then(sql`n.kind, n.value`)}
          from unnest(${marks.map(({ key }) => key)}::bigint[], ${marks.map(({ kind }) => kind)}::text[],
            ${marks.map(({ value }) => value)}::text[]) as n(version, kind, value)
          join annotation_versions v on v.version = n.version and v.app_key = ${grant.appKey}`,
    );
}
