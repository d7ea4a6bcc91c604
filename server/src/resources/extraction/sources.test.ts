import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from 's3rver';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openS3Objects } from '#store/objects/index.ts';
import { readDatabase } from '#store/postgres/testing.ts';
import { zipOf } from '#testing/archives.ts';
import { type Person, personWith } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';
import { type Files, type Stub, stubOf, webStub } from '#testing/stubs.ts';
import { extracted, faultsOf, idsOf, picture } from './extraction.testing.ts';
import { azureStub, gcsStub, isSignedWith, type Trick, trickster } from './sources.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'fovea-sources-'));
const azureKey = Buffer.from('a key of thirty-two bytes or more').toString('base64');
const files: Files = new Map();
const s3Creds = { case: 's3Creds', value: { id: 'S3RVER', secret: 'S3RVER', region: 'us-east-1' } };

let s3: S3rver;
let s3Proxy: Stub;
let trick: (asked: string, times: number) => Trick = () => 'pass';
let gcs: Awaited<ReturnType<typeof gcsStub>>;
let azure: Stub;
let web: Stub;
let server: TestServer;
let apps = 0;

beforeAll(async () => {
  for (let i = 0; i < 7; i++) files.set(`set/abc ${i}&é.png`, await picture(i));
  files.set('set/abc-1/pack.zip', zipOf([{ path: 'in.png', bytes: await picture(90) }]));
  files.set('set/abc-1/note.txt', Buffer.from('hello'));
  files.set('set/other.png', await picture(91));
  mkdirSync(join(folder, 's3'));
  s3 = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: join(folder, 's3'),
    configureBuckets: [{ name: 'photos', configs: [] }],
  });
  const endpoint = `http://127.0.0.1:${(await s3.run()).port}`;
  const keys = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
  // Keys of our own store are plain, so the S3 bucket holds plainly named files.
  const bucket = await openS3Objects({
    endpoint,
    bucket: 'photos',
    region: 'us-east-1',
    forcePathStyle: true,
    ...keys,
  });
  for (const [key, bytes] of files) await bucket.put(plainly(key), bytes);
  s3Proxy = await trickster(
    endpoint,
    (asked, times) => trick(asked, times),
    (request) => isSignedWith('S3RVER', request),
  );
  gcs = await gcsStub('photos', files);
  azure = await azureStub('acct', azureKey, 'photos', files);
  web = await webStub(files);
  server = await startServer({
    env: {
      FOVEA_SOURCE_S3_ENDPOINT: s3Proxy.url,
      FOVEA_SOURCE_GCS_ENDPOINT: gcs.url,
      FOVEA_SOURCE_AZURE_ENDPOINT: azure.url,
      FOVEA_LOG_LEVEL: 'info',
    },
  });
}, 180_000);

afterAll(async () => {
  await server?.stop();
  await Promise.all([s3Proxy, gcs, azure, web].map((stub) => stub?.close()));
  await s3?.close();
  rmSync(folder, { recursive: true, force: true });
});

const plainly = (key: string) => key.replace(/[ &é]/g, '_');

async function person(): Promise<Person> {
  const appId = `sources-${apps++}`;
  const made = personWith({ url: server.url, userId: server.userId, pat: server.pat, appId });
  await made.client.postApps({ userAppId: { userId: 'me', appId: '' }, apps: [{ id: appId }] });
  return made;
}

async function bring(alice: Person, url: string, credentials?: object, more: object = {}) {
  const source = {
    url: { url, ...(credentials ? { credentials: { credentials } } : {}) },
    inputIdConflictResolution: 2,
  };
  const reply = await alice.client.postInputsDataSources({ dataSources: [source], ...more } as never);
  const [addJob] = reply.inputsAddJobs;
  if (!addJob) return { status: reply.status, job: undefined, addJob };
  return { status: reply.status, job: await extracted(alice, addJob.id), addJob };
}

const all = (name: (key: string) => string) =>
  ['in.png', 'note.txt', ...Array.from({ length: 7 }, (_, i) => name(`abc ${i}&é.png`))].sort();

test.each(['s3', 'gcs', 'azure', 'azure with a signed URL'])(
  '%s: whatever begins with the URL comes in',
  async (kind) => {
    const alice = await person();
    const { url, credentials } = {
      s3: { url: 's3://photos/set/abc', credentials: s3Creds },
      gcs: {
        url: 'gs://photos/set/abc',
        credentials: { case: 'gcpCreds', value: Buffer.from(gcs.keyFile()) },
      },
      azure: {
        url: 'azure://acct/photos/set/abc',
        credentials: { case: 'azureBlobCreds', value: { accountName: 'acct', accountKey: azureKey } },
      },
      'azure with a signed URL': {
        url: 'https://acct.blob.core.windows.net/photos/set/abc?sig=let-me-in',
        credentials: undefined,
      },
    }[kind] as { url: string; credentials: object | undefined };
    const { job, addJob } = await bring(alice, url, credentials);
    expect(addJob?.extractionJobs[0]).toMatchObject({ url: url.replace(/\?.*/, ''), progress: {} });
    expect(job).toMatchObject({
      status: { code: 64002, details: '' },
      progress: { imageInputsCount: 8n, textInputsCount: 1n, completedArchivesCount: 1n },
    });
    expect(await idsOf(alice)).toEqual(all(kind === 's3' ? plainly : (key) => key));
  },
);

