import {
  type Metric,
  type SearchOptions,
  type SearchResult,
  StoreUnavailable,
  type VectorCollection,
  type VectorPage,
  type VectorStore,
} from '#domain/vector-store.ts';

export interface QdrantConfig {
  readonly url: string;
  readonly apiKey?: string | undefined;
  /** Prefix of the names of collections, so that servers can share one Qdrant. */
  readonly prefix: string;
}

/** Points in one request: with 512 dimensions about 1.3 MB of JSON. */
const pointsPerRequest = 256;
const requestMs = 15_000;
const replyBytesMax = 256 * 2 ** 20;

/**
 * Keeps vectors in a Qdrant (1.10 or later), over its REST interface. Collections measure by dot product: for vectors of
 * length one it is the cosine, and Qdrant leaves the vectors as they were sent.
 */
export function openQdrantStore(config: QdrantConfig): VectorStore {
  const ask = openRequests(config);
  const pathOf = (name: string) => `/collections/${encodeURIComponent(config.prefix + checked(name))}`;
  return {
    kind: 'qdrant',
    check: async () => void (await ask('GET', pathOf('none'), undefined, [404])),
    async open(name, dims) {
      const path = pathOf(name);
      let found = await ask<CollectionInfo>('GET', path, undefined, [404]);
      if (!found) {
        // Made by another process in the same moment: 409, or 400 in older ones.
        await ask('PUT', path, { vectors: { size: dims, distance: 'Dot' } }, [409, 400]);
        found = await ask<CollectionInfo>('GET', path);
      }
      const { size, distance } = found?.config.params.vectors ?? {};
      if (size !== dims || distance !== 'Dot')
        throw new RangeError(
          `Vector collection ${name} has ${size} dimensions (${distance}), not ${dims} (Dot).`,
        );
      const collection = new QdrantCollection(ask, path, dims);
      await collection.count();
      return collection;
    },
    async drop(name) {
      await ask('DELETE', pathOf(name), undefined, [404]);
    },
  };
}

interface CollectionInfo {
  readonly config: { readonly params: { readonly vectors: { size: number; distance: string } } };
}

function checked(name: string): string {
  if (!/^[\w-]{1,40}$/.test(name)) throw new RangeError(`'${name}' cannot name a vector collection.`);
  return name;
}

type Ask = <Result>(
  verb: string,
  path: string,
  body?: object,
  /** HTTP statuses that are answered by undefined instead of an error. */
  expected?: readonly number[],
) => Promise<Result | undefined>;

