import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './paths.mjs';

// Statuses of the contract (status_code.proto): key unknown, key absent, header malformed.
const refusedToken = new Set([11008, 11009, 11102]);
const unavailable = 14;

/**
 * The official Node client, pointed at a server of ours: `call('PostInputs', request)` resolves to the reply,
 * or throws with the server's own words where the reply's status is not SUCCESS (10000) or MIXED (10010), unless
 * `anyStatus` asks for the reply as it is.
 *
 * @param {{ url: string, token: string }} server
 */
export function connect({ url, token }) {
  const { ClarifaiStub, grpc } = createRequire(join(root, 'contract', 'package.json'))(
    'clarifai-nodejs-grpc',
  );
  const { protocol, hostname, port } = new URL(url);
  const target = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
  const stub = protocol === 'https:' ? ClarifaiStub.grpc(target) : plainStub(ClarifaiStub, grpc, target);
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Key ${token}`);

  const call = (name, request, { anyStatus = false, deadlineMs } = {}) =>
    new Promise((resolve, reject) => {
      const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
      stub[name](request, metadata, options, (error, reply) => {
        if (error?.code === unavailable)
          return reject(new Error(`no server answers at ${url}; is it running?`));
        if (error) return reject(new Error(`${name}: ${error.details || error.message}`));
        const { code, description, details } = reply.status;
        if (anyStatus || code === 10000 || code === 10010) return resolve(reply);
        if (refusedToken.has(code) && name === 'GetUser') {
          return reject(
            new Error(`the server at ${url} does not accept this token (${code} ${description})`),
          );
        }
        reject(new Error(`${name}: ${code} ${description} ${details}`.trim()));
      });
    });
  return { call, close: () => stub.close() };
}

/** The client's own way without TLS has a fixed address; its class takes any. */
function plainStub(ClarifaiStub, grpc, target) {
  const fixed = ClarifaiStub.insecureGrpc();
  fixed.close();
  const bytesMax = 2 ** 30;
  return new fixed.constructor(target, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': bytesMax,
    'grpc.max_send_message_length': bytesMax,
  });
}
