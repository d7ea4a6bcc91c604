import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { pngOf } from '#testing/png.ts';

let alice: Person;
const labels = {
  p0: [{ id: 'cat', value: 1 }],
  p1: [{ id: 'cat', value: 1 }],
  p2: [{ id: 'dog', value: 1 }],
};

beforeAll(async () => {
  alice = await signedIn('alice', { workflow: 'General' });
  const ids = Array.from({ length: 30 }, (_, i) => `p${i}`);
  await uploadPictures(alice, ids, labels);
  // Red on the left, blue on the right: the region looks like no whole picture does.
  const row = Buffer.concat([
    Buffer.of(0),
    ...Array.from({ length: 16 }, (_, x) => (x < 8 ? Buffer.of(220, 20, 20) : Buffer.of(20, 20, 220))),
  ]);
  const base64 = pngOf(16, 16, new Array(16).fill(row));
  await alice.client.postInputs({ inputs: [{ id: 'two-tone', data: { image: { base64 } } }] });
  for (let tries = 0; tries < 300; tries++) {
    if ((await alice.client.getInput({ inputId: 'two-tone' })).input?.status?.code === 30000) return;
    await sleep(50);
  }
});

const similar = (inputId: string, negate = false) => ({ negate, annotation: { inputId } });
const named = (id: string) => ({ annotation: { data: { concepts: [{ id, value: 1 }] } } });

describe('the explain extension', () => {
  test('is silent for those who do not ask', async () => {
    const reply = await alice.client.postInputsSearches({
      searches: [{ query: { ranks: [similar('p0')] } }],
    });
    expect(reply.foveaExplain).toEqual([]);
    expect(reply.hits.every(({ foveaWhy }) => foveaWhy === undefined)).toBe(true);
  });

  test('tells the way that was taken, what was expected, and what each rank says of a hit', async () => {
    const reply = await alice.client.postInputsSearches({
      foveaExplain: true,
      searches: [
        { query: { filters: [named('cat')], ranks: [similar('p0'), { ...named('cat'), negate: true }] } },
      ],
    });
    expect(reply.status?.details).toBe('');
    const [explained] = reply.foveaExplain;
    expect(explained).toMatchObject({ way: 'filter_then_score', vectors: 31n, approximate: false });
    expect(explained?.estimatedShare).toBeCloseTo(2 / 31, 5);
    expect(reply.hits.map(({ input }) => input?.id)).toEqual(['p0', 'p1']);
    for (const { score, foveaWhy } of reply.hits) {
      const signals = foveaWhy?.signals ?? [];
      expect(signals.map(({ rank, kind }) => [rank, kind])).toEqual([
        [0, 'similar'],
        [1, 'concepts'],
      ]);
      expect(signals[1]).toMatchObject({ conceptId: 'cat', trusted: true, negated: true, score: 0 });
      expect(score).toBeCloseTo(((signals[0]?.score ?? 0) + (signals[1]?.score ?? 0)) / 2, 5);
    }
  });

  test('names that nothing is called are told', async () => {
    const reply = await alice.client.postInputsSearches({
      foveaExplain: true,
      searches: [
        { query: { filters: [{ annotation: { data: { concepts: [{ name: 'Yeti', value: 1 }] } } }] } },
      ],
    });
    expect(reply.hits).toEqual([]);
    expect(reply.foveaExplain[0]).toMatchObject({ way: 'read_then_order', unknownConcepts: ['Yeti'] });
  });

  test('a cut-off comes from a sample of the app, and the same picture passes it', async () => {
    const ask = () =>
      alice.client.postInputsSearches({
        foveaExplain: true,
        searches: [{ query: { ranks: [similar('p3')] } }],
      });
    // At once: whoever asks first does not ask in vain.
    const reply = await ask();
    const cutoff = reply.foveaExplain[0]?.cutoff;
    expect(cutoff).toMatchObject({ sampleSize: 31, modelVersionId: expect.stringMatching(/^\w{32}$/) });
    expect(cutoff?.score).toBeGreaterThan(cutoff?.median as number);
    expect(reply.hits[0]).toMatchObject({ input: { id: 'p3' }, foveaWhy: { isGoodMatch: true } });
    for (const { score, foveaWhy } of reply.hits)
      expect(foveaWhy?.isGoodMatch).toBe(score >= (cutoff?.score as number));
  });

  test('the time of each stage is told, and metrics sum it up', async () => {
    const reply = await alice.client.postInputsSearches({
      foveaExplain: true,
      searches: [{ query: { ranks: [similar('p3')], filters: [{ annotation: { trusted: true } }] } }],
    });
    const [told] = reply.foveaExplain;
    expect(told?.stages.map(({ name }) => name)).toEqual([
      'names',
      'direction',
      'index',
      'estimate',
      'matches',
      'vectors',
      'owners',
      'show',
    ]);
    expect(told?.stages.every(({ milliseconds }) => milliseconds >= 0)).toBe(true);
    expect(Number(told?.looked)).toBeGreaterThan(0);
    const metrics = await (await fetch(`${alice.url}/metrics`)).text();
    expect(metrics).toMatch(/fovea_searches_total\{way="filter_then_score"\} [1-9]/);
    expect(metrics).toMatch(/fovea_search_stage_seconds_count\{stage="vectors"\} [1-9]/);
  });

  test('over REST it is asked for by name, and a search by id explains itself too', async () => {
    await alice.client.postInputsSearches({
      searches: [{ id: 'saved', save: true, query: { ranks: [named('dog')] } }],
    });
    const { json } = await alice.rest('POST', 'searches/saved', { fovea_explain: true });
    expect(json.fovea_explain[0].way).toBe('score_in_database');
    expect(json.hits[0]).toMatchObject({
      input: { id: 'p2' },
      fovea_why: { signals: [{ kind: 'concepts', score: 1, concept_id: 'dog', trusted: true }] },
    });
    const { json: annotations } = await alice.rest('POST', 'annotations/searches', {
      fovea_explain: true,
      searches: [{ query: { ranks: [{ annotation: { input_id: 'p0' } }] } }],
    });
    expect(annotations.fovea_explain[0].way).toBe('nearest');
  });
});

