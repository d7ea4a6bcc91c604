import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newSubjects } from './kills.ts';
import { startLoad, wordsOf } from './load.ts';
import { check, type Subject } from './oracle.ts';
import { type Context, type Outcome, report, type Scenario, sized } from './scenario.ts';
import { childrenOf, openVictim, userId, type Victim } from './victim.ts';

// Faults of the disk under a running server, put there by libfiu (preloaded into the server alone: its database has an
// environment of its own) and, for the database, by strace.

const preloads = ['fiu_run_preload.so', 'fiu_posix_preload.so'].map((name) => `/usr/lib/fiu/${name}`);
const hasFiu = () =>
  preloads.every((path) => existsSync(path)) && spawnSync('fiu-ctrl', ['-h']).error === undefined;
const hasStrace = () => spawnSync('strace', ['-V']).status === 0;

/** Milliseconds after which everything works again once a fault is over. */
const recoveryMsMax = 5_000;

/** Errno of Linux (asm-generic/errno-base.h). */
const errno = { EINTR: 4, EIO: 5, EAGAIN: 11 } as const;

interface Faulty {
  readonly victim: Victim;
  /** Turns faults on in the running server: the name of libfiu's point, how often (0..1), and the errno. */
  enable(name: string, probability: number, failure?: number): void;
  disable(): void;
}

/** A server whose calls of the C library can be made to fail while it runs. */
function openFaulty(context: Context): Faulty {
  const fifos = join(context.folder, 'fiu');
  mkdirSync(fifos, { recursive: true });
  const prefix = join(fifos, 'c');
  const victim = openVictim({
    main: context.main,
    dataDir: join(context.folder, 'data'),
    port: context.port(),
    env: { LD_PRELOAD: preloads.join(' '), FIU_CTRL_FIFO: prefix },
  });
  const enabled = new Set<string>();
  const tell = (command: string) => {
    const { status, stdout } = spawnSync('fiu-ctrl', ['-f', prefix, '-c', command, `${victim.pid()}`], {
      timeout: 10_000,
    });
    if (status !== 0 || /error/i.test(`${stdout}`)) throw new Error(`fiu-ctrl ${command}: ${stdout}`);
  };
  return {
    victim,
    enable(name, probability, failure) {
      const info = failure === undefined ? '' : `,failinfo=${failure}`;
      tell(`enable_random name=${name},probability=${probability}${info}`);
      enabled.add(name);
    },
    disable() {
      for (const name of enabled) tell(`disable name=${name}`);
      enabled.clear();
    },
  };
}

interface Poured {
  readonly kept: number;
  readonly refused: number;
}

/** All lanes bring new things; a reply that is no success has to be one of the server's own, and no crash. */
async function pour(
  victim: Victim,
  { world, ledger }: Subject,
  outcome: Outcome,
  options: { each: number; mayKeep: boolean; what: string },
): Promise<Poured> {
  let [kept, refused] = [0, 0];
  await Promise.all(
    world.lanes.map(async (lane) => {
      for (let n = 0; n < options.each; n++) {
        const write = lane.postInputs();
        const reply = await victim.wire.call(write.verb, write.path, write.body).catch(() => undefined);
        if (reply?.http === 200 && reply.json.status.code === 10000) {
          ledger.acknowledge(write);
          kept += 1;
          if (!options.mayKeep)
            outcome.found.lost.push(`${write.rpc} was acknowledged although ${options.what}`);
          continue;
        }
        ledger.doubt(write);
        refused += 1;
        if (reply === undefined) outcome.found.other.push(`${write.rpc} got no reply while ${options.what}`);
        else if (reply.http < 500)
          outcome.found.other.push(
            `${write.rpc} answered ${reply.http} while ${options.what}: ${wordsOf(reply)}`,
          );
      }
    }),
  );
  return { kept, refused };
}

