import { beforeAll, describe, expect, test } from 'vitest';
import { type Person, signedIn } from '#testing/people.ts';

/** Models, workflows, apps, datasets and concepts by words and patterns: tables of SEMANTICS 3.4. */

let alice: Person;
let ownApps: { userId: string; appId: string };
const described = {
  'satisfied-cats': { description: 'Happy animals', notes: 'runs at night' },
  'general-hats': { description: 'it satisfies everybody', notes: '' },
  'other-shoes': { description: 'a percent: 100% wool', notes: 'the satisfying kind' },
  clarity: { description: '', notes: 'sees a_b' },
} as const;
const all = Object.entries(described).map(([id, words]) => ({ id, ...words }));
const embedder = { id: 'general-image-embedding', userId: 'clarifai', appId: 'main' };

const ok = (status: { code: number; details: string } | undefined) =>
  expect([status?.code, status?.details]).toEqual([10000, '']);

beforeAll(async () => {
  alice = await signedIn('names');
  const { client } = alice;
  ownApps = { userId: alice.userId, appId: '' };
  for (const one of all) ok((await client.postModels({ models: [one] })).status);
  for (const one of all)
    ok(
      (await client.postWorkflows({ workflows: [{ ...one, nodes: [{ id: 'n', model: embedder }] }] })).status,
    );
  ok((await client.postDatasets({ datasets: all })).status);
  for (const one of all) ok((await client.postApps({ userAppId: ownApps, apps: [one] })).status);
  ok(
    (
      await client.postConcepts({
        concepts: [
          { id: 'person', name: 'Person' },
          { id: 'building', name: 'Great Building' },
          { id: 'percent', name: '100% wool' },
          { id: 'under', name: 'a_b' },
        ],
      })
    ).status,
  );
  for (const [conceptId, id, name] of [
    ['person', 'ja', '人間'],
    ['building', 'ja', '建物'],
    ['person', 'de', 'Mensch'],
    ['building', 'ru', 'Здание'],
    ['person', 'ar', 'شخص'],
  ] as const)
    ok((await client.postConceptLanguages({ conceptId, conceptLanguages: [{ id, name }] })).status);
});

const cats = 'satisfied-cats';
const hats = 'general-hats';
const shoes = 'other-shoes';

describe.each<[string, (ask: object) => Promise<readonly { id: string }[]>]>([
  ['ListModels', async (ask) => told(await alice.client.listModels(ask), 'models')],
  ['ListWorkflows', async (ask) => told(await alice.client.listWorkflows(ask), 'workflows')],
  ['ListApps', async (ask) => told(await alice.client.listApps({ userAppId: ownApps, ...ask }), 'apps')],
  ['ListDatasets', async (ask) => told(await alice.client.listDatasets(ask), 'datasets')],
])('%s by words', (rpc, list) => {
  test.each<[string, string, readonly string[]]>([
    ['another form of the word', 'satisfy', [cats, hats, shoes]],
    ['in capitals', 'SATISFY', [cats, hats, shoes]],
    ['the beginning of a word', 'clari', ['clarity']],
    ['a word of the description', 'animals', [cats]],
    ['a word of the notes', 'night', [cats]],
    ['two words, both', 'satisfied hats', [hats]],
    ['words that nothing holds together', 'night wool', []],
    ['no word at all', 'zebra', []],
    ['signs that patterns are made of', '%', []],
  ])('%s', async (_, search, wanted) => {
    const found = (await list({ search })).map(({ id }) => id).filter((id) => id in described);
    // Signs say nothing: such a search asks for nothing, or finds nothing.
    if (search === '%') expect([0, all.length]).toContain(found.length);
    else expect([...found].sort(), rpc).toEqual([...wanted].sort());
  });
});

