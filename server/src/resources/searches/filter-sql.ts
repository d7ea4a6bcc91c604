import { placeKinds } from '#domain/annotation-kinds.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { Json } from '#domain/patch.ts';
import { type Sql, sql } from '#store/sql.ts';
import { allOf } from '../common/paging.ts';
import {
  type AnnotationTerms,
  type ConceptTerm,
  type Filter,
  type GeoTerm,
  type HitKind,
  type InputTerms,
  isEmpty,
} from './query.ts';

type Condition = Sql<unknown>;

const anyOf = (conditions: readonly Condition[]): Condition =>
  sql.join(
    conditions.map((c) => sql`(${c})`),
    sql` or `,
  );
const kmPerDegree = 111.195;
const earthRadiusKm = 6371.0088;

/**
 * The condition that hits of a search meet, over `i` (inputs) and, for annotation hits, `a` (annotations).
 *
 * In an input search each filter may be met by another annotation of the input; in an annotation search all are
 * met by the same one (SEMANTICS 5.15).
 */
export function hitCondition(
  grant: AppGrant,
  kind: HitKind,
  filters: readonly Filter[],
  language: string,
): Condition {
  return allOf([
    sql`i.app_key = ${grant.appKey}`,
    ...filters.map((filter) => {
      const met = allOf([
        isEmpty(filter.annotation) ? undefined : annotationPart(grant, kind, filter.annotation, language),
        isEmpty(filter.input) ? undefined : inputCondition(grant, filter.input),
      ]);
      // Not "not": what an annotation does not have is unknown to SQL, and must count as not met.
      return filter.negate ? sql`(${met}) is not true` : met;
    }),
  ]);
}

function annotationPart(grant: AppGrant, kind: HitKind, terms: AnnotationTerms, language: string): Condition {
  const condition = annotationCondition(grant, terms, language);
  return kind === 'annotation'
    ? condition
    : sql`exists (select from annotations a where a.input_key = i.key and ${condition})`;
}

function annotationCondition(grant: AppGrant, terms: AnnotationTerms, language: string): Condition {
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
    terms.wholeInputOnly ? sql`a.kinds & ${placeKinds} = 0` : undefined,
    terms.trackId === undefined ? undefined : sql`false`,
    terms.concepts
      ? anyOf(terms.concepts.map((term) => conceptCondition(grant, term, terms, language)))
      : undefined,
    terms.metadata ? anyOf(metadataParts(terms.metadata)) : undefined,
    terms.geo ? geoCondition(terms.geo) : undefined,
    updated?.from ? sql`a.modified_at >= ${updated.from}` : undefined,
    updated?.until ? sql`a.modified_at <= ${updated.until}` : undefined,
  ]);
}

/** Each top-level key is a condition of its own; they are ORed (Filter.annotation in resources.proto). */
const metadataParts = (metadata: { [key: string]: Json }): Condition[] =>
  Object.entries(metadata).map(
    ([key, value]) => sql`a.metadata @> ${JSON.stringify({ [key]: value })}::jsonb`,
  );

/**
 * A concept on this annotation: present at `value` or surer; 0 asks for one that is labelled absent. Trusted labels
 * only, unless the filter names a worker whose labels are meant.
 */
function conceptCondition(
  grant: AppGrant,
  term: ConceptTerm,
  terms: AnnotationTerms,
  language: string,
): Condition {
  const anyWorker = terms.modelVersionId !== undefined || terms.workflowVersionId !== undefined;
  const sure = term.value === 0 ? sql`c.value < 0.5` : sql`c.value >= ${term.value}::real`;
  return sql`exists (select from annotation_concepts c where c.annotation_key = a.key
    and c.concept_id ${conceptIds(grant, term, language)} and ${sure} and ${anyWorker ? sql`true` : sql`c.trusted`})`;
}

/**
 * `= id`, or `in (ids with this name)`: of the app's own concepts and of the platform's, which built-in models speak;
 * names of other languages are included when the query names one.
 */
export function conceptIds(grant: AppGrant, term: ConceptTerm, language: string): Condition {
  if (term.id) return sql`= ${term.id}`;
  const translated = language
    ? sql` union select concept_id from concept_languages where app_key = ${grant.appKey} and id = ${language} and name = ${term.name}`
    : sql``;
  return sql`in (select c.id from concepts c where c.name = ${term.name} and c.app_key in (${grant.appKey}::bigint, (
      select a.key from apps a join users u on u.key = a.user_key where u.id = 'clarifai' and a.id = 'main' and a.deleted_at is null))${translated})`;
}

function geoCondition(geo: GeoTerm): Condition {
  if (geo.kind === 'box') {
    return sql`a.latitude between ${geo.south} and ${geo.north} and a.longitude between ${geo.west} and ${geo.east}`;
  }
  const { centre, radiusKm } = geo;
  // The latitude band lets the index cut most rows before the haversine is computed.
  const bandDegrees = radiusKm / kmPerDegree + 0.01;
  return sql`a.latitude between ${centre.latitude - bandDegrees} and ${centre.latitude + bandDegrees}
    and 2 * ${earthRadiusKm}::float8 * asin(least(1, sqrt(
      power(sin(radians(a.latitude - ${centre.latitude}::float8) / 2), 2)
      + cos(radians(${centre.latitude}::float8)) * cos(radians(a.latitude))
        * power(sin(radians(a.longitude - ${centre.longitude}::float8) / 2), 2)))) <= ${radiusKm}::float8`;
}

function inputCondition(grant: AppGrant, terms: InputTerms): Condition {
  const either = [
    ...(terms.kinds ? [sql`i.kind = any(${[...terms.kinds]})`] : []),
    ...(terms.statusCode === undefined ? [] : [sql`i.status_code = ${terms.statusCode}`]),
  ];
  return allOf([
    terms.ids ? sql`i.id = any(${[...terms.ids]})` : undefined,
    terms.url === undefined ? undefined : sql`i.url = ${terms.url} and md5(i.url) = md5(${terms.url})`,
    either.length > 0 ? anyOf(either) : undefined,
    terms.datasetIds
      ? sql`exists (select from dataset_inputs d join datasets s on s.key = d.dataset_key
          where d.input_key = i.key and s.app_key = ${grant.appKey} and s.id = any(${[...terms.datasetIds]}))`
      : undefined,
  ]);
}
