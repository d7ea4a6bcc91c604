import { setTimeout as sleep } from 'node:timers/promises';
import type { Person } from '#testing/people.ts';
import { pngOf } from '#testing/png.ts';
import { type Chance, concepts, marks, places, statuses, tasks, words } from './chance.testing.ts';
import type { World, WorldAnnotation, WorldInput } from './naive.testing.ts';

// biome-ignore lint/suspicious/noExplicitAny: parts of messages, put together by chance; the server checks them
type Part = any;

const colours = [
  [220, 30, 30],
  [30, 200, 40],
  [40, 60, 220],
  [230, 220, 40],
  [15, 15, 15],
] as const;
const names = new Map(concepts.map((id) => [id, id.toUpperCase()]));
const datasets = ['d1', 'd2'];
const embedder = { id: 'general-image-embedding', appId: 'main', userId: 'clarifai' };
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

  get userId(): string {
    return this.#person.userId;
  }

  get pictureIds(): string[] {
    return [...this.#pictures.keys()];
  }

  get vectors(): Float32Array[] {
    return [...this.#vectors.values()];
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
}
