import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from '../log.ts';

/**
 * Called with the payload of a notification; with undefined when notifications may have been missed, because
 * the connection was lost and is back. Look at the table then.
 */
export type OnNotify = (payload: string | undefined) => void;

export type Listener = {
  listen(channel: string, onNotify: OnNotify): Promise<() => void>;
  close(): Promise<void>;
};

/** One connection that hears NOTIFY for the whole process and comes back by itself when it is lost. */
export function openListener(config: pg.ClientConfig, ready: () => Promise<void>, log: Log): Listener {
  const heard = new Map<string, Set<OnNotify>>();
  let client: pg.Client | undefined;
  let connecting: Promise<void> | undefined;
  let closed = false;

  const connect = async (): Promise<void> => {
    for (let pauseMs = 50; !closed; pauseMs = Math.min(pauseMs * 2, 5_000)) {
      try {
        await ready();
        client = await connected();
        return;
      } catch (error) {
        log.debug({ error: String(error) }, 'the listening connection is not back yet');
        await sleep(pauseMs);
      }
    }
  };

  const connected = async (): Promise<pg.Client> => {
    const fresh = new pg.Client({ ...config, keepAlive: true });
    let lost = false;
    const onLost = () => {
      if (lost) return;
      lost = true;
      if (client !== fresh) return;
      client = undefined;
      if (!closed) connecting = connect().then(tellAll);
    };
    fresh.on('error', onLost);
    fresh.on('end', onLost);
    fresh.on('notification', ({ channel, payload }) => {
      for (const onNotify of heard.get(channel) ?? []) onNotify(payload ?? '');
    });
    await fresh.connect();
    for (const channel of heard.keys()) await fresh.query(`listen ${pg.escapeIdentifier(channel)}`);
    if (lost) throw new Error('lost while connecting');
    return fresh;
  };

  const tellAll = () => {
    for (const callbacks of heard.values()) for (const onNotify of callbacks) onNotify(undefined);
  };

  return {
    async listen(channel, onNotify) {
      const callbacks = heard.get(channel) ?? new Set();
      const fresh = callbacks.size === 0;
      callbacks.add(onNotify);
      heard.set(channel, callbacks);
      connecting ??= connect();
      await connecting;
      // A connection lost right here listens again by itself, to every channel in the map.
      if (fresh) await client?.query(`listen ${pg.escapeIdentifier(channel)}`).catch(() => {});
      return () => {
        callbacks.delete(onNotify);
      };
    },
    async close() {
      closed = true;
      const last = client;
      client = undefined;
      await last?.end().catch(() => {});
    },
  };
}