function openRequests({ url, apiKey }: QdrantConfig): Ask {
  const base = url.replace(/\/+$/, '');
  return async <Result>(verb: string, path: string, body?: object, expected: readonly number[] = []) => {
    let reply: Response;
    try {
      reply = await fetch(base + path, {
        method: verb,
        headers: { 'content-type': 'application/json', ...(apiKey ? { 'api-key': apiKey } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
        signal: AbortSignal.timeout(requestMs),
        redirect: 'error',
      });
      if (Number(reply.headers.get('content-length') ?? 0) > replyBytesMax)
        throw new Error('its reply is too long');
      const text = await reply.text();
      if (expected.includes(reply.status)) return undefined;
      if (reply.ok) return (JSON.parse(text) as { result: Result }).result;
      throw new Error(`it answered ${reply.status}: ${text.slice(0, 300)}`);
    } catch (cause) {
      const { message, cause: root } = cause as Error & { cause?: { code?: string } };
      throw new StoreUnavailable(
        `Qdrant at FOVEA_QDRANT_URL cannot be used: ${root?.code ?? message}. Vectors are searched in memory meanwhile.`,
        { cause },
      );
    }
  };
}

interface Point {
  readonly id: number;
  readonly score: number;
  readonly vector?: number[];
}

class QdrantCollection implements VectorCollection {
  readonly #ask: Ask;
  readonly #path: string;
  readonly dims: number;
  #size = 0;

  constructor(ask: Ask, path: string, dims: number) {
    this.#ask = ask;
    this.#path = path;
    this.dims = dims;
  }

  get size(): number {
    return this.#size;
  }

  async count(): Promise<void> {
    const found = await this.#ask<{ count: number }>('POST', `${this.#path}/points/count`, { exact: true });
    this.#size = found?.count ?? 0;
  }

  async upsert(keys: Float64Array | number[], vectors: Float32Array): Promise<void> {
    if (keys.length * this.dims !== vectors.length)
      throw new RangeError(
        `${keys.length} keys need ${keys.length * this.dims} floats, not ${vectors.length}.`,
      );
    const last = [...new Map(Array.from(keys, (key, i) => [key, i]))];
    for (let from = 0; from < last.length; from += pointsPerRequest) {
      const points = last.slice(from, from + pointsPerRequest).map(([id, i]) => ({
        id,
        vector: Array.from(vectors.subarray(i * this.dims, (i + 1) * this.dims)),
      }));
      await this.#ask('PUT', `${this.#path}/points?wait=true&ordering=strong`, { points });
    }
    await this.count();
  }

  async remove(keys: Float64Array | number[]): Promise<void> {
    await this.#ask('POST', `${this.#path}/points/delete?wait=true`, { points: Array.from(keys) });
    await this.count();
  }

  async search(query: Float32Array, k: number, options: SearchOptions): Promise<SearchResult> {
    const { candidates, metric, minScore } = options;
    this.#checkQuery(query);
    const limit = Math.min(k, candidates?.length ?? Math.max(this.#size, 1));
    if (limit === 0) return { keys: [], scores: [], way: 'exact' };
    const length = lengthOf(query);
    const isExact = options.exact === true || candidates !== undefined;
    const reply = await this.#ask<{ points: Point[] }>('POST', `${this.#path}/points/query`, {
      query: Array.from(query),
      limit,
      params: isExact ? { exact: true } : { hnsw_ef: Math.max(128, Math.ceil(limit * 1.2)) },
      ...(candidates ? { filter: { must: [{ has_id: Array.from(candidates) }] } } : {}),
    });
    const found = (reply?.points ?? [])
      .map(({ id, score }) => ({ key: id, score: rawScore(metric, score, length) }))
      .filter(
        ({ score }) =>
          minScore === undefined || (metric === 'cosine' ? score >= minScore : score <= minScore),
      )
      .sort((a, b) => (metric === 'cosine' ? b.score - a.score : a.score - b.score) || a.key - b.key);
    return {
      keys: found.map(({ key }) => key),
      scores: found.map(({ score }) => score),
      way: isExact ? 'exact' : 'graph',
    };
  }

  async scoreAll(
    query: Float32Array,
    candidates: Float64Array,
    metric: Metric = 'cosine',
  ): Promise<Float32Array> {
    const { keys, scores } = await this.search(query, candidates.length, { metric, candidates });
    const known = new Map(keys.map((key, i) => [key, scores[i] as number]));
    return Float32Array.from(candidates, (key) => known.get(key) ?? Number.NaN);
  }

  async page(afterKey: number, limit: number): Promise<VectorPage> {
    const reply = await this.#ask<{ points: Point[] }>('POST', `${this.#path}/points/scroll`, {
      offset: afterKey + 1,
      limit,
      with_vector: true,
      with_payload: false,
    });
    const points = reply?.points ?? [];
    const vectors = new Float32Array(points.length * this.dims);
    for (const [i, { vector }] of points.entries()) vectors.set(vector ?? [], i * this.dims);
    return { keys: Float64Array.from(points, ({ id }) => id), vectors };
  }

  #checkQuery(query: Float32Array): void {
    if (query.length !== this.dims)
      throw new RangeError(`The query has ${query.length} dimensions; this collection has ${this.dims}.`);
  }
}

/** From the dot product with a vector of length one. */
function rawScore(metric: Metric, dot: number, length: number): number {
  return metric === 'cosine' ? dot / length : Math.sqrt(Math.max(0, length * length + 1 - 2 * dot));
}

const lengthOf = (vector: Float32Array): number => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
