import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { User } from 'clarifai-nodejs';
import clarifai from 'clarifai-nodejs-grpc';
import client from 'clarifai-nodejs-grpc/proto/clarifai/api/service_grpc_pb';
import service from 'clarifai-nodejs-grpc/proto/clarifai/api/service_pb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Json } from '../server/src/testing/people.ts';
import { selfSigned } from '../server/src/testing/self-signed.ts';
import { startServer, type TestServer } from '../server/src/testing/server.ts';

const { grpc } = clarifai;
const { key, cert } = selfSigned();

let server: TestServer;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-tls-'));
  await writeFile(join(folder, 'cert.pem'), cert);
  server = await startServer({ env: { FOVEA_TLS_CERT: join(folder, 'cert.pem'), FOVEA_TLS_KEY: key } });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A GET over HTTPS that trusts our certificate and nothing else. */
const get = (path: string): Promise<Json> =>
  new Promise((resolve, reject) => {
    const headers = { authorization: `Key ${server.pat}` };
    const asked = request(`${server.url}${path}`, { ca: cert, headers, agent: false }, async (reply) => {
      const parts: Buffer[] = [];
      for await (const part of reply) parts.push(part as Buffer);
      resolve(JSON.parse(Buffer.concat(parts).toString()) as Json);
    });
    asked.on('error', reject).end();
  });

const protocolFor = (offered: string[]): Promise<string | false | null> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const options = { host: hostname, port: Number(port), ca: cert, ALPNProtocols: offered };
    const socket = connect(options, () => {
      resolve(socket.alpnProtocol);
      socket.destroy();
    });
    socket.on('error', reject);
  });

test('the address says https', () => {
  expect(server.url).toMatch(/^https:/);
});

test('REST answers over TLS', async () => {
  const { status, user } = await get('/v2/users/me');
  expect([status.code, user.id]).toEqual([10000, 'admin']);
});

test('gRPC answers over TLS on the same port', async () => {
  const credentials = grpc.credentials.createSsl(Buffer.from(cert));
  const stub = new client.V2Client(new URL(server.url).host, credentials);
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Key ${server.pat}`);
  const code = await new Promise((resolve, reject) => {
    stub.listApps(new service.ListAppsRequest(), metadata, (error, reply) =>
      error ? reject(error) : resolve(reply.getStatus()?.getCode()),
    );
  });
  stub.close();
  expect(code).toBe(10000);
});

test('the SDK trusts the certificate that it is given', async () => {
  const user = new User({
    userId: 'admin',
    appId: '',
    pat: server.pat,
    base: server.url,
    rootCertificatesPath: join(folder, 'cert.pem'),
  });
  for await (const apps of user.listApps()) expect(apps).toEqual([]);
});

test.each([
  [['h2', 'http/1.1'], 'h2'],
  [['http/1.1'], 'http/1.1'],
])('a client that offers %s gets %s', async (offered, chosen) => {
  expect(await protocolFor(offered)).toBe(chosen);
});

test('a client that speaks plainly is hung up on, and the next one is served', async () => {
  const plain = new Promise((resolve) => {
    httpRequest(server.url.replace('https:', 'http:'), (reply) => resolve(reply.statusCode))
      .on('error', () => resolve('hung up'))
      .end();
  });
  expect([400, 'hung up']).toContain(await plain);
  expect((await get('/v2/users/me')).status.code).toBe(10000);
});
