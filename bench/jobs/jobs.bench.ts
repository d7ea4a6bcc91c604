import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';
import { quantileOf } from '../harness/judge.ts';
import { openPeer, type Peer } from '../harness/peer.ts';
import { cpuDuring } from '../harness/processes.ts';
import { interleaved, ratios } from '../harness/rounds.ts';

const graphile = 'graphile-worker';

const jobs: Bench = {
  name: 'jobs',
  about: 'the queue by itself, on a database of its own',
  goals: [
    {
      id: 'P10.1',
      what: 'no-op jobs per CPU second, one by one / graphile-worker, one by one',
      unit: 'x',
      better: 'higher',
      pass: 0.7,
      record: 1,
    },
    {
      id: 'P10.1b',
      what: 'no-op jobs per CPU second, in batches / graphile-worker, batched',
      unit: 'x',
      better: 'higher',
      pass: 0.3,
      record: 0.5,
    },
    {
      id: 'P10.2',
      what: 'commit of a job to its start, median',
      unit: 'ms',
      better: 'lower',
      pass: 10,
      record: 3.5,
      isLatency: true,
    },
    {
      id: 'P10.3',
      what: 'queue with nothing to do, PostgreSQL included',
      unit: '% of a core',
      better: 'lower',
      pass: 0.5,
      record: 0.2,
    },
  ],
  run,
};
export default jobs;

async function run(context: BenchContext): Promise<void> {
  const dataDir = join(context.folder, 'queue');
  mkdirSync(dataDir, { recursive: true });
  const queue = openPeer(context, 'queue-child');
  const { hasGraphile } = await queue.ask<{ hasGraphile: boolean }>({ kind: 'open', dataDir });
  if (hasGraphile) await throughput(context, queue);
  else {
    context.absent('P10.1', graphile);
    context.absent('P10.1b', graphile);
  }
  await latency(context, queue);
  await idle(context, queue);
}

interface Done {
  done: number;
  left: number;
  perSecond: number;
}

async function throughput(context: BenchContext, queue: Peer): Promise<void> {
  const count = scaled(context, 2000, 100);
  const rate = (kind: 'ours' | 'theirs', batch: number) => async () => {
    const { tree, result } = await cpuDuring(queue.pid, () => queue.ask<Done>({ kind, jobs: count, batch }));
    context.sameAnswer(`${kind}, jobs done and left`, [result.done, result.left], [count, 0]);
    return (1000 * count) / tree;
  };
  const rates = await interleaved(context, {
    ours: rate('ours', 1),
    theirs: rate('theirs', 1),
    oursBatched: rate('ours', 64),
    theirsBatched: rate('theirs', 64),
  });
  const words = (samples: readonly number[]) => `${Math.round(samples[0] as number)} jobs per CPU second`;
  context.measured('P10.1', ratios(rates.ours, rates.theirs), words(rates.ours));
  context.control(
    'P10.1',
    'every job run three times',
    ratios(
      rates.ours.map((one) => one / 3),
      rates.theirs,
    ),
  );
  context.measured('P10.1b', ratios(rates.oursBatched, rates.theirsBatched), words(rates.oursBatched));
  context.control('P10.1b', 'batches of one', ratios(rates.ours, rates.theirsBatched));
}

async function latency(context: BenchContext, queue: Peer): Promise<void> {
  const count = scaled(context, 200, 30);
  const median = async (more: object) => {
    const { latenciesMs } = await queue.ask<{ latenciesMs: number[] }>({
      kind: 'latency',
      jobs: count,
      everyMs: 15,
      ...more,
    });
    return { p50: quantileOf(latenciesMs, 0.5), p95: quantileOf(latenciesMs, 0.95) };
  };
  const few = { rounds: Math.min(context.rounds, 3) };
  const tails: number[] = [];
  const costs = await interleaved(few, {
    told: async () => {
      const { p50, p95 } = await median({});
      tails.push(p95);
      return p50;
    },
  });
  context.measured(
    'P10.2',
    costs.told,
    `95th percentile ${tails.map((one) => one.toFixed(1)).join(', ')} ms`,
  );
  context.control('P10.2', 'nobody is told of new jobs; a poll each half second finds them', [
    (await median({ pollMs: 500 })).p50,
  ]);
}

async function idle(context: BenchContext, queue: Peer): Promise<void> {
  const seconds = scaled(context, 15, 4);
  const share = async (work: () => Promise<unknown>) => {
    const { tree, wallMs } = await cpuDuring(queue.pid, work);
    return (100 * tree) / wallMs;
  };
  const few = { rounds: Math.min(context.rounds, 3) };
  const costs = await interleaved(
    few,
    { idle: () => share(() => queue.ask({ kind: 'idle', seconds })) },
    { warmUp: false },
  );
  context.measured('P10.3', costs.idle);
  const polls = await share(() =>
    queue.ask({ kind: 'latency', jobs: Math.ceil((seconds * 1000) / 100), everyMs: 100, pollMs: 10 }),
  );
  context.control('P10.3', 'polls a hundred times a second', [polls]);
}
