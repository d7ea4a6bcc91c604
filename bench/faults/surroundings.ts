import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import S3rver from 's3rver';
import { ffmpegPath, numberedClip } from '../../server/src/testing/clips.ts';
import { atExit } from './at-exit.ts';
import { newSubjects } from './kills.ts';
import { startLoad, wordsOf } from './load.ts';
import { check, type Subject } from './oracle.ts';
import type { Random } from './random.ts';
import { type Context, type Outcome, report, type Scenario, sized } from './scenario.ts';
import { flip, openShelf, rotShelf } from './shelf.ts';
import { childrenOf, openVictim, userId, type Victim } from './victim.ts';

const openIn = (context: Context, env: NodeJS.ProcessEnv = {}): Victim =>
  openVictim({ main: context.main, dataDir: join(context.folder, 'data'), port: context.port(), env });

/** Milliseconds after which everything works again once a fault is over. */
const recoveryMsMax = 5_000;
const diskMb = 48;
const noRoom = 98014;

/** Takes all the room there is left below a folder. @returns how to give it back */
function takeRoom(folder: string): () => void {
  const ballast = join(folder, 'ballast');
  const megabyte = Buffer.alloc(2 ** 20);
  for (const size of [2 ** 20, 4096])
    try {
      for (;;) writeFileSync(ballast, megabyte.subarray(0, size), { flag: 'a' });
    } catch {
      // Full.
    }
  return () => rmSync(ballast, { force: true });
}

/** Sends what a lane wants until it may not any more; refusals for want of room are as they should be. */
async function fill(victim: Victim, { world, ledger }: Subject, outcome: Outcome): Promise<number> {
  let refused = 0;
  await Promise.all(
    world.lanes.map(async (lane) => {
      for (let n = 0; n < 6; n++) {
        const write = lane.postInputs();
        const reply = await victim.wire.call(write.verb, write.path, write.body);
        if (reply.http === 200 && reply.json.status.code === 10000) ledger.acknowledge(write);
        else {
          ledger.doubt(write);
          refused += 1;
          if (!JSON.stringify(reply.json).includes(`${noRoom}`))
            outcome.found.other.push(`on a full disk ${write.rpc} answered ${reply.http} ${wordsOf(reply)}`);
          return;
        }
      }
    }),
  );
  return refused;
}

