import { setTimeout as sleep } from 'node:timers/promises';
import type { Ledger, Write } from './ledger.ts';
import type { Reply, Wire } from './wire.ts';
import type { Lane, World } from './world.ts';

const mixed = (lane: Lane): Write => lane.next();

export interface Load {
  /** Takes no further requests and waits for those under way. */
  stop(): Promise<void>;
  /** Requests answered so far. */
  readonly answered: number;
}

const isSuccess = ({ http, json }: Reply): boolean => http === 200 && json.status?.code === 10000;

/** What a reply says about a write: done, not to be known, or refused. */
export function judge(ledger: Ledger, write: Write, reply: Reply): boolean {
  if (isSuccess(reply)) {
    ledger.acknowledge(write);
    return true;
  }
  ledger.doubt(write);
  if (reply.http === 503 || reply.http === 429) return false;
  const words = wordsOf(reply);
  if (reply.http >= 500) {
    ledger.internal += 1;
    if (ledger.internal <= 20) ledger.refused.push(`${write.rpc} answered ${reply.http}: ${words}`);
  } else ledger.refused.push(`${write.rpc} was refused with ${reply.http}: ${words}`);
  return false;
}

/** The status of a reply, and that of the first item of a batch that was refused. */
export function wordsOf({ json }: Reply): string {
  const items = Object.values(json).find(Array.isArray) ?? [];
  const refused = items.find((item) => item.status?.details);
  return JSON.stringify(
    refused ? [json.status?.code, refused.id, refused.status] : (json.status ?? json),
  ).slice(0, 400);
}

/** Sends a write once and enters it into the ledger. @returns whether it was acknowledged */
export async function send(wire: Wire, ledger: Ledger, write: Write): Promise<boolean> {
  let reply: Reply;
  try {
    reply = await wire.call(write.verb, write.path, write.body);
  } catch {
    ledger.doubt(write);
    return false;
  }
  return judge(ledger, write, reply);
}

export interface LoadOptions {
  /** What a lane sends next; a mixture of everything unless told. */
  readonly next?: (lane: Lane) => Write;
  readonly pauseMs?: number;
}

/**
 * All lanes of a world write, one request after the other each. A lane whose request has an unknown outcome ends:
 * it no longer knows the states of its things.
 */
export function startLoad(wire: Wire, ledger: Ledger, world: World, options: LoadOptions = {}): Load {
  let isStopped = false;
  const load = {
    answered: 0,
    async stop() {
      isStopped = true;
      await Promise.all(running);
    },
  };
  const running = world.lanes.map(async (lane) => {
    while (!isStopped) {
      if (!(await send(wire, ledger, (options.next ?? mixed)(lane)))) return;
      load.answered += 1;
      if (options.pauseMs) await sleep(options.pauseMs);
    }
  });
  return load;
}
