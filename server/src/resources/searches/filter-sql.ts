import { placeKinds } from '#domain/annotation-kinds.ts';
import { grouped } from '#domain/grouped.ts';
import type { Json } from '#domain/patch.ts';
import { type Sql, sql } from '#store/sql.ts';
import { allOf } from '../common/paging.ts';
import { textQuery } from '../common/text.ts';
import {
  type AnnotationTerms,
  type ConceptTerm,
  type Filter,
  type GeoTerm,
  type HitKind,
  type InputTerms,
  isEmpty,
} from './query.ts';
import { type Box, boxAround, earthRadiusKm } from './read-geo.ts';
import type { Scene } from './scene.ts';

export type Condition = Sql<unknown>;

const anyOf = (conditions: readonly Condition[]): Condition =>
  sql.join(
    conditions.map((c) => sql`(${c})`),
    sql` or `,
  );

/** Rows that hits are made of: `i` (inputs) and, for annotation hits, `a` (annotations). */
export const hitRows = ({ annotations }: Scene, kind: HitKind): Condition =>
  kind === 'input' ? sql`inputs i` : sql`${annotations} a join inputs i on i.key = a.input_key`;

export const hitKey = (kind: HitKind): Condition => (kind === 'input' ? sql`i.key` : sql`a.key`);

/**
 * The condition that hits of a search meet, over the rows of `hitRows`.
 *
 * In an input search each filter may be met by another annotation of the input; in an annotation search all are
 * met by the same one (SEMANTICS 5.15).
 */
export function hitCondition(scene: Scene, kind: HitKind, filters: readonly Filter[]): Condition {
  return allOf([
    sql`i.app_key = ${scene.grant.appKey}`,
    scene.asOf && sql`i.created_at <= ${scene.asOf}`,
    ...filters.map((filter, n) => {
      const met = allOf([
        isEmpty(filter.annotation) ? undefined : annotationPart(scene, kind, filter.annotation),
        isEmpty(filter.input) ? undefined : inputCondition(scene, filter.input),
      ]);
      // Not "not": what an annotation does not have is unknown to SQL, and must count as not met.
      if (filter.negate) return sql`(${met}) is not true`;
      return n < joinedMax ? met : sql`(${met}) is true`;
    }),
  ]);
}

/** Where nothing but labels is asked of annotations: which. */
const labelsAlone = ({ concepts, ...others }: AnnotationTerms): readonly ConceptTerm[] | undefined =>
  isEmpty(others) ? concepts : undefined;

const namesAnnotations = ({ negate, annotation, input }: Filter): boolean =>
  !negate && !isEmpty(annotation) && isEmpty(input);

/**
 * The keys of all hits of a search of the present, in no order; one may come more than once.
 *
 * What one filter asks of annotations names the inputs by itself, so that these need not be read.
 */
export function keysOfMatches(scene: Scene, kind: HitKind, filters: readonly Filter[]): Condition {
  const [only, ...others] = filters;
  if (kind === 'input' && only && others.length === 0 && namesAnnotations(only)) {
    const concepts = labelsAlone(only.annotation);
    if (concepts)
      return sql`select c.input_key as key from ${scene.labels} c where ${trustedLabel(scene, concepts)}`;
    return sql`select a.input_key as key from ${scene.annotations} a
      where a.app_key = ${scene.grant.appKey} and ${annotationCondition(scene, only.annotation)}`;
  }
  return sql`select ${hitKey(kind)} as key from ${hitRows(scene, kind)} where ${hitCondition(scene, kind, filters)}`;
}

/**
 * Filters that the database may begin with. Further ones are asked of what those leave: it would try so many orders
 * that planning took seconds, and "is true" is a fence it does not look behind.
 */
const joinedMax = 6;

function annotationPart(scene: Scene, kind: HitKind, terms: AnnotationTerms): Condition {
  if (kind === 'annotation') return annotationCondition(scene, terms);
  // Labels know their input: nothing else of the annotation need be read.
  const concepts = labelsAlone(terms);
  if (concepts)
    return sql`exists (select from ${scene.labels} c where c.input_key = i.key and ${trustedLabel(scene, concepts)})`;
  return sql`exists (select from ${scene.annotations} a where a.input_key = i.key and ${annotationCondition(scene, terms)})`;
}

function annotationCondition(scene: Scene, terms: AnnotationTerms): Condition {
  const { updated } = terms;
  return allOf([
    terms.id === undefined ? undefined : sql`a.id = ${terms.id}`,
    terms.inputId === undefined ? undefined : sql`a.input_id = ${terms.inputId}`,
    terms.userId === undefined
      ? undefined
      : sql`a.worker_user_key = (select key from users where id = ${terms.userId})`,
    terms.modelVersionId === undefined
      ? undefined
      : sql`a.worker_model_version_key in (select key from model_versions where id = ${terms.modelVersionId})`,
    terms.workflowVersionId === undefined
      ? undefined
      : sql`a.worker_workflow_version_key in (select key from workflow_versions where id = ${terms.workflowVersionId})`,
    terms.taskId === undefined ? undefined : sql`a.task_id = ${terms.taskId}`,
    terms.statusCode === undefined ? undefined : sql`a.status_code = ${terms.statusCode}`,
    terms.inputLevelOnly ? sql`a.input_level` : undefined,
    terms.trustedOnly ? sql`a.trusted` : undefined,
    terms.info ? sql`a.annotation_info @> ${JSON.stringify(terms.info)}::jsonb` : undefined,
    terms.kinds ? sql`a.kinds & ${terms.kinds} = ${terms.kinds}` : undefined,
    terms.regionKinds ? sql`a.kinds & ${terms.regionKinds} <> 0` : undefined,
    terms.wholeInputOnly ? sql`a.kinds & ${placeKinds} = 0` : undefined,
    terms.trackIds ? markCondition(scene, 'track', terms.trackIds) : undefined,
    terms.clusterIds ? markCondition(scene, 'cluster', terms.clusterIds) : undefined,
    terms.concepts ? conceptCondition(scene, terms.concepts, terms) : undefined,
    terms.metadata ? anyOf(metadataParts(terms.metadata)) : undefined,
    terms.geo ? geoCondition(terms.geo) : undefined,
    terms.words === undefined ? undefined : textCondition(scene, terms.words),
    updated?.from ? sql`a.modified_at >= ${updated.from}` : undefined,
    updated?.until ? sql`a.modified_at <= ${updated.until}` : undefined,
  ]);
}

