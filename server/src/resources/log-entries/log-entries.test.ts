import { create, fromBinary, type MessageInitShape, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { V2 } from '@fovea/contract';
import { beforeAll, describe, expect, test } from 'vitest';
import { openClient } from '#testing/client.ts';
import { broughtModel, channelNetwork, tarFile } from '#testing/models.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { digestOf, pageMeant, sourceOf } from './log-source.ts';

let alice: Person;
let versionId: string;

beforeAll(async () => {
  alice = await signedIn('alice');
  const archive = tarFile({
    'fovea.json': JSON.stringify({ task: 'image-classification', labels: ['red', 'green', 'blue'] }),
    'model.onnx': channelNetwork(),
    // Each is left out with a line of its own.
    ...Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`notes-${i}.safetensors`, 'x'])),
  });
  versionId = (await broughtModel(alice, 'colours', 'visual-classifier', archive)).versionId;
});

const { input, output } = V2.method.streamLogEntries;

/** StreamLogEntries as alice, reply by reply; `stop` hangs up. */
function streamed(wanted: MessageInitShape<typeof input>) {
  const { channel, headers, close } = openClient(new URL(alice.url).host, {
    authorization: `Key ${alice.pat}`,
  });
  const stream = channel.makeServerStreamRequest(
    '/clarifai.api.V2/StreamLogEntries',
    (request: MessageShape<typeof input>) => Buffer.from(toBinary(input, request)),
    (bytes: Buffer) => fromBinary(output, bytes),
    create(input, wanted),
    headers,
  );
  stream.on('error', () => {});
  stream.on('close', close);
  const replies = async function* (): AsyncGenerator<MessageShape<typeof output>> {
    yield* stream as AsyncIterable<MessageShape<typeof output>>;
  };
  return { replies: replies(), stop: () => stream.cancel() };
}

async function messagesOf(wanted: object): Promise<string[]> {
  const messages: string[] = [];
  const userAppId = { userId: alice.userId, appId: alice.appId };
  const { replies } = streamed({ userAppId, ...wanted });
  for await (const reply of replies) {
    expect(reply.status?.code, reply.status?.details).toBe(10000);
    messages.push(...reply.logEntries.map((entry) => entry.message));
  }
  return messages;
}

const builder = (more: object = {}) => ({
  logType: 'builder',
  modelId: 'colours',
  modelVersionId: versionId,
  ...more,
});

describe('logs of a build', () => {
  test('the SDK’s way of looking, 50 lines a page until a page is not full, sees every line once', async () => {
    const seen = new Map<string, string>();
    for (let page = 1; ; page += 1) {
      const reply = await alice.client.listLogEntries(builder({ page, perPage: 50 }));
      expect(reply.status?.code, reply.status?.details).toBe(10000);
      expect([reply.page, reply.perPage]).toEqual([page, 50]);
      for (const { url, message } of reply.logEntries) seen.set(url, message);
      if (reply.logEntries.length < 50) break;
    }
    const lines = [...seen.values()];
    expect(lines[0]).toContain('building begins');
    expect(lines.filter((line) => line.startsWith('left out notes-')).length).toBe(50);
    expect(lines.at(-1)).toBe('the model is ready');
  });

  test('without a page, or beyond the end, the last one is meant; a line’s URL asks for just that line', async () => {
    const last = await alice.client.listLogEntries(builder());
    expect(last.perPage).toBe(32);
    expect(last.page).toBeGreaterThan(1);
    expect(last.logEntries.at(-1)).toMatchObject({
      message: 'the model is ready',
      logType: 'builder',
      meta: { modelId: 'colours', modelVersionId: versionId },
    });
    expect((await alice.client.listLogEntries(builder({ page: 900 }))).page).toBe(last.page);
    const { url, message } = last.logEntries[0] as { url: string; message: string };
    const { pathname, search } = new URL(url);
    const { json } = await alice.rest('GET', pathname + search);
    expect(json.log_entries).toMatchObject([{ url, message }]);
  });

  test('a stream of an ended build gives all lines and ends', async () => {
    const messages = await messagesOf(builder());
    expect(messages[0]).toContain('building begins');
    expect(messages.at(-1)).toBe('the model is ready');
  });

  test('strangers learn nothing, and unknown models and types are refused in words', async () => {
    const bob = await signedIn('bob');
    const strange = await bob.as({ userId: alice.userId, appId: alice.appId }).listLogEntries(builder());
    expect(strange.status?.code).not.toBe(10000);
    expect(strange.logEntries).toEqual([]);
    expect((await alice.client.listLogEntries(builder({ modelId: 'nobody' }))).status?.code).toBe(21200);
    const type = await alice.client.listLogEntries(builder({ logType: 'diary' }));
    expect([type.status?.code, type.status?.details]).toEqual([11102, expect.stringContaining('builder')]);
    expect((await alice.client.listLogEntries({ logType: 'runner' })).status?.code).toBe(11102);
  });
});

