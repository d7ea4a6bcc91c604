import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Person, signedIn } from '#testing/people.ts';
import { dice, type Shape, shapesPng } from '#testing/shapes.ts';
import { processed, trainedVersion } from '#testing/training.ts';

const kinds = ['disc', 'square', 'cross'] as const;

/** Pictures of one shape each, the kinds in turn. */
function single(seed: number, count: number): { kind: string; png: Buffer }[] {
  const random = dice(seed);
  return Array.from({ length: count }, (_, i) => {
    const kind = kinds[i % kinds.length] as Shape['kind'];
    const size = 0.4 + random() * 0.3;
    const place = () => 0.05 + random() * (0.9 - size);
    const colour = [random() * 255, random() * 255, random() * 255] as const;
    return { kind, png: shapesPng([{ kind, left: place(), top: place(), size, colour }], random, 96) };
  });
}

async function upload(person: Person, all: { kind?: string; png: Buffer }[]) {
  for (let at = 0; at < all.length; at += 30) {
    const { status } = await person.client.postInputs({
      inputs: all.slice(at, at + 30).map(({ kind, png }, i) => ({
        id: `p${at + i}`,
        data: { image: { base64: png }, concepts: kind ? [{ id: kind, value: 1 }] : [] },
      })),
    });
    expect(status?.code).toBe(10000);
  }
  await processed(person, all.length);
}

async function ask(person: Person, modelId: string, pngs: Buffer[]) {
  const { outputs, status } = await person.client.postModelOutputs({
    modelId,
    inputs: pngs.map((base64) => ({ data: { image: { base64 } } })),
  });
  expect(status?.code, status?.details).toBe(10000);
  return outputs.map((output) => output.data);
}

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);

/** How often the nearest other vector is of the same kind. */
function recallAtOne(vectors: number[][], labels: string[]): number {
  const hits = vectors.filter((vector, i) => {
    const others = [...vectors.keys()].filter((j) => j !== i);
    const nearest = others.reduce((best, j) =>
      dot(vector, vectors[j] as number[]) > dot(vector, vectors[best] as number[]) ? j : best,
    );
    return labels[nearest] === labels[i];
  });
  return hits.length / vectors.length;
}

test('an embedder brings pictures of one concept together, new pictures too', async () => {
  const alice = await signedIn('alice', { workflow: 'General' });
  await upload(alice, single(1, 120));
  await alice.client.postModels({ models: [{ id: 'near', modelTypeId: 'visual-embedder' }] });
  const { version } = await trainedVersion(alice, 'near', {
    trainInfo: { params: { template: 'Clarifai_ResNet_AngularMargin' } },
  });
  expect(version?.status?.code, version?.status?.details).toBe(21100);
  const tests = single(50, 60);
  const labels = tests.map((one) => one.kind);
  const vectorsOf = async (person: Person | Person['client'], modelId: string) => {
    const client = 'client' in person ? person.client : person;
    const { outputs } = await client.postModelOutputs({
      modelId,
      inputs: tests.map(({ png }) => ({ data: { image: { base64: png } } })),
    });
    return outputs.map((output) => output.data?.embeddings[0]?.vector ?? []);
  };
  const before = await vectorsOf(alice.as({ userId: 'clarifai', appId: 'main' }), 'general-image-embedding');
  const after = await vectorsOf(alice, 'near');
  expect(after[0]).toHaveLength(128);
  expect(dot(after[0] as number[], after[0] as number[])).toBeCloseTo(1, 4);
  expect(recallAtOne(after, labels)).toBeGreaterThan(0.85);
  expect(recallAtOne(after, labels)).toBeGreaterThanOrEqual(recallAtOne(before, labels));
}, 240_000);

test('an embedder of one concept alone has nothing to tell apart', async () => {
  const alice = await signedIn('alice', { workflow: 'General' });
  await upload(
    alice,
    single(1, 9).map((one) => ({ ...one, kind: 'disc' })),
  );
  await alice.client.postModels({ models: [{ id: 'one', modelTypeId: 'visual-embedder' }] });
  expect((await trainedVersion(alice, 'one')).version?.status?.code).toBe(21112);
});

