import { setTimeout as sleep } from 'node:timers/promises';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Search, SearchSchema } from '@fovea/contract';
import type { Person } from '#testing/people.ts';
import { pngOf } from '#testing/png.ts';
import type { World, WorldAnnotation, WorldInput } from './naive.testing.ts';

/** A source of chance that a seed repeats: mulberry32. */
export class Chance {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  /** 0 <= x < 1 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  below(n: number): number {
    return Math.floor(this.next() * n);
  }
  is(share: number): boolean {
    return this.next() < share;
  }
  one<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
  some<T>(items: readonly T[], most: number): T[] {
    return Array.from({ length: 1 + this.below(most) }, () => this.one(items));
  }
}

// biome-ignore lint/suspicious/noExplicitAny: parts of messages, put together by chance; the server checks them
type Part = any;

const colours = [
  [220, 30, 30],
  [30, 200, 40],
  [40, 60, 220],
  [230, 220, 40],
  [15, 15, 15],
] as const;
/** Words without stems other than themselves. */
const words = ['zorp', 'blick', 'quon', 'vard', 'mub', 'plit'];
const concepts = ['ant', 'bee', 'cat', 'dog'];
const names = new Map(concepts.map((id) => [id, id.toUpperCase()]));
const datasets = ['d1', 'd2'];
const embedder = { id: 'general-image-embedding', appId: 'main', userId: 'clarifai' };
const places = [
  { longitude: 179.5, latitude: 10 },
  { longitude: -179.5, latitude: 11 },
  { longitude: 10, latitude: 50 },
  { longitude: 10.4, latitude: 50.2 },
  { longitude: 0, latitude: 89 },
];
const boxes = {
  whole: { topRow: 0, leftCol: 0, bottomRow: 1, rightCol: 1 },
  left: { topRow: 0, leftCol: 0, bottomRow: 1, rightCol: 0.5 },
} as const;
const metadatas = [
  { shop: 'a' },
  { shop: 'b', size: 3 },
  { nested: { tags: ['x', 'y'], deep: { on: true } } },
  { nested: { tags: ['y'] }, 'odd "key"': null },
];
const tasks = ['t1', 't2'];
const statuses = [24150, 24151, 24158];
const marks = ['m1', 'm2'];

/** 16 pixels square: one colour on the left, another on the right. */
function picture(left: number, right: number, width = 16): Buffer {
  const row = Buffer.concat([
    Buffer.of(0),
    ...Array.from({ length: width }, (_, x) =>
      Buffer.from(colours[x < 8 ? left : right] as readonly number[]),
    ),
  ]);
  return pngOf(
    width,
    16,
    Array.from({ length: 16 }, () => row),
  );
}

/** A small app full of everything that searches ask for, and what is known of it. */
export class RandomApp {
  readonly #person: Person;
  readonly #chance: Chance;
  readonly #pictures = new Map<string, { left: number; right: number }>();
  readonly #texts = new Map<string, string>();
  readonly #members = new Map<string, string[]>();
  readonly #vectors = new Map<string, Float32Array>();
  modelVersionId = '';

  constructor(person: Person, chance: Chance) {
    this.#person = person;
    this.#chance = chance;
  }

