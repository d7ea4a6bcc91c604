import { create } from '@bufbuild/protobuf';
import {
  type Concept,
  type ConceptExtraInfoRequest,
  ConceptExtraInfoSchema,
  type ConceptQuery,
  type ServicePart,
  WorkflowModelUseCase,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { firstPosition, type Page, readPage } from '#domain/page.ts';
import { pageOfConcepts, pageOfConceptsInLanguage, showConcept } from '../concepts/index.ts';
import { canonicalTypeId, typeIdsWith } from './catalogue/index.ts';
import { conceptNamesIn } from './concept-names.ts';
import type { ModelDeps } from './deps.ts';
import { grantNamed, readModelAndVersion } from './find.ts';
import { rankableConcepts } from './rankable.ts';
import { bodyOfVersion } from './translate.ts';

/** Concepts that a workflow's models know; the workflows family comes later and is passed in. */
export type ConceptsOfWorkflow = (
  call: Call,
  grant: AppGrant,
  workflow: { id: string; versionId: string; isWanted: IsWantedType },
) => Promise<Concept[]>;

/** Whether concepts of a model of this type are asked for. */
export type IsWantedType = (typeId: string) => boolean;

export interface ConceptSearchDeps extends ModelDeps {
  readonly conceptsOfWorkflow: ConceptsOfWorkflow;
}

const appConceptsMax = 10_000;

export function modelConceptHandlers(
  deps: ConceptSearchDeps,
): ServicePart<Call, 'listModelConcepts' | 'postConceptsSearches'> {
  const { db } = deps;
  return {
    /** Concepts of a model in the order of its output, optionally those with a part of a name or id. */
    async listModelConcepts(req, call) {
      const all = await conceptsOfModel(call.app, req.modelId, req.versionId);
      const part = req.search.toLowerCase();
      const found = all.filter(
        (one) => one.id.toLowerCase().includes(part) || one.name.toLowerCase().includes(part),
      );
      return { concepts: pageOf(found, readPage(req)) };
    },

    /**
     * Concepts by a name with wildcards. Without a source they are the app's; a model or workflow adds its own,
     * or stands alone with ignore_app_concepts or use_cases (SEMANTICS 3.4).
     */
    async postConceptsSearches(req, call) {
      const query = req.conceptQuery;
      const page = readPage(req.pagination);
      const source = query ? await conceptsOfSource(call, query) : undefined;
      const language = query?.language || 'en';
      const pattern = query?.name ?? '';
      if (!source)
        return {
          concepts: await withExtras(
            call,
            req.extraInfo,
            await ownConcepts(call.app, language, pattern, page),
          ),
        };
      const only = query?.ignoreAppConcepts || (query?.useCases.length ?? 0) > 0;
      const own = only
        ? []
        : await ownConcepts(call.app, language, pattern, { number: 1, size: appConceptsMax });
      const names = await conceptNamesIn(
        db,
        call.app,
        language === 'en' ? '' : language,
        source.map((one) => one.id),
      );
      for (const concept of source) concept.name = names.get(concept.id) ?? concept.name;
      const fits = matcher(pattern);
      const known = new Set(own.map((one) => one.id));
      const all = [...own, ...source.filter((one) => !known.has(one.id) && fits(one.name))];
      return { concepts: await withExtras(call, req.extraInfo, pageOf(all, page)) };
    },
  };

  /** Says of each concept whether it can be ranked by, where the request asks so of an embedder. */
  async function withExtras(
    call: Call,
    asked: ConceptExtraInfoRequest | undefined,
    concepts: Concept[],
  ): Promise<Concept[]> {
    const embedder = asked?.rankableModel;
    if (!embedder?.id || concepts.length === 0) return concepts;
    const grant = await grantNamed(call, embedder);
    const { version } = await readModelAndVersion(db, grant, embedder.id, embedder.modelVersion?.id ?? '');
    const ids = concepts.map(({ id }) => id);
    const rankable = version ? await rankableConcepts(db, call.app, ids, version.key) : new Set<string>();
    for (const concept of concepts)
      concept.extraInfo = create(ConceptExtraInfoSchema, { isRankable: rankable.has(concept.id) });
    return concepts;
  }

  async function conceptsOfModel(
    grant: AppGrant,
    modelId: string,
    versionId: string,
    isWanted: IsWantedType = () => true,
  ): Promise<Concept[]> {
    const { model, version } = await readModelAndVersion(db, grant, modelId, versionId);
    return version && isWanted(canonicalTypeId(model.typeId))
      ? (bodyOfVersion(version).outputInfo?.data?.concepts ?? [])
      : [];
  }

  async function conceptsOfSource(call: Call, query: ConceptQuery): Promise<Concept[] | undefined> {
    const { source } = query;
    const isWanted = wantedTypes(query.useCases);
    if (source.case === 'model') {
      const { id, modelVersion } = source.value;
      const grant = await grantNamed(call, source.value);
      return conceptsOfModel(grant, id, modelVersion?.id ?? '', isWanted);
    }
    if (source.case === 'workflow') {
      const { id, version } = source.value;
      const grant = await grantNamed(call, source.value);
      return deps.conceptsOfWorkflow(call, grant, { id, versionId: version?.id ?? '', isWanted });
    }
    const { workflowId } = query;
    return workflowId
      ? deps.conceptsOfWorkflow(call, call.app, { id: workflowId, versionId: '', isWanted })
      : undefined;
  }

  async function ownConcepts(
    grant: AppGrant,
    language: string,
    pattern: string,
    page: Page,
  ): Promise<Concept[]> {
    const found =
      language === grant.defaultLanguage || pattern === ''
        ? await pageOfConcepts(db, grant, { namePattern: pattern }, page)
        : await pageOfConceptsInLanguage(db, grant, language, pattern, page);
    return found.map((row) => showConcept(row, grant));
  }
}

/** Types of models that serve one of the use cases; all where none is named. */
function wantedTypes(useCases: readonly WorkflowModelUseCase[]): IsWantedType {
  if (useCases.length === 0) return () => true;
  const detects = new Set(typeIdsWith([], ['regions[...].region_info.bounding_box']));
  return (typeId) =>
    useCases.includes(
      detects.has(typeId) ? WorkflowModelUseCase.DETECTION : WorkflowModelUseCase.CLASSIFICATION,
    );
}

const pageOf = <T>(all: readonly T[], page: Page): T[] =>
  all.slice(firstPosition(page), firstPosition(page) + page.size);

/** `*` stands for anything; without one the pattern is the whole name. Upper and lower case are one. */
export function matcher(pattern: string): (name: string) => boolean {
  if (pattern === '') return () => true;
  const [head = '', ...rest] = pattern.toLowerCase().split('*');
  const tail = rest.pop();
  return (name) => {
    const text = name.toLowerCase();
    if (tail === undefined) return text === head;
    if (!text.startsWith(head) || !text.endsWith(tail) || text.length < head.length + tail.length)
      return false;
    // Each part as early as it can: later parts then have the most room, so nothing need be tried again.
    let at = head.length;
    for (const part of rest) {
      const found = text.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= text.length - tail.length;
  };
}