const markCondition = ({ marks }: Scene, kind: 'track' | 'cluster', ids: readonly string[]): Condition =>
  sql`exists (select from ${marks} m where m.annotation_key = a.key and m.kind = ${kind}
    and m.value = any(${[...ids]}::text[]))`;

const textCondition = (scene: Scene, words: string): Condition =>
  sql`exists (select from ${scene.texts} t where t.annotation_key = a.key and t.words @@ ${textQuery(scene.textLanguage, words)})`;

/** Each top-level key is a condition of its own; they are ORed (Filter.annotation in resources.proto). */
const metadataParts = (metadata: { [key: string]: Json }): Condition[] =>
  Object.entries(metadata).map(
    ([key, value]) => sql`a.metadata @> ${JSON.stringify({ [key]: value })}::jsonb`,
  );

/**
 * A concept on this annotation: present at `value` or surer; 0 asks for one that is labelled absent. Trusted labels
 * only, unless the filter names a worker whose labels are meant.
 */
function conceptCondition(scene: Scene, concepts: readonly ConceptTerm[], terms: AnnotationTerms): Condition {
  const anyWorker = terms.modelVersionId !== undefined || terms.workflowVersionId !== undefined;
  return sql`exists (select from ${scene.labels} c where c.annotation_key = a.key
    and (${labelCondition(scene, concepts)}) and ${anyWorker ? sql`true` : sql`c.trusted`})`;
}

/** Over labels `c`: such a one of the app, on whichever annotation. */
const trustedLabel = (scene: Scene, concepts: readonly ConceptTerm[]): Condition =>
  sql`c.trusted and c.app_key = ${scene.grant.appKey} and (${labelCondition(scene, concepts)})`;

/** Over labels `c`: one of the concepts, as sure as asked. Terms of one value are one condition. */
function labelCondition(scene: Scene, concepts: readonly ConceptTerm[]): Condition {
  const byValue = grouped(concepts, ({ value }) => value);
  return anyOf(
    [...byValue].map(([value, terms]) => {
      const sure = value === 0 ? sql`c.value < 0.5` : sql`c.value >= ${value}::real`;
      return sql`c.concept_id = any(${terms.flatMap(scene.idsOf)}::text[]) and ${sure}`;
    }),
  );
}

function geoCondition(geo: GeoTerm): Condition {
  if (geo.kind === 'box') return boxCondition(geo);
  const { centre, radiusKm } = geo;
  // The box lets the index cut most rows before the haversine is computed.
  return sql`${boxCondition(boxAround(centre, radiusKm))} and 2 * ${earthRadiusKm}::float8 * asin(least(1, sqrt(
      power(sin(radians(a.latitude - ${centre.latitude}::float8) / 2), 2)
      + cos(radians(${centre.latitude}::float8)) * cos(radians(a.latitude))
        * power(sin(radians(a.longitude - ${centre.longitude}::float8) / 2), 2)))) <= ${radiusKm}::float8`;
}

function boxCondition({ south, north, west, east }: Box): Condition {
  const between =
    west <= east
      ? sql`a.longitude between ${west} and ${east}`
      : sql`(a.longitude >= ${west} or a.longitude <= ${east})`;
  return sql`a.latitude between ${south} and ${north} and ${between}`;
}

function inputCondition({ grant, members, hostedAt }: Scene, terms: InputTerms): Condition {
  const either = [
    ...(terms.kinds ? [sql`i.kind = any(${[...terms.kinds]})`] : []),
    ...(terms.statusCode === undefined ? [] : [sql`i.status_code = ${terms.statusCode}`]),
  ];
  return allOf([
    terms.ids ? sql`i.id = any(${[...terms.ids]})` : undefined,
    terms.url === undefined ? undefined : urlCondition(terms.url, hostedAt(terms.url)),
    either.length > 0 ? anyOf(either) : undefined,
    terms.datasetIds
      ? sql`exists (select from ${members} d join datasets s on s.key = d.dataset_key
          where d.input_key = i.key and s.app_key = ${grant.appKey} and s.id = any(${[...terms.datasetIds]}))`
      : undefined,
  ]);
}

/** The URL that a medium was fetched from, or the one that it is shown under where it came as bytes. */
function urlCondition(url: string, sha: Buffer | undefined): Condition {
  const fetchedFrom = sql`i.url = ${url} and md5(i.url) = md5(${url})`;
  return sha ? anyOf([fetchedFrom, sql`i.media_sha = ${sha}`]) : fetchedFrom;
}
