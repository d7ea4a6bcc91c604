import { createHash } from 'node:crypto';
import { mayDie } from '#domain/failpoints.ts';
import { type Log, silentLog } from '../log.ts';
import type { Database, Tx } from './database.ts';

/** One step of the schema. Once released it never changes: a correction is a new step. */
export type Migration = { number: number; name: string; sql: string };

type Applied = { number: number; name: string; checksum: string };

/** Any fixed number: the advisory lock that all migrating processes share. */
const migrationLock = 7_042_016_001;

export class MigrationRefused extends Error {
  override name = 'MigrationRefused';
}

/**
 * Brings the database to the newest step, each step in a transaction of its own.
 *
 * Safe to run twice and by several processes at once: every step is taken under a lock and looked up again
 * inside it. Killed half-way, the next run goes on where it stopped.
 *
 * @returns the steps that this call applied
 * @throws MigrationRefused when the database is newer than the code, or a released step was edited
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[],
  log: Log = silentLog,
): Promise<Migration[]> {
  const steps = inOrder(migrations);
  const done: Migration[] = [];
  await locked(database, async (tx) => {
    await tx.query(`create table if not exists fovea_migrations (
      number integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`);
    check(await appliedSteps(tx), steps);
  });
  for (const step of steps) {
    const applied = await locked(database, (tx) => apply(tx, step, steps));
    if (!applied) continue;
    log.info({ number: step.number, name: step.name }, 'applied a migration');
    done.push(step);
  }
  return done;
}

async function apply(tx: Tx, step: Migration, steps: Migration[]): Promise<boolean> {
  const applied = await appliedSteps(tx);
  check(applied, steps);
  if (applied.some(({ number }) => number === step.number)) return false;
  try {
    await tx.client.query(step.sql);
  } catch (cause) {
    throw new Error(`Migration ${step.number} ${step.name} failed: ${(cause as Error).message}`, { cause });
  }
  mayDie('migration-applied');
  await tx.query('insert into fovea_migrations (number, name, checksum) values ($1, $2, $3)', [
    step.number,
    step.name,
    checksumOf(step),
  ]);
  return true;
}

function locked<Result>(database: Database, work: (tx: Tx) => Promise<Result>): Promise<Result> {
  // No time limit: a step may rewrite a large table, or wait for another process that does.
  return database.transaction(
    async (tx) => {
      await tx.query('select pg_advisory_xact_lock($1)', [migrationLock]);
      return work(tx);
    },
    { timeoutMs: 0, retries: 0 },
  );
}

function check(applied: Applied[], steps: Migration[]): void {
  const known = new Map(steps.map((step) => [step.number, step]));
  for (const old of applied) {
    const step = known.get(old.number);
    if (step === undefined) {
      throw new MigrationRefused(
        `The database is newer than this Fovea: it has migration ${old.number} ${old.name}. Start a newer Fovea.`,
      );
    }
    if (checksumOf(step) !== old.checksum) {
      throw new MigrationRefused(
        `Migration ${old.number} ${old.name} is not what this database was made with. ` +
          'A released migration never changes; add a new one.',
      );
    }
  }
  const newest = Math.max(0, ...applied.map(({ number }) => number));
  const skipped = steps.find(
    ({ number }) => number < newest && !applied.some((old) => old.number === number),
  );
  if (skipped === undefined) return;
  throw new MigrationRefused(
    `Migration ${skipped.number} ${skipped.name} comes before ${newest}, which is already applied. Give it a higher number.`,
  );
}

function appliedSteps(tx: Tx): Promise<Applied[]> {
  return tx.query<Applied>('select number, name, checksum from fovea_migrations order by number');
}

function inOrder(migrations: readonly Migration[]): Migration[] {
  const steps = [...migrations].sort((a, b) => a.number - b.number);
  steps.forEach((step, index) => {
    if (!Number.isInteger(step.number) || step.number < 1)
      throw new Error(`Migration ${step.name} has number ${step.number}.`);
    if (steps[index - 1]?.number === step.number)
      throw new Error(`Two migrations have number ${step.number}.`);
  });
  return steps;
}

function checksumOf({ sql }: Migration): string {
  return createHash('sha256').update(sql).digest('hex');
}
