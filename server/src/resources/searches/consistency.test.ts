import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { tinyPng } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

/**
 * Tenants with the same ids, names, words and pictures write and search at the same time. What reads as processed
 * is found, what was deleted is not, and nobody sees a hit of the other.
 */

const rounds = Number(process.env.FOVEA_SEARCH_ROUNDS ?? 6);
const names = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank'].slice(
  0,
  Number(process.env.FOVEA_SEARCH_TENANTS ?? 2),
);

interface Tenant {
  readonly person: Person;
  readonly name: string;
}

async function tenant(name: string): Promise<Tenant> {
  return { person: await signedIn(name, { workflow: 'General' }), name };
}

const queries = [
  { ranks: [{ annotation: { inputId: 'anchor' } }] },
  { ranks: [{ annotation: { data: { concepts: [{ id: 'thing', value: 1 }] } } }] },
  { filters: [{ annotation: { data: { concepts: [{ name: 'Thing', value: 1 }] } } }] },
  { filters: [{ annotation: { data: { metadata: { kind: 'shared' } } } }] },
  { filters: [{ annotation: { data: { text: { raw: 'common words' } } } }] },
  { ranks: [{ annotation: { data: { text: { raw: 'common words' } } } }] },
  {
    filters: [{ annotation: { data: { concepts: [{ id: 'thing', value: 1 }] } } }],
    ranks: [{ annotation: { inputId: 'anchor' } }],
  },
  { filters: [{ input: { datasetIds: ['set'] } }] },
  {},
] as const;

/** Every hit is the tenant's own. */
async function search({ person, name }: Tenant): Promise<number> {
  let hits = 0;
  for (const query of queries) {
    for (const ask of ['postInputsSearches', 'postAnnotationsSearches'] as const) {
      const reply = await person.client[ask]({ foveaExplain: true, searches: [{ query: query as never }] });
      expect(reply.status?.code, `${JSON.stringify(query)} ${reply.status?.details}`).toBe(10000);
      for (const { userId, appId, input } of reply.hits) {
        expect([userId, appId]).toEqual([person.userId, person.appId]);
        expect(input?.data?.metadata?.owner, `${name} sees ${input?.id}`).toBe(name);
        hits += 1;
      }
    }
  }
  return hits;
}

/** What an app that holds `anchor` and `first-text` alone answers to each of the queries. */
const ofTheFirst: readonly (readonly string[])[] = [
  ['anchor'],
  ['anchor', 'first-text'],
  ['anchor'],
  ['anchor', 'first-text'],
  ['first-text'],
  ['first-text'],
  ['anchor'],
  ['anchor'],
  ['anchor', 'first-text'],
];

/**
 * A hit of another app is dropped when it is shown; what gives it away is that it took the place of an own one, or was
 * counted. So somebody who writes nothing is to find exactly the same, and as many, all the time.
 */
async function lookOn(one: Tenant): Promise<void> {
  for (const [n, query] of queries.entries()) {
    const wanted = ofTheFirst[n] as readonly string[];
    const searches = [{ query: query as never }];
    const words = `${one.name} asks for ${JSON.stringify(query)}`;
    expect((await foundIds(one, query)).sort(), words).toEqual(wanted);
    const few = await one.person.client.postInputsSearches({ searches, pagination: { page: 1, perPage: 2 } });
    expect(few.hits.length, words).toBe(wanted.length);
    const { hitCounts } = await one.person.client.postInputsSearches({ searches, onlyCount: true });
    expect(hitCounts, words).toMatchObject([{ estimatedTotal: BigInt(wanted.length) }]);
  }
}

async function foundIds({ person }: Tenant, query: object): Promise<string[]> {
  const reply = await person.client.postInputsSearches({
    searches: [{ query }],
    pagination: { page: 1, perPage: 1000 },
  });
  expect(reply.status?.details).toBe('');
  return reply.hits.map(({ input }) => input?.id ?? '');
}

