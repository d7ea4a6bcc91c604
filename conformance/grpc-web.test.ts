import { fromJson, toJson } from '@bufbuild/protobuf';
import { createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-node';
import { createGrpcWebTransport as createBrowserTransport } from '@connectrpc/connect-web';
import { methodRules, V2 } from '@fovea/contract';
import { beforeAll, expect, test } from 'vitest';
import { type Json, type Person, signedIn } from '../server/src/testing/people.ts';
import { expectMainJob } from './expectations.ts';
import { type Call, mainJob } from './main-job.ts';
import { drawPictures } from './pictures.ts';

let alice: Person;

beforeAll(async () => {
  alice = await signedIn('alice', { workflow: 'General' });
});

const withKey =
  (key: string): Interceptor =>
  (next) =>
  (request) => {
    request.header.set('authorization', `Key ${key}`);
    return next(request);
  };

const overNode = (key = alice.pat) =>
  createClient(
    V2,
    createGrpcWebTransport({ baseUrl: alice.url, httpVersion: '1.1', interceptors: [withKey(key)] }),
  );

/** The transport that runs in browsers, on Node's own fetch. */
const overFetch = () =>
  createClient(V2, createBrowserTransport({ baseUrl: alice.url, interceptors: [withKey(alice.pat)] }));

const overGrpcWeb: Call = async (rpc, request) => {
  const rule = methodRules.find((one) => one.name === rpc);
  if (!rule) throw new Error(`the contract has no ${rpc}`);
  const named = { user_app_id: { user_id: alice.userId, app_id: alice.appId }, ...request };
  const client = overNode() as unknown as Record<string, (message: object) => Promise<never>>;
  const send = client[rule.localName] as (message: object) => Promise<never>;
  const reply = await send(fromJson(rule.desc.input, named as never));
  return toJson(rule.desc.output, reply, { useProtoFieldName: true, enumAsInteger: true }) as Json;
};

const userAppId = () => ({ userId: alice.userId, appId: alice.appId });

test('upload, label, train, predict and search work over gRPC-Web', async () => {
  const pictures = await drawPictures();
  expectMainJob(await mainJob(overGrpcWeb, pictures), pictures);
}, 180_000);

test('the transport of browsers reaches the same port', async () => {
  const reply = await overFetch().listApps({ userAppId: { userId: 'me' } });
  expect(reply.status?.code).toBe(10000);
  expect(reply.apps.map(({ id }) => id)).toContain(alice.appId);
});

test.each([
  ['node', overNode],
  ['browser', overFetch],
] as const)('a server stream over gRPC-Web carries its status in its messages (%s)', async (_, open) => {
  const codes: (number | undefined)[] = [];
  const request = { userAppId: userAppId(), modelId: 'no-such-model', inputs: [{ data: {} }] };
  for await (const message of open().generateModelOutputs(request)) codes.push(message.status?.code);
  expect(codes).toHaveLength(1);
  expect(codes[0]).toBeGreaterThan(10000);
});

test('a wrong key is a status in the reply and no error of the transport', async () => {
  const { status } = await overNode('0'.repeat(32)).listInputs({ userAppId: userAppId() });
  expect(status).toMatchObject({
    code: 11008,
    description: 'Invalid API key or Invalid API key/application pair',
  });
});

test('a browser on another site is told that it may ask', async () => {
  const reply = await fetch(`${alice.url}/clarifai.api.V2/ListInputs`, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://example.org',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,x-grpc-web',
    },
  });
  expect(reply.status).toBeLessThan(300);
  expect(reply.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('x-grpc-web');
});