async function diskFull(context: Context, outcome: Outcome): Promise<void> {
  const objects = join(context.folder, 'data', 'objects');
  mkdirSync(objects, { recursive: true });
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${diskMb}m`, 'tmpfs', objects]).status !== 0) {
    outcome.absent = 'mounting is not allowed here';
    return;
  }
  const unmount = () => void spawnSync('umount', ['-l', objects]);
  const forget = atExit(unmount);
  const victim = openIn(context);
  let refused = 0;
  try {
    await victim.ready();
    const [subject] = (await newSubjects(victim, context, 0)) as [Subject];
    const { wire } = victim;
    for (let time = 0; time < sized(context, 3, 30); time++) {
      const load = startLoad(wire, subject.ledger, subject.world);
      await sleep(context.random.between(200, 600));
      await load.stop();
      report(context, outcome, await check(victim, subject), `before ${time}`);
      const giveBack = takeRoom(objects);
      refused += await fill(victim, subject, outcome);
      outcome.kills += 1;
      const { inputs = [] } = await wire.must('GET', `${subject.world.path}/inputs?per_page=20`);
      for (const { data } of inputs) await wire.bytes(new URL(data.text.url).pathname);
      giveBack();
      const began = performance.now();
      const lane = subject.world.lanes[0];
      for (let isBack = false; !isBack && lane; await sleep(50)) {
        const write = lane.postInputs();
        const reply = await wire.call(write.verb, write.path, write.body);
        isBack = reply.http === 200;
        if (isBack) subject.ledger.acknowledge(write);
        else subject.ledger.doubt(write);
        if (performance.now() - began > 2 * recoveryMsMax) break;
      }
      outcome.recoveriesMs.push(performance.now() - began);
      if (performance.now() - began > recoveryMsMax)
        outcome.found.stuck.push('uploads are refused although there is room again');
      report(context, outcome, await check(victim, subject, { throughApi: true }), `full ${time}`);
      const drafts = readdirSync(join(objects, '.drafts'));
      if (drafts.length > 0) outcome.found.other.push(`${drafts.length} files of refused uploads are left`);
    }
    if (refused === 0) outcome.found.other.push('the disk was full, and nothing was refused');
    outcome.acknowledged = subject.ledger.acknowledged;
    outcome.aside = `${refused} requests refused for want of room`;
  } finally {
    await victim.killBoth();
    unmount();
    forget();
    await victim.destroy();
  }
}

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
};

/** Children of the server that are not its database. */
const helpersOf = (victim: Victim): number[] =>
  childrenOf(victim.pid() ?? -1).filter((pid) => !/postgres/.test(commandOf(pid)));

function crash(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It had done its work.
  }
}

async function childrenCrash(context: Context, outcome: Outcome): Promise<void> {
  const victim = openIn(context);
  const films = `/v2/users/${userId}/apps/films`;
  const signals = ['SIGSEGV', 'SIGABRT', 'SIGKILL'] as const;
  const crashed = new Map<string, number>();
  const note = (what: string) => crashed.set(what, (crashed.get(what) ?? 0) + 1);
  try {
    await victim.ready();
    const subject = (await newSubjects(victim, context, 0))[1] as Subject;
    const [pid] = [victim.pid()];
    await victim.wire.must('POST', `/v2/users/${userId}/apps`, {
      apps: [{ id: 'films', default_workflow: { id: 'Empty', app_id: 'main', user_id: 'clarifai' } }],
    });
    const clip = ffmpegPath && (await numberedClip({ ending: 'mp4', frames: 200 }));
    for (let time = 0; time < sized(context, 4, 100); time++) {
      const load = startLoad(victim.wire, subject.ledger, subject.world);
      const began = performance.now();
      if (clip)
        await victim.wire.must('POST', `${films}/inputs`, {
          inputs: [0, 1, 2].map((n) => ({
            id: `film-${time}-${n}`,
            data: { video: { base64: clip.toString('base64') } },
          })),
        });
      let ffmpegs = 0;
      while (performance.now() - began < 2_500) {
        for (const child of helpersOf(victim)) {
          const isFfmpeg = /ff(mpeg|probe)/.test(commandOf(child));
          if (isFfmpeg && ffmpegs++ > 0) continue;
          note(isFfmpeg ? 'ffmpeg' : 'graph');
          crash(child, context.random.pick(signals));
          outcome.kills += 1;
        }
        await sleep(aMoment(context.random));
      }
      await load.stop();
      report(context, outcome, await check(victim, subject, { throughApi: true }), `crash ${time}`);
      if (victim.pid() !== pid) outcome.found.other.push('the server ended with a child of it');
      const { inputs = [] } = await victim.wire.must('GET', `${films}/inputs?per_page=1000`);
      const failed = inputs.filter(
        ({ id, status }: { id: string; status: { code: number } }) =>
          id.startsWith(`film-${time}-`) && status.code !== 30000,
      );
      for (const { id, status } of failed)
        if (!status.details && !status.description) outcome.found.other.push(`${id} failed without a reason`);
      if (failed.length > ffmpegs)
        outcome.found.other.push(`${failed.length} films failed with ${ffmpegs} crashes`);
    }
    outcome.acknowledged = subject.ledger.acknowledged;
    outcome.aside = [...crashed].map(([what, n]) => `${what} ${n}`).join(', ');
  } finally {
    await victim.destroy();
  }
}

const aMoment = (random: Random): number => random.between(20, 400);

const filesBelow = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
        .sort()
    : [];

const graphFiles = ['.graph', '.rows', '.json'] as const;

async function bitRot(context: Context, outcome: Outcome): Promise<void> {
  const { random } = context;
  const victim = openIn(context);
  try {
    await victim.ready();
    const subject = (await newSubjects(victim, context, 0))[1] as Subject;
    const load = startLoad(victim.wire, subject.ledger, subject.world);
    await sleep(sized(context, 5_000, 30_000));
    await load.stop();
    report(context, outcome, await check(victim, subject, { throughApi: true }), 'before');
    const wrong: string[] = [];
    const kinds = ['.vectors', ...(context.isFull ? graphFiles : [random.pick(graphFiles)])];
    const { recoveriesMs } = outcome;
    const shelf = await openShelf(victim, random.fork());
    const rotten = await rotShelf(victim, shelf, random, { kinds, wrong, recoveriesMs });
    outcome.found.other.push(...wrong);
    report(context, outcome, await check(victim, subject, { throughApi: true }), 'vectors damaged');
    const originals = filesBelow(join(victim.dataDir, 'objects', 'media', 'orig'));
    const damaged = originals.filter(() => random.chance(0.3));
    for (const file of damaged) flip(file, random);
    outcome.kills += damaged.length + rotten;
    let noticed = 0;
    for (const file of damaged) {
      const sha = file.slice(-64);
      const path = `/media/orig/users/${userId}/apps/${subject.world.appId}/inputs/image/${sha}`;
      const bytes = await victim.wire.bytes(path).catch(() => undefined);
      if (bytes === undefined) noticed += 1;
      else if (createHash('sha256').update(bytes).digest('hex') !== sha)
        outcome.found.other.push(`the damaged medium ${sha} was served as if it were whole`);
    }
    if (damaged.length > 0 && noticed === 0) outcome.found.other.push('no damaged medium was noticed');
    outcome.acknowledged = subject.ledger.acknowledged;
    outcome.aside = `${noticed} of ${damaged.length} damaged media refused, ${rotten} files of vectors damaged: ${kinds.join(', ')}`;
  } finally {
    await victim.destroy();
  }
}

const bucket = 'fovea';

/** An object store behind somebody who refuses, cuts and delays one request in so many. */
async function openBadStore(folder: string, random: Random) {
  mkdirSync(folder, { recursive: true });
  const store = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: folder,
    configureBuckets: [{ name: bucket, configs: [] }],
  });
  const { port: target } = await store.run();
  const state = { isBad: false, tricks: 0 };
  const server = http.createServer((request, response) => {
    const trick = state.isBad ? random.next() : 1;
    if (trick < 0.25) state.tricks += 1;
    if (trick < 0.1) {
      const [code, words] = random.pick([
        [500, 'InternalError'],
        [503, 'SlowDown'],
        [403, 'RequestTimeTooSkewed'],
      ] as const);
      request.resume();
      response.writeHead(code).end(`<Error><Code>${words}</Code></Error>`);
      return;
    }
    const { method, url, headers } = request;
    const onward = http.request({ host: '127.0.0.1', port: target, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode as number, answer.headers);
      if (trick >= 0.1 && trick < 0.15) {
        answer.once('data', (chunk: Buffer) => response.write(chunk.subarray(0, chunk.length >> 1)));
        setTimeout(() => response.destroy(), 20);
        answer.resume();
      } else if (trick >= 0.15 && trick < 0.25) setTimeout(() => answer.pipe(response), 300);
      else answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    state,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await store.close();
    },
  };
}

async function badStore(context: Context, outcome: Outcome): Promise<void> {
  const store = await openBadStore(join(context.folder, 'store'), context.random.fork());
  const victim = openIn(context, {
    FOVEA_S3_BUCKET: bucket,
    FOVEA_S3_ENDPOINT: store.url,
    FOVEA_S3_REGION: 'us-east-1',
    FOVEA_S3_ACCESS_KEY_ID: 'S3RVER',
    FOVEA_S3_SECRET_ACCESS_KEY: 'S3RVER',
  });
  try {
    await victim.ready();
    const [subject] = (await newSubjects(victim, context, 0)) as [Subject];
    for (let time = 0; time < sized(context, 3, 30); time++) {
      store.state.isBad = true;
      await fillBadly(victim, subject, outcome);
      if (context.random.chance(0.5)) {
        await victim.killServer();
        outcome.kills += 1;
      }
      store.state.isBad = false;
      outcome.recoveriesMs.push(await victim.ready());
      report(context, outcome, await check(victim, subject, { media: 'api' }), `bad store ${time}`);
    }
    outcome.acknowledged = subject.ledger.acknowledged;
    outcome.aside = `${store.state.tricks} requests to the store refused, cut or delayed`;
  } finally {
    await victim.destroy();
    await store.close();
  }
}

/** All lanes bring new things for a while; what is refused because the store does not answer says so. */
async function fillBadly(victim: Victim, { world, ledger }: Subject, outcome: Outcome): Promise<void> {
  const until = performance.now() + 3_000;
  await Promise.all(
    world.lanes.map(async (lane) => {
      while (performance.now() < until) {
        const write = lane.postInputs();
        const reply = await victim.wire
          .call(write.verb, write.path, write.body, 60_000)
          .catch(() => undefined);
        if (reply?.http === 200 && reply.json.status.code === 10000) {
          ledger.acknowledge(write);
          continue;
        }
        ledger.doubt(write);
        if (reply && reply.http !== 503)
          outcome.found.other.push(`${write.rpc} answered ${reply.http}: ${wordsOf(reply)}`);
      }
    }),
  );
}

export const surroundingScenarios: readonly Scenario[] = [
  { id: 'R7', name: 'no room on the disk of the media', run: diskFull },
  { id: 'R14', name: 'object store that refuses, cuts and delays', run: badStore },
  { id: 'R21', name: 'children of the server crash', run: childrenCrash },
  { id: 'R26', name: 'bytes that change on the disk', run: bitRot },
];
