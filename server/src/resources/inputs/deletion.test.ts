import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodePng, listTree, openZip } from '@fovea/formats';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '#testing/deaths.ts';
import { type Person, personWith } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';

// Deletion means deletion: what is deleted cannot be reached any more, and its bytes are gone.

const appId = 'deleting';
const canary = 'heliotropism-4711';
const reachableMsMax = 5_000;
let server: TestServer;
let owner: Person;
let db: pg.Client;

/** A picture whose rows are its own. */
function picture(seed: number): Uint8Array {
  const pixels = new Uint8Array(96 * 64).map((_, i) => (i * (seed + 3) + (i >> 5) * seed * 7) & 255);
  return encodePng({ width: 96, height: 64, pixels });
}
const bytes = { gone: picture(5), stays: picture(11) };
const shaOf = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

beforeAll(async () => {
  server = await startServer({ env: { FOVEA_DELETED_MINUTES: '0' } });
  owner = personWith({ url: server.url, userId: server.userId, pat: server.pat, appId });
  const host = readFileSync(join(server.dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split(
    '\n',
  )[4];
  db = new pg.Client({ host: host as string, user: 'fovea', database: 'fovea' });
  await db.connect();
}, 120_000);

afterAll(async () => {
  await db.end();
  await server.stop();
});

const ext = (tail: string) => `/v2/ext/fovea/users/${owner.userId}/apps/${appId}/${tail}`;
const headers = () => ({ authorization: `Key ${owner.pat}` });
const statusOf = async (url: string) => {
  const reply = await fetch(url, { headers: headers() });
  await reply.arrayBuffer();
  return reply.status;
};

async function archive(): Promise<string> {
  const exports = [{ format: 1 as const }];
  return until('the archive', async () => {
    const reply = await owner.client.putDatasetVersionExports({
      datasetId: 'd',
      datasetVersionId: 'v',
      exports,
    });
    return reply.exports[0]?.status?.code === 64200 ? reply.exports[0].url : undefined;
  });
}

async function transfer(): Promise<string> {
  const { json } = await owner.rest('POST', ext('exports'), { dataset_id: 'd', format: 'coco' });
  const { id } = json.transfer;
  await until('the export', async () => {
    const { transfer: shown } = (await owner.rest('GET', ext(`transfers/${id}`))).json;
    return shown.state === 'done' || undefined;
  });
  return `${server.url}${ext(`transfers/${id}/content`)}`;
}

/** Everything that the gone picture has left, before it is gone. */
async function fill() {
  const { client } = owner;
  await client.postApps({
    userAppId: { userId: 'me', appId: '' },
    apps: [{ id: appId, defaultWorkflow: { id: 'General', appId: 'main', userId: 'clarifai' } }],
  });
  const input = (id: 'gone' | 'stays') => ({
    id,
    data: {
      image: { base64: bytes[id] as Uint8Array<ArrayBuffer> },
      concepts: [{ id: 'cat', value: 1 }],
      metadata: { note: id === 'gone' ? canary : 'nothing' },
    },
  });
  await client.postDatasets({ datasets: [{ id: 'd' }] });
  await client.postInputs({
    inputs: [input('gone'), input('stays')].map((one) => ({ ...one, datasetIds: ['d'] })),
  });
  await until('both pictures', async () => {
    const { counts } = await client.getInputCount({});
    return counts?.processed === 2 || undefined;
  });
  await client.postAnnotations({
    annotations: [
      {
        id: 'said',
        inputId: 'gone',
        data: {
          regions: [
            {
              regionInfo: { boundingBox: { topRow: 0, leftCol: 0, bottomRow: 0.5, rightCol: 0.5 } },
              data: { text: { raw: canary }, concepts: [{ id: 'cat', value: 1 }] },
            },
          ],
        },
      },
      {
        id: 'masked',
        inputId: 'gone',
        data: {
          regions: [{ regionInfo: { mask: { image: { base64: bytes.gone as Uint8Array<ArrayBuffer> } } } }],
        },
      },
    ],
  });
  // Also a state that is past.
  await client.patchAnnotations({
    action: 'merge',
    annotations: [{ id: 'said', inputId: 'gone', data: { concepts: [{ id: 'dog', value: 1 }] } }],
  });
  await client.postDatasetVersions({ datasetId: 'd', datasetVersions: [{ id: 'v' }] });
  await until('the version', async () => {
    const { datasetVersion } = await client.getDatasetVersion({ datasetId: 'd', datasetVersionId: 'v' });
    return datasetVersion?.status?.code === 64015 || undefined;
  });
}

const similar = async () => {
  const { hits } = await owner.client.postInputsSearches({
    searches: [
      {
        query: {
          ranks: [{ annotation: { data: { image: { base64: bytes.gone as Uint8Array<ArrayBuffer> } } } }],
        },
      },
    ],
  });
  return hits.map(({ input }) => input?.id).sort();
};
const byWords = async () => {
  const { hits } = await owner.client.postAnnotationsSearches({
    searches: [{ query: { ranks: [{ annotation: { data: { text: { raw: canary } } } }] } }],
  });
  return hits.filter(({ score }) => score > 0).map(({ input }) => input?.id);
};

const filesBelow = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    : [];

/** Files of the store that hold some bytes, or are named after them. */
function filesWith(wanted: readonly Uint8Array[], name: string): string[] {
  return ['objects', 'vectors', 'work'].flatMap((folder) =>
    filesBelow(join(server.dataDir, folder)).filter((file) => {
      if (file.endsWith(name)) return true;
      const held = readFileSync(file);
      return wanted.some((one) => held.includes(Buffer.from(one)));
    }),
  );
}

/** Tables with a row that holds a word, as text or inside of bytes. */
async function tablesWith(words: readonly string[]): Promise<string[]> {
  const { rows: tables } = await db.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by 1",
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const { rows } = await db.query(
      `select count(*)::int as n from ${pg.escapeIdentifier(name)} x
       where exists (select from unnest($1::text[]) w(word) where position(w.word in x::text) > 0)`,
      [words],
    );
    if (rows[0].n > 0) found.push(name);
  }
  return found;
}

test('what is deleted cannot be reached any more, nor found on the disk or in the database', async () => {
  await fill();
  const { input } = await owner.client.getInput({ inputId: 'gone' });
  const { prefix, suffix, sizes } = input?.data?.image?.hosted ?? { prefix: '', suffix: '', sizes: [] };
  const media = sizes.map((size) => `${prefix}/${size}/${suffix}`);
  const mask = `${server.url}/masks/users/${owner.userId}/apps/${appId}/inputs/gone/orig/masked`;
  const [version, other] = [await archive(), await transfer()];
  const reachable = [...media, mask, version, other];
  for (const url of reachable) expect(await statusOf(url), url).toBe(200);
  expect(await similar()).toEqual(['gone', 'stays']);
  expect(await byWords()).toEqual(['gone']);
  const { rows: vectors } = await db.query<{ vector: Buffer }>(
    `select vector from embeddings e join inputs i on i.key = e.input_key where i.id = 'gone'`,
  );
  expect(vectors.length).toBeGreaterThan(0);
  const sha = shaOf(bytes.gone);
  const words = [
    canary,
    Buffer.from(canary).toString('hex'),
    sha,
    vectors[0]?.vector.toString('hex') as string,
  ];
  // What is looked for can be found while it is there.
  expect(filesWith([bytes.gone], sha).length).toBeGreaterThan(1);
  expect(await tablesWith(words)).toEqual(
    expect.arrayContaining([
      'annotations',
      'annotation_versions',
      'dataset_chunk_annotations',
      'dataset_chunk_inputs',
      'embeddings',
      'inputs',
    ]),
  );

  const began = performance.now();
  await owner.client.deleteInputs({ ids: ['gone'] });
  for (const url of reachable) expect(await statusOf(url), url).toBe(404);
  expect((await owner.client.getInput({ inputId: 'gone' })).status?.code).not.toBe(10000);
  expect((await owner.client.listInputs({})).inputs.map(({ id }) => id)).toEqual(['stays']);
  expect((await owner.client.listAnnotations({ inputIds: ['gone'] })).annotations).toEqual([]);
  expect(await similar()).toEqual(['stays']);
  expect(await byWords()).toEqual([]);
  expect(performance.now() - began).toBeLessThan(reachableMsMax);

  await until('the bytes to go', async () => filesWith([bytes.gone], sha).length === 0 || undefined);
  await until('the rows to go', async () => (await tablesWith(words)).length === 0 || undefined);
  expect(filesWith([bytes.stays], shaOf(bytes.stays)).length).toBeGreaterThan(0);
  const [vector] = vectors;
  if (vector) expect(filesWith([vector.vector], 'no such name')).toEqual([]);
}, 120_000);

/** All entries of an archive, one after the other, with their names. */
async function contentOf(archived: Buffer): Promise<Buffer> {
  const file = {
    size: archived.length,
    read: async (from: number, until: number) => archived.subarray(from, until),
    close: async () => {},
  };
  const tree = await openZip(file);
  const parts: Uint8Array[] = [];
  for (const path of (await listTree(tree, () => {})).paths) {
    parts.push(Buffer.from(path));
    for await (const part of tree.stream(path)) parts.push(part);
  }
  return Buffer.concat(parts);
}

test('a version says that there was such an input, and its archive is made without it', async () => {
  const { datasetVersion } = await owner.client.getDatasetVersion({ datasetId: 'd', datasetVersionId: 'v' });
  expect(datasetVersion?.metrics['']?.inputsCount).toBe(2n);
  for (const url of [await archive(), await transfer()]) {
    const reply = await fetch(url, { headers: headers() });
    expect(reply.status, url).toBe(200);
    const held = await contentOf(Buffer.from(await reply.arrayBuffer()));
    expect(held.includes('stays'), url).toBe(true);
    expect(held.includes('gone') || held.includes(canary), url).toBe(false);
  }
  const { rows } = await db.query(
    `select input_id as id, erased, media_sha, (select array_agg(distinct c) from dataset_chunk_annotations a, unnest(a.positive) c
       where a.chunk_key = i.chunk_key and a.input_key = i.input_key) as labels
     from dataset_chunk_inputs i order by 1`,
  );
  expect(rows).toEqual([
    { id: 'gone', erased: true, media_sha: null, labels: ['cat', 'dog'] },
    { id: 'stays', erased: false, media_sha: expect.anything(), labels: ['cat'] },
  ]);
});