test('a folder of a web server comes in with its subfolders; a single file by its own URL', async () => {
  const alice = await person();
  const { job } = await bring(alice, `${web.url}/set/`);
  expect(job).toMatchObject({
    status: { code: 64002 },
    progress: { imageInputsCount: 9n, textInputsCount: 1n },
  });
  expect(await idsOf(alice)).toEqual([...all((key) => key), 'other.png'].sort());
  const bob = await person();
  expect((await bring(bob, `${web.url}/set/abc-1/pack.zip`)).job?.progress?.imageInputsCount).toBe(1n);
  expect(await idsOf(bob)).toEqual(['in.png']);
});

test('wrong credentials, unknown buckets and answers that are no listing end in 66000, with the reason', async () => {
  const alice = await person();
  const page = await stubOf((_request, response) => response.writeHead(403).end('secret words'));
  const robot = { case: 'gcpCreds', value: Buffer.from(gcs.keyFile('nobody@example.org')) };
  const otherKey = Buffer.from('another key of thirty-two bytes..').toString('base64');
  for (const [url, credentials, words] of [
    [
      's3://photos/',
      { case: 's3Creds', value: { id: 'S3RVER', secret: 'wrong' } },
      /refuses these credentials/,
    ],
    ['s3://nowhere/', s3Creds, /no bucket 'nowhere'/],
    ['gs://photos/', robot, /refuses these credentials/],
    ['gs://photos/', undefined, /refuses access without credentials/],
    [
      'azure://acct/photos/',
      { case: 'azureBlobCreds', value: { accountName: 'acct', accountKey: otherKey } },
      /refuses these credentials/,
    ],
    [`${page.url}/folder/`, undefined, /status 403/],
  ] as const) {
    const { job } = await bring(alice, url, credentials);
    expect(job?.status, url).toMatchObject({ code: 66000, details: expect.stringMatching(words) });
    expect(job?.status?.details).not.toContain('secret words');
  }
  expect(await idsOf(alice)).toEqual([]);
  await page.close();
});

test.each([
  ['', 'url.url is empty'],
  ['ftp://host/x', 'must begin with s3://'],
  ['s3://', 'names no bucket'],
  ['s3://..%2f/x', 'no name of a bucket'],
  ['https://user:word@host.example/', 'user name or password'],
  ['azure://acct', 'names no container'],
])('the source %s is refused at once: %s', async (url, words) => {
  const alice = await person();
  expect((await bring(alice, url)).status).toMatchObject({
    code: 11102,
    details: expect.stringContaining(words),
  });
});

test('credentials of another service, or cut short, are refused; an address that is not public is never reached', async () => {
  const alice = await person();
  expect((await bring(alice, 'gs://photos/', s3Creds)).status).toMatchObject({ code: 11102 });
  const cutKey = {
    case: 'azureBlobCreds',
    value: { accountName: 'acct', accountKey: azureKey.slice(0, -1) },
  } as const;
  expect((await bring(alice, 'azure://acct/photos/', cutKey)).status).toMatchObject({
    code: 11102,
    details: expect.stringContaining('azure_blob_creds.account_key is not base64'),
  });
  const hidden = await bring(alice, 'http://10.1.2.3/folder/');
  expect(hidden.job?.status).toMatchObject({
    code: 66000,
    details: expect.stringContaining('not a public address'),
  });
  const key = JSON.parse(gcs.keyFile());
  const lured = {
    case: 'gcpCreds',
    value: Buffer.from(JSON.stringify({ ...key, token_uri: 'http://169.254.169.254/token' })),
  };
  expect((await bring(alice, 'gs://photos/', lured)).job?.status).toMatchObject({ code: 66000 });
});

test('a host that is not there ends in 66000 for its owner, and in no error of the server', async () => {
  const alice = await person();
  // The discard port; nobody listens there.
  const { job } = await bring(alice, 'http://127.0.0.1:9/folder/');
  expect(job?.status).toMatchObject({
    code: 66000,
    details: expect.stringMatching(/several tries.*127\.0\.0\.1.*ECONNREFUSED/),
  });
  expect(server.output()).not.toMatch(/"level":50.*extraction\.extract/);
});

test('no credential is shown, logged, or kept when the job is over', async () => {
  const alice = await person();
  const secret = 'wJalrXUtnFEMIsecret';
  const { job } = await bring(alice, 's3://photos/', {
    case: 's3Creds',
    value: { id: 'AKIASHOWNNOWHERE', secret, token: '' },
  });
  const seen = await alice.rest('GET', `inputs/jobs/extraction/${job?.id}`);
  const listed = await alice.rest('GET', 'inputs/jobs/add');
  for (const text of [JSON.stringify([seen.json, listed.json]), server.output()]) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain('AKIASHOWNNOWHERE');
  }
});

