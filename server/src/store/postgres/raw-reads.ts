import type pg from 'pg';
import { RawConnection } from './raw-connection.ts';
import type { RawRow } from './raw-rows.ts';
import type { RawStatement, RawValue } from './raw-values.ts';

/** Reads a prepared statement, outside of any transaction. Rows may be kept; they hold on to what the server sent. */
export type RawRead = (statement: RawStatement, values: readonly RawValue[]) => Promise<RawRow[]>;

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

  const read: RawRead = async (statement, values) => {
    const held = await acquire().catch((error: unknown) => {
      // Whoever waits has a try of his own.
      waiting.shift()?.();
      throw error;
    });
    try {
      return await held.connection.read(statement, values);
    } finally {
      if (held.connection.isLost) drop(held);
      else idle.push(held);
      waiting.shift()?.();
    }
  };

  return {
    read,
    close(): void {
      for (const held of all) drop(held);
      idle.length = 0;
    },
  };
}
