import http2 from 'node:http2';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';

// What our gateway is compared with: the least that Node can do to send the same bytes.

/** A grpc-js server whose handler knows its answer. */
async function noOp(path: string, reply: Buffer): Promise<number> {
  const server = new grpc.Server();
  const same = (bytes: Buffer) => bytes;
  server.register(
    path,
    ((_call: unknown, done: (error: null, value: Buffer) => void) => done(null, reply)) as never,
    same as never,
    same,
    'unary',
  );
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

/** Bare http2, encoding the same message with protobufjs each time. */
async function encoding(typeName: string, reply: Buffer): Promise<number> {
  const type = await clarifaiType(typeName);
  const message = type.decode(reply);
  const server = http2.createServer();
  server.on('stream', (stream) => {
    stream.on('data', () => {});
    stream.on('end', () => {
      const body = type.encode(message).finish();
      const head = Buffer.alloc(5);
      head.writeUInt32BE(body.length, 1);
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.write(head);
      stream.end(body);
    });
  });
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  );
}

async function clarifaiType(typeName: string): Promise<protobuf.Type> {
  const [client, wellKnown] = [packageFolder('clarifai-nodejs-grpc'), packageFolder('protobufjs')];
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(target.startsWith('proto/') ? client : wellKnown, target);
  await root.load('proto/clarifai/api/service.proto', { keepCase: true });
  return root.lookupType(typeName);
}

function packageFolder(name: string): string {
  const entry = createRequire(import.meta.url).resolve(name);
  return entry.slice(0, entry.lastIndexOf(name) + name.length);
}

type Question =
  | { kind: 'no-op'; path: string; reply: string }
  | { kind: 'encoding'; type: string; reply: string };

process.on('message', (question: Question) => {
  const reply = Buffer.from(question.reply, 'base64');
  const opened = question.kind === 'no-op' ? noOp(question.path, reply) : encoding(question.type, reply);
  opened.then(
    (port) => process.send?.({ url: `http://127.0.0.1:${port}` }),
    (error) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
