import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { isDatabaseAway } from '#domain/database-away.ts';
import { isArmed, mayDie } from '#domain/failpoints.ts';
import { type Log, silentLog } from '../log.ts';
import { isWorthRepeating } from './errors.ts';
import { type Keeper, startKeeper } from './keeper.ts';
import { type OnNotify, openListener } from './listener.ts';
import { type Notify, openNotifier } from './notifier.ts';
import { openRawReads, type RawRead } from './raw-reads.ts';
import { openRawTogether, type RawTogether } from './raw-together.ts';
import { types } from './types.ts';

// biome-ignore lint/suspicious/noExplicitAny: the shape of a row or schema is the caller's claim; SQL text cannot prove it
export type Claimed = any;

/** A statement that the server parses and plans once per connection: for the hot paths. Names are unique. */
export type Statement = { name: string; text: string };

export type QueryOptions = { timeoutMs?: number };

/** What can run SQL: the database (one connection per statement) or a transaction (always the same one). */
export type Queryable<Schema = Claimed> = {
  kysely: Kysely<Schema>;
  query<Row extends object = Claimed>(
    text: string,
    values?: unknown[],
    options?: QueryOptions,
  ): Promise<Row[]>;
  run<Row extends object = Claimed>(statement: Statement, values?: unknown[]): Promise<Row[]>;
  /** Sends NOTIFY just after the commit (in a transaction) or now; see `openNotifier` for what may be missed. */
  notify: Notify;
};

export type Tx<Schema = Claimed> = Queryable<Schema> & {
  client: pg.PoolClient;
  /** Called after the commit; never called when the transaction is rolled back or run again. */
  afterCommit(call: () => void): void;
};

export type TransactionOptions = {
  /** How often to run again after a serialization failure or a deadlock. Default 3. */
  retries?: number;
  isolation?: 'read committed' | 'repeatable read' | 'serializable';
  readOnly?: boolean;
  /** Limit for each statement inside. */
  timeoutMs?: number;
};

/** Reads for the hot paths, on connections of their own: rows come as bytes, and small reads go together. */
export type RawReads = {
  raw: RawRead;
  rawTogether: RawTogether;
};

export type Database<Schema = Claimed> = Queryable<Schema> &
  RawReads & {
    /** For reads that are asked for in one breath: they go out together (raw-reads.ts). */
    oneTrip(): RawRead;
    pool: pg.Pool;
    /** The embedded server, or undefined with an external one. */
    keeper: Keeper | undefined;
    /**
     * Runs `work` in one transaction; commits when it returns, rolls back when it throws.
     *
     * NOTE: `work` may run more than once, so it must have no effect outside the transaction; use
     * `tx.afterCommit` for those.
     */
    transaction<Result>(
      work: (tx: Tx<Schema>) => Promise<Result>,
      options?: TransactionOptions,
    ): Promise<Result>;
    /**
     * Connections of their own for one sort of statements, with a limit for each of these: what runs there is stopped
     * in time and never holds the connections that others need.
     */
    lane(options: {
      statementTimeoutMs: number;
      connectionsMax: number;
    }): Pick<Queryable<Schema>, 'query' | 'run'>;
    /** Hears NOTIFY on a channel; returns how to stop hearing. Survives lost connections. */
    listen(channel: string, onNotify: OnNotify): Promise<() => void>;
    close(): Promise<void>;
  };

export type DatabaseOptions = {
  /** Folder of the embedded server; not used with `databaseUrl`. */
  dataDir: string;
  databaseUrl?: string;
  /** Folder with the programs of another PostgreSQL for the embedded server. */
  binDir?: string;
  /** Database inside the embedded server, made when missing. Default `fovea`. */
  databaseName?: string;
  connectionsMax?: number;
  /** Default limit of a statement. Default 30,000. */
  statementTimeoutMs?: number;
  /** How long to wait for an external server at start, and for a connection later. Default 10,000. */
  connectTimeoutMs?: number;
  log?: Log;
};

/**
 * Opens the database: the external one of `databaseUrl`, or the embedded one of `dataDir`.
 *
 * @throws Error with one clear line when it cannot be reached or is older than PostgreSQL 15
 */
