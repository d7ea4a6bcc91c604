import { create, toBinary } from '@bufbuild/protobuf';
import {
  AudioSchema,
  type Data,
  DataSchema,
  HostedURLSchema,
  type Image,
  ImageSchema,
  type Input,
  InputSchema,
  InputSettingsSchema,
  MultiInputResponseSchema,
  type StatusCode,
  StatusSchema,
  TextSchema,
  VideoSchema,
} from '@fovea/contract';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppGrant } from '#domain/grant.ts';
import { openTestDatabase, type TestDatabase } from '#store/postgres/testing.ts';
import { allMigrations } from '../../migrations.ts';
import { inputLevelData } from '../annotations/index.ts';
import { status } from '../common/status.ts';
import { showTime, unpackBody } from '../common/translate.ts';
import { renderedSizes } from './input.ts';
import { mediaPath, mediaSuffix, originalUrl } from './media-url.ts';
import { inputById, inputsBehind, inputsByKeys, inputsOfPage } from './read-store.ts';
import type { InputRow } from './rows.ts';
import { packInputs } from './show.ts';
import { inputRows } from './store.ts';
import { inputsField, showWritten, unpackInputs, unpackMediaData } from './translate.ts';

// Inputs of every sort are written into the tables, read as bytes and put together; and read as rows and made into
// messages field by field. Both must say the same.

const publicUrl = 'http://here.example:8080';
const grant = { appKey: 1, appId: 'app one', userId: 'ünï', role: 'owner' } as unknown as AppGrant;
let db: TestDatabase;

/** What an input is by the contract, field by field. */
function shownByFields(
  row: InputRow,
  label: Partial<Pick<Data, 'concepts' | 'metadata' | 'geo'>> | undefined,
): Input {
  const data = unpackMediaData(row.media);
  const empty = { image: ImageSchema, text: TextSchema, video: VideoSchema, audio: AudioSchema };
  data[row.kind] ??= create(empty[row.kind] as typeof ImageSchema) as never;
  const medium = data[row.kind] as Image;
  medium.url = row.url || (row.mediaSha ? originalUrl(publicUrl, grant, row.kind, row.mediaSha) : '');
  medium.allowDuplicateUrl = row.allowDuplicateUrl;
  const isProcessed = row.statusCode === 30000;
  if (row.mediaSha && row.statusCode !== 30001 && row.statusCode !== 30003) {
    const hosted = create(HostedURLSchema, {
      prefix: `${publicUrl}${mediaPath}`,
      suffix: mediaSuffix(grant, row.kind, row.mediaSha),
      sizes: ['orig', ...(isProcessed ? renderedSizes[row.kind] : [])],
      crossorigin: 'use-credentials',
    });
    medium.hosted = hosted;
    if (data.video && isProcessed) {
      data.video.hostedThumbnail = { ...hosted, sizes: ['thumbnail', 'large', 'small', 'tiny'] };
      data.video.thumbnailUrl = `${hosted.prefix}/thumbnail/${hosted.suffix}`;
    }
  }
  if (label?.concepts) data.concepts = label.concepts;
  if (label?.metadata) data.metadata = label.metadata;
  if (label?.geo) data.geo = label.geo;
  return create(InputSchema, {
    id: row.id,
    data,
    createdAt: showTime(row.createdAt) as never,
    modifiedAt: showTime(row.modifiedAt) as never,
    status: create(StatusSchema, status(row.statusCode as StatusCode, row.statusDetails)),
    ...(row.settings.length > 0 ? { settings: unpackBody(InputSettingsSchema, row.settings) } : {}),
  });
}

const info = { width: 640, height: 480, format: 'jpeg', colorMode: 'RGB' };
const media: [kind: string, data: Data][] = [
  ['image', create(DataSchema, { image: {} })],
  ['image', create(DataSchema)],
  ['image', create(DataSchema, { image: { imageInfo: info } })],
  [
    'image',
    create(DataSchema, { image: { imageInfo: info, hostedImageInfo: { tiny: info } }, text: { raw: 'ß' } }),
  ],
  ['video', create(DataSchema, { video: { videoInfo: { width: 3, fps: 25.5, frameCount: 200 } } })],
  ['text', create(DataSchema, { text: { raw: 'x'.repeat(5000), textInfo: { charCount: 5000 } } })],
  ['text', create(DataSchema)],
  ['audio', create(DataSchema, { audio: { audioInfo: { audioFormat: 'WAV' } } })],
];
const labels: (Partial<Data> | undefined)[] = [
  undefined,
  {},
  { concepts: [{ id: 'cat', value: 1 }] as never },
  {
    concepts: [
      { id: 'cat', value: 0 },
      { id: 'unheard of', value: 0.5 },
      { id: 'nameless', name: 'kept', appId: 'elsewhere', value: 1 },
      { id: 'größe', value: 0.25, language: 'de' },
    ] as never,
    metadata: { a: [1, { b: null }], 'ü"': 'text' },
    geo: { geoPoint: { latitude: -1.5, longitude: 179 } } as never,
  },
  { metadata: {} },
  { geo: { geoPoint: {} } as never },
];
/** A field that the contract does not have, as a newer client may send one, and a group, which no client should. */
const unknown = Buffer.from('c03e01cb3e0a0162cc3e', 'hex');