test('objects that vanish are reported and the others come in', async () => {
  const alice = await person();
  trick = (asked) => (asked.includes('abc_3') ? 404 : 'pass');
  const { job } = await bring(alice, 's3://photos/set/abc', s3Creds);
  trick = () => 'pass';
  expect(job).toMatchObject({ status: { code: 64002 }, progress: { imageInputsCount: 7n } });
  expect(await faultsOf(alice, job?.id as string)).toEqual([
    `${plainly('set/abc 3&é.png')}: is no longer there`,
  ]);
});

test('a listing that ends in its middle is no listing of what there is: 66000', async () => {
  const alice = await person();
  trick = (asked) => (asked.includes('list-type') ? 'half' : 'pass');
  const { job } = await bring(alice, 's3://photos/set/abc', s3Creds);
  trick = () => 'pass';
  expect(job?.status).toMatchObject({ code: 66000, details: expect.stringContaining('breaks off') });
  expect(await idsOf(alice)).toEqual([]);
});

test('a file that the bucket refuses is told in one sentence', async () => {
  const alice = await person();
  trick = (asked) => (asked.includes('abc_3') ? 403 : 'pass');
  const { job } = await bring(alice, 's3://photos/set/abc', s3Creds);
  trick = () => 'pass';
  expect(job?.status?.details).toMatch(/^1 file came to no input: .*[^.]\.$/);
});

test.each([
  [
    '503, then 500',
    (_asked: string, times: number): Trick => (times === 1 ? 503 : times === 2 ? 500 : 'pass'),
  ],
  [
    'bodies cut in half',
    (asked: string, times: number): Trick => (times === 1 && !asked.includes('list-type') ? 'cut' : 'pass'),
  ],
  ['slow answers', (): Trick => 'slow'],
])('a bucket that stumbles (%s) is asked again, and nothing is missing or double', async (_title, play) => {
  const alice = await person();
  trick = play;
  const { job } = await bring(alice, 's3://photos/set/abc', s3Creds);
  trick = () => 'pass';
  expect(job?.status).toMatchObject({ code: 64002, details: '' });
  expect(await idsOf(alice)).toEqual(all(plainly));
  const { inputsAddJobs } = await alice.client.listInputsAddJobs({});
  expect(inputsAddJobs[0]?.progress?.failedCount).toBe(0n);
});

test('whoever asked to be called back is told when all inputs are processed', async () => {
  const alice = await person();
  let heard: { inputs_add_job?: { id: string; status: { code: number }; progress: object } } = {};
  const listener = await stubOf((request, response, _url, body) => {
    if (request.method === 'POST') heard = JSON.parse(body);
    response.end('ok');
  });
  const { addJob } = await bring(alice, `${web.url}/set/abc-1/`, undefined, {
    callBackUrl: `${listener.url}/done`,
  });
  expect(addJob?.callBackUrl).toBe(`${listener.url}/done`);
  await expect.poll(() => heard.inputs_add_job?.id, { timeout: 20_000 }).toBe(addJob?.id);
  expect(heard.inputs_add_job).toMatchObject({ status: { code: 64002 }, progress: { success_count: '2' } });
  expect(JSON.stringify(heard)).not.toContain('pat');
  await listener.close();
});

test('credentials are sealed in the table while a job needs them, and gone with its end, however it ends', async () => {
  const alice = await person();
  const secret = 'S3RVER';
  const kept = () =>
    readDatabase<{ source: Buffer | null; row: string }>(
      server.dataDir,
      "select source, to_jsonb(j) - 'source' || '{}' as row from inputs_extraction_jobs j order by key desc limit 1",
    );
  // The source is busy until the row has been seen.
  trick = () => 503;
  const reply = await alice.client.postInputsDataSources({
    dataSources: [{ url: { url: 's3://photos/set/abc', credentials: { credentials: s3Creds } } }],
  } as never);
  const [open] = await kept();
  expect(open?.source?.length).toBeGreaterThan(20);
  expect(open?.source?.includes(secret)).toBe(false);
  expect(JSON.stringify(open?.row)).not.toContain(secret);
  trick = () => 'pass';
  const job = await extracted(alice, reply.inputsAddJobs[0]?.id ?? '');
  expect(job.status?.code).toBe(64002);
  expect((await kept())[0]?.source).toBeNull();
  const wrong = { case: 's3Creds', value: { id: 'S3RVER', secret: 'a-wrong-one', region: 'us-east-1' } };
  expect((await bring(alice, 's3://photos/set/abc', wrong)).job?.status?.code).toBe(66000);
  expect((await kept())[0]?.source).toBeNull();
  expect(server.output()).not.toContain('a-wrong-one');
});
