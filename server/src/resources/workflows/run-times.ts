import type { IncomingMessage, ServerResponse } from 'node:http';
import { StatusCode } from '@fovea/contract';
import type { Caller } from '#domain/grant.ts';
import { commonFault } from '../common/faults.ts';

/** When a node ran on an input, in milliseconds from the start of the run. */
export interface NodeTime {
  readonly input: number;
  readonly node: string;
  readonly startedMs: number;
  readonly tookMs: number;
}

interface Run {
  readonly userKey: number;
  readonly workflowId: string;
  readonly nodes: NodeTime[];
}

/** How long the nodes of recent runs took, by request. A help for the eye, kept in memory and lost with it. */
export interface RunTimes {
  begin(requestId: string, userKey: number, workflowId: string): (time: NodeTime) => void;
  find(requestId: string): Run | undefined;
}

const runsMax = 1_000;

export function openRunTimes(): RunTimes {
  const runs = new Map<string, Run>();
  return {
    begin(requestId, userKey, workflowId) {
      const run: Run = { userKey, workflowId, nodes: [] };
      runs.set(requestId, run);
      if (runs.size > runsMax) runs.delete(runs.keys().next().value as string);
      return (time) => run.nodes.push(time);
    },
    find: (requestId) => runs.get(requestId),
  };
}

const path = /^\/v2\/ext\/fovea\/requests\/([^/]+)\/nodes$/;
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

/** Times of the nodes of a run, for whoever asked for it (docs/EXTENSIONS.md). */
export const runTimesRoute = (parts: {
  runTimes: RunTimes;
  signIn: (header: (name: string) => string | undefined) => Promise<Caller>;
}) => ({
  verb: 'GET' as const,
  path,
  async answer(
    _request: IncomingMessage,
    response: ServerResponse,
    { url, header }: { url: URL; header: (name: string) => string | undefined },
  ): Promise<void> {
    const caller = await parts.signIn(header);
    const requestId = decodeURIComponent(path.exec(url.pathname)?.[1] ?? '');
    const run = parts.runTimes.find(requestId);
    if (run?.userKey !== caller.userKey) throw commonFault.missing('recent run of a workflow', requestId);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({
        status: { code: StatusCode.SUCCESS, description: 'Ok' },
        workflow_id: run.workflowId,
        nodes: run.nodes.map(({ input, node, startedMs, tookMs }) => ({
          input,
          node,
          started_ms: rounded(startedMs),
          took_ms: rounded(tookMs),
        })),
      }),
    );
  },
});
