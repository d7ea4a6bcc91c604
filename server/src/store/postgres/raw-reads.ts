import type pg from 'pg';
import { RawConnection } from './raw-connection.ts';
import type { RawRow } from './raw-rows.ts';
import type { RawStatement, RawValue } from './raw-values.ts';

/** Reads a prepared statement, outside of any transaction. Rows may be kept; they hold on to what the server sent. */
export type RawRead = (statement: RawStatement, values: readonly RawValue[]) => Promise<RawRow[]>;

interface Asked {
  readonly read: Parameters<RawRead>;
  resolve(rows: RawRow[]): void;
  reject(error: unknown): void;
}

interface Held {
  readonly client: pg.PoolClient;
  readonly connection: RawConnection;
}

/**
 * A few connections for the reads that clients make all the time. They stay with this lane until they break, and
 * the one used last is used first, so that a quiet server reads through one.
 *
 * @param borrow a connection out of a pool of `connectionsMax`
 */
export function openRawReads(borrow: () => Promise<pg.PoolClient>, connectionsMax: number) {
  const idle: Held[] = [];
  const waiting: (() => void)[] = [];
  const all = new Set<Held>();
  let opening = 0;

  async function acquire(): Promise<Held> {
    for (;;) {
      const held = idle.pop();
      if (held && !held.connection.isLost) return held;
      if (held) drop(held);
      else if (all.size + opening < connectionsMax) return open();
      else await new Promise<void>((resolve) => waiting.push(resolve));
    }
  }

  async function open(): Promise<Held> {
    opening += 1;
    try {
      const client = await borrow();
      // The plan that fits any values: planning such a read anew costs more than it does.
      await client.query('set plan_cache_mode = force_generic_plan');
      const held = { client, connection: new RawConnection(client) };
      all.add(held);
      return held;
    } finally {
      opening -= 1;
    }
  }

  function drop(held: Held): void {
    if (all.delete(held)) held.client.release(true);
  }

  async function through<T>(work: (connection: RawConnection) => Promise<T>): Promise<T> {
    const held = await acquire().catch((error: unknown) => {
      // Whoever waits has a try of his own.
      waiting.shift()?.();
      throw error;
    });
    try {
      return await work(held.connection);
    } finally {
      if (held.connection.isLost) drop(held);
      else idle.push(held);
      waiting.shift()?.();
    }
  }

  return {
    read: ((statement, values) =>
      through((connection) => connection.read([[statement, values]])[0] as Promise<RawRow[]>)) as RawRead,
    /**
     * Whatever is asked through it before the program waits for something goes out at once, over one connection: the
     * server is woken once. For short reads, for each waits for those before it.
     */
    oneTrip(): RawRead {
      let asked: Asked[] = [];
      const send = async () => {
        const sent = asked;
        asked = [];
        try {
          await through((connection) => {
            const answers = connection.read(sent.map(({ read }) => read));
            for (const [n, answer] of answers.entries()) answer.then(sent[n]?.resolve, sent[n]?.reject);
            return Promise.allSettled(answers);
          });
        } catch (error) {
          for (const { reject } of sent) reject(error);
        }
      };
      return (statement, values) =>
        new Promise((resolve, reject) => {
          // After all promises that are kept already had their say.
          if (asked.length === 0) process.nextTick(send);
          asked.push({ read: [statement, values], resolve, reject });
        });
    },
    close(): void {
      for (const held of all) drop(held);
      idle.length = 0;
    },
  };
}
