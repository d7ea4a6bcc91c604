import { jobsMigrationSql } from '#jobs/index.ts';
import { migrations } from '#store/migrations/index.ts';
import type { Migration } from '#store/postgres/index.ts';

const jobs: Migration = { number: 5, name: 'jobs', sql: jobsMigrationSql };

/** Every migration of the server, in order: the store may not know the queue, so the two meet here. */
export const allMigrations: readonly Migration[] = [...migrations, jobs].sort((a, b) => a.number - b.number);
