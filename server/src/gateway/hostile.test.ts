import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { serverUrl, signedIn } from '#testing/people.ts';

const frame = (type: number, flags: number, stream: number, payload = Buffer.alloc(0)) => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};

const literal = (name: string, value: string) =>
  Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);

test('streams that are reset in the packet that opens them do not harm the server', async () => {
  const { hostname, port } = new URL(serverUrl());
  const socket = connect(Number(port), hostname).on('error', () => {});
  socket.resume();
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)]));
  // :method POST and :scheme http from the static table; no content type, as no gRPC client sends it.
  const head = Buffer.concat([Buffer.of(0x83, 0x86), literal(':path', '/x'), literal(':authority', 'x')]);
  for (let round = 0; round < 20 && !socket.destroyed; round++) {
    const pairs = Array.from({ length: 50 }, (_, i) => 2 * (round * 50 + i) + 1);
    socket.write(
      Buffer.concat(pairs.flatMap((id) => [frame(1, 4, id, head), frame(3, 0, id, Buffer.of(0, 0, 0, 8))])),
    );
    await sleep(1);
  }
  await sleep(100);
  socket.destroy();
  expect((await fetch(`${serverUrl()}/readyz`)).status).toBe(200);
});

test('a request whose bytes are no message, or whose texts hold NUL, is refused in the contract’s words', async () => {
  const alice = await signedIn('alice');
  expect((await alice.client.postConcepts({ concepts: [{ id: 'a', name: 'x\0' }] })).status?.code).toBe(
    11100,
  );
  const rest = await alice.rest('POST', 'concepts', '{"concepts":[{"id":"a","name":"x\\u0000"}]}');
  expect([rest.http, rest.json.status.code]).toEqual([400, 11100]);
  const bytes = Buffer.from([0, 0, 0, 0, 2, 0x0a, 0xff]);
  const reply = await fetch(`${serverUrl()}/clarifai.api.V2/PostConcepts`, {
    method: 'POST',
    headers: { 'content-type': 'application/grpc-web+proto', authorization: `Key ${alice.pat}` },
    body: bytes,
  });
  expect(Buffer.from(await reply.arrayBuffer()).toString('latin1')).toContain('grpc-status: 0');
});

test('a body without a length that grows too large is answered, not cut off', async () => {
  const { hostname, port } = new URL(serverUrl());
  const socket = connect(Number(port), hostname);
  socket.write('POST /v2/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
  const piece = Buffer.alloc(48 * 1024, 32);
  for (let i = 0; i < 3; i++) {
    socket.write(`${piece.length.toString(16)}\r\n`);
    socket.write(piece);
    socket.write('\r\n');
  }
  socket.write('0\r\n\r\n');
  const [answer] = await once(socket, 'data');
  socket.destroy();
  expect(String(answer)).toMatch(/^HTTP\/1.1 413 /);
});

test('a path that looks like a host is a path that nobody answers', async () => {
  const { hostname, port } = new URL(serverUrl());
  const socket = connect(Number(port), hostname);
  socket.write('GET // HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  const [answer] = await once(socket, 'data');
  socket.destroy();
  expect(String(answer)).toMatch(/^HTTP\/1.1 404 /);
});

test('a stranger cannot make the server hold a large body', async () => {
  const response = await fetch(`${serverUrl()}/v2/users/me/apps/x/inputs`, {
    method: 'POST',
    body: Buffer.alloc(2 * 1024 * 1024, 32),
  });
  expect(response.status).toBe(401);
  expect(((await response.json()) as { status: { code: number } }).status.code).toBe(11102);
});