  async fill(inputCount: number): Promise<void> {
    const { client } = this.#person;
    await client.postDatasets({ datasets: datasets.map((id) => ({ id })) });
    await client.postConcepts({ concepts: concepts.map((id) => ({ id, name: names.get(id) ?? '' })) });
    await client.postConceptLanguages({
      conceptId: 'cat',
      conceptLanguages: [{ id: 'fr', name: 'CHAT' }],
    });
    const models = this.#person.as({ userId: 'clarifai', appId: 'main' });
    const found = await models.getModel({ modelId: 'general-image-embedding' });
    this.modelVersionId = found.model?.modelVersion?.id ?? '';
    // Vectors only: what a classifier says would come while we compare.
    const model = embedder;
    const made = await client.postWorkflows({
      workflows: [{ id: 'embed', nodes: [{ id: 'embed', model }] }],
    });
    if (made.status?.code !== 10000) throw new Error(`no workflow: ${made.status?.details}`);
    const patched = await client.patchApps({
      userAppId: { userId: this.#person.userId, appId: '' },
      action: 'overwrite',
      apps: [
        {
          id: this.#person.appId,
          defaultWorkflow: { id: 'embed', appId: this.#person.appId, userId: this.#person.userId },
        },
      ],
    });
    if (patched.status?.code !== 10000) throw new Error(`no base workflow: ${patched.status?.details}`);
    await this.#learnVectors();
    const ids = Array.from({ length: inputCount }, (_, i) => `i${i}`);
    const posted = await client.postInputs({ inputs: ids.map((id) => this.#input(id)) });
    for (const { id, status } of posted.inputs)
      if (status?.code !== 30001 && status?.code !== 30000) throw new Error(`${id}: ${status?.details}`);
    await this.#until(async () => {
      const { inputs } = await client.listInputs({ perPage: 1000 });
      return inputs.every(({ status }) => status?.code !== 30001 && status?.code !== 30003);
    });
    await this.annotate(inputCount);
  }

  async annotate(count: number): Promise<void> {
    const { client } = this.#person;
    const { inputs } = await client.listInputs({ perPage: 1000, status: { code: 30000 } });
    const ids = inputs.map(({ id }) => id);
    const reply = await client.postAnnotations({
      annotations: Array.from({ length: count }, () => this.#annotation(this.#chance.one(ids))),
    });
    for (const { status, data } of reply.annotations)
      if (!status || status.code < 24150 || status.code === 24155)
        throw new Error(`an annotation was refused: ${status?.details} ${JSON.stringify(data)}`);
    for (const annotation of reply.annotations) {
      if (!annotation.data?.regions[0]?.regionInfo?.boundingBox || !this.#pictures.has(annotation.inputId))
        continue;
      const rank = { annotation: { inputId: annotation.inputId, id: annotation.id } };
      await this.#until(async () => {
        const asked = await client.postInputsSearches({ searches: [{ query: { ranks: [rank] } }] });
        return asked.status?.code === 10000;
      });
    }
  }

  /** Deletes and changes a little of everything. */
  async change(): Promise<void> {
    const { client } = this.#person;
    const { annotations } = await client.listAnnotations({
      listAllAnnotations: true,
      returnModelOutput: true,
      perPage: 1000,
    });
    const own = annotations.filter(({ inputLevel, trusted }) => !inputLevel && trusted);
    for (const { id, inputId } of this.#chance.some(own, 3))
      await client.deleteAnnotation({ inputId, annotationId: id });
    const left = own.filter(({ data }) => data?.regions.length === 0);
    if (left.length > 0) {
      const { id, inputId } = this.#chance.one(left);
      await client.patchAnnotations({
        action: 'merge',
        annotations: [{ id, inputId, data: { concepts: this.#labels() } }],
      });
    }
    const { inputs } = await client.listInputs({ perPage: 1000 });
    const gone = this.#chance.some(inputs, 2).map(({ id }) => id);
    await client.deleteInputs({ ids: gone });
    const joined = this.#chance.one(inputs.filter(({ id }) => !gone.includes(id))).id;
    await client.postDatasetInputs({ datasetId: 'd1', datasetInputs: [{ input: { id: joined } }] });
    this.#members.set(joined, [...(this.#members.get(joined) ?? []), 'd1']);
    await this.annotate(2);
  }

  /** What the app holds now, as its lists show it. */
  async world(): Promise<World> {
    const { client } = this.#person;
    const { inputs } = await client.listInputs({ perPage: 1000 });
    const listed = await client.listAnnotations({
      listAllAnnotations: true,
      returnModelOutput: true,
      perPage: 1000,
    });
    return {
      inputs: inputs.reverse().map(
        (wire): WorldInput => ({
          wire,
          kind: this.#texts.has(wire.id) ? 'text' : 'image',
          text: this.#texts.get(wire.id) ?? '',
          datasetIds: this.#members.get(wire.id) ?? [],
        }),
      ),
      annotations: listed.annotations
        .reverse()
        .map((wire): WorldAnnotation => ({ wire, vector: this.#vectorOf(wire) })),
      conceptNames: names,
      translations: new Map([['fr', new Map([['cat', 'CHAT']])]]),
    };
  }

  #vectorOf({ inputId, inputLevel, data }: WorldAnnotation['wire']): Float32Array | undefined {
    const shown = this.#pictures.get(inputId);
    if (!shown) return undefined;
    const { left, right } = shown;
    if (inputLevel) return this.#vectors.get(`${left}-${right}`);
    const box = data?.regions[0]?.regionInfo?.boundingBox;
    if (!box) return undefined;
    return this.#vectors.get(box.rightCol === 1 ? `${left}-${right}` : `${left}`);
  }

  /** Vectors of all pictures and parts of them that may come up, from predictions. */
  async #learnVectors(): Promise<void> {
    const pairs = colours.flatMap((_, left) =>
      colours.map((_, right) => ({ name: `${left}-${right}`, bytes: picture(left, right) })),
    );
    const halves = colours.map((_, left) => ({ name: `${left}`, bytes: picture(left, left, 8) }));
    const shown = [...pairs, ...halves];
    const reply = await this.#person.as({ userId: 'clarifai', appId: 'main' }).postModelOutputs({
      modelId: 'general-image-embedding',
      inputs: shown.map(({ bytes }) => ({ data: { image: { base64: bytes } } })),
    });
    if (reply.outputs.length !== shown.length) throw new Error(`no vectors: ${reply.status?.details}`);
    for (const [i, { data }] of reply.outputs.entries())
      this.#vectors.set(shown[i]?.name as string, Float32Array.from(data?.embeddings[0]?.vector ?? []));
  }

  async #until(holds: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 600; tries++) {
      if (await holds()) return;
      await sleep(50);
    }
    throw new Error('what was waited for did not come');
  }

  #labels(): { id: string; value: number }[] {
    const ids = [...new Set(this.#chance.some(concepts, 2))];
    return ids.map((id) => ({ id, value: this.#chance.one([1, 1, 0, 0.75]) }));
  }

  #facts(): Part {
    const chance = this.#chance;
    return {
      ...(chance.is(0.6) ? { concepts: this.#labels() } : {}),
      ...(chance.is(0.4) ? { metadata: chance.one(metadatas) } : {}),
      ...(chance.is(0.4) ? { geo: { geoPoint: chance.one(places) } } : {}),
    };
  }

  #sentence = () => this.#chance.some(words, 4).join(' ');

  #input(id: string): Part {
    const chance = this.#chance;
    const datasetIds = datasets.filter(() => chance.is(0.3));
    this.#members.set(id, datasetIds);
    if (chance.is(0.25)) {
      const raw = this.#sentence();
      this.#texts.set(id, raw);
      return { id, datasetIds, data: { text: { raw }, ...this.#facts() } };
    }
    if (chance.is(0.05)) {
      const base64 = Buffer.from('this is no picture');
      return { id, datasetIds, data: { image: { base64 }, ...this.#facts() } };
    }
    const shown = { left: chance.below(colours.length), right: chance.below(colours.length) };
    this.#pictures.set(id, shown);
    return {
      id,
      datasetIds,
      data: { image: { base64: picture(shown.left, shown.right) }, ...this.#facts() },
    };
  }

  #annotation(inputId: string): Part {
    const chance = this.#chance;
    const common = {
      inputId,
      ...(chance.is(0.3) ? { taskId: chance.one(tasks) } : {}),
      ...(chance.is(0.3) ? { status: { code: chance.one(statuses) } } : {}),
      ...(chance.is(0.2) ? { annotationInfo: chance.one(metadatas) } : {}),
      ...(chance.is(0.2)
        ? {
            worker: {
              worker: {
                case: 'model' as const,
                value: { ...embedder, modelVersion: { id: this.modelVersionId } },
              },
            },
          }
        : {}),
    };
    const label = { concepts: this.#labels() };
    const point = { row: 0.5, col: 0.5 };
    const region = (regionInfo: object, data: Part = label): Part => ({
      regions: [{ regionInfo, data, ...(chance.is(0.3) ? { trackId: chance.one(marks) } : {}) }],
    });
    const data = chance.one<() => Part>([
      () => this.#facts(),
      () => this.#facts(),
      () => region({ boundingBox: boxes.whole }),
      () => region({ boundingBox: boxes.left }),
      () => region({ boundingBox: boxes.left }, { text: { raw: this.#sentence() } }),
      () => region({ point }),
      () => ({ text: { raw: this.#sentence() } }),
      () => ({ clusters: [{ id: chance.one(marks) }] }),
    ])();
    return { ...common, data };
  }

  /** A search of chance, over what there is and a little that there is not. */
  query(): MessageInitShape<typeof SearchSchema> {
    const chance = this.#chance;
    const times = (most: number) => Array.from({ length: chance.below(most + 1) });
    return {
      query: {
        language: chance.is(0.2) ? chance.one(['fr', 'en', 'de']) : '',
        filters: times(3).map(() => this.#filter()),
        ranks: times(2).map(() => this.#rank()),
      },
      ...(chance.is(0.25) ? { minValue: chance.one([0.2, 0.5, 0.6, 0.9]) } : {}),
      ...(chance.is(0.3)
        ? { algorithm: chance.one(['nearest_neighbor', 'brute_force', 'avg_concept_brute_force', 'other']) }
        : {}),
      ...(chance.is(0.3) ? { metric: chance.one([0, 1]) } : {}),
    };
  }

  #filter(): object {
    const chance = this.#chance;
    const annotation = chance.is(0.8) ? this.#annotationFilter() : chance.is(0.5) ? {} : undefined;
    const input = chance.is(0.35) ? this.#inputFilter() : chance.is(0.5) ? {} : undefined;
    return {
      negate: chance.is(0.25),
      ...(annotation ? { annotation } : {}),
      ...(input ? { input } : {}),
    };
  }

  #inputFilter(): object {
    const chance = this.#chance;
    return chance.one<() => object>([
      () => ({ data: { text: {} } }),
      () => ({ data: { text: {}, audio: {}, video: {} } }),
      () => ({ data: { image: {} }, status: { code: 30000 } }),
      () => ({ data: { text: {} }, status: { code: 30300 } }),
      () => ({ status: { code: 30000 } }),
      () => ({ datasetIds: ['d1'] }),
      () => ({ datasetIds: ['d2', 'nowhere'] }),
      () => ({ id: `i${chance.below(12)}` }),
    ])();
  }

  #annotationFilter(): object {
    const chance = this.#chance;
    const one = () =>
      chance.one<() => object>([
        () => ({ inputId: `i${chance.below(12)}` }),
        () => ({ taskId: chance.one(tasks) }),
        () => ({ status: { code: chance.one(statuses) } }),
        () => ({ inputLevel: true }),
        () => ({ trusted: true }),
        () => ({ annotationInfo: { shop: 'b' } }),
        () => ({ modelVersionId: this.modelVersionId }),
        () => ({ userId: this.#person.userId }),
        () => ({ worker: { worker: { case: 'user', value: { id: this.#person.userId } } } }),
      ])();
    const data = chance.is(0.75) ? { data: this.#dataFilter() } : {};
    return { ...(chance.is(0.4) ? one() : {}), ...data };
  }

  #conceptTerms(): object[] {
    const chance = this.#chance;
    return chance.some([...concepts, 'yeti'], 3).map((id) => ({
      ...(chance.is(0.7) ? { id } : { name: chance.is(0.2) ? 'CHAT' : id.toUpperCase() }),
      value: chance.one([1, 1, 1, 0, 0.5]),
    }));
  }

  #dataFilter(): object {
    const chance = this.#chance;
    const sort = (regionInfo: object) => ({ regions: [{ regionInfo }] });
    const limit = () =>
      chance.one([
        { type: 'withinKilometers', value: 60 },
        { type: 'withinMiles', value: 200 },
        { type: 'withinDegrees', value: 2 },
        { type: 'withinRadians', value: 0.02 },
      ]);
    return chance.one<() => object>([
      () => ({}),
      () => ({ concepts: this.#conceptTerms() }),
      () => ({ concepts: this.#conceptTerms() }),
      () => ({ concepts: this.#conceptTerms(), metadata: { shop: 'a' } }),
      () => ({ metadata: chance.one([{ shop: 'a' }, { shop: 'b', size: 9 }, { 'odd "key"': null }]) }),
      () => ({ metadata: { nested: { tags: ['y'] } } }),
      () => ({ metadata: { nested: { deep: { on: true } }, shop: 'c' } }),
      () => ({ geo: { geoPoint: chance.one(places), geoLimit: limit() } }),
      () => ({
        geo: {
          geoBox: chance.one([
            [{ geoPoint: { latitude: 20, longitude: 170 } }, { geoPoint: { latitude: 0, longitude: -170 } }],
            [{ geoPoint: { latitude: 40, longitude: -10 } }, { geoPoint: { latitude: 60, longitude: 20 } }],
            [{ geoPoint: { latitude: 60, longitude: 10.2 } }, { geoPoint: { latitude: 40, longitude: -90 } }],
          ]),
        },
      }),
      () => sort({ boundingBox: {} }),
      () => sort({ point: {} }),
      () => ({ regions: [{ regionInfo: { boundingBox: {} } }, { regionInfo: { point: {} } }] }),
      () => ({ regions: [{ trackId: chance.one(marks) }] }),
      () => ({ clusters: [{ id: chance.one(marks) }] }),
      () => ({ text: {} }),
      () => ({ text: { raw: this.#typed() } }),
      () => ({ frames: [{ frameInfo: {} }] }),
    ])();
  }

  #typed(): string {
    const chance = this.#chance;
    const [a, b] = [chance.one(words), chance.one(words)];
    return chance.one([a, `${a} ${b}`, `${a} OR ${b}`, `${a} -${b}`, `"${a} ${b}"`]);
  }

  #rank(): object {
    const chance = this.#chance;
    const negate = chance.is(0.3);
    const pictures = [...this.#pictures.keys()];
    const annotation = chance.one<() => object>([
      () => ({}),
      () => ({ data: { concepts: this.#conceptTerms() } }),
      () => ({ data: { concepts: this.#conceptTerms() } }),
      () => ({ data: { text: { raw: chance.some(words, 3).join(' ') } } }),
      () => ({ inputId: chance.one(pictures) }),
      () => ({ inputId: chance.one(pictures), modelVersionId: this.modelVersionId }),
      () => ({ data: { embeddings: [{ vector: [...chance.one([...this.#vectors.values()])] }] } }),
      () => ({
        data: { embeddings: [{ vector: [...chance.one([...this.#vectors.values()])].map((x) => x * 7) }] },
      }),
    ])();
    return { negate, annotation };
  }
}

export const searchOf = (init: MessageInitShape<typeof SearchSchema>): Search =>
  create(SearchSchema, init as never) as Search;