test('a training’s lines are listed too', async () => {
  await alice.client.postModels({ models: [{ id: 'untaught', modelTypeId: 'embedding-classifier' }] });
  const posted = await alice.client.postModelVersions({
    modelId: 'untaught',
    modelVersions: [{ outputInfo: { data: { concepts: [{ id: 'a' }, { id: 'b' }] } } }],
  });
  const id = posted.model?.modelVersion?.id ?? '';
  const messages = await messagesOf({ logType: 'training', modelId: 'untaught', modelVersionId: id });
  expect(messages[0]).toContain('training begins');
  expect(messages.at(-1)).toContain('training ended without a model');
});

describe('lines that programs post', () => {
  const runner = (id: string) => ({ computeClusterId: 'garage', nodepoolId: 'shelf', runnerId: id });

  test('are kept in order, per source, for the one who posted them', async () => {
    const lines = ['loaded', 'ready', 'first call'];
    const posted = await alice.client.postLogEntries({
      logEntries: [
        ...lines.map((message) => ({ message, logType: 'runner', meta: runner('r1') })),
        { message: 'another', logType: 'runner', meta: runner('r2') },
        { message: 'pulled', logType: 'runner.events', meta: runner('r1') },
      ],
    });
    expect(posted.status?.code, posted.status?.details).toBe(10000);
    const user = alice.as({ appId: '' });
    const { logEntries } = await user.listLogEntries({ logType: 'runner', ...runner('r1') });
    expect(logEntries.map((one) => one.message)).toEqual(['loaded', 'ready', 'first call']);
    expect(new Set(logEntries.map((one) => one.url)).size).toBe(3);
    const path = `/v2/users/${alice.userId}/compute_clusters/garage/nodepools/shelf/runners/r1/runner.events/logs`;
    expect((await alice.rest('GET', path)).json.log_entries).toMatchObject([{ message: 'pulled' }]);
    const bob = await signedIn('bob');
    expect(
      (await bob.as({ appId: '' }).listLogEntries({ logType: 'runner', ...runner('r1') })).logEntries,
    ).toEqual([]);
  });

  test('are refused whole where one is not the poster’s, too long, or of no known type', async () => {
    const refused: [object, number][] = [
      [{ logType: 'runner', meta: { userAppId: { userId: 'somebody' } } }, 11007],
      [{ logType: 'runner', message: 'x'.repeat(70_000) }, 11102],
      [{ logType: 'diary' }, 11102],
    ];
    for (const [entry, code] of refused) {
      const reply = await alice.client.postLogEntries({
        logEntries: [{ message: 'fine', logType: 'runner', meta: runner('r9') }, entry],
      });
      expect(reply.status?.code, reply.status?.details).toBe(code);
    }
    expect((await alice.client.postLogEntries({})).status?.code).toBe(11102);
    const { logEntries } = await alice
      .as({ appId: '' })
      .listLogEntries({ logType: 'runner', ...runner('r9') });
    expect(logEntries).toEqual([]);
  });

  test('StreamLogEntries goes on with what comes after it began, and ends with the caller', async () => {
    const post = (message: string) =>
      alice.client.postLogEntries({
        logEntries: [{ message, logType: 'agent', meta: { computeClusterId: 'c7' } }],
      });
    await post('before');
    const heard: string[] = [];
    const { replies, stop } = streamed({
      userAppId: { userId: alice.userId },
      logType: 'agent',
      computeClusterId: 'c7',
    });
    const all = (async () => {
      for await (const reply of replies) {
        heard.push(...reply.logEntries.map((entry) => entry.message));
        if (heard.length === 1) await post('after');
        if (heard.length === 2) stop();
      }
    })();
    await all.catch(() => {});
    expect(heard).toEqual(['before', 'after']);
  });
});

test.each([
  [0, 32, 0, 1],
  [0, 32, 32, 1],
  [0, 32, 33, 2],
  [1, 32, 33, 1],
  [9, 32, 33, 2],
])('page %i of %i lines each, of %i lines, is page %i', (asked, size, count, meant) => {
  expect(pageMeant(asked, size, count)).toBe(meant);
});

test('every id tells sources apart, and the user’s name does not', () => {
  const meta = { modelId: 'm', runnerId: 'r', userAppId: { userId: 'u', appId: 'a' } };
  const digest = (named: object, type = 'runner') => digestOf(sourceOf(type, named as never)).toString('hex');
  expect(digest({ ...meta, userAppId: { userId: 'me', appId: 'a' } })).toBe(digest(meta));
  const others = [
    digest(meta, 'agent'),
    digest({ ...meta, runnerId: 'm', modelId: 'r' }),
    digest({ ...meta, userAppId: { userId: 'u', appId: 'b' } }),
  ];
  expect(new Set([digest(meta), ...others]).size).toBe(4);
});
