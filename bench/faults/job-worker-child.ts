import { setTimeout as sleep } from 'node:timers/promises';
import { armFailpoints } from '../../server/src/domain/failpoints.ts';
import { type Job, startJobs } from '../../server/src/jobs/index.ts';
import { openDatabase } from '../../server/src/store/postgres/index.ts';

/**
 * A worker of the server's queue in a process of its own, to be killed and stopped. Each job takes a while and then
 * leaves a row; how many rows a job left tells whether it had its effect once.
 */
export const workKind = 'faults.work';
export const leaseMs = 1_000;

interface Work {
  readonly number: number;
  readonly workMs: number;
  readonly ends: 'well' | 'badly' | 'with the process';
}

const [databaseUrl, failpoints = ''] = process.argv.slice(2);
armFailpoints(failpoints === '' ? [] : failpoints.split(','));
const db = await openDatabase({ dataDir: '', databaseUrl });
const jobs = await startJobs({
  db,
  pollMs: 200,
  handlers: {
    [workKind]: {
      batch: 2,
      concurrency: 2,
      leaseMs,
      retryDelayMs: () => 50,
      async run(batch: Job<Work>[], context) {
        for (const job of batch) {
          const { number, workMs, ends } = job.payload;
          // Deaf to `context.signal` on purpose: only the fence stands between a late worker and a second effect.
          await sleep(workMs);
          if (ends === 'badly') {
            context.fail(job, new Error('it always fails'));
            continue;
          }
          if (ends === 'with the process') process.kill(process.pid, 'SIGKILL');
          await db.transaction(async (tx) => {
            await tx.query('insert into fault_effects (number, pid) values ($1, $2)', [number, process.pid]);
            await context.complete(tx, [job]);
          });
        }
      },
    },
  },
});
process.on('SIGTERM', () => void jobs.stop().then(() => process.exit(0)));
process.stdout.write('ready\n');
