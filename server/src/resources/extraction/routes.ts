import type { IncomingMessage, ServerResponse } from 'node:http';
import { StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Db } from '#store/sql.ts';
import { status } from '../common/status.ts';
import { extractionFault } from './faults.ts';
import { faultsOf, findJob } from './store.ts';

type HeaderOf = (name: string) => string | undefined;

const pattern =
  /^\/v2\/ext\/fovea\/users\/([^/]+)\/apps\/([^/]+)\/inputs\/jobs\/extraction\/([^/]+)\/faults$/;
const faultsPerPage = 500;

/** Files of an extraction job that came to no input, one by one, for whoever may read the job. */
export function extractionRoute(deps: {
  readonly db: Db;
  readonly grantFor: (header: HeaderOf, userId: string, appId: string) => Promise<AppGrant>;
}) {
  return {
    verb: 'GET' as const,
    path: pattern,
    async answer(
      _request: IncomingMessage,
      response: ServerResponse,
      { url, header, requestId }: { url: URL; header: HeaderOf; requestId: string },
    ): Promise<void> {
      const names = (pattern.exec(url.pathname) ?? []).slice(1).map(decodeURIComponent);
      const [userId, appId, id] = names as [string, string, string];
      const grant = await deps.grantFor(header, userId, appId);
      const job = grant.isMember ? await findJob(deps.db, grant, id) : undefined;
      if (!job) throw extractionFault.missing(id);
      const after = Number(/^\d{1,9}$/.exec(url.searchParams.get('after') ?? '')?.[0] ?? 0);
      const faults = await faultsOf(deps.db, grant, job.key, after, faultsPerPage);
      const body = {
        status: { ...status(StatusCode.SUCCESS), req_id: requestId },
        fault_count: job.faultCount,
        faults,
        ...(faults.length === faultsPerPage ? { next: faults.at(-1)?.position } : {}),
      };
      response
        .writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
        .end(JSON.stringify(body));
    },
  };
}
