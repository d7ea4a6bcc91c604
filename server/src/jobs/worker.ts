import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Log, silentLog } from '#store/log.ts';
import type { Database } from '#store/postgres/index.ts';
import { jobsChannel } from './enqueue.ts';
import type { JobHandler } from './job.ts';
import { claim, dueKinds, type Lease, seize } from './leases.ts';
import { defaultLeaseMs, handBack, runLease, settleCrashed } from './run.ts';
import { enqueueDue, type Periodic } from './schedule.ts';
import { openStrays, type Strays } from './strays.ts';

export type JobsOptions = {
  db: Database;
  handlers: Record<string, JobHandler>;
  periodic?: readonly Periodic[];
  /**
   * True when no other process can be working on this database (the embedded one): what was running belonged
   * to a process that is gone, and is taken back at once instead of after its lease.
   */
  reclaimAll?: boolean;
  /** How often to look without being told. Default 5,000. */
  pollMs?: number;
  /** How long `stop` waits for running jobs. Default 8,000. */
  stopMs?: number;
  signal?: AbortSignal;
  log?: Log;
};

export type JobCounts = { waiting: number; running: number; dead: number };

export type Jobs = {
  /** Takes no more jobs, waits for the running ones up to `stopMs`, and gives the rest back. */
  stop(): Promise<void>;
  /** Jobs in the table by kind and state, of all processes. */
  counts(): Promise<Record<string, JobCounts>>;
  /** Resolves when no job is due or running, in this process or another. For tests and tools. */
  idle(): Promise<void>;
};

/**
 * Works off the queue for the kinds in `handlers`, until stopped.
 *
 * A job is run at least once and, through the fence of `finish`, has its effect once.
 */
export async function startJobs(options: JobsOptions): Promise<Jobs> {
  const { db, handlers, periodic = [], pollMs = 5_000, log = silentLog } = options;
  const kinds = Object.keys(handlers);
  const ending = new AbortController();
  const strays = openStrays({ db, log }, handlers, (kind, delayMs) => lanes.get(kind)?.wakeIn(delayMs));
  const lanes: Map<string, Lane> = new Map(
    kinds.map((kind) => [
      kind,
      openLane({ db, log }, kind, handlers[kind] as JobHandler, strays, ending.signal),
    ]),
  );
  const leaseMsMin = Math.min(
    defaultLeaseMs,
    ...Object.values(handlers).map(({ leaseMs }) => leaseMs ?? defaultLeaseMs),
  );

  const reclaim = async (everyone: boolean) => {
    const lease = await seize(db, kinds, everyone, leaseMsMin);
    if (lease.jobs.length === 0) return;
    log.info({ count: lease.jobs.length }, 'taking back jobs of a process that ended');
    await settleCrashed({ db, log }, handlers, lease);
    for (const { kind } of lease.jobs) lanes.get(kind)?.wake();
  };

  if (options.reclaimAll) await reclaim(true);
  const stopListening = await db.listen(jobsChannel, (payload) => {
    if (payload === undefined) return wakeAll();
    const { kind, delayMs } = JSON.parse(payload) as { kind: string; delayMs: number };
    lanes.get(kind)?.wakeIn(delayMs);
  });
  const wakeAll = () => {
    for (const lane of lanes.values()) lane.wake();
  };
  const wakeDue = async () => {
    for (const kind of await dueKinds(db, kinds)) lanes.get(kind)?.wake();
  };
  const timers = [
    repeat(pollMs, log, wakeDue),
    repeat(Math.min(Math.max(leaseMsMin / 2, 100), 10_000), log, () => reclaim(false)),
    repeat(500, log, strays.takeBack),
    repeat(Math.min(1_000, ...periodic.map(({ everyMs }) => everyMs)), log, () => enqueueDue(db, periodic)),
  ];

  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= (async () => {
      await Promise.all(timers.map((end) => end()));
      stopListening();
      const closed = Promise.all([...lanes.values()].map((lane) => lane.close()));
      await Promise.race([closed, sleep(options.stopMs ?? 8_000, undefined, { ref: false })]);
      ending.abort(new Error('the process ends'));
      await Promise.race([closed, sleep(500, undefined, { ref: false })]);
      for (const lane of lanes.values()) await lane.giveBackAll();
    })();
    return stopping;
  };
  options.signal?.addEventListener('abort', () => void stop(), { once: true });
  return { stop, counts: () => counts(db), idle: () => idle(db, kinds) };
}

