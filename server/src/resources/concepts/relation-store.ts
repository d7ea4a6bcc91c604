import type { AppGrant } from '#domain/grant.ts';
import type { Page } from '#domain/page.ts';
import { type Db, first, rows, run, type Sql, sql } from '#store/sql.ts';
import { allOf, pageKeys } from '../common/paging.ts';
import type { Predicate, StoredRelation } from './relation.ts';

export interface RelationRow extends StoredRelation {
  readonly id: string;
  readonly knowledgeGraphId: string;
  readonly visibility: number;
}

const columns = sql`r.id, r.predicate, r.subject_id as "subjectId", r.object_id as "objectId",
  r.knowledge_graph_id as "knowledgeGraphId", r.visibility`;

/**
 * Stores a relation, or finds the one that says the same. Both concepts have to exist.
 *
 * The one that is found may say the opposite (A is a kind of B, B is a kind of A): the caller looks.
 */
export async function putRelation(
  db: Db,
  grant: AppGrant,
  wanted: StoredRelation & { id: string; knowledgeGraphId: string; visibility: number },
): Promise<RelationRow> {
  const row = await first<RelationRow>(
    db,
    sql`insert into concept_relations as r (app_key, id, knowledge_graph_id, predicate, subject_id, object_id, visibility)
        values (${grant.appKey}, ${wanted.id}, ${wanted.knowledgeGraphId}, ${wanted.predicate}, ${wanted.subjectId},
                ${wanted.objectId}, ${wanted.visibility})
        on conflict (app_key, knowledge_graph_id, predicate, least(subject_id, object_id), greatest(subject_id, object_id))
        do update set visibility = r.visibility
        returning ${columns}`,
  );
  return row as RelationRow;
}

export interface RelationFilter {
  /** Relations of this concept, either way round; undefined for all of the app. */
  readonly conceptId: string | undefined;
  readonly predicate: Predicate | undefined;
  /** Undefined for all graphs. */
  readonly knowledgeGraphId: string | undefined;
}

/** A page of relations in the order of their making, each once. */
export function pageOfRelations(
  db: Db,
  grant: AppGrant,
  filter: RelationFilter,
  page: Page,
): Promise<RelationRow[]> {
  const where = allOf([
    sql`app_key = ${grant.appKey} and visibility >= ${grant.visibleFrom}`,
    filter.knowledgeGraphId === undefined ? undefined : sql`knowledge_graph_id = ${filter.knowledgeGraphId}`,
    sidesOf(filter),
  ]);
  return rows<RelationRow>(
    db,
    sql`select ${columns} from ${pageKeys('concept_relations', where, sql`key`, page)} p
        join concept_relations r using (key) order by p.position`,
  );
}

function sidesOf({ conceptId, predicate }: RelationFilter): Sql<unknown> | undefined {
  const kind =
    predicate && (predicate === 'synonym' ? sql`predicate = 'synonym'` : sql`predicate = 'hyponym'`);
  if (conceptId === undefined) return kind;
  const subject = sql`subject_id = ${conceptId}`;
  const object = sql`object_id = ${conceptId}`;
  if (predicate === 'hyponym') return sql`${kind} and ${subject}`;
  if (predicate === 'hypernym') return sql`${kind} and ${object}`;
  return allOf([kind, sql`(${subject} or ${object})`]);
}

/** Deletes relations of a concept, whichever side it stands on; ids that are not its own are ignored. */
export async function deleteRelations(
  db: Db,
  grant: AppGrant,
  conceptId: string,
  ids: readonly string[],
): Promise<void> {
  await run(
    db,
    sql`delete from concept_relations where app_key = ${grant.appKey} and id = any(${[...ids]}::text[])
          and (subject_id = ${conceptId} or object_id = ${conceptId})`,
  );
}

export interface RelatedConcept {
  /** The concept asked about. */
  readonly conceptId: string;
  readonly relatedId: string;
  readonly relatedName: string;
}

