import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Person, signedIn } from '#testing/people.ts';

let rita: Person;

beforeAll(async () => {
  rita = await signedIn('rita');
  await rita.client.postConcepts({
    concepts: ['honey', 'food', 'puppy', 'pup', 'animal'].map((id) => ({ id })),
  });
});

type Relation = {
  predicate: string;
  subjectConcept?: { id: string } | undefined;
  objectConcept?: { id: string } | undefined;
};
const said = (relations: Relation[]) =>
  relations.map((r) => `${r.subjectConcept?.id} ${r.predicate} ${r.objectConcept?.id}`);
const list = async (filter: object) => {
  const reply = await rita.client.listConceptRelations(filter);
  expect(reply.status?.code).toBe(10000);
  return said(reply.conceptRelations);
};

describe('relations of concepts', () => {
  test('a hyponym reads as hypernym from its other side, and once without a side', async () => {
    const made = await rita.client.postConceptRelations({
      conceptId: 'honey',
      conceptRelations: [{ objectConcept: { id: 'food' }, predicate: 'hyponym' }],
    });
    expect(made.status?.code).toBe(10000);
    expect(made.conceptRelations[0]?.id).toMatch(/^[0-9a-f]{32}$/);
    expect(await list({ conceptId: 'honey' })).toEqual(['honey hyponym food']);
    expect(await list({ conceptId: 'food' })).toEqual(['food hypernym honey']);
    expect(await list({})).toEqual(['honey hyponym food']);
    expect(await list({ predicate: 'hypernym' })).toEqual(['food hypernym honey']);
    expect(await list({ conceptId: 'honey', predicate: 'hypernym' })).toEqual([]);
  });

  test('saying it again, or from the other side, changes nothing; the opposite is refused', async () => {
    const same = [
      ['honey', 'food', 'hyponym'],
      ['food', 'honey', 'hypernym'],
    ] as const;
    for (const [conceptId, id, predicate] of same) {
      const reply = await rita.client.postConceptRelations({
        conceptId,
        conceptRelations: [{ objectConcept: { id }, predicate }],
      });
      expect(said(reply.conceptRelations)).toEqual([`${conceptId} ${predicate} ${id}`]);
    }
    expect(await list({})).toHaveLength(1);
    const opposite = await rita.client.postConceptRelations({
      conceptId: 'food',
      conceptRelations: [{ objectConcept: { id: 'honey' }, predicate: 'hyponym' }],
    });
    expect(opposite.status).toMatchObject({ code: 40003 });
  });

  test('synonyms read the same from both sides, also when both say it', async () => {
    await rita.client.postConceptRelations({
      conceptId: 'puppy',
      conceptRelations: [{ objectConcept: { id: 'pup' }, predicate: 'synonym' }],
    });
    await rita.client.postConceptRelations({
      conceptId: 'pup',
      conceptRelations: [{ objectConcept: { id: 'puppy' }, predicate: 'synonym' }],
    });
    expect(await list({ conceptId: 'pup' })).toEqual(['pup synonym puppy']);
    expect(await list({ conceptId: 'puppy' })).toEqual(['puppy synonym pup']);
    expect(await list({ predicate: 'synonym' })).toEqual(['puppy synonym pup']);
  });

  test('unknown concepts, graphs, predicates and a concept with itself are refused, and nothing is kept', async () => {
    const post = async (objectId: string, predicate: string, knowledgeGraphId = '') =>
      (
        await rita.client.postConceptRelations({
          conceptId: 'animal',
          conceptRelations: [
            { objectConcept: { id: 'food' }, predicate: 'synonym' },
            { objectConcept: { id: objectId }, predicate, knowledgeGraphId },
          ],
        })
      ).status?.code;
    expect(await post('nothing', 'synonym')).toBe(11101);
    expect(await post('pup', 'cousin')).toBe(40003);
    expect(await post('animal', 'synonym')).toBe(40003);
    expect(await post('pup', 'synonym', 'no-graph')).toBe(11101);
    expect(await list({ conceptId: 'animal' })).toEqual([]);
    expect((await rita.client.listConceptRelations({ conceptId: 'nobody' })).status?.code).toBe(11101);
  });

  test('relations are deleted under either of their concepts, and unknown ids are ignored', async () => {
    const listed = await rita.client.listConceptRelations({ conceptId: 'pup' });
    const ids = [...listed.conceptRelations.map(({ id }) => id), 'unknown'];
    const reply = await rita.rest('DELETE', 'concepts/pup/relations', { ids });
    expect(reply.json.status.code).toBe(10000);
    expect(await list({ predicate: 'synonym' })).toEqual([]);
    expect((await rita.client.deleteConceptRelations({ conceptId: 'honey' })).status?.code).toBe(10000);
    expect(await list({})).toHaveLength(1);
  });
});

describe('knowledge graphs', () => {
  test('graphs are made once and listed; relations belong to the graph they name', async () => {
    const made = await rita.client.postKnowledgeGraphs({
      knowledgeGraphs: [{ id: 'zoo', name: 'Zoo', description: 'beasts' }],
    });
    expect(made.knowledgeGraphs).toMatchObject([{ id: 'zoo', name: 'Zoo', description: 'beasts' }]);
    const again = await rita.client.postKnowledgeGraphs({ knowledgeGraphs: [{ id: 'new' }, { id: 'zoo' }] });
    expect(again.status?.code).toBe(40010);
    expect((await rita.rest('GET', 'concepts/knowledge_graphs')).json.knowledge_graphs).toMatchObject([
      { id: 'zoo' },
    ]);
    expect((await rita.client.listKnowledgeGraphs({})).knowledgeGraphs).toEqual(made.knowledgeGraphs);
    await rita.client.postConceptRelations({
      conceptId: 'puppy',
      conceptRelations: [{ objectConcept: { id: 'animal' }, predicate: 'hyponym', knowledgeGraphId: 'zoo' }],
    });
    expect(await list({ knowledgeGraphId: 'zoo' })).toEqual(['puppy hyponym animal']);
  });

  test('a mapping job makes concepts synonyms of what the graph calls the same', async () => {
    await rita.client.postConcepts({
      concepts: [
        { id: 'c-1', name: 'Animal' },
        { id: 'c-2', name: 'Rock' },
      ],
    });
    const reply = await rita.client.postConceptMappingJobs({
      conceptMappingJobs: [{ knowledgeGraphId: 'zoo', conceptIds: ['c-1', 'c-2'] }],
    });
    expect(reply.ids).toHaveLength(1);
    const deadline = Date.now() + 15_000;
    const mapped = () => list({ knowledgeGraphId: 'zoo', predicate: 'synonym' });
    while ((await mapped()).length === 0 && Date.now() < deadline) await sleep(30);
    expect(await mapped()).toEqual(['c-1 synonym animal']);
    const unknown = await rita.client.postConceptMappingJobs({
      conceptMappingJobs: [{ knowledgeGraphId: 'zoo', conceptIds: ['nope'] }],
    });
    expect(unknown.status?.code).toBe(11101);
  });
});