describe('older ways to say it', () => {
  test.each<[string, string, object, readonly string[]]>([
    ['ListModels', 'either word', { query: 'cats OR hats' }, [cats, hats]],
    ['ListModels', 'one without the other', { query: 'satisfied -hats' }, [cats, shoes]],
    ['ListModels', 'the beginning of a name', { name: 'gen*' }, [hats]],
    ['ListModels', 'the middle of a name', { name: '*AT*' }, [cats, hats]],
    ['ListModels', 'a sign that means itself', { name: '%' }, []],
    ['ListWorkflows', 'either word', { query: 'cats OR hats' }, [cats, hats]],
    ['ListWorkflows', 'the beginning of an id', { id: 'gen*' }, [hats]],
    ['ListWorkflows', 'a term', { searchTerm: 'hats' }, [hats]],
    ['ListApps', 'the beginning of an id', { id: 'gen*' }, [hats]],
    ['ListApps', 'the beginning of a name', { name: 'oth*' }, [shoes]],
    ['ListDatasets', 'a part of an id', { id: 'AT' }, [cats, hats]],
  ])('%s: %s', async (rpc, _, ask, wanted) => {
    const { client } = alice;
    const found =
      rpc === 'ListModels'
        ? told(await client.listModels(ask), 'models')
        : rpc === 'ListWorkflows'
          ? told(await client.listWorkflows(ask), 'workflows')
          : rpc === 'ListApps'
            ? told(await client.listApps({ userAppId: ownApps, ...ask }), 'apps')
            : told(await client.listDatasets(ask), 'datasets');
    expect(
      found
        .map(({ id }) => id)
        .filter((id) => id in described)
        .sort(),
    ).toEqual([...wanted].sort());
  });
});

describe('searches by a pattern', () => {
  test.each<[string, readonly string[]]>([
    ['gen*', [hats]],
    ['*AT*', [cats, hats]],
    ['general-hats', [hats]],
    ['gen?ral*', []],
    ['*%*', []],
    ['gen\\*', []],
    ['nothing*', []],
  ])('PostModelsSearches and PostAppsSearches: %s', async (name, wanted) => {
    const models = told(await alice.client.postModelsSearches({ modelQuery: { name } }), 'models');
    const apps = told(
      await alice.client.postAppsSearches({ userAppId: ownApps, appQuery: { name } }),
      'apps',
    );
    for (const found of [models, apps])
      expect(
        found
          .map(({ id }) => id)
          .filter((id) => id in described)
          .sort(),
      ).toEqual([...wanted].sort());
  });

  test.each<[string, string, readonly string[]]>([
    ['Person', '', ['person']],
    ['person*', '', ['person']],
    ['*build*', '', ['building']],
    ['*BUILD*', 'en', ['building']],
    ['人*', 'ja', ['person']],
    ['*物', 'ja', ['building']],
    ['人*', 'en', []],
    ['Mens*', 'de', ['person']],
    ['*дан*', 'ru', ['building']],
    ['شخ*', 'ar', ['person']],
    ['100%*', '', ['percent']],
    ['a_*', '', ['under']],
    ['_*', '', []],
    ['zebra*', '', []],
  ])('PostConceptsSearches: %s in “%s”', async (name, language, wanted) => {
    const { concepts, status } = await alice.client.postConceptsSearches({
      conceptQuery: { name, language },
    });
    ok(status);
    expect(concepts.map(({ id }) => id).sort()).toEqual([...wanted].sort());
  });

  test.each<[string, readonly string[]]>([
    ['ERSO', ['person']],
    ['wool', []],
    ['under', ['under']],
  ])('ListConcepts by a part of the id: %s', async (id, wanted) => {
    const { concepts } = await alice.client.listConcepts({ id });
    expect(concepts.map((one) => one.id)).toEqual(wanted);
  });
});

/** The list of a reply. */
function told(reply: unknown, field: string): readonly { id: string }[] {
  const { status, ...lists } = reply as { status: { code: number; details: string } } & Record<
    string,
    { id: string }[]
  >;
  ok(status);
  return lists[field] as { id: string }[];
}