async function processed({ person }: Tenant, ids: readonly string[]): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    const { inputs } = await person.client.listInputs({
      ids: [...ids],
      perPage: 1000,
      status: { code: 30000 },
    });
    if (inputs.length === ids.length) return;
    await sleep(50);
  }
  throw new Error('the inputs were not processed in time');
}

async function write(one: Tenant, round: number): Promise<void> {
  const { person, name } = one;
  const facts = {
    concepts: [{ id: 'thing', name: 'Thing', value: 1 }],
    metadata: { kind: 'shared', owner: name },
  };
  const pictures = [0, 1].map((n) => `p${round}-${n}`);
  const text = `t${round}`;
  const posted = await person.client.postInputs({
    inputs: [
      ...pictures.map((id, n) => ({
        id,
        datasetIds: ['set'],
        data: { image: { base64: tinyPng((round * 2 + n) % 256) }, ...facts },
      })),
      { id: text, datasetIds: ['set'], data: { text: { raw: `common words ${round}` }, ...facts } },
    ],
  });
  expect(posted.status?.code, posted.inputs.map(({ status }) => status?.details).join()).toBe(10000);
  const ids = [...pictures, text];
  await processed(one, ids);
  // Processed means findable, by every signal.
  expect(await foundIds(one, { ranks: [{ annotation: { inputId: pictures[0] } }] })).toEqual(
    expect.arrayContaining(pictures),
  );
  expect(
    await foundIds(one, { filters: [{ annotation: { data: { text: { raw: `words ${round}` } } } }] }),
  ).toContain(text);
  expect(await foundIds(one, { filters: [{ annotation: { data: { metadata: { owner: name } } } }] })).toEqual(
    expect.arrayContaining(ids),
  );
  const gone = [pictures[1] as string, text];
  await person.client.deleteInputs({ ids: gone });
  // Deleted means gone, at once and from every signal.
  for (const query of queries)
    for (const id of await foundIds(one, query)) expect(gone, JSON.stringify(query)).not.toContain(id);
}

test('tenants with the same ids, names and pictures never see each other, under load', async () => {
  const tenants: Tenant[] = [];
  for (const name of names) tenants.push(await tenant(name));
  const onlooker = await tenant('olga');
  for (const one of [...tenants, onlooker]) {
    const { client } = one.person;
    await client.postDatasets({ datasets: [{ id: 'set' }] });
    const metadata = { kind: 'shared', owner: one.name };
    const concepts = [{ id: 'thing', name: 'Thing', value: 1 }];
    await client.postInputs({
      inputs: [
        { id: 'anchor', datasetIds: ['set'], data: { image: { base64: tinyPng(200) }, concepts, metadata } },
        { id: 'first-text', data: { text: { raw: 'common words of the start' }, metadata } },
      ],
    });
    await processed(one, ['anchor', 'first-text']);
  }
  let isWriting = true;
  const readers = tenants.flatMap((one) =>
    [1, 2].map(async () => {
      let hits = 0;
      while (isWriting) hits += await search(one);
      return hits;
    }),
  );
  let looks = 0;
  const looking = (async () => {
    for (; isWriting; looks++) await lookOn(onlooker);
  })();
  try {
    await Promise.all(
      tenants.map(async (one) => {
        for (let round = 0; round < rounds; round++) await write(one, round);
      }),
    );
  } finally {
    isWriting = false;
  }
  await looking;
  expect(looks).toBeGreaterThan(0);
  for (const hits of await Promise.all(readers)) expect(hits).toBeGreaterThan(0);
  for (const one of tenants)
    expect((await foundIds(one, { ranks: [{ annotation: { inputId: 'anchor' } }] })).sort()).toEqual(
      ['anchor', ...Array.from({ length: rounds }, (_, round) => `p${round}-0`)].sort(),
    );
}, 600_000);
