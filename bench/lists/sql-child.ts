import { createRequire } from 'node:module';
import { join } from 'node:path';
import pg from 'pg';
import protobuf from 'protobufjs';

// The least that a list can cost: the rows of a page by their index, and the reply's bytes out of them.

type Question =
  | { kind: 'page'; socketDir: string; appKey: number; pages: number; size: number }
  | {
      kind: 'filtered';
      socketDir: string;
      appKey: number;
      by: keyof typeof filters;
      pages: number;
      size: number;
    }
  | { kind: 'copy'; socketDir: string; appKey: number };

const pageSql = {
  name: 'page',
  text: `select i.id, i.url, i.status_code, i.media, i.created_at, i.modified_at, a.data
    from inputs i left join annotations a on a.input_key = i.key and a.input_level
    where i.app_key = $1 order by i.key desc limit $2`,
};

/** Inputs that one thing is true of, in the order in which the API shows them. */
const filters = {
  status: 'select key from inputs where app_key = $1 and status_code = 30100 order by key desc limit $2',
  concept: `select input_key as key from annotation_concepts
    where app_key = $1 and concept_id = 'rare' and trusted and value >= 0.5 order by input_key limit $2`,
  metadata: `select a.input_key as key from annotations a
    where a.app_key = $1 and a.metadata @> '{"shelf": "rare"}' order by a.input_key limit $2`,
};

const filteredSql = (by: keyof typeof filters) => ({
  name: `filtered-${by}`,
  text: `select i.id, i.url, i.status_code, i.media, i.created_at, i.modified_at, a.data
    from (${filters[by]}) f join inputs i on i.key = f.key left join annotations a on a.input_key = i.key and a.input_level
    order by i.key ${by === 'status' ? 'desc' : 'asc'}`,
});

let client: pg.Client | undefined;
let replyType: protobuf.Type | undefined;

async function connected(socketDir: string): Promise<pg.Client> {
  if (!client) {
    client = new pg.Client({ host: socketDir, user: 'fovea', database: 'fovea' });
    await client.connect();
  }
  return client;
}

async function multiInputResponse(): Promise<protobuf.Type> {
  if (replyType) return replyType;
  const root = new protobuf.Root();
  const folderOf = (name: string) => {
    const entry = createRequire(import.meta.url).resolve(name);
    return entry.slice(0, entry.lastIndexOf(name) + name.length);
  };
  const [contract, wellKnown] = [folderOf('clarifai-nodejs-grpc'), folderOf('protobufjs')];
  root.resolvePath = (_origin, target) => join(target.startsWith('proto/') ? contract : wellKnown, target);
  await root.load('proto/clarifai/api/service.proto', { keepCase: true });
  replyType = root.lookupType('clarifai.api.MultiInputResponse');
  return replyType;
}

const time = (at: Date) => ({ seconds: Math.floor(at.getTime() / 1000), nanos: (at.getTime() % 1000) * 1e6 });

async function pages(question: Question & { kind: 'page' | 'filtered' }): Promise<{ ids: string[] }> {
  const statement = question.kind === 'page' ? pageSql : filteredSql(question.by);
  const [db, type] = [await connected(question.socketDir), await multiInputResponse()];
  const dataType = type.root.lookupType('clarifai.api.Data');
  let ids: string[] = [];
  for (let n = 0; n < question.pages; n++) {
    const { rows } = await db.query({ ...statement, values: [question.appKey, question.size] });
    const inputs = rows.map((row) => {
      const data = dataType.decode(row.media) as unknown as Record<string, { url?: string }>;
      (data['image'] as { url?: string }).url = row.url;
      if (row.data?.length > 0)
        data['concepts'] = (dataType.decode(row.data) as never as typeof data)['concepts'] as never;
      return {
        id: row.id,
        data,
        created_at: time(row.created_at),
        modified_at: time(row.modified_at),
        status: { code: row.status_code },
      };
    });
    type.encode({ status: { code: 10000 }, inputs }).finish();
    ids = rows.map(({ id }) => id);
  }
  return { ids };
}

/** The same columns in the cheapest form that the database has. */
async function copied({ socketDir, appKey }: Question & { kind: 'copy' }): Promise<{ rows: number }> {
  const db = await connected(socketDir);
  await db.query('begin');
  await db.query(`create temp view copied as select i.id, i.url, i.status_code, i.media, i.created_at, i.modified_at, a.data
    from inputs i left join annotations a on a.input_key = i.key and a.input_level where i.app_key = ${Number(appKey)}`);
  // To a program that throws it away, so that no client has to take it.
  const { rowCount } = await db.query(`copy (select * from copied) to '/dev/null'`);
  await db.query('rollback');
  return { rows: rowCount ?? 0 };
}

process.on('message', (question: Question) => {
  const answer = question.kind === 'copy' ? copied(question) : pages(question);
  answer.then(
    (found) => process.send?.(found),
    (error) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