describe('words', () => {
  beforeAll(async () => {
    await alice.client.postInputs({
      inputs: [
        { id: 't-en', data: { text: { raw: 'Two satisfied customers were running home' } } },
        { id: 't-ja', data: { text: { raw: '東京都の天気は晴れです' } } },
      ],
    });
    await alice.client.postAnnotations({
      annotations: [
        {
          inputId: 'p5',
          data: {
            regions: [
              {
                regionInfo: { boundingBox: { topRow: 0, leftCol: 0, bottomRow: 0.5, rightCol: 0.5 } },
                data: { text: { raw: 'EXIT to the customers lounge' } },
              },
            ],
          },
        },
      ],
    });
    for (let tries = 0; tries < 300; tries++) {
      const { inputs } = await alice.client.listInputs({ ids: ['t-en', 't-ja'], status: { code: 30000 } });
      if (inputs.length === 2) return;
      await sleep(50);
    }
    throw new Error('the texts were not processed');
  });

  const found = async (raw: string, as: 'filter' | 'rank') => {
    const term = { annotation: { data: { text: { raw } } } };
    const query = as === 'filter' ? { filters: [term] } : { ranks: [term] };
    const reply = await alice.client.postInputsSearches({ searches: [{ query }] });
    expect(reply.status?.details).toBe('');
    return reply.hits.map(({ input, score }) => [input?.id, score]);
  };

  test.each([
    ['satisfy', ['t-en']],
    ['run customer', ['t-en']],
    ['customers', ['p5', 't-en']],
    ['customers -exit', ['t-en']],
    ['"exit to"', ['p5']],
    ['天気', ['t-ja']],
    ['京都', ['t-ja']],
    ['大阪', []],
    ["'; drop table inputs; --", []],
  ])('a filter by %s looks in texts and in what was read from pictures', async (raw, ids) => {
    expect((await found(raw, 'filter')).map(([id]) => id)).toEqual(ids);
  });

  test('a rank scores the share of the words that are found, and leaves out what has none', async () => {
    expect(await found('the exit for customers', 'rank')).toEqual([
      ['p5', 1],
      ['t-en', 0.5],
    ]);
  });

  test('without any text in the app, the way to a model that reads text is told', async () => {
    const bob = await signedIn('bob');
    await uploadPictures(bob, ['only']);
    const ranks = [{ annotation: { data: { text: { raw: 'a red car' } } } }];
    const reply = await bob.client.postInputsSearches({ searches: [{ query: { ranks } }] });
    expect(reply.status?.code).toBe(40002);
    expect(reply.status?.details).toContain('fovea models pull');
  });

  test('words of an annotation follow its changes', async () => {
    const posted = await alice.client.postAnnotations({
      annotations: [{ inputId: 'p6', data: { text: { raw: 'first wording' } } }],
    });
    const id = posted.annotations[0]?.id ?? '';
    expect(await found('wording', 'filter')).toEqual([['p6', 1]]);
    await alice.client.patchAnnotations({
      action: 'overwrite',
      annotations: [{ id, inputId: 'p6', data: { text: { raw: 'second thoughts' } } }],
    });
    expect(await found('wording', 'filter')).toEqual([]);
    expect(await found('thought', 'filter')).toEqual([['p6', 1]]);
    await alice.client.deleteAnnotation({ inputId: 'p6', annotationId: id });
    expect(await found('thought', 'filter')).toEqual([]);
  });
});