export async function openDatabase<Schema = Claimed>(options: DatabaseOptions): Promise<Database<Schema>> {
  const log = options.log ?? silentLog;
  const { connectTimeoutMs = 10_000 } = options;
  const keeper =
    options.databaseUrl === undefined
      ? await startKeeper({ dataDir: options.dataDir, binDir: options.binDir, log })
      : undefined;
  try {
    const config = {
      ...(await addressOf(options, keeper)),
      types,
      keepAlive: true,
      application_name: 'fovea',
    };
    const openPool: OpenPool = (max, statementTimeoutMs) => {
      const pool = new pg.Pool({
        ...config,
        max,
        idleTimeoutMillis: 60_000,
        connectionTimeoutMillis: connectTimeoutMs,
        statement_timeout: statementTimeoutMs,
      });
      // An idle connection that breaks is dropped and replaced by the pool; nobody was using it.
      pool.on('error', (error) =>
        log.debug({ error: error.message }, 'an idle database connection was lost'),
      );
      // A connection in use that breaks fails its statement; without a listener it would also end the process.
      pool.on('connect', (client) => void client.on('error', () => {}));
      return pool;
    };
    const { statementTimeoutMs = 30_000 } = options;
    const pool = openPool(options.connectionsMax ?? 20, statementTimeoutMs);
    const ready = keeper === undefined ? async () => {} : keeper.ready;
    const listener = openListener(config, ready, log);
    const database = build<Schema>(
      pool,
      openPool,
      listener,
      keeper,
      ready,
      connectTimeoutMs,
      statementTimeoutMs,
    );
    await onceBack(keeper, connectTimeoutMs, () => checkVersion(database, options.databaseUrl));
    return database;
  } catch (error) {
    await keeper?.stop();
    throw error;
  }
}

/** Asks again where the embedded server goes away meanwhile: one that was just killed may be found still running. */
async function onceBack(
  keeper: Keeper | undefined,
  patienceMs: number,
  ask: () => Promise<void>,
): Promise<void> {
  for (const deadline = Date.now() + patienceMs; ; await sleep(100)) {
    try {
      return await ask();
    } catch (error) {
      if (keeper === undefined || !isDatabaseAway(error) || Date.now() > deadline) throw error;
    }
    await keeper.ready();
  }
}

/** Enough for one process to be busy: what it reads has to be put together by its one thread. */
const rawConnectionsMax = 6;

type OpenPool = (connectionsMax: number, statementTimeoutMs: number) => pg.Pool;

function build<Schema>(
  pool: pg.Pool,
  openPool: OpenPool,
  listener: ReturnType<typeof openListener>,
  keeper: Keeper | undefined,
  ready: () => Promise<void>,
  patienceMs: number,
  statementTimeoutMs: number,
): Database<Schema> {
  const acquire = () => acquireFrom(pool, ready, patienceMs);
  const lanes: pg.Pool[] = [];
  const rawPool = openPool(rawConnectionsMax, statementTimeoutMs);
  const rawReads = openRawReads(() => acquireFrom(rawPool, ready, patienceMs), rawConnectionsMax);
  const kysely = new Kysely<Schema>({
    dialect: new PostgresDialect({ pool: { connect: acquire, end: async () => {} } }),
  });
  const notifier = openNotifier(async (channels, payloads) => {
    const text =
      'select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) as sent (channel, payload)';
    await withClient(acquire, (client) =>
      client.query({ name: 'fovea-notify', text, values: [channels, payloads] }),
    );
  });
  const transaction = makeTransaction<Schema>(acquire, notifier.notify);
  let closing: Promise<void> | undefined;
  return {
    pool,
    kysely,
    keeper,
    transaction,
    notify: notifier.notify,
    async query(text, values, options) {
      if (options?.timeoutMs !== undefined) {
        return transaction((tx) => tx.query(text, values), { timeoutMs: options.timeoutMs, retries: 0 });
      }
      return withClient(acquire, async (client) => (await client.query(text, values)).rows);
    },
    run: (statement, values) =>
      withClient(acquire, async (client) => (await client.query({ ...statement, values })).rows),
    lane({ connectionsMax, statementTimeoutMs }) {
      const own = openPool(connectionsMax, statementTimeoutMs);
      lanes.push(own);
      const acquireOwn = () => acquireFrom(own, ready, patienceMs);
      return {
        query: (text, values) =>
          withClient(acquireOwn, async (client) => (await client.query(text, values)).rows),
        run: (statement, values) =>
          withClient(acquireOwn, async (client) => (await client.query({ ...statement, values })).rows),
      };
    },
    raw: rawReads.read,
    rawTogether: openRawTogether(rawReads.read),
    oneTrip: rawReads.oneTrip,
    listen: listener.listen,
    close() {
      closing ??= (async () => {
        await notifier.flush();
        await listener.close();
        rawReads.close();
        await Promise.all([pool, rawPool, ...lanes].map((one) => one.end()));
        await keeper?.stop();
      })();
      return closing;
    },
  };
}

/**
 * A connection, waiting through a restart of the server. Nothing was sent yet, so waiting is always safe; a
 * statement that is under way when the server dies fails instead.
 */
async function acquireFrom(
  pool: pg.Pool,
  ready: () => Promise<void>,
  patienceMs: number,
): Promise<pg.PoolClient> {
  const deadline = Date.now() + patienceMs;
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    try {
      return await pool.connect();
    } catch (error) {
      if (!isDatabaseAway(error) || pool.ending || Date.now() + pauseMs > deadline) throw error;
    }
    await sleep(pauseMs);
    await Promise.race([ready(), sleep(Math.max(deadline - Date.now(), 0), undefined, { ref: false })]);
  }
}

type Acquire = () => Promise<pg.PoolClient>;

