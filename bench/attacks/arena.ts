import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { randomFrom } from '../../scripts/lib/random.mjs';
import { startServer, type TestServer } from '../../server/src/testing/server.ts';
import { type Cast, makeCast } from './cast.ts';
import { type Answer, openWire, type Wire } from './wire.ts';

/** A server with people in it, and eyes on its database and its words. */
export interface Ground {
  readonly server: TestServer;
  readonly wire: Wire;
  readonly cast: Cast;
  readonly db: pg.Client;
}

/** Something in a reply that no caller may see. */
export interface Sight {
  readonly attack: string;
  readonly rpc: string;
  readonly what: string;
  readonly words: string;
}

export interface Arena extends Ground {
  readonly full: boolean;
  readonly seed: number;
  random(): number;
  pick<T>(items: readonly T[]): T;
  /** Every answer so far. */
  readonly answers: { count: number };
  /** Internal errors and tell-tale words in replies so far. */
  readonly sights: Sight[];
  /** Starts another server, with other settings or a check left out, and stops it afterwards. */
  other<T>(
    env: NodeJS.ProcessEnv,
    use: (ground: Ground) => Promise<T>,
    options?: { cast?: boolean },
  ): Promise<T>;
}

// What gives away the inside: stack frames, files of ours, SQL, and words of the database.
const telltales: readonly (readonly [string, RegExp])[] = [
  ['stack frame', /\bat (async )?[\w.<>[\] ]+ \(?(file:|node:|\/)[^)\s]*:\d+:\d+/],
  ['file of the server', /node_modules|dist\/main\.js|\/server\/src\//],
  ['SQL', /\b(select|insert into|update|delete from)\b.{1,80}\b(from|values|set|where)\b.{0,40}\$\d/i],
  [
    'database words',
    /syntax error at or near|violates (unique|foreign key|not-null|check)|invalid input syntax|relation "|column "\w+" |duplicate key value|invalid byte sequence|out of range for type|tsquery:|jsonb?path|PostgresError/i,
  ],
];

/** The table owner's view of the database inside a data folder. */
async function openDb(dataDir: string): Promise<{ client: pg.Client; postmasterPid: number }> {
  const lines = (await readFile(join(dataDir, 'postgres/cluster/postmaster.pid'), 'utf8')).split('\n');
  const client = new pg.Client({ host: lines[4] as string, user: 'fovea', database: 'fovea' });
  // A server that dies takes its database along; that is noticed elsewhere.
  client.on('error', () => {});
  await client.connect();
  return { client, postmasterPid: Number(lines[0]) };
}

const postmasterOf = async (dataDir: string): Promise<number | undefined> =>
  Number(
    (await readFile(join(dataDir, 'postgres/cluster/postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0],
  ) || undefined;

/** A server that was killed leaves its database running. */
function endPostgres(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, 'SIGQUIT');
  } catch {
    // It ended with its server, as it should.
  }
}

export async function openArena(options: {
  seed: number;
  full: boolean;
  main: string;
  folder?: string;
}): Promise<{
  arena: Arena;
  during(attack: string): void;
  /** Resolves, with words, where the server ends although nobody stopped it, or the run is told to stop. */
  readonly lost: Promise<string>;
  close(): Promise<void>;
}> {
  const { seed, full, main } = options;
  // Each attack has numbers of its own, so that one alone does what it did among the others.
  let random = randomFrom(seed);
  const sights: Sight[] = [];
  const answers = { count: 0 };
  let attack = '';
  let watching = true;
  let isClosing = false;

  function watch(answer: Answer): void {
    answers.count += 1;
    if (!watching) return;
    const see = (what: string, words: string) =>
      sights.push({ attack, rpc: answer.rpc, what, words: words.slice(0, 300) });
    if (answer.code === 99009 || answer.http === 500 || answer.grpcCode === 13)
      see('internal error', answer.text);
    for (const [what, pattern] of telltales) {
      const at = answer.text.search(pattern);
      if (at >= 0) see(what, answer.text.slice(Math.max(0, at - 40), at + 160));
    }
  }

  async function openGround(
    env: NodeJS.ProcessEnv,
    withCast: boolean,
    eyes: (answer: Answer) => void,
  ): Promise<Ground & { close(): Promise<void> }> {
    const dataDir = await mkdtemp(join(options.folder ?? tmpdir(), 'fovea-attacks-'));
    const server = await startServer({
      main,
      dataDir,
      env: { FOVEA_FETCH_ALLOW: '', FOVEA_INFERENCE_THREADS: '1', ...env },
    }).catch(async (error) => {
      endPostgres(await postmasterOf(dataDir));
      await rm(dataDir, { recursive: true, force: true, maxRetries: 20 });
      throw error;
    });
    const wire = openWire(server.url, eyes);
    const { client: db, postmasterPid } = await openDb(dataDir);
    const close = async () => {
      wire.close();
      await db.end().catch(() => {});
      await server.stop({ keep: true });
      endPostgres(postmasterPid);
      await rm(dataDir, { recursive: true, force: true, maxRetries: 20 });
    };
    try {
      const cast = withCast ? await makeCast(wire, server.pat, seed) : (undefined as unknown as Cast);
      return { server, wire, db, cast, close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  const main0 = await openGround({}, true, watch);
  const arena: Arena = {
    ...main0,
    full,
    seed,
    random: () => random(),
    pick: (items) => items[Math.floor(random() * items.length)] as (typeof items)[number],
    answers,
    sights,
    async other(env, use, { cast = true } = {}) {
      watching = false;
      const ground = await openGround(env, cast, () => {}).finally(() => {
        watching = true;
      });
      try {
        return await use(ground);
      } finally {
        await ground.close();
      }
    },
  };
  return {
    arena,
    during: (name) => {
      attack = name;
      random = randomFrom([...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) | 0, seed));
    },
    lost: new Promise((resolve) => {
      const { server } = main0;
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        process.once(signal, () => resolve(`the run was told to stop with ${signal}`));
      server.process.once('exit', (code, signal) => {
        if (!isClosing)
          resolve(`the server ended with ${signal ?? code}; it said last: ${server.output().slice(-400)}`);
      });
    }),
    async close() {
      isClosing = true;
      await main0.close();
    },
  };
}

// Change by themselves: work in progress, the day's bookkeeping, and who looked at what.
const restless = new Set(['jobs', 'job_schedules']);

/** A digest of every row of every table: equal digests mean that nothing was written. */
export async function digestOfRows(db: pg.Client): Promise<Map<string, string>> {
  const { rows: tables } = await db.query<{ name: string }>(
    `select quote_ident(table_name) as name from information_schema.tables
     where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`,
  );
  const digests = new Map<string, string>();
  for (const { name } of tables) {
    if (restless.has(name)) continue;
    const { rows } = await db.query(
      `select count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') as sum from ${name} t`,
    );
    digests.set(name, (rows[0] as { sum: string }).sum);
  }
  return digests;
}

export function changedTables(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...after].filter(([name, sum]) => before.get(name) !== sum).map(([name]) => name);
}
