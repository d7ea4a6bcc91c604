import { createHash } from 'node:crypto';
import type { Ledger, Write } from './ledger.ts';
import { picture } from './picture.ts';
import type { Random } from './random.ts';
import { userId } from './victim.ts';
import type { Wire } from './wire.ts';

/** An app under fault, and the client's side of it. */
export interface World {
  readonly appId: string;
  readonly path: string;
  readonly isIndexed: boolean;
  readonly lanes: readonly Lane[];
}

/** Concepts and datasets that are there from the start; their ids say nothing new. */
const labels = Array.from({ length: 8 }, (_, n) => `label-${n}`);
const datasets = ['set-0', 'set-1'];
/** The largest batches the load sends. */
const batchMax = 40;

/** Makes the app with its labels and datasets, through the front door. `General` pictures are indexed. */
export async function makeWorld(
  wire: Wire,
  ledger: Ledger,
  appId: string,
  random: Random,
  options: { workflow?: 'Empty' | 'General'; lanes?: number } = {},
): Promise<World> {
  const { workflow = 'Empty', lanes = 6 } = options;
  const path = `/v2/users/${userId}/apps/${appId}`;
  await wire.must('POST', `/v2/users/${userId}/apps`, {
    apps: [{ id: appId, default_workflow: { id: workflow, app_id: 'main', user_id: 'clarifai' } }],
  });
  await wire.must('POST', `${path}/concepts`, { concepts: labels.map((id) => ({ id, name: id })) });
  await wire.must('POST', `${path}/datasets`, { datasets: datasets.map((id) => ({ id })) });
  const world = { appId, path, isIndexed: workflow === 'General' };
  return {
    ...world,
    lanes: Array.from(
      { length: lanes },
      (_, n) => new Lane({ ...world, ledger, random: random.fork(), name: `${n}` }),
    ),
  };
}

interface InputState {
  /** SHA-256 of the medium, in hex. */
  readonly sha: string;
  readonly labels: Record<string, number>;
  readonly metadata: Record<string, number>;
}

