import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Kept {
  readonly size: number;
  readonly points: Map<number, number[]>;
}

/**
 * Answers the few requests that our client makes in the shapes of Qdrant's REST reference, and refuses what is not in
 * them. It is no Qdrant: it says nothing of how that one searches.
 */
export async function openQdrantStandIn(apiKey: string) {
  const collections = new Map<string, Kept>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const reply = (code: number, body: object) => {
      response.writeHead(code, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ time: 0.001, ...body }));
    };
    if (request.headers['api-key'] !== apiKey) return reply(401, { status: { error: 'Unauthorized' } });
    try {
      const text = Buffer.concat(chunks).toString();
      const url = new URL(request.url ?? '', 'http://host');
      const result = answer(
        collections,
        request.method ?? '',
        url,
        text === '' ? undefined : JSON.parse(text),
      );
      if (result === undefined) return reply(404, { status: { error: 'Not found' } });
      return reply(200, { status: 'ok', result });
    } catch (error) {
      return reply(400, { status: { error: (error as Error).message } });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: bodies are checked below, field by field
type Body = any;

function answer(collections: Map<string, Kept>, verb: string, url: URL, body: Body): unknown {
  const [, name = '', action = ''] = /^\/collections\/([\w-]+)(?:\/points(.*))?$/.exec(url.pathname) ?? [];
  const isPoints = url.pathname.includes('/points');
  const kept = collections.get(name);
  if (!isPoints && verb === 'PUT') {
    if (kept) throw new Error(`Collection ${name} already exists`);
    const { size, distance } = body.vectors;
    if (!Number.isInteger(size) || !['Dot', 'Cosine', 'Euclid', 'Manhattan'].includes(distance))
      throw new Error('vectors');
    collections.set(name, { size, points: new Map() });
    return true;
  }
  if (!isPoints && verb === 'DELETE') return collections.delete(name);
  if (!kept) return undefined;
  if (!isPoints)
    return { status: 'green', config: { params: { vectors: { size: kept.size, distance: 'Dot' } } } };
  if (verb === 'PUT' && action === '') return upsert(kept, url, body);
  if (verb !== 'POST') return undefined;
  if (action === '/delete') {
    for (const id of ids(body.points)) kept.points.delete(id);
    return {
      operation_id: 1,
      status: url.searchParams.get('wait') === 'true' ? 'completed' : 'acknowledged',
    };
  }
  if (action === '/count') return { count: kept.points.size };
  if (action === '/scroll') return scroll(kept, body);
  if (action === '/query') return query(kept, body);
  return undefined;
}

function ids(given: unknown): number[] {
  if (!Array.isArray(given) || !given.every((id) => Number.isSafeInteger(id) && id >= 0))
    throw new Error('ids');
  return given;
}

function upsert({ points, size }: Kept, url: URL, body: Body) {
  for (const { id, vector } of body.points) {
    ids([id]);
    if (!Array.isArray(vector) || vector.length !== size || !vector.every(Number.isFinite))
      throw new Error(`Vector dimension error: expected dim: ${size}, got ${vector?.length}`);
    points.set(id, Array.from(Float32Array.from(vector)));
  }
  return { operation_id: 1, status: url.searchParams.get('wait') === 'true' ? 'completed' : 'acknowledged' };
}

function scroll({ points }: Kept, { offset, limit, with_vector }: Body) {
  ids([offset, limit]);
  const all = [...points].filter(([id]) => id >= offset).sort(([a], [b]) => a - b);
  return {
    points: all.slice(0, limit).map(([id, vector]) => ({ id, ...(with_vector ? { vector } : {}) })),
    next_page_offset: all[limit]?.[0] ?? null,
  };
}

function query({ points, size }: Kept, { query: asked, limit, filter }: Body) {
  if (!Array.isArray(asked) || asked.length !== size) throw new Error('Vector dimension error');
  if (!Number.isInteger(limit) || limit < 1)
    throw new Error('limit: value must be larger than or equal to 1');
  const among = filter ? new Set(ids(filter.must[0].has_id)) : undefined;
  const scored = [...points]
    .filter(([id]) => !among || among.has(id))
    .map(([id, vector]) => ({
      id,
      version: 1,
      score: Math.fround(vector.reduce((sum, x, d) => sum + x * (asked[d] as number), 0)),
    }));
  return { points: scored.sort((a, b) => b.score - a.score).slice(0, limit) };
}
