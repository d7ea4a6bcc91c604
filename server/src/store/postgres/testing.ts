import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type Claimed, type Database, openDatabase } from './database.ts';
import { type Migration, migrate } from './migrate.ts';

export type TestDatabase<Schema = Claimed> = Database<Schema> & { dataDir: string };

/**
 * A real, empty PostgreSQL of its own for a test file, about a second to make; `close` also removes it.
 *
 * @param migrations applied before it is handed out
 */
export async function openTestDatabase<Schema = Claimed>(
  migrations: readonly Migration[] = [],
): Promise<TestDatabase<Schema>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'fovea-test-'));
  const database = await openDatabase<Schema>({ dataDir });
  await migrate(database, migrations);
  return {
    ...database,
    dataDir,
    async close() {
      await database.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Reads the database of a server that runs on this machine, beside it. The fifth line of the pid file is its socket. */
export async function readDatabase<Row extends pg.QueryResultRow>(
  dataDir: string,
  text: string,
): Promise<Row[]> {
  const lines = readFileSync(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n');
  const client = new pg.Client({ host: lines[4] as string, user: 'fovea', database: 'fovea' });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}