const sorted = <T>(record: Record<string, T>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

/** The one way to write states down, for the ledger and for what is read from the database. */
export const stateText = {
  input: ({ sha, labels, metadata }: InputState) => JSON.stringify([sha, sorted(labels), sorted(metadata)]),
  annotation: (conceptIds: readonly string[]) => [...conceptIds].sort().join(' '),
  job: (inputs: number) => `${inputs} inputs`,
  member: 'in it',
  version: 'ready',
};

export const keyOf = {
  concept: (id: string) => `concept ${id}`,
  input: (id: string) => `input ${id}`,
  annotation: (inputId: string, id: string) => `annotation ${inputId} ${id}`,
  member: (datasetId: string, inputId: string) => `member ${datasetId} ${inputId}`,
  job: (id: string) => `job ${id}`,
  version: (datasetId: string, id: string) => `version ${datasetId} ${id}`,
};

/** One client: it writes to things of its own, one request after the other, so that it knows their states. */
export class Lane {
  readonly #path: string;
  readonly #ledger: Ledger;
  readonly #random: Random;
  readonly #name: string;
  readonly #isIndexed: boolean;
  #count = 0;

  constructor(options: { path: string; isIndexed: boolean; ledger: Ledger; random: Random; name: string }) {
    this.#path = options.path;
    this.#ledger = options.ledger;
    this.#random = options.random;
    this.#name = options.name;
    this.#isIndexed = options.isIndexed;
  }

  /** The next request. */
  next(): Write {
    const at = this.#random.next();
    const inputs = this.inputIds();
    if (inputs.length < 4 || at < 0.28) return this.postInputs();
    if (at < 0.4) return this.postConcepts();
    if (at < 0.5) return this.patchConcepts();
    if (at < 0.64) return this.patchInputs(inputs);
    if (at < 0.74) return this.postAnnotations(inputs);
    if (at < 0.79) return this.patchAnnotations(inputs);
    if (at < 0.84) return this.deleteAnnotations(inputs);
    if (at < 0.9) return this.addMembers(inputs);
    if (at < 0.94) return this.dropMembers(inputs);
    return this.deleteInputs(inputs);
  }

  /** Nine times in ten. */
  isWilling(): boolean {
    return this.#random.chance(0.9);
  }

  postInputs(): Write {
    const random = this.#random;
    const size = this.#isIndexed ? 1 + random.below(3) : 1 + random.below(batchMax);
    const jobId = this.#newId('job');
    const made = Array.from({ length: size }, () => this.#newInput());
    return {
      rpc: 'PostInputs',
      verb: 'POST',
      path: `${this.#path}/inputs`,
      body: { inputs: made.map(({ message }) => message), inputs_add_job_id: jobId },
      items: made.length,
      changes: [
        ...made.flatMap(({ changes }) => changes),
        { key: keyOf.job(jobId), before: undefined, after: stateText.job(made.length) },
      ],
    };
  }

  #newInput() {
    const random = this.#random;
    const id = this.#newId('input');
    const bytes = this.#isIndexed ? picture(random) : Buffer.from(`text of ${id} in ${this.#path}`);
    const sha = createHash('sha256').update(bytes).digest('hex');
    const state = { sha, labels: this.#newLabels(), metadata: { version: random.below(1000) } };
    const dataset = random.chance(0.3) ? random.pick(datasets) : undefined;
    const medium = this.#isIndexed
      ? { image: { base64: bytes.toString('base64') } }
      : { text: { raw: bytes.toString() } };
    return {
      message: {
        id,
        data: { ...medium, concepts: conceptsOf(state.labels), metadata: state.metadata },
        ...(dataset ? { dataset_ids: [dataset] } : {}),
      },
      changes: [
        { key: keyOf.input(id), before: undefined, after: stateText.input(state) },
        ...(dataset ? [{ key: keyOf.member(dataset, id), before: undefined, after: stateText.member }] : []),
      ],
    };
  }

  postConcepts(): Write {
    const ids = Array.from({ length: 1 + this.#random.below(3 * batchMax) }, () => this.#newId('concept'));
    this.#concepts.push(...ids);
    return {
      rpc: 'PostConcepts',
      verb: 'POST',
      path: `${this.#path}/concepts`,
      body: { concepts: ids.map((id) => ({ id, name: `first ${id}` })) },
      items: ids.length,
      changes: ids.map((id) => ({ key: keyOf.concept(id), before: undefined, after: `first ${id}` })),
    };
  }

  patchConcepts(): Write {
    const known = this.#some(
      this.#concepts.filter((id) => this.#ledger.stateOf(keyOf.concept(id)) !== undefined),
    );
    if (known.length === 0) return this.postConcepts();
    const changes = known.map((id) => ({
      id,
      name: `${this.#random.below(1e6)} ${id}`,
      key: keyOf.concept(id),
      before: this.#ledger.stateOf(keyOf.concept(id)),
    }));
    return {
      rpc: 'PatchConcepts',
      verb: 'PATCH',
      path: `${this.#path}/concepts`,
      body: { action: 'overwrite', concepts: changes.map(({ id, name }) => ({ id, name })) },
      items: changes.length,
      changes: changes.map(({ key, before, name }) => ({ key, before, after: name })),
    };
  }

  patchInputs(inputs: readonly string[]): Write {
    const ids = this.#some(inputs);
    const action = this.#random.pick(['merge', 'overwrite'] as const);
    const parts = ids.map((id) => {
      const before = this.#ledger.stateOf(keyOf.input(id)) as string;
      const [sha, oldLabels, oldMetadata] = JSON.parse(before) as [
        string,
        Record<string, number>,
        Record<string, number>,
      ];
      const labels = this.#newLabels(1);
      const metadata = { [`field-${this.#random.below(3)}`]: this.#random.below(1000) };
      const after = stateText.input(
        action === 'overwrite'
          ? { sha, labels, metadata }
          : { sha, labels: { ...oldLabels, ...labels }, metadata: { ...oldMetadata, ...metadata } },
      );
      return {
        key: keyOf.input(id),
        before,
        after,
        message: { id, data: { concepts: conceptsOf(labels), metadata } },
      };
    });
    return {
      rpc: 'PatchInputs',
      verb: 'PATCH',
      path: `${this.#path}/inputs`,
      body: { action, inputs: parts.map(({ message }) => message) },
      items: parts.length,
      changes: parts.map(({ key, before, after }) => ({ key, before, after })),
    };
  }

  /** Says that what is there now is processed, and so can be annotated. */
  allProcessed(): void {
    for (const id of this.inputIds()) this.#processed.add(id);
  }

  postAnnotations(inputs: readonly string[]): Write {
    const ready = inputs.filter((id) => this.#processed.has(id));
    if (ready.length === 0) return this.postInputs();
    const made = this.#some(ready).map((inputId) => {
      const id = this.#newId('annotation');
      const conceptIds = [this.#random.pick(labels)];
      this.#annotations.set(id, inputId);
      return { id, inputId, conceptIds };
    });
    return {
      rpc: 'PostAnnotations',
      verb: 'POST',
      path: `${this.#path}/annotations`,
      body: { annotations: made.map(annotationMessage) },
      items: made.length,
      changes: made.map(({ id, inputId, conceptIds }) => ({
        key: keyOf.annotation(inputId, id),
        before: undefined,
        after: stateText.annotation(conceptIds),
      })),
    };
  }

  #liveAnnotations() {
    return [...this.#annotations].flatMap(([id, inputId]) => {
      const before = this.#ledger.stateOf(keyOf.annotation(inputId, id));
      return before === undefined ? [] : [{ id, inputId, before }];
    });
  }

  patchAnnotations(inputs: readonly string[]): Write {
    const parts = this.#some(this.#liveAnnotations()).map((one) => ({
      ...one,
      conceptIds: [this.#random.pick(labels)],
    }));
    if (parts.length === 0) return this.postAnnotations(inputs);
    return {
      rpc: 'PatchAnnotations',
      verb: 'PATCH',
      path: `${this.#path}/annotations`,
      body: { action: 'overwrite', annotations: parts.map(annotationMessage) },
      items: parts.length,
      changes: parts.map(({ id, inputId, before, conceptIds }) => ({
        key: keyOf.annotation(inputId, id),
        before,
        after: stateText.annotation(conceptIds),
      })),
    };
  }

  deleteAnnotations(inputs: readonly string[]): Write {
    const parts = this.#some(this.#liveAnnotations());
    if (parts.length === 0) return this.postAnnotations(inputs);
    return {
      rpc: 'DeleteAnnotations',
      verb: 'DELETE',
      path: `${this.#path}/annotations`,
      body: { ids: parts.map(({ id }) => id), input_ids: parts.map(({ inputId }) => inputId) },
      items: parts.length,
      changes: parts.map(({ id, inputId, before }) => ({
        key: keyOf.annotation(inputId, id),
        before,
        after: undefined,
      })),
    };
  }

  addMembers(inputs: readonly string[]): Write {
    const dataset = this.#random.pick(datasets);
    const ids = this.#some(
      inputs.filter((id) => this.#ledger.stateOf(keyOf.member(dataset, id)) === undefined),
    );
    if (ids.length === 0) return this.postInputs();
    return {
      rpc: 'PostDatasetInputs',
      verb: 'POST',
      path: `${this.#path}/datasets/${dataset}/inputs`,
      body: { dataset_inputs: ids.map((id) => ({ input: { id } })) },
      items: ids.length,
      changes: ids.map((id) => ({
        key: keyOf.member(dataset, id),
        before: undefined,
        after: stateText.member,
      })),
    };
  }

  dropMembers(inputs: readonly string[]): Write {
    const dataset = this.#random.pick(datasets);
    const ids = this.#some(
      inputs.filter((id) => this.#ledger.stateOf(keyOf.member(dataset, id)) !== undefined),
    );
    if (ids.length === 0) return this.addMembers(inputs);
    return {
      rpc: 'DeleteDatasetInputs',
      verb: 'DELETE',
      path: `${this.#path}/datasets/${dataset}/inputs`,
      body: { input_ids: ids },
      items: ids.length,
      changes: ids.map((id) => ({
        key: keyOf.member(dataset, id),
        before: stateText.member,
        after: undefined,
      })),
    };
  }

  postVersion(): Write {
    const dataset = this.#random.pick(datasets);
    const id = this.#newId('version');
    return {
      rpc: 'PostDatasetVersions',
      verb: 'POST',
      path: `${this.#path}/datasets/${dataset}/versions`,
      body: { dataset_versions: [{ id }] },
      items: 1,
      changes: [{ key: keyOf.version(dataset, id), before: undefined, after: stateText.version }],
    };
  }

  deleteInputs(inputs: readonly string[]): Write {
    const ids = this.#some(inputs);
    const doomed = new Set(ids);
    const freed = ids.map(
      (id) => (JSON.parse(this.#ledger.stateOf(keyOf.input(id)) as string) as [string])[0],
    );
    const keys = [
      ...ids.map(keyOf.input),
      ...ids.flatMap((id) => datasets.map((dataset) => keyOf.member(dataset, id))),
      ...[...this.#annotations].flatMap(([id, inputId]) =>
        doomed.has(inputId) ? [keyOf.annotation(inputId, id)] : [],
      ),
    ];
    return {
      rpc: 'DeleteInputs',
      verb: 'DELETE',
      path: `${this.#path}/inputs`,
      body: { ids },
      items: ids.length,
      freed,
      changes: keys.flatMap((key) => {
        const before = this.#ledger.stateOf(key);
        return before === undefined ? [] : [{ key, before, after: undefined }];
      }),
    };
  }

  readonly #inputs: string[] = [];
  readonly #processed = new Set<string>();
  readonly #concepts: string[] = [];
  readonly #annotations = new Map<string, string>();

  inputIds(): string[] {
    return this.#inputs.filter((id) => this.#ledger.stateOf(keyOf.input(id)) !== undefined);
  }

  #newId(kind: string): string {
    const id = `${kind}-${this.#name}-${this.#count++}`;
    if (kind === 'input') this.#inputs.push(id);
    return id;
  }

  #newLabels(min = 0): Record<string, number> {
    const count = min + this.#random.below(3);
    return Object.fromEntries(
      Array.from({ length: count }, () => [this.#random.pick(labels), this.#random.below(2)]),
    );
  }

  /** A few of them, each once. */
  #some<T>(from: readonly T[]): T[] {
    const rest = [...from];
    const count = Math.min(rest.length, 1 + this.#random.below(batchMax));
    return Array.from({ length: count }, () => rest.splice(this.#random.below(rest.length), 1)[0] as T);
  }
}

const conceptsOf = (values: Record<string, number>) =>
  Object.entries(values).map(([id, value]) => ({ id, value }));

const annotationMessage = ({
  id,
  inputId,
  conceptIds,
}: {
  id: string;
  inputId: string;
  conceptIds: readonly string[];
}) => ({
  id,
  input_id: inputId,
  data: { concepts: conceptIds.map((one) => ({ id: one, value: 1 })) },
});

/** Ids that every world begins with; nobody writes to them. */
export const given = new Set([...labels.map(keyOf.concept)]);
