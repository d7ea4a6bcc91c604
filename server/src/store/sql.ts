import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
} from 'kysely';
import type { Queryable } from './postgres/index.ts';

export { type RawBuilder as Sql, sql } from 'kysely';

/** Compiles templates to text and values; it never connects anywhere. */
const compiler = new Kysely<unknown>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** What can run SQL: the database, or a transaction. */
export type Db = Pick<Queryable, 'query' | 'run'>;

/** Runs a `sql` template; values only ever travel as parameters. `Row` is the caller's claim of what comes back. */
export function rows<Row extends object>(db: Db, statement: RawBuilder<unknown>): Promise<Row[]> {
  const { sql: text, parameters } = statement.compile(compiler);
  return db.query<Row>(text, parameters as unknown[]);
}

/**
 * As `rows`, parsed and planned once per connection: for hot paths whose text never differs, and which look into no
 * table that grows, for the plan stays what it was when that was empty. `name` belongs to that one text.
 */
export function preparedRows<Row extends object>(
  db: Db,
  name: string,
  statement: RawBuilder<unknown>,
): Promise<Row[]> {
  const { sql: text, parameters } = statement.compile(compiler);
  return db.run<Row>({ name, text }, parameters as unknown[]);
}

/** The first row, if any. */
export async function first<Row extends object>(
  db: Db,
  statement: RawBuilder<unknown>,
): Promise<Row | undefined> {
  return (await rows<Row>(db, statement))[0];
}

/** What tells one statement from another: equal for equal texts and values. */
export function nameOf(statement: RawBuilder<unknown>): string {
  const { sql: text, parameters } = statement.compile(compiler);
  return JSON.stringify([text, parameters]);
}

/** For statements whose rows do not matter. */
export async function run(db: Db, statement: RawBuilder<unknown>): Promise<void> {
  await rows(db, statement);
}