describe('other ways to rank', () => {
  test('by a region of a picture, and hits by a region show it', async () => {
    const posted = await alice.client.postAnnotations({
      annotations: [
        {
          inputId: 'two-tone',
          data: {
            regions: [
              { regionInfo: { boundingBox: { topRow: 0, leftCol: 0, bottomRow: 1, rightCol: 0.5 } } },
            ],
          },
        },
      ],
    });
    expect(posted.annotations[0]?.status).toMatchObject({ code: 24150, details: '' });
    const annotation = { inputId: 'two-tone', id: posted.annotations[0]?.id ?? '' };
    const ask = () =>
      alice.client.postAnnotationsSearches({ searches: [{ query: { ranks: [{ annotation }] } }] });
    let reply = await ask();
    for (let tries = 0; tries < 300 && reply.status?.code === 43004; tries++) {
      await sleep(50);
      reply = await ask();
    }
    expect(reply.status?.details).toBe('');
    const own = reply.hits.find((hit) => hit.annotation?.id === annotation.id);
    expect(own?.score).toBeGreaterThan(0.999);
    const inputs = await alice.client.postInputsSearches({
      searches: [{ query: { ranks: [{ annotation }] } }],
    });
    const [hit] = inputs.hits;
    expect(hit?.input?.id).toBe('two-tone');
    expect(hit?.annotation?.data?.regions).toHaveLength(1);
  });

  test('by what labelled pictures have in common', async () => {
    const ask = (id: string) =>
      alice.client.postInputsSearches({
        searches: [{ algorithm: 'avg_concept_brute_force', query: { ranks: [named(id)] } }],
      });
    const reply = await ask('dog');
    expect(reply.hits[0]).toMatchObject({ input: { id: 'p2' } });
    expect(reply.hits[0]?.score).toBeGreaterThan(0.999);
    expect(reply.hits.length).toBeGreaterThan(30);
    expect((await ask('yeti')).status?.code).toBe(43004);
    // Labelled afterwards: an annotation of its own says it, without a vector of its own.
    const later = { data: { concepts: [{ id: 'bird', value: 1 }] } };
    const posted = await alice.client.postAnnotations({
      annotations: [
        { inputId: 'p20', ...later },
        { inputId: 'p20', ...later },
      ],
    });
    expect(posted.status?.code).toBe(10000);
    const birds = await ask('bird');
    expect([birds.status?.details, birds.hits[0]?.input?.id]).toEqual(['', 'p20']);
    expect(birds.hits[0]?.score).toBeGreaterThan(0.999);
  });

  test('a concept search tells what can be ranked by', async () => {
    await alice.client.postConcepts({ concepts: [{ id: 'never-seen' }] });
    const rankableModel = { id: 'general-image-embedding', userId: 'clarifai', appId: 'main' };
    const { concepts } = await alice.client.postConceptsSearches({
      conceptQuery: { name: '*' },
      extraInfo: { rankableModel },
    });
    const byId = new Map(concepts.map(({ id, extraInfo }) => [id, extraInfo?.isRankable]));
    expect([byId.get('dog'), byId.get('never-seen')]).toEqual([true, false]);
  });

  test('an hour ago there was nothing, and the future is not known', async () => {
    const at = (seconds: number) => ({ seconds: BigInt(Math.floor(Date.now() / 1000) + seconds) });
    const ask = (asOf: object) =>
      alice.client.postInputsSearches({ searches: [{ asOf, query: {} } as never] });
    expect((await ask(at(-3600))).hits).toEqual([]);
    expect((await ask(at(0))).hits.length).toBeGreaterThan(25);
    expect((await ask(at(3600))).status?.code).toBe(40002);
  });
});
