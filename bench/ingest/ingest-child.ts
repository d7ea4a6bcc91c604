import { createHash } from 'node:crypto';
import pg from 'pg';
import sharp from 'sharp';

// The least that keeping an input costs: its rows in tables with the same indexes, or its picture's own calculations.

type Question =
  | { kind: 'prepare'; socketDir: string }
  | { kind: 'insert'; socketDir: string; appKey: number; batches: number; batch: number; from: number }
  | { kind: 'pictures'; bytes: string; count: number };

let client: pg.Client | undefined;

async function connected(socketDir: string): Promise<pg.Client> {
  if (!client) {
    client = new pg.Client({ host: socketDir, user: 'fovea', database: 'fovea' });
    await client.connect();
  }
  return client;
}

async function prepare({ socketDir }: { socketDir: string }) {
  const db = await connected(socketDir);
  await db.query('create schema raw');
  await db.query('create table raw.inputs (like public.inputs including all)');
  await db.query('create table raw.annotations (like public.annotations including all)');
  return {};
}

const insertInputs = {
  name: 'raw-inputs',
  text: `insert into raw.inputs (app_key, id, kind, status_code, url, media)
    select $1, id, 'image', 30001, url, $4 from unnest($2::text[], $3::text[]) as n(id, url) returning key`,
};
const insertAnnotations = {
  name: 'raw-annotations',
  text: `insert into raw.annotations (app_key, input_key, input_id, id, input_level, worker_user_key)
    select $1, key, input_id, id, true, 1 from unnest($2::bigint[], $3::text[], $4::text[]) as n(key, input_id, id)`,
};

/** 128 rows a statement, each batch committed by itself and on disk before the next. */
async function insert({ socketDir, appKey, batches, batch, from }: Question & { kind: 'insert' }) {
  const db = await connected(socketDir);
  for (let n = 0; n < batches; n++) {
    const ids = Array.from({ length: batch }, (_, i) => `raw-${from + n * batch + i}`);
    const urls = ids.map((id) => `https://images.example/${id}.jpg`);
    await db.query('begin');
    const { rows } = await db.query({ ...insertInputs, values: [appKey, ids, urls, Buffer.from([10, 0])] });
    await db.query({
      ...insertAnnotations,
      values: [
        appKey,
        rows.map(({ key }) => key),
        ids,
        ids.map((id) => createHash('md5').update(id).digest('hex')),
      ],
    });
    await db.query('commit');
  }
  const { rows } = await db.query(
    'select count(*)::int as n from raw.inputs where app_key = $1 and url <> $2',
    [appKey, ''],
  );
  return { rows: rows[0].n };
}

sharp.concurrency(1);

/** Edges and qualities of what the server renders of a picture of this size. */
const renditions = [
  [100, 75],
  [256, 80],
] as const;

/** What the server makes of a picture: its hash, its dimensions, two renditions, each by a call of its own. */
async function pictures({ bytes, count }: Question & { kind: 'pictures' }) {
  const picture = Buffer.from(bytes, 'base64');
  let last: { width?: number; height?: number } = {};
  for (let n = 0; n < count; n++) {
    createHash('sha256').update(picture).digest();
    last = await sharp(picture).metadata();
    for (const [edge, quality] of renditions) {
      await sharp(picture)
        .resize(edge, edge, { fit: 'inside', withoutEnlargement: true })
        .jpeg({ quality })
        .toBuffer();
    }
  }
  return { width: last.width, height: last.height };
}

process.on('message', (question: Question) => {
  const work = { prepare, insert, pictures }[question.kind] as (one: Question) => Promise<object>;
  work(question).then(
    (found) => process.send?.(found),
    (error) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