/** Sends until something is taken again. */
async function untilTaken({ wire }: Victim, { world, ledger }: Subject, outcome: Outcome): Promise<void> {
  const began = performance.now();
  const [lane] = world.lanes;
  for (let isBack = false; !isBack && lane; await sleep(50)) {
    const write = lane.postInputs();
    const reply = await wire.call(write.verb, write.path, write.body).catch(() => undefined);
    isBack = reply?.http === 200;
    if (isBack) ledger.acknowledge(write);
    else ledger.doubt(write);
    if (performance.now() - began > 2 * recoveryMsMax) break;
  }
  outcome.recoveriesMs.push(performance.now() - began);
  if (performance.now() - began > recoveryMsMax)
    outcome.found.stuck.push('uploads are refused although the disk works again');
}

function checkDrafts(victim: Victim, outcome: Outcome): void {
  const folder = join(victim.dataDir, 'objects', '.drafts');
  const drafts = existsSync(folder) ? readdirSync(folder) : [];
  if (drafts.length > 0) outcome.found.other.push(`${drafts.length} files of failed uploads are left`);
}

async function warm(victim: Victim, { world, ledger }: Subject, ms: number): Promise<void> {
  const load = startLoad(victim.wire, ledger, world);
  await sleep(ms);
  await load.stop();
}

/** A sync that fails was none, and the next one that succeeds makes nothing good: what was written is not to be trusted. */
async function syncsFail(context: Context, outcome: Outcome): Promise<void> {
  if (!hasFiu() || !hasStrace()) {
    outcome.absent = 'libfiu or strace is not here';
    return;
  }
  const { victim, enable, disable } = openFaulty(context);
  let [kept, refused] = [0, 0];
  try {
    await victim.ready();
    const [subject] = (await newSubjects(victim, context, 0)) as [Subject];
    await warm(victim, subject, 500);
    report(context, outcome, await check(victim, subject), 'before');
    const pid = victim.pid();
    for (let time = 0; time < sized(context, 8, 80); time++) {
      // Every sync of a file at first, then some.
      const probability = time % 2 === 0 ? 1 : 0.3;
      enable('posix/io/sync/fsync', probability, errno.EIO);
      enable('posix/io/sync/fdatasync', probability, errno.EIO);
      const what = 'no sync of a medium succeeded';
      const poured = await pour(victim, subject, outcome, { each: 3, mayKeep: probability < 1, what });
      kept += poured.kept;
      refused += poured.refused;
      outcome.kills += 1;
      disable();
      await untilTaken(victim, subject, outcome);
      report(context, outcome, await check(victim, subject, { throughApi: time % 4 === 3 }), `media ${time}`);
      checkDrafts(victim, outcome);
      if (victim.pid() !== pid) outcome.found.other.push('the server ended when a sync failed');
    }
    if (refused === 0) outcome.found.other.push('syncs failed, and nothing was refused');
    for (let time = 0; time < sized(context, 2, 20); time++) {
      await failWal(context, victim, subject, outcome);
      outcome.kills += 1;
      await untilTaken(victim, subject, outcome);
      report(context, outcome, await check(victim, subject, { throughApi: true }), `WAL ${time}`);
    }
    outcome.acknowledged = subject.ledger.acknowledged;
    outcome.aside = `${refused} requests refused, ${kept} kept between failures`;
  } finally {
    await victim.destroy();
  }
}

