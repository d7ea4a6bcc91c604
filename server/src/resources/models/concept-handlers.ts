import type { Concept, ConceptQuery, ServicePart } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { firstPosition, type Page, readPage } from '#domain/page.ts';
import { pageOfConcepts, pageOfConceptsInLanguage, showConcept } from '../concepts/index.ts';
import { conceptNamesIn } from './concept-names.ts';
import type { ModelDeps } from './deps.ts';
import { readModelAndVersion } from './find.ts';
import { bodyOfVersion } from './translate.ts';

/** Concepts that a workflow's models know; the workflows family comes later and is passed in. */
export type ConceptsOfWorkflow = (call: Call, grant: AppGrant, workflowId: string) => Promise<Concept[]>;

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
      if (!source) return { concepts: await ownConcepts(call.app, language, pattern, page) };
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
      return { concepts: pageOf(all, page) };
    },
  };

  async function conceptsOfModel(grant: AppGrant, modelId: string, versionId: string): Promise<Concept[]> {
    const { version } = await readModelAndVersion(db, grant, modelId, versionId);
    return version ? (bodyOfVersion(version).outputInfo?.data?.concepts ?? []) : [];
  }

  async function conceptsOfSource(call: Call, query: ConceptQuery): Promise<Concept[] | undefined> {
    const { source } = query;
    if (source.case === 'model') {
      const { userId, appId, id, modelVersion } = source.value;
      const grant = appId ? await call.appGrant(userId || call.app.userId, appId) : call.app;
      return conceptsOfModel(grant, id, modelVersion?.id ?? '');
    }
    if (source.case === 'workflow') {
      const { userId, appId, id } = source.value;
      const grant = appId ? await call.appGrant(userId || call.app.userId, appId) : call.app;
      return deps.conceptsOfWorkflow(call, grant, id);
    }
    return query.workflowId ? deps.conceptsOfWorkflow(call, call.app, query.workflowId) : undefined;
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