type Lane = {
  wake(): void;
  wakeIn(delayMs: number): void;
  close(): Promise<void>;
  giveBackAll(): Promise<void>;
};

/** All runs of one kind in this process. */
function openLane(
  means: { db: Database; log: Log },
  kind: string,
  handler: JobHandler,
  strays: Strays,
  ending: AbortSignal,
): Lane {
  const { db, log } = means;
  const { batch = 1, concurrency = 1, leaseMs = defaultLeaseMs } = handler;
  const running = new Map<Lease, Promise<void>>();
  const alarms = new Set<NodeJS.Timeout>();
  let closed = false;
  let filling: Promise<void> | undefined;
  let again = false;

  const fill = async () => {
    do {
      again = false;
      while (!closed && running.size < concurrency) {
        const token = randomUUID();
        const lease = await claim(db, kind, batch, leaseMs, token).catch((error) => {
          strays.add(token, leaseMs);
          throw error;
        });
        if (lease.jobs.length === 0) break;
        running.set(lease, work(lease));
      }
    } while (again && !closed);
  };

  const work = async (lease: Lease) => {
    try {
      const soonestMs = await runLease(means, handler, lease, ending);
      if (soonestMs !== undefined) wakeIn(soonestMs);
    } catch (error) {
      strays.add(lease.token, leaseMs, error ?? new Error('the run could not be settled'));
      log.error({ kind, error: String(error) }, 'jobs could not be settled');
    } finally {
      running.delete(lease);
      wake();
    }
  };

  const wake = () => {
    again = true;
    if (closed || filling !== undefined) return;
    filling = fill()
      .catch((error) => {
        log.warn({ kind, error: String(error) }, 'the queue could not be read');
        wakeIn(1_000);
      })
      .finally(() => {
        filling = undefined;
        if (again && !closed) wake();
      });
  };

  const wakeIn = (delayMs: number) => {
    if (delayMs <= 0) return wake();
    const alarm = setTimeout(
      () => {
        alarms.delete(alarm);
        wake();
      },
      Math.min(delayMs + 5, 2 ** 31 - 1),
    );
    alarm.unref();
    alarms.add(alarm);
  };

  return {
    wake,
    wakeIn,
    async close() {
      closed = true;
      for (const alarm of alarms) clearTimeout(alarm);
      await filling;
      await Promise.all(running.values());
    },
    async giveBackAll() {
      for (const { token, jobs } of running.keys()) {
        for (const job of jobs) await handBack(db, token, job);
      }
    },
  };
}

/** Calls `work` every so often, never twice at once; returns how to end it. */
function repeat(everyMs: number, log: Log, work: () => Promise<void>): () => Promise<void> {
  const end = new AbortController();
  const loop = (async () => {
    for (;;) {
      await work().catch((error) => log.warn({ error: String(error) }, 'the queue could not be kept'));
      if (end.signal.aborted) return;
      await sleep(everyMs, undefined, { ref: false, signal: end.signal }).catch(() => {});
      if (end.signal.aborted) return;
    }
  })();
  return () => {
    end.abort();
    return loop;
  };
}

async function counts(db: Database): Promise<Record<string, JobCounts>> {
  const rows = await db.query<{ kind: string; state: keyof JobCounts; count: number }>(
    'select kind, state, count(*) from jobs group by kind, state',
  );
  const byKind: Record<string, JobCounts> = {};
  for (const { kind, state, count } of rows) {
    byKind[kind] ??= { waiting: 0, running: 0, dead: 0 };
    byKind[kind][state] = count;
  }
  return byKind;
}

async function idle(db: Database, kinds: string[]): Promise<void> {
  const text = `select 1 from jobs where kind = any($1::text[]) and (state = 'running'
    or (state = 'waiting' and run_at <= now())) limit 1`;
  while ((await db.query(text, [kinds])).length > 0) await sleep(10);
}
