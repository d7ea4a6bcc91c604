import http from 'node:http';
import http2 from 'node:http2';
import type { LoadPlan, LoadResult } from './load.ts';

// Plain http and http2 of Node, so that the generator itself costs as little as it can.

type Call = (body: Buffer) => Promise<Buffer>;

const sessions = new Map<string, http2.ClientHttp2Session>();
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

function sessionOf(url: string): http2.ClientHttp2Session {
  const known = sessions.get(url);
  if (known && !known.closed && !known.destroyed) return known;
  const session = http2.connect(url, { settings: { initialWindowSize: 4 * 1024 * 1024 } });
  session.on('error', () => sessions.delete(url));
  session.once('connect', () => session.setLocalWindowSize(16 * 1024 * 1024));
  sessions.set(url, session);
  return session;
}

function grpcCall({ url, path, headers = {} }: LoadPlan): Call {
  const head = {
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  };
  return (body) =>
    new Promise((resolve, reject) => {
      const stream = sessionOf(url).request(head);
      const chunks: Buffer[] = [];
      let status: string | undefined;
      stream.on('response', (fields) => {
        status = fields['grpc-status'] as string | undefined;
      });
      stream.on('trailers', (fields) => {
        status = fields['grpc-status'] as string | undefined;
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject);
      stream.on('close', () => {
        const all = Buffer.concat(chunks);
        if (status === '0' || (status === undefined && all.length > 5)) resolve(all.subarray(5));
        else reject(new Error(`grpc-status ${status}`));
      });
      stream.end(body);
    });
}

function restCall({ url, path, verb = 'GET', headers = {} }: LoadPlan): Call {
  const { hostname, port } = new URL(url);
  return (body) =>
    new Promise((resolve, reject) => {
      const request = http.request(
        { hostname, port, path, method: verb, agent, headers: { ...headers, 'content-length': body.length } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const all = Buffer.concat(chunks);
            if ((response.statusCode ?? 500) < 300) resolve(all);
            else reject(new Error(`HTTP ${response.statusCode}: ${all.toString().slice(0, 300)}`));
          });
        },
      );
      request.on('error', reject);
      request.end(body);
    });
}

/** The five bytes before every gRPC message: not compressed, length. */
function framed(body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** The code in a reply's status: field 1 of a message that is itself field 1 of every reply. */
function codeOf(reply: Buffer): number {
  if (reply[0] !== 0x0a) return 0;
  let at = 1;
  while ((reply[at++] as number) & 0x80);
  if (reply[at++] !== 0x08) return 0;
  let code = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = reply[at++] as number;
    code |= (byte & 0x7f) << shift;
    if ((byte & 0x80) === 0) return code;
  }
}

async function run(plan: LoadPlan): Promise<LoadResult> {
  const call = plan.transport === 'grpc' ? grpcCall(plan) : restCall(plan);
  const bodies = plan.bodies
    .map((text) => Buffer.from(text, 'base64'))
    .map(plan.transport === 'grpc' ? framed : (b) => b);
  const latencies: number[] = [];
  const codes: Record<string, number[]> = {};
  const began = performance.now();
  const until = began + plan.timeMsMax;
  let [started, completed, failed, bytes] = [0, 0, 0, 0];
  let reply: Buffer | undefined;
  let trouble: string | undefined;

  async function one(intendedMs: number): Promise<void> {
    const body = bodies[started++ % bodies.length] as Buffer;
    try {
      reply = await call(body);
      completed++;
      bytes += reply.length;
      const ms = performance.now() - intendedMs;
      latencies.push(ms);
      if (plan.byCode) {
        const code = codeOf(reply);
        codes[code] ??= [];
        codes[code].push(ms);
      }
    } catch (error) {
      failed++;
      trouble ??= String(error);
    }
  }
  const hasTime = () => started < plan.requestsMax && performance.now() < until && failed < 20;

  if (plan.ratePerSecond === undefined) {
    await Promise.all(
      Array.from({ length: plan.concurrency }, async () => {
        while (hasTime()) await one(performance.now());
      }),
    );
  } else {
    await atFixedRate(plan.ratePerSecond, began, hasTime, one);
  }
  const wallMs = performance.now() - began;
  latencies.sort((a, b) => a - b);
  const step = Math.max(1, Math.floor(latencies.length / 20_000));
  return {
    completed,
    failed,
    wallMs,
    bytes,
    latenciesMs: latencies.filter((_, at) => at % step === 0),
    ...(plan.byCode
      ? {
          codes: Object.fromEntries(
            Object.entries(codes).map(([code, ms]) => [code, ms.sort((a, b) => a - b)]),
          ),
        }
      : {}),
    ...(trouble === undefined ? {} : { trouble }),
    ...(plan.keepReply && reply ? { reply: reply.toString('base64') } : {}),
  };
}

/** Starts calls at their times whether or not earlier ones are back; a late start counts against the server. */
async function atFixedRate(
  ratePerSecond: number,
  began: number,
  hasTime: () => boolean,
  one: (intendedMs: number) => Promise<void>,
): Promise<void> {
  const open: Promise<void>[] = [];
  for (let n = 0; hasTime(); n++) {
    const intended = began + (n * 1000) / ratePerSecond;
    const pauseMs = intended - performance.now();
    if (pauseMs > 1) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    open.push(one(intended));
  }
  await Promise.all(open);
}

process.on('message', (plan: LoadPlan) => {
  run(plan).then(
    (result) => process.send?.(result),
    (error) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
