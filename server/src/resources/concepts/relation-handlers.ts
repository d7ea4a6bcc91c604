import { create } from '@bufbuild/protobuf';
import {
  type Concept,
  ConceptRelationSchema,
  type KnowledgeGraph,
  KnowledgeGraphSchema,
  type ServicePart,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import { enqueue } from '#jobs/index.ts';
import type { Db } from '#store/sql.ts';
import type { Deps } from '../common/deps.ts';
import { commonFault } from '../common/faults.ts';
import { completed, packBody, readVisibility, showVisibility } from '../common/translate.ts';
import { conceptFault } from './faults.ts';
import { type MappingPayload, mappingKind } from './mapping.ts';
import {
  checkCount,
  checkRelation,
  type Predicate,
  readPredicate,
  type SaidRelation,
  seenFrom,
  toStored,
} from './relation.ts';
import {
  allGraphs,
  deleteRelations,
  findGraph,
  type GraphRow,
  insertGraph,
  pageOfRelations,
  putRelation,
  type RelationRow,
} from './relation-store.ts';
import { conceptsById, findConcept } from './store.ts';
import { showConcept } from './translate.ts';

type Rpc =
  | 'listConceptRelations'
  | 'postConceptRelations'
  | 'deleteConceptRelations'
  | 'listKnowledgeGraphs'
  | 'postKnowledgeGraphs'
  | 'postConceptMappingJobs';

export function relationHandlers({ db }: Deps): ServicePart<Call, Rpc> {
  return {
    /** With a concept, relations read from its side; without one, as they are stored, each once. */
    async listConceptRelations(req, call) {
      const predicate = req.predicate === '' ? undefined : readPredicate(req.predicate, 'predicate');
      const conceptId = req.conceptId || undefined;
      if (conceptId !== undefined) await needConcept(db, call.app, conceptId);
      const filter = { conceptId, predicate, knowledgeGraphId: req.knowledgeGraphId || undefined };
      const found = await pageOfRelations(db, call.app, filter, readPage(req));
      const said = (row: RelationRow) =>
        conceptId !== undefined
          ? seenFrom(conceptId, row)
          : predicate === 'hypernym'
            ? seenFrom(row.objectId, row)
            : row;
      return {
        conceptRelations: await show(
          db,
          call.app,
          found.map((row) => ({ row, said: said(row) })),
        ),
      };
    },

    /** All or none. What is said already, from either side, is answered as it stands. */
    async postConceptRelations(req, call) {
      checkCount('concept_relations', req.conceptRelations.length);
      const wanted = req.conceptRelations.map((sent) => ({
        said: {
          predicate: readPredicate(sent.predicate, 'concept_relations[].predicate'),
          subjectId: req.conceptId,
          objectId: sent.objectConcept?.id ?? '',
        },
        id: readId(sent.id, 'concept relation'),
        knowledgeGraphId: sent.knowledgeGraphId,
        visibility: readVisibility(sent.visibility),
      }));
      for (const { said } of wanted) checkRelation(said);
      const stored = await db.transaction(async (tx) => {
        const known = await conceptsById(tx, call.app, [
          req.conceptId,
          ...wanted.map(({ said }) => said.objectId),
        ]);
        const ids = new Set(known.map(({ id }) => id));
        for (const id of new Set([req.conceptId, ...wanted.map(({ said }) => said.objectId)]))
          if (!ids.has(id)) throw conceptFault.missing(id);
        for (const id of new Set(wanted.map((one) => one.knowledgeGraphId)))
          await needGraph(tx, call.app, id);
        const made = [];
        for (const { said, ...rest } of wanted) {
          const row = await putRelation(tx, call.app, { ...toStored(said), ...rest });
          if (row.predicate === 'hyponym' && row.subjectId !== toStored(said).subjectId)
            throw conceptFault.invalid(
              `'${row.subjectId}' is a kind of '${row.objectId}' already (relation '${row.id}'); the opposite cannot be true, too.`,
            );
          made.push({ row, said });
        }
        return made;
      });
      return { conceptRelations: await show(db, call.app, stored) };
    },

    /** Ids under either concept of the relation; those that are not there are ignored, no ids is a success. */
    async deleteConceptRelations(req, call) {
      await needConcept(db, call.app, req.conceptId);
      await deleteRelations(db, call.app, req.conceptId, req.ids);
      return {};
    },

    async listKnowledgeGraphs(_req, call) {
      return { knowledgeGraphs: (await allGraphs(db, call.app)).map(showGraph) };
    },

    /** All or none. */
    async postKnowledgeGraphs(req, call) {
      checkCount('knowledge_graphs', req.knowledgeGraphs.length);
      const wanted = req.knowledgeGraphs.map((sent) => ({
        id: readId(sent.id, 'knowledge graph'),
        body: packBody(KnowledgeGraphSchema, sent, ['id']),
      }));
      const made = await db.transaction(async (tx) => {
        const rows: GraphRow[] = [];
        for (const graph of wanted) {
          const row = await insertGraph(tx, call.app, graph);
          if (!row) throw commonFault.duplicateId('knowledge graph', graph.id);
          rows.push(row);
        }
        return rows;
      });
      return { knowledgeGraphs: made.map(showGraph) };
    },

    /** Answered at once with the ids of the jobs; what they find appears among the relations of the graph. */
    async postConceptMappingJobs(req, call) {
      checkCount('concept_mapping_jobs', req.conceptMappingJobs.length);
      const jobs = req.conceptMappingJobs.map(({ knowledgeGraphId, conceptIds }) => ({
        id: newId(),
        payload: { knowledgeGraphId, conceptIds: [...new Set(conceptIds)] } satisfies MappingPayload,
      }));
      await db.transaction(async (tx) => {
        for (const { payload } of jobs) {
          checkCount('concept_mapping_jobs[].concept_ids', payload.conceptIds.length);
          await needGraph(tx, call.app, payload.knowledgeGraphId);
          const known = new Set((await conceptsById(tx, call.app, payload.conceptIds)).map(({ id }) => id));
          const unknown = payload.conceptIds.find((id) => !known.has(id));
          if (unknown !== undefined) throw conceptFault.missing(unknown);
        }
        await enqueue(
          tx,
          jobs.map(({ id, payload }) => ({ kind: mappingKind, key: id, payload, appKey: call.app.appKey })),
        );
      });
      return { ids: jobs.map(({ id }) => id) };
    },
  };
}

/** @throws Fault 40003 for an id that cannot be one */
function readId(sent: string, what: string): string {
  const id = sent || newId();
  const trouble = idTrouble(id, what);
  if (trouble) throw conceptFault.invalid(trouble);
  return id;
}

async function needConcept(db: Db, grant: AppGrant, id: string): Promise<void> {
  if (!(await findConcept(db, grant, id))) throw conceptFault.missing(id);
}

async function needGraph(db: Db, grant: AppGrant, id: string): Promise<void> {
  if (id !== '' && !(await findGraph(db, grant, id))) throw commonFault.missing('knowledge graph', id);
}

const showGraph = (row: GraphRow): KnowledgeGraph =>
  completed(KnowledgeGraphSchema, row.body, { id: row.id });

async function show(db: Db, grant: AppGrant, relations: readonly { row: RelationRow; said: SaidRelation }[]) {
  const ids = [...new Set(relations.flatMap(({ row }) => [row.subjectId, row.objectId]))];
  const concepts = new Map<string, Concept>(
    (ids.length > 0 ? await conceptsById(db, grant, ids) : []).map((row) => [
      row.id,
      showConcept(row, grant),
    ]),
  );
  return relations.map(({ row, said }) => {
    const predicate: Predicate = said.predicate;
    return create(ConceptRelationSchema, {
      id: row.id,
      subjectConcept: concepts.get(said.subjectId) ?? { id: said.subjectId },
      objectConcept: concepts.get(said.objectId) ?? { id: said.objectId },
      predicate,
      knowledgeGraphId: row.knowledgeGraphId,
      visibility: showVisibility(row.visibility),
    });
  });
}
