import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
