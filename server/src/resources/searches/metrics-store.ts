import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, sql } from '#store/sql.ts';
import { pageKeys } from '../common/paging.ts';
import type { Opened } from './execute.ts';
import { hitRows } from './filter-sql.ts';

export interface MetricsRow {
  readonly key: number;
  readonly id: string;
  readonly body: Buffer;
  readonly evaluationType: number;
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly conceptCount: number;
  readonly metrics: Buffer | null;
  readonly visibility: number;
}

const columns = sql`m.key, m.id, m.body, m.evaluation_type as "evaluationType", m.status_code as "statusCode",
  m.status_details as "statusDetails", m.concept_count as "conceptCount", m.metrics, m.visibility`;

/** @returns undefined when the id is taken. */
export const insertMetrics = (
  db: Db,
  grant: AppGrant,
  wanted: Pick<MetricsRow, 'id' | 'body' | 'evaluationType' | 'statusCode'>,
): Promise<MetricsRow | undefined> =>
  first<MetricsRow>(
    db,
    sql`insert into annotation_search_metrics as m (app_key, id, body, evaluation_type, status_code)
        values (${grant.appKey}, ${wanted.id}, ${wanted.body}, ${wanted.evaluationType}, ${wanted.statusCode})
        on conflict (app_key, id) do nothing returning ${columns}`,
  );

export const findMetrics = (db: Db, grant: AppGrant, id: string): Promise<MetricsRow | undefined> =>
  first<MetricsRow>(
    db,
    sql`select ${columns} from annotation_search_metrics m
        where m.app_key = ${grant.appKey} and m.id = ${id} and m.visibility >= ${grant.visibleFrom}`,
  );

export const pageOfMetrics = (db: Db, grant: AppGrant, page: Page): Promise<MetricsRow[]> =>
  rows<MetricsRow>(
    db,
    sql`select ${columns} from ${pageKeys(
      'annotation_search_metrics',
      sql`app_key = ${grant.appKey} and visibility >= ${grant.visibleFrom}`,
      sql`key desc`,
      page,
    )} p join annotation_search_metrics m using (key) order by p.position`,
  );

export async function deleteMetrics(db: Db, grant: AppGrant, id: string): Promise<boolean> {
  const gone = await rows(
    db,
    sql`delete from annotation_search_metrics where app_key = ${grant.appKey} and id = ${id} returning key`,
  );
  return gone.length > 0;
}

export interface MetricsEnd {
  readonly statusCode: number;
  readonly statusDetails: string;
  readonly conceptCount: number;
  readonly metrics: Buffer | null;
}

export async function endMetrics(db: Db, grant: AppGrant, id: string, end: MetricsEnd): Promise<void> {
  await rows(
    db,
    sql`update annotation_search_metrics set status_code = ${end.statusCode}, status_details = ${end.statusDetails},
          concept_count = ${end.conceptCount}, metrics = ${end.metrics}, modified_at = now()
        where app_key = ${grant.appKey} and id = ${id}`,
  );
}

/** What the annotations of a search say of an input: the surest value of a concept. */
export interface SaidOfInput {
  readonly inputKey: number;
  readonly inputId: string;
  readonly conceptId: string;
  readonly value: number;
}

/** Labels of the annotations that a search finds, by input, `limit` at most. */
export const labelsFound = (db: Db, { scene, condition }: Opened, limit: number): Promise<SaidOfInput[]> =>
  rows<SaidOfInput>(
    db,
    sql`select i.key as "inputKey", i.id as "inputId", c.concept_id as "conceptId", max(c.value)::float8 as value
        from (${hitRows(scene, 'annotation')}) join ${scene.labels} c on c.annotation_key = a.key
        where ${condition} group by i.key, i.id, c.concept_id order by i.key, c.concept_id limit ${limit}`,
  );

export interface RegionFound {
  readonly inputKey: number;
  readonly data: Buffer;
  /** The contract's Data with nothing but the medium. */
  readonly media: Buffer;
}

/** Data of the annotations with a place that a search finds, `limit` at most. */
export const regionsFound = (
  db: Db,
  { scene, condition }: Opened,
  kinds: number,
  limit: number,
): Promise<RegionFound[]> =>
  rows<RegionFound>(
    db,
    sql`select i.key as "inputKey", a.data, i.media from ${hitRows(scene, 'annotation')}
        where ${condition} and a.kinds & ${kinds} <> 0 order by i.key, a.key limit ${limit}`,
  );
