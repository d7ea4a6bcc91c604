import type { Concept, ConceptLanguage, ServicePart } from '@fovea/contract';
import { ConceptSchema } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { readPage } from '#domain/page.ts';
import type { Db } from '#store/sql.ts';
import type { Deps } from '../common/deps.ts';
import { commonFault } from '../common/faults.ts';
import { packBody, readVisibility, unpackBody } from '../common/translate.ts';
import { conceptFault } from './faults.ts';
import { relationHandlers } from './relation-handlers.ts';
import {
  type ConceptCountRow,
  conceptCounts,
  findConcept,
  insertConcepts,
  languagesOf,
  lockConcept,
  pageOfConcepts,
  putLanguages,
  updateConcept,
} from './store.ts';
import { columns, readConcept, showConcept } from './translate.ts';

type Rpc =
  | 'postConcepts'
  | 'getConcept'
  | 'listConcepts'
  | 'patchConcepts'
  | 'getConceptCounts'
  | 'postConceptLanguages'
  | 'patchConceptLanguages'
  | 'getConceptLanguage'
  | 'listConceptLanguages';

/** `PostConceptsSearches` and `ListModelConcepts` are answered by the models family, which knows models' concepts. */
export const conceptHandlers = (deps: Deps) => ({ ...ownHandlers(deps), ...relationHandlers(deps) });

function ownHandlers({ db }: Deps): ServicePart<Call, Rpc> {
  return {
    /** Adds concepts to an app, all or none: one id that exists refuses the batch (SEMANTICS 1.5, atomic). */
    async postConcepts(req, call) {
      const wanted = req.concepts.map((concept) => readConcept(concept, call.app));
      const twice = repeated(wanted.map((concept) => concept.id));
      if (twice !== undefined) throw conceptFault.duplicate(twice);
      const stored = await db.transaction(async (tx) => {
        const rows = await insertConcepts(tx, call.app, wanted);
        const ids = new Set(rows.map((row) => row.id));
        const known = wanted.find((concept) => !ids.has(concept.id));
        if (known) throw conceptFault.duplicate(known.id);
        return rows;
      });
      return { concepts: stored.map((row) => showConcept(row, call.app)) };
    },

    async getConcept(req, call) {
      const row = await findConcept(db, call.app, req.conceptId);
      if (!row) throw conceptFault.missing(req.conceptId);
      return { concept: showConcept(row, call.app) };
    },

    async listConcepts(req, call) {
      const rows = await pageOfConcepts(db, call.app, { idPart: req.id }, readPage(req));
      return { concepts: rows.map((row) => showConcept(row, call.app)) };
    },

    async patchConcepts(req, call) {
      if (req.action !== '' && req.action !== 'overwrite')
        throw commonFault.unknownAction(req.action, ['overwrite']);
      const rows = await db.transaction(async (tx) => {
        const patched = [];
        for (const concept of req.concepts) patched.push(await overwriteConcept(tx, call, concept));
        return patched;
      });
      return { concepts: rows.map((row) => showConcept(row, call.app)) };
    },

    async getConceptCounts(req, call) {
      return { conceptCounts: showCounts(await conceptCounts(db, call.app, readPage(req))) };
    },

    async postConceptLanguages(req, call) {
      return { conceptLanguages: await storeLanguages(call, req.conceptId, req.conceptLanguages, false) };
    },

    async patchConceptLanguages(req, call) {
      return { conceptLanguages: await storeLanguages(call, req.conceptId, req.conceptLanguages, true) };
    },

    async getConceptLanguage(req, call) {
      const languages = await languagesOf(db, call.app, req.conceptId);
      const conceptLanguage = languages.find((language) => language.id === req.language);
      if (!conceptLanguage) throw conceptFault.missingLanguage(req.conceptId, req.language);
      return { conceptLanguage };
    },

    async listConceptLanguages(req, call) {
      if (!(await findConcept(db, call.app, req.conceptId))) throw conceptFault.missing(req.conceptId);
      const { number, size } = readPage(req);
      const languages = await languagesOf(db, call.app, req.conceptId);
      return { conceptLanguages: languages.slice((number - 1) * size, number * size) };
    },
  };

  async function overwriteConcept(tx: Db, call: Call, sent: Concept) {
    const before = await lockConcept(tx, call.app, sent.id);
    if (!before) throw conceptFault.missing(sent.id);
    const kept = unpackBody(ConceptSchema, before.body);
    const after = { ...kept, ...whatIsSet(sent) };
    const row = await updateConcept(tx, call.app, sent.id, {
      ...(sent.name ? { name: sent.name } : {}),
      ...(sent.visibility ? { visibility: readVisibility(sent.visibility) } : {}),
      body: packBody(ConceptSchema, after, columns),
    });
    if (!row) throw conceptFault.missing(sent.id);
    return row;
  }

  async function storeLanguages(
    call: Call,
    conceptId: string,
    sent: readonly ConceptLanguage[],
    replace: boolean,
  ) {
    if (!(await findConcept(db, call.app, conceptId))) throw conceptFault.missing(conceptId);
    const nameless = sent.find((language) => language.id === '');
    if (nameless)
      throw conceptFault.invalid('concept_languages[].id is empty; it is a language code such as "en".');
    const twice = repeated(sent.map((language) => language.id));
    if (twice !== undefined)
      throw conceptFault.invalid(`duplicate language '${twice}' in concept_languages.`);
    return db.transaction(async (tx) => {
      const stored = await putLanguages(tx, call.app, conceptId, sent, replace);
      const known = sent.find((language) => !stored.some((row) => row.id === language.id));
      if (known) throw conceptFault.invalid(`duplicate language '${known.id}' for concept '${conceptId}'.`);
      return stored;
    });
  }
}

/** An id that stands in the list more than once. */
function repeated(ids: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return ids.find((id) => seen.has(id) || !seen.add(id));
}

/** Fields of a sparse message that say something: clients send only what they want to change. */
function whatIsSet(sent: Concept): Partial<Concept> {
  const set: Partial<Concept> = {};
  if (sent.definition) set.definition = sent.definition;
  if (sent.keypointInfo) set.keypointInfo = sent.keypointInfo;
  if (sent.metadata) set.metadata = sent.metadata;
  if (sent.image) set.image = sent.image;
  if (sent.vocabId) set.vocabId = sent.vocabId;
  return set;
}

function showCounts(rows: readonly ConceptCountRow[]) {
  const byId = groupById(rows);
  return [...byId].map(([id, parts]) => {
    const of = (status: string) => {
      const part = parts.find((row) => row.status === status);
      return { positive: part?.positive ?? 0, negative: part?.negative ?? 0 };
    };
    const sum = (sign: 'positive' | 'negative') => parts.reduce((total, row) => total + row[sign], 0);
    return {
      id,
      name: parts[0]?.name ?? '',
      conceptTypeCount: { positive: sum('positive'), negative: sum('negative') },
      detailConceptCount: {
        processed: of('processed'),
        toProcess: of('to_process'),
        errors: of('errors'),
        processing: of('processing'),
      },
    };
  });
}

function groupById(rows: readonly ConceptCountRow[]): Map<string, ConceptCountRow[]> {
  const byId = new Map<string, ConceptCountRow[]>();
  for (const row of rows) byId.set(row.id, [...(byId.get(row.id) ?? []), row]);
  return byId;
}