async function withClient<Result>(
  acquire: Acquire,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await acquire();
  try {
    const result = await work(client);
    client.release();
    return result;
  } catch (error) {
    client.release(isDatabaseAway(error));
    throw error;
  }
}

function makeTransaction<Schema>(acquire: Acquire, notify: Notify): Database<Schema>['transaction'] {
  return async (work, options = {}) => {
    for (let retriesLeft = options.retries ?? 3; ; retriesLeft--) {
      try {
        if (isArmed('answer-before-commit')) return await answerEarly(acquire, work, options, notify);
        return await withClient(acquire, (client) => attempt(client, work, options, notify));
      } catch (error) {
        if (retriesLeft <= 0 || !isWorthRepeating(error)) throw error;
        await sleep(5 + Math.random() * 40);
      }
    }
  };
}

async function attempt<Schema, Result>(
  client: pg.PoolClient,
  work: (tx: Tx<Schema>) => Promise<Result>,
  options: TransactionOptions,
  notify: Notify,
): Promise<Result> {
  const calls: (() => void)[] = [];
  await client.query(beginText(options));
  let result: Result;
  try {
    result = await work(txOn<Schema>(client, calls, notify));
  } catch (error) {
    // A lost connection has rolled back by itself; the first error is the one worth telling.
    await client.query('rollback').catch(() => {});
    throw error;
  }
  mayDie('commit-due');
  const { command } = await client.query('commit');
  mayDie('commit-done');
  // What PostgreSQL answers when a statement failed and `work` swallowed its error: nothing was kept.
  if (command === 'ROLLBACK')
    throw new Error('The transaction was rolled back: a statement in it had failed.');
  for (const call of calls) call();
  return result;
}

/** What a failpoint makes of `attempt`: it returns when the work is done, some time before the commit. */
function answerEarly<Schema, Result>(
  acquire: Acquire,
  work: (tx: Tx<Schema>) => Promise<Result>,
  options: TransactionOptions,
  notify: Notify,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const workAndTell = async (tx: Tx<Schema>) => {
      const result = await work(tx);
      resolve(result);
      await sleep(100);
      return result;
    };
    withClient(acquire, (client) => attempt(client, workAndTell, options, notify)).catch(reject);
  });
}

function beginText({ isolation, readOnly, timeoutMs }: TransactionOptions): string {
  const begin = ['begin', isolation && `isolation level ${isolation}`, readOnly && 'read only']
    .filter(Boolean)
    .join(' ');
  return timeoutMs === undefined ? begin : `${begin}; set local statement_timeout = ${Math.ceil(timeoutMs)}`;
}

/** What is committed stays acknowledged, whatever goes wrong in a callback. */
function safely(call: () => void): () => void {
  return () => {
    try {
      call();
    } catch (error) {
      process.emitWarning(error as Error);
    }
  };
}

function txOn<Schema>(client: pg.PoolClient, calls: (() => void)[], notify: Notify): Tx<Schema> {
  let kysely: Kysely<Schema> | undefined;
  const lent = { query: client.query.bind(client), release() {} } as unknown as pg.PoolClient;
  return {
    client,
    // Built when first asked for: many transactions run a few plain statements only.
    get kysely() {
      kysely ??= new Kysely<Schema>({
        dialect: new PostgresDialect({ pool: { connect: async () => lent, end: async () => {} } }),
      });
      return kysely;
    },
    query: async (text, values) => (await client.query(text, values)).rows,
    run: async (statement, values) => (await client.query({ ...statement, values })).rows,
    afterCommit: (call) => void calls.push(safely(call)),
    notify: (channel, payload) => void calls.push(() => notify(channel, payload)),
  };
}

async function addressOf(options: DatabaseOptions, keeper: Keeper | undefined): Promise<pg.ClientConfig> {
  if (keeper === undefined) return { connectionString: options.databaseUrl };
  const database = options.databaseName ?? 'fovea';
  const client = new pg.Client({ host: keeper.socketDir, user: keeper.user, database: 'postgres' });
  await client.connect();
  try {
    if (keeper.adopted) await endOldSessions(client);
    const { rowCount } = await client.query('select from pg_database where datname = $1', [database]);
    if (rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(database)}`);
  } finally {
    await client.end();
  }
  return { host: keeper.socketDir, user: keeper.user, database };
}

/** Sessions of the killed process: none of them may commit once we have begun. */
async function endOldSessions(client: pg.Client): Promise<void> {
  const others = `from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`;
  await client.query(`select pg_terminate_backend(pid, 5000) ${others}`);
}

async function checkVersion(database: Database, url: string | undefined): Promise<void> {
  try {
    const [row] = await database.query<{ version: number }>(
      `select current_setting('server_version_num')::int as version`,
    );
    if ((row?.version ?? 0) >= 150_000) return;
    throw new Error(
      `PostgreSQL 15 or newer is needed; this one is ${Math.floor((row?.version ?? 0) / 10_000)}.`,
    );
  } catch (error) {
    await database.close().catch(() => {});
    if (url === undefined) throw error;
    throw new Error(`The database of DATABASE_URL cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
