import type { Database } from '#store/postgres/index.ts';
import { enqueue } from './enqueue.ts';

/** A job that is due again and again. */
export type Periodic = { kind: string; everyMs: number; payload?: object };

const restingText = 'select kind from job_schedules where kind = any($1::text[]) and next_at > now()';

/** Enqueues what is due. However many processes ask, each turn is taken once. */
export async function enqueueDue(db: Database, periodic: readonly Periodic[]): Promise<void> {
  if (periodic.length === 0) return;
  // One look for all: taking a turn locks its row, and so writes to the disk, even where it is not due.
  const found = await db.run<{ kind: string }>({ name: 'fovea-jobs-resting', text: restingText }, [
    periodic.map(({ kind }) => kind),
  ]);
  const resting = new Set(found.map(({ kind }) => kind));
  for (const { kind, everyMs, payload } of periodic) {
    if (resting.has(kind)) continue;
    await db.transaction(async (tx) => {
      const due = await tx.query(
        `insert into job_schedules (kind, next_at) values ($1, now() + $2 * interval '1 millisecond')
         on conflict (kind) do update set next_at = excluded.next_at where job_schedules.next_at <= now()
         returning kind`,
        [kind, everyMs],
      );
      if (due.length > 0) await enqueue(tx, { kind, payload, key: 'periodic' });
    });
  }
}