/** The database's own syncs fail until it has given up and begun anew. */
async function failWal(context: Context, victim: Victim, subject: Subject, outcome: Outcome): Promise<void> {
  const postmaster = victim.postmasterPid();
  if (postmaster === undefined) throw new Error('the database does not run');
  const pids = [postmaster, ...childrenOf(postmaster)];
  const tracer: ChildProcess = spawn(
    'strace',
    [
      ...['-qq', '-f', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'],
      ...['-e', 'inject=fsync,fdatasync:error=EIO'],
      ...pids.flatMap((pid) => ['-p', `${pid}`]),
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => tracer.once('close', () => resolve()));
  await sleep(context.random.between(500, 900));
  const load = startLoad(victim.wire, subject.ledger, subject.world);
  const pid = victim.pid();
  await sleep(context.random.between(500, 1_000));
  tracer.kill('SIGINT');
  await ended;
  // The tracer may take the word that a child has ended with it; the postmaster would wait for that for ever.
  process.kill(postmaster, 'SIGCHLD');
  await load.stop();
  // What a request was told meanwhile: not to be known, or unavailable; the ledger has entered it.
  await victim.ready();
  if (victim.pid() !== pid) outcome.found.other.push('the server ended with its database');
}

/** Writes that take less than was given, or are to be tried again, and reads that bring less than was asked for. */
async function writesFallShort(context: Context, outcome: Outcome): Promise<void> {
  if (!hasFiu()) {
    outcome.absent = 'libfiu is not here';
    return;
  }
  const { victim, enable, disable } = openFaulty(context);
  // Calls with a place, which only files know: the loop's own pipes would end the process when they fall short.
  const kinds: readonly { name: string; probability: number; failure?: number }[] = [
    { name: 'posix/io/rw/pwrite/reduce', probability: 0.9 },
    { name: 'posix/io/rw/pwrite', probability: 0.5, failure: errno.EINTR },
    { name: 'posix/io/rw/pwrite', probability: 0.3, failure: errno.EAGAIN },
    { name: 'posix/io/rw/pread/reduce', probability: 0.9 },
  ];
  let [kept, refused, served] = [0, 0, 0];
  try {
    await victim.ready();
    const [subject] = (await newSubjects(victim, context, 0)) as [Subject];
    await warm(victim, subject, 300);
    const pid = victim.pid();
    for (let time = 0; time < sized(context, 16, 200); time++) {
      const { name, probability, failure } = kinds[time % kinds.length] as (typeof kinds)[number];
      enable(name, probability, failure);
      const what = `${name} falls short`;
      const poured = await pour(victim, subject, outcome, { each: 3, mayKeep: true, what });
      kept += poured.kept;
      refused += poured.refused;
      served += await readBack(victim, subject, outcome);
      outcome.kills += 1;
      disable();
      const isWhole = { throughApi: time % kinds.length === kinds.length - 1, media: 'api' as const };
      report(context, outcome, await check(victim, subject, isWhole), `${name} ${time}`);
      checkDrafts(victim, outcome);
      if (victim.pid() !== pid) outcome.found.other.push(`the server ended while ${what}`);
    }
    outcome.acknowledged = subject.ledger.acknowledged;
    outcome.aside = `${kept} requests kept, ${refused} refused, ${served} media read meanwhile`;
  } finally {
    await victim.destroy();
  }
}

/** Media as they are served while reads and writes fall short: whole, or not at all. */
async function readBack({ wire }: Victim, { world }: Subject, outcome: Outcome): Promise<number> {
  const reply = await wire.call('GET', `${world.path}/inputs?per_page=10`).catch(() => undefined);
  let served = 0;
  for (const { data } of reply?.json.inputs ?? []) {
    const url: string = data.text?.url ?? data.image?.url ?? '';
    const sha = url.slice(-64);
    if (!/^[0-9a-f]{64}$/.test(sha)) continue;
    const bytes = await wire
      .bytes(`/media/orig/users/${userId}/apps/${world.appId}/inputs/text/${sha}`)
      .catch(() => undefined);
    if (bytes === undefined) continue;
    served += 1;
    if (createHash('sha256').update(bytes).digest('hex') !== sha)
      outcome.found.other.push(`the medium ${sha} was served with other bytes`);
  }
  return served;
}

export const diskScenarios: readonly Scenario[] = [
  { id: 'R8', name: 'syncs that fail, of media and of the database', run: syncsFail },
  { id: 'R9', name: 'writes and reads that fall short', run: writesFallShort },
];