test('a clusterer sorts what looks alike into one group, without labels', async () => {
  const alice = await signedIn('alice', { workflow: 'General' });
  const shades = (seed: number, count: number) => {
    const random = dice(seed);
    const looks = [
      { kind: 'disc', colour: [230, 30, 30] },
      { kind: 'square', colour: [30, 30, 230] },
      { kind: 'cross', colour: [250, 250, 250] },
    ] as const;
    return Array.from({ length: count }, (_, i) => {
      const look = looks[i % looks.length] as (typeof looks)[number];
      const shape = { ...look, left: 0.2 + random() * 0.05, top: 0.2 + random() * 0.05, size: 0.55 };
      return { kind: look.kind as string, png: shapesPng([shape], random, 96) };
    });
  };
  await upload(
    alice,
    shades(3, 60).map(({ png }) => ({ png })),
  );
  await alice.client.postModels({ models: [{ id: 'groups', modelTypeId: 'clusterer' }] });
  const { version } = await trainedVersion(alice, 'groups', {
    trainInfo: { params: { coarse_clusters: 3 } },
  });
  expect(version?.status?.code, version?.status?.details).toBe(21100);
  expect(version?.totalInputCount).toBe(60);
  const tests = shades(70, 45);
  const said = await ask(
    alice,
    'groups',
    tests.map((one) => one.png),
  );
  const groups = new Map<string, string[]>();
  said.forEach((data, i) => {
    const cluster = data?.clusters[0];
    expect(cluster?.id).toMatch(/^\d+_\d+$/);
    expect(cluster?.projection).toHaveLength(2);
    const coarse = cluster?.id.split('_')[0] as string;
    groups.set(coarse, [...(groups.get(coarse) ?? []), tests[i]?.kind as string]);
  });
  const most = [...groups.values()].map((own) =>
    Math.max(...kinds.map((kind) => own.filter((one) => one === kind).length)),
  );
  expect(most.reduce((sum, n) => sum + n, 0) / tests.length).toBeGreaterThan(0.85);
  const wrong = await trainedVersion(alice, 'groups', { trainInfo: { params: { coarse_clusters: 'many' } } });
  expect(wrong.version?.status?.code).toBe(21118);
}, 240_000);

test('what is unusual shows in a heatmap and in a value, learned from usual pictures alone', async () => {
  const alice = await signedIn('alice');
  /** A grid of four discs; where `isOdd`, one of them is a cross of another colour. */
  const board = (random: () => number, isOdd: boolean) => {
    const odd = Math.floor(random() * 4);
    return [0, 1, 2, 3].map((i): Shape => {
      const isThis = isOdd && i === odd;
      return {
        kind: isThis ? 'cross' : 'disc',
        left: 0.08 + (i % 2) * 0.46,
        top: 0.08 + Math.floor(i / 2) * 0.46,
        size: 0.36,
        colour: isThis ? [40, 160, 60] : [220, 40, 40],
      };
    });
  };
  const random = dice(5);
  await upload(
    alice,
    Array.from({ length: 40 }, () => ({ png: shapesPng(board(random, false), random, 128) })),
  );
  await alice.client.postModels({ models: [{ id: 'odd', modelTypeId: 'visual-anomaly-heatmap' }] });
  const { version } = await trainedVersion(alice, 'odd');
  expect(version?.status?.code, version?.status?.details).toBe(21100);
  const fresh = dice(500);
  const usual = await ask(
    alice,
    'odd',
    Array.from({ length: 20 }, () => shapesPng(board(fresh, false), fresh, 128)),
  );
  const odd = await ask(
    alice,
    'odd',
    Array.from({ length: 20 }, () => shapesPng(board(fresh, true), fresh, 128)),
  );
  const oddness = (data: (typeof usual)[number]) => data?.concepts[0]?.value ?? -1;
  const pairs = odd.flatMap((o) => usual.map((u) => (oddness(o) > oddness(u) ? 1 : 0)));
  // The area under the ROC curve is how often an odd picture is found odder than a usual one.
  expect(pairs.reduce((sum: number, one) => sum + one, 0) / pairs.length).toBeGreaterThan(0.9);
  expect(usual.filter((data) => oddness(data) < 0.5).length).toBeGreaterThanOrEqual(18);
  expect(odd[0]?.concepts[0]?.id).toBe('anomaly');
  const heat = Buffer.from(odd[0]?.heatmaps[0]?.base64 ?? []);
  expect([heat.readUInt32BE(16), heat.readUInt32BE(20)]).toEqual([320, 320]);
}, 240_000);