beforeAll(async () => {
  db = await openTestDatabase(allMigrations);
  await db.query(`set session_replication_role = replica`);
  const asked: unknown[][] = [];
  const settings = Buffer.from(
    toBinary(InputSettingsSchema, create(InputSettingsSchema, { sampleRateMs: 40 })),
  );
  for (const [kind, data] of media)
    for (const code of [30000, 30001, 30002, 30003, 30104])
      for (const label of labels) {
        const n = asked.length;
        const packed = Buffer.concat([toBinary(DataSchema, data), n % 7 === 0 ? unknown : Buffer.alloc(0)]);
        const labelled = label && Buffer.from(toBinary(DataSchema, create(DataSchema, label as never)));
        asked.push([
          n % 3 === 0 ? '' : `https://images.example/${n}?é`,
          n % 4 === 1 ? null : Buffer.alloc(32, n),
          kind,
          code,
          n % 5 === 0 ? `why not: ${'x'.repeat(n)}` : '',
          n % 2 === 0,
          packed,
          n % 6 === 0 ? settings : Buffer.alloc(0),
          labelled && n % 9 === 0 ? Buffer.concat([labelled, unknown]) : labelled,
        ]);
      }
  await db.transaction(async (tx) => {
    await tx.query(`set local session_replication_role = replica`);
    for (const [n, [url, sha, kind, code, details, twice, packed, set, label]] of asked.entries()) {
      const times = [new Date(1_732_600_000_000 + n * 1001), new Date(n % 2 === 0 ? -n * 999 - 1 : n)];
      const [row] = await tx.query<{ key: number }>(
        `insert into inputs (app_key, id, kind, status_code, status_details, url, allow_duplicate_url, media_sha, media, settings, created_at, modified_at)
         values (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning key`,
        [`input-${n}-ü`, kind, code, details, url, twice, sha, packed, set, ...times],
      );
      if (label)
        await tx.query(
          `insert into annotations (app_key, input_key, input_id, id, input_level, data) values (1, $1, $2, 'a', true, $3)`,
          [row?.key, `input-${n}-ü`, label],
        );
    }
    await tx.query(
      `insert into concepts (app_key, id, name) values (1, 'cat', 'Katze 猫'), (1, 'größe', 'size'), (2, 'nameless', 'not yours'), (2, 'unheard of', 'neither')`,
    );
  });
});

afterAll(() => db.close());

async function wantedOf(keys: readonly number[]): Promise<Input[]> {
  const rows = new Map((await inputRows(db, grant, keys)).map((row) => [row.key, row]));
  const known = await inputLevelData(db, grant, keys);
  return keys.map((key) => shownByFields(rows.get(key) as InputRow, known.get(key)));
}

const keysOf = async () =>
  (await db.query<{ key: number }>('select key from inputs order by key')).map(({ key }) => key);

test('inputs that are put together from bytes are the inputs that their fields make', async () => {
  const keys = await keysOf();
  expect(keys).toHaveLength(media.length * 5 * labels.length);
  const wanted = await wantedOf(keys);
  const packed = await packInputs(
    { db, publicUrl: () => publicUrl },
    grant,
    await inputsByKeys(db, grant, keys),
  );
  expect(unpackInputs(packed.fields)).toEqual(wanted);
});

test('known fields come once and in the order in which an encoder writes them', async () => {
  const keys = await keysOf();
  for (const [i, key] of keys.entries()) {
    if (i % 7 === 0 || i % 9 === 0) continue;
    const [wanted] = await wantedOf([key]);
    const { fields } = await packInputs(
      { db, publicUrl: () => publicUrl },
      grant,
      await inputsByKeys(db, grant, [key]),
    );
    const encoded = toBinary(
      MultiInputResponseSchema,
      create(MultiInputResponseSchema, { inputs: [wanted as Input] }),
    );
    expect(Buffer.from(fields).toString('hex'), wanted?.id).toBe(Buffer.from(encoded).toString('hex'));
  }
});

test('an input that was written just now shows the same as when it is read', async () => {
  const keys = await keysOf();
  const rows = await inputRows(db, grant, keys);
  for (const row of rows)
    expect(showWritten([row], undefined, grant, publicUrl)).toEqual([shownByFields(row, undefined)]);
});

test('each way of reading finds its rows, in its order, and none of another app', async () => {
  const keys = await keysOf();
  const shown = async (rows: Parameters<typeof packInputs>[2]) =>
    unpackInputs((await packInputs({ db, publicUrl: () => publicUrl }, grant, rows)).fields).map(
      ({ id }) => id,
    );
  const ids = (await wantedOf(keys)).map(({ id }) => id);
  const other = { ...grant, appKey: 2 } as AppGrant;
  expect(await shown(await inputsOfPage(db, grant, undefined, { number: 1, size: 5 }))).toEqual(
    [...ids].reverse().slice(0, 5),
  );
  expect(await shown(await inputsBehind(db, grant, keys[9] as number, 5))).toEqual(ids.slice(10, 15));
  expect(
    await shown(await inputsByKeys(db, grant, [keys[7], keys[3], 10 ** 12, keys[5]] as number[])),
  ).toEqual([7, 3, 5].map((i) => ids[i]));
  const asked = await Promise.all([
    ...ids.slice(0, 40).map((id) => inputById(db, grant, id)),
    inputById(db, grant, 'nobody'),
    inputById(db, other, ids[0] as string),
  ]);
  expect(await shown(asked.slice(0, 40) as never)).toEqual(ids.slice(0, 40));
  expect(asked.slice(40)).toEqual([undefined, undefined]);
  expect(await inputsOfPage(db, other, undefined, { number: 1, size: 5 })).toEqual([]);
  expect(await inputsByKeys(db, other, keys)).toEqual([]);
});

test('field 2 of both replies holds inputs', () => {
  expect(MultiInputResponseSchema.field.inputs.number).toBe(inputsField);
});
