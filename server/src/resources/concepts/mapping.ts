import { KnowledgeGraphSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { visibility } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import type { JobHandler } from '#jobs/index.ts';
import type { Deps } from '../common/deps.ts';
import { unpackBody } from '../common/translate.ts';
import { comparable } from './relation.ts';
import { conceptsOfGraph, conceptsOfOwnedApp, findGraph, putRelation } from './relation-store.ts';
import { conceptsById, ensureConcepts } from './store.ts';

export const mappingKind = 'concepts.map';

export interface MappingPayload {
  readonly knowledgeGraphId: string;
  readonly conceptIds: readonly string[];
}

export interface MappingDeps extends Deps {
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
}

/**
 * Maps concepts of an app into a knowledge graph: a concept that is called like one of the graph (in any language;
 * spelling of spaces and case aside) becomes its synonym in that graph. The graph's concepts are those in its
 * relations and those of its examples app; the latter are made here when something is mapped to them. Run twice,
 * it finds what is there.
 */
export function conceptJobs(deps: MappingDeps): Record<string, JobHandler<MappingPayload>> {
  return {
    [mappingKind]: {
      async run(jobs) {
        for (const { payload, appKey } of jobs) {
          const grant = appKey === null ? undefined : await deps.jobGrant(appKey);
          if (grant) await mapConcepts(deps, grant, payload);
        }
      },
    },
  };
}

async function mapConcepts(
  { db, log }: MappingDeps,
  grant: AppGrant,
  { knowledgeGraphId, conceptIds }: MappingPayload,
): Promise<void> {
  const graph = await findGraph(db, grant, knowledgeGraphId);
  const examplesAppId = graph ? unpackBody(KnowledgeGraphSchema, graph.body).examplesAppId : '';
  const candidates = [
    ...(await conceptsOfGraph(db, grant, knowledgeGraphId)),
    ...(examplesAppId ? await conceptsOfOwnedApp(db, grant, examplesAppId) : []),
  ];
  const byName = new Map<string, { id: string; name: string }>();
  for (const one of candidates) if (!byName.has(comparable(one.name))) byName.set(comparable(one.name), one);
  const pairs = (await conceptsById(db, grant, conceptIds)).flatMap(({ id, name }) => {
    const found = byName.get(comparable(name));
    return found && found.id !== id ? [{ subjectId: id, object: found }] : [];
  });
  await db.transaction(async (tx) => {
    await ensureConcepts(
      tx,
      grant,
      pairs.map(({ object }) => object),
    );
    for (const { subjectId, object } of pairs)
      await putRelation(tx, grant, {
        id: newId(),
        predicate: 'synonym',
        subjectId,
        objectId: object.id,
        knowledgeGraphId,
        visibility: visibility.private,
      });
  });
  log.info(
    { appKey: grant.appKey, knowledgeGraphId, asked: conceptIds.length, mapped: pairs.length },
    'concepts were mapped into a knowledge graph',
  );
}