describe('a text classifier', () => {
  const topics = {
    weather: ['rain', 'sun', 'cloud', 'storm', 'wind', 'snow', 'forecast', 'thunder', 'temperature', 'fog'],
    kitchen: ['pan', 'oven', 'recipe', 'salt', 'butter', 'onion', 'knife', 'boil', 'garlic', 'soup'],
    travel: [
      'train',
      'ticket',
      'hotel',
      'airport',
      'luggage',
      'passport',
      'station',
      'flight',
      'map',
      'journey',
    ],
  };
  const fillers = ['the', 'we', 'had', 'a', 'very', 'and', 'then', 'some', 'with', 'today', 'it', 'was'];
  const texts = (seed: number, count: number) => {
    const random = dice(seed);
    const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] as string;
    return Array.from({ length: count }, (_, i) => {
      const topic = Object.keys(topics)[i % 3] as keyof typeof topics;
      const raw = Array.from({ length: 14 }, () =>
        random() < 0.25 ? pick(topics[topic]) : pick(fillers),
      ).join(' ');
      return { topic, raw };
    });
  };

  test('tells topics apart by their words', async () => {
    const alice = await signedIn('alice');
    const all = texts(1, 120);
    const { status } = await alice.client.postInputs({
      inputs: all.map(({ topic, raw }, i) => ({
        id: `t${i}`,
        data: { text: { raw }, concepts: [{ id: topic, value: 1 }] },
      })),
    });
    expect(status?.code).toBe(10000);
    await processed(alice, all.length);
    await alice.client.postModels({ models: [{ id: 'topics', modelTypeId: 'text-classifier' }] });
    const { version } = await trainedVersion(alice, 'topics', {
      trainInfo: { params: { template: 'HuggingFace_AdvancedConfig' } },
    });
    expect(version?.status?.code, version?.status?.details).toBe(21100);
    expect(JSON.stringify(version?.metadata)).toContain('language model');
    const tests = texts(900, 60);
    const { outputs } = await alice.client.postModelOutputs({
      modelId: 'topics',
      inputs: tests.map(({ raw }) => ({ data: { text: { raw } } })),
    });
    const right = outputs.filter((output, i) => output.data?.concepts[0]?.id === tests[i]?.topic).length;
    expect(right / tests.length).toBeGreaterThan(0.85);
    const wrong = await alice.client.postModelOutputs({
      modelId: 'topics',
      inputs: [{ data: { image: { base64: single(1, 1)[0]?.png as Buffer } } }],
    });
    expect(wrong.status?.code).toBe(21202);
  }, 120_000);

  test('does not learn from pictures', async () => {
    const alice = await signedIn('alice');
    await upload(alice, single(1, 6));
    await alice.client.postModels({ models: [{ id: 'topics', modelTypeId: 'text-classifier' }] });
    expect((await trainedVersion(alice, 'topics')).version?.status?.code).toBe(21110);
  });
});

test('a type that needs a trainer of its own is refused, and nothing is made', async () => {
  const alice = await signedIn('alice');
  await alice.client.postModels({ models: [{ id: 'writer', modelTypeId: 'text-to-text' }] });
  const { status } = await alice.client.postModelVersions({ modelId: 'writer', modelVersions: [{}] });
  expect(status?.code).toBe(10040);
  expect(status?.details).toContain('graphics card');
  expect((await alice.client.listModelVersions({ modelId: 'writer' })).modelVersions).toHaveLength(1);
});

const clothing = join(import.meta.dirname, '../../../../../shared/data/clothing');

describe.skipIf(!existsSync(clothing))(
  'on real photographs of clothing (skipped where the folder is absent)',
  () => {
    test('a classifier is right far more often than by chance', async () => {
      const alice = await signedIn('alice', { workflow: 'General' });
      const read = (part: string, most: number) =>
        readdirSync(join(clothing, part)).flatMap((kind) =>
          readdirSync(join(clothing, part, kind))
            .sort()
            .slice(0, most)
            .map((file) => ({ kind, png: readFileSync(join(clothing, part, kind, file)) })),
        );
      const train = read('train', 30);
      await upload(alice, train);
      await alice.client.postModels({ models: [{ id: 'clothes', modelTypeId: 'visual-classifier' }] });
      const { version } = await trainedVersion(alice, 'clothes', {
        outputInfo: { outputConfig: { conceptsMutuallyExclusive: true } },
      });
      expect(version?.status?.code, version?.status?.details).toBe(21100);
      const tests = read('test', 10);
      const said = await ask(
        alice,
        'clothes',
        tests.map((one) => one.png),
      );
      const right = said.filter((data, i) => data?.concepts[0]?.id === tests[i]?.kind).length;
      expect(right / tests.length).toBeGreaterThan(0.5);
    }, 240_000);
  },
);
