import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Search, SearchSchema } from '@fovea/contract';
import { type Chance, concepts, marks, places, statuses, tasks, words } from './chance.testing.ts';
import type { RandomApp } from './random-app.testing.ts';

/** Searches of chance over an app of chance. */
export class RandomSearches {
  readonly #app: RandomApp;
  readonly #chance: Chance;

  constructor(app: RandomApp, chance: Chance) {
    this.#app = app;
    this.#chance = chance;
  }

  /** Over what there is and a little that there is not. */
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
        () => ({ modelVersionId: this.#app.modelVersionId }),
        () => ({ userId: this.#app.userId }),
        () => ({ worker: { worker: { case: 'user', value: { id: this.#app.userId } } } }),
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
    const pictures = this.#app.pictureIds;
    const annotation = chance.one<() => object>([
      () => ({}),
      () => ({ data: { concepts: this.#conceptTerms() } }),
      () => ({ data: { concepts: this.#conceptTerms() } }),
      () => ({ data: { text: { raw: chance.some(words, 3).join(' ') } } }),
      () => ({ inputId: chance.one(pictures) }),
      () => ({ inputId: chance.one(pictures), modelVersionId: this.#app.modelVersionId }),
      () => ({ data: { embeddings: [{ vector: [...chance.one(this.#app.vectors)] }] } }),
      () => ({
        data: { embeddings: [{ vector: [...chance.one(this.#app.vectors)].map((x) => x * 7) }] },
      }),
    ])();
    return { negate, annotation };
  }
}

export const searchOf = (init: MessageInitShape<typeof SearchSchema>): Search =>
  create(SearchSchema, init as never) as Search;