/**
 * What concepts are related to: `synonym` in either direction, `hyponym` what they are a kind of (their hypernyms),
 * `hypernym` what is a kind of them. `knowledgeGraphId` '' is the app's own graph, undefined any.
 */
export function relatedConcepts(
  db: Db,
  grant: AppGrant,
  asked: { conceptIds: readonly string[]; predicate: Predicate; knowledgeGraphId?: string },
): Promise<RelatedConcept[]> {
  const ids = [...new Set(asked.conceptIds)];
  const graph =
    asked.knowledgeGraphId === undefined ? sql`true` : sql`r.knowledge_graph_id = ${asked.knowledgeGraphId}`;
  const stored = asked.predicate === 'synonym' ? 'synonym' : 'hyponym';
  const forward = sql`
    select r.subject_id as "conceptId", r.object_id as "relatedId", c.name as "relatedName"
    from concept_relations r join concepts c on c.app_key = r.app_key and c.id = r.object_id
    where r.app_key = ${grant.appKey} and r.predicate = ${stored} and r.subject_id = any(${ids}::text[]) and ${graph}`;
  const backward = sql`
    select r.object_id as "conceptId", r.subject_id as "relatedId", c.name as "relatedName"
    from concept_relations r join concepts c on c.app_key = r.app_key and c.id = r.subject_id
    where r.app_key = ${grant.appKey} and r.predicate = ${stored} and r.object_id = any(${ids}::text[]) and ${graph}`;
  const either =
    asked.predicate === 'synonym'
      ? sql`${forward} union ${backward}`
      : asked.predicate === 'hyponym'
        ? forward
        : backward;
  return rows<RelatedConcept>(db, sql`${either} order by 1, 2`);
}

export interface GraphRow {
  readonly id: string;
  readonly body: Buffer;
}

/** @returns undefined when the id is taken */
export function insertGraph(db: Db, grant: AppGrant, graph: GraphRow): Promise<GraphRow | undefined> {
  return first<GraphRow>(
    db,
    sql`insert into knowledge_graphs (app_key, id, body) values (${grant.appKey}, ${graph.id}, ${graph.body})
        on conflict (app_key, id) do nothing returning id, body`,
  );
}

export const allGraphs = (db: Db, grant: AppGrant): Promise<GraphRow[]> =>
  rows<GraphRow>(db, sql`select id, body from knowledge_graphs where app_key = ${grant.appKey} order by key`);

export const findGraph = (db: Db, grant: AppGrant, id: string): Promise<GraphRow | undefined> =>
  first<GraphRow>(
    db,
    sql`select id, body from knowledge_graphs where app_key = ${grant.appKey} and id = ${id}`,
  );

export interface NamedConcept {
  readonly id: string;
  readonly name: string;
}

/** Concepts that stand in relations of a graph, with every name they have in any language. */
export function conceptsOfGraph(db: Db, grant: AppGrant, knowledgeGraphId: string): Promise<NamedConcept[]> {
  return rows<NamedConcept>(
    db,
    sql`with members as (
          select subject_id as id from concept_relations
          where app_key = ${grant.appKey} and knowledge_graph_id = ${knowledgeGraphId}
          union select object_id from concept_relations
          where app_key = ${grant.appKey} and knowledge_graph_id = ${knowledgeGraphId})
        select c.id, c.name from members m join concepts c on c.app_key = ${grant.appKey} and c.id = m.id
        union select m.id, l.name from members m
          join concept_languages l on l.app_key = ${grant.appKey} and l.concept_id = m.id
        order by 1, 2`,
  );
}

/** Concepts of another app of the same owner that has examples for a graph. */
export function conceptsOfOwnedApp(db: Db, grant: AppGrant, appId: string): Promise<NamedConcept[]> {
  return rows<NamedConcept>(
    db,
    sql`select c.id, c.name from apps a join concepts c on c.app_key = a.key
        where a.user_key = ${grant.userKey} and a.id = ${appId} and a.deleted_at is null order by c.id`,
  );
}
