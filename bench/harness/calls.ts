import {
  create,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import type { LoadGenerator, LoadPlan, LoadResult } from './load.ts';
import { cpuDuring } from './processes.ts';
import { pat, userId } from './server.ts';

export const auth = { authorization: `Key ${pat}` };

export const inApp = (appId: string) => ({ userAppId: { userId, appId } });

/** A plan of gRPC calls of one method. */
export function grpcPlan<D extends DescMessage>(
  url: string,
  rpc: string,
  schema: D,
  requests: readonly MessageInitShape<D>[],
  limits: Pick<LoadPlan, 'concurrency' | 'requestsMax'> & Partial<LoadPlan>,
): LoadPlan {
  const bodies = requests.map((one) => Buffer.from(toBinary(schema, create(schema, one))).toString('base64'));
  return {
    transport: 'grpc',
    url,
    path: `/clarifai.api.V2/${rpc}`,
    headers: auth,
    bodies,
    timeMsMax: 20_000,
    ...limits,
  };
}

export function restPlan(
  url: string,
  path: string,
  limits: Pick<LoadPlan, 'concurrency' | 'requestsMax'> & Partial<LoadPlan>,
): LoadPlan {
  return { transport: 'rest', url, path, headers: auth, bodies: [''], timeMsMax: 20_000, ...limits };
}

/** A gRPC reply that has to be a success, without what differs from call to call. */
export async function replyOf<D extends DescMessage>(load: LoadGenerator, plan: LoadPlan, schema: D) {
  const { reply = '' } = await load.run({ ...plan, requestsMax: 1, keepReply: true });
  const bytes = Buffer.from(reply, 'base64');
  const message = fromBinary(schema, bytes) as Message & {
    status?: { code: number; details: string; reqId: string };
  };
  if (message.status?.code !== 10000)
    throw new Error(`${plan.path} answers ${message.status?.code} ${message.status?.details}`);
  message.status.reqId = '';
  return { bytes, message: message as never };
}

export interface Cost {
  /** Microseconds of CPU per call: of the process with all its descendants, and of itself. */
  readonly treeUs: number;
  readonly ownUs: number;
  readonly wallUs: number;
  readonly result: LoadResult;
}

/** What a call costs a process and its descendants. */
export async function costOf(load: LoadGenerator, pid: number, plan: LoadPlan): Promise<Cost> {
  const { result, tree, own } = await cpuDuring(pid, () => load.run(plan));
  const perCall = (ms: number) => (1000 * ms) / result.completed;
  return { treeUs: perCall(tree), ownUs: perCall(own), wallUs: perCall(result.wallMs), result };
}

/** Remembers more of each round than the one figure that is compared. */
export function remembering() {
  const all = new Map<string, Cost[]>();
  return {
    side: (name: string, measure: () => Promise<Cost>) => async () => {
      const cost = await measure();
      all.set(name, [...(all.get(name) ?? []), cost]);
      return cost.treeUs;
    },
    /** Means over all rounds, for the words beside a figure. */
    words(name: string): string {
      const costs = all.get(name) ?? [];
      const mean = (of: (cost: Cost) => number) =>
        Math.round(costs.reduce((sum, cost) => sum + of(cost), 0) / costs.length);
      return `${name} ${mean((one) => one.treeUs)} µs CPU (process alone ${mean((one) => one.ownUs)}), wall ${mean((one) => one.wallUs)}`;
    },
  };
}
