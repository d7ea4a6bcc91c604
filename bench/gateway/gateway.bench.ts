import { join } from 'node:path';
import {
  GetInputRequestSchema,
  ListInputsRequestSchema,
  MultiInputResponseSchema,
  SingleInputResponseSchema,
} from '@fovea/contract';
import type { Bench, BenchContext } from '../harness/bench.ts';
import { costOf, grpcPlan, inApp, remembering, replyOf, restPlan } from '../harness/calls.ts';
import { type LoadPlan, openLoad } from '../harness/load.ts';
import { openPeer } from '../harness/peer.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { fillApp, makeApp, settle } from '../harness/rows.ts';
import { startServer, userId } from '../harness/server.ts';

const appId = 'bench-gateway';
const concurrency = 8;
/** Whatever the scale: the engine compiles hot code only after some thousands of calls. */
const warmUpCalls = 4000;

const gateway: Bench = {
  name: 'gateway',
  about: 'what a call costs beside its bytes',
  goals: [
    {
      id: 'P1.1',
      what: 'GetInput over gRPC / no-op grpc-js handler, same bytes',
      unit: 'x',
      better: 'lower',
      pass: 2.5,
      record: 1.8,
    },
    {
      id: 'P1.2',
      what: 'ListInputs, 128 a page / raw http2 + protobufjs encode, same bytes',
      unit: 'x',
      better: 'lower',
      pass: 1.6,
      record: 1.25,
    },
    {
      id: 'P1.3',
      what: 'ListInputs, 128 a page: REST / gRPC',
      unit: 'x',
      better: 'lower',
      pass: 1.5,
      record: 1.1,
    },
    {
      id: 'P1.6',
      what: 'GetInput: sign-in left out / as it is',
      unit: 'x',
      better: 'higher',
      pass: 0.85,
      record: 0.95,
    },
  ],
  run,
};
export default gateway;

async function run(context: BenchContext): Promise<void> {
  const main = context.serverMain;
  const server = await startServer({ main, dataDir: join(context.folder, 'data') });
  context.defer(() => server.stop());
  const open = await startServer({
    main,
    dataDir: join(context.folder, 'open'),
    env: { FOVEA_FAILPOINTS: 'skip-sign-in' },
  });
  context.defer(() => open.stop());
  for (const one of [server, open]) {
    const db = await one.database();
    await fillApp(db, await makeApp(one, db, appId), 1000);
    await settle(db);
    await db.end();
  }
  const load = openLoad();
  context.defer(() => load.close());

  const calls = (n: number) => ({ concurrency, requestsMax: Math.ceil(n * context.scale) });
  const getInput = (url: string, n = 6000): LoadPlan =>
    grpcPlan(
      url,
      'GetInput',
      GetInputRequestSchema,
      [{ ...inApp(appId), inputId: 'input-00000010' }],
      calls(n),
    );
  const listInputs = grpcPlan(
    server.url,
    'ListInputs',
    ListInputsRequestSchema,
    [{ ...inApp(appId), perPage: 128 }],
    calls(1500),
  );
  const listRest = restPlan(server.url, `/v2/users/${userId}/apps/${appId}/inputs?per_page=128`, calls(1500));

  const one = await replyOf(load, getInput(server.url), SingleInputResponseSchema);
  const page = await replyOf(load, listInputs, MultiInputResponseSchema);
  await checkRest(context, load, listRest, page.message);
  const noOp = await startPeer(context, {
    kind: 'no-op',
    path: getInput('').path,
    reply: one.bytes.toString('base64'),
  });
  const encoder = await startPeer(context, {
    kind: 'encoding',
    type: 'clarifai.api.MultiInputResponse',
    reply: page.bytes.toString('base64'),
  });
  const noOpCall = getInput(noOp.url);
  const encoderCall = { ...listInputs, url: encoder.url };
  context.sameAnswer(
    'GetInput',
    one.message,
    (await replyOf(load, noOpCall, SingleInputResponseSchema)).message,
  );
  context.sameAnswer(
    'ListInputs',
    page.message,
    (await replyOf(load, encoderCall, MultiInputResponseSchema)).message,
  );
  context.sameAnswer(
    'GetInput without sign-in',
    idOf(one.message),
    idOf((await replyOf(load, getInput(open.url), SingleInputResponseSchema)).message),
  );

  context.say('warming up');
  for (const url of [server.url, open.url, noOp.url])
    await load.run({ ...getInput(url), requestsMax: warmUpCalls });
  for (const plan of [listInputs, listRest, encoderCall])
    await load.run({ ...plan, requestsMax: warmUpCalls / 2 });

  const seen = remembering();
  const cost = (name: string, pid: number, plan: LoadPlan) => seen.side(name, () => costOf(load, pid, plan));
  const small = await interleaved(context, {
    ours: cost('GetInput', server.pid, getInput(server.url)),
    noOp: cost('no-op', noOp.pid, noOpCall),
    open: cost('without sign-in', open.pid, getInput(open.url)),
    refused: cost('unknown key', server.pid, unknownKeyCall(getInput(server.url, 1000))),
  });
  const large = await interleaved(context, {
    ours: cost('ListInputs', server.pid, listInputs),
    encoder: cost('http2 + encode', encoder.pid, encoderCall),
    rest: cost('REST', server.pid, listRest),
  });
  context.measured(
    'P1.1',
    ratios(small.ours, small.noOp),
    `${seen.words('GetInput')}; ${seen.words('no-op')}`,
  );
  context.control(
    'P1.1',
    'reads and sends 128 inputs where one was asked for',
    ratios(large.ours, small.noOp),
  );
  context.measured(
    'P1.2',
    ratios(large.ours, large.encoder),
    `${seen.words('ListInputs')}; ${seen.words('http2 + encode')}`,
  );
  context.control(
    'P1.2',
    'reads the inputs of a page one by one',
    ratios(
      small.ours.map((us) => 128 * us),
      large.encoder,
    ),
  );
  context.measured('P1.3', ratios(large.rest, large.ours), seen.words('REST'));
  context.control(
    'P1.3',
    'asks for each page twice over REST',
    ratios(
      large.rest.map((us) => 2 * us),
      large.ours,
    ),
  );
  context.measured('P1.6', ratios(small.open, small.ours), seen.words('without sign-in'));
  const lookedUp = small.ours.map((us, round) => us + (small.refused[round] as number));
  context.control('P1.6', 'looks the key up in the database at every call', ratios(small.open, lookedUp));
}

const idOf = (reply: { input?: { id: string } }) => reply.input?.id;

/** Calls with a key that nobody has: they are refused, which for gRPC is a reply like any other. */
const unknownKeyCall = (plan: LoadPlan): LoadPlan => ({
  ...plan,
  headers: { authorization: `Key ${'0'.repeat(32)}` },
});

async function checkRest(
  context: BenchContext,
  load: ReturnType<typeof openLoad>,
  plan: LoadPlan,
  page: { inputs: { id: string }[] },
) {
  const { reply = '' } = await load.run({ ...plan, requestsMax: 1, keepReply: true });
  const shown = JSON.parse(Buffer.from(reply, 'base64').toString()) as { inputs: { id: string }[] };
  context.sameAnswer(
    'ListInputs over REST',
    shown.inputs.map(({ id }) => id),
    page.inputs.map(({ id }) => id),
  );
}

async function startPeer(context: BenchContext, question: object): Promise<{ url: string; pid: number }> {
  const peer = openPeer(context, 'peer-child');
  return { pid: peer.pid, ...(await peer.ask<{ url: string }>(question)) };
}
