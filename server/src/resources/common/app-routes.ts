import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AppGrant } from '#domain/grant.ts';
import { commonFault } from './faults.ts';
import { readJsonBody } from './request-body.ts';

type HeaderOf = (name: string) => string | undefined;

export interface AppRouteParts {
  /** Signs a caller in as for one of the contract's RPCs. @throws Fault as that RPC would */
  readonly grantFor: (rpc: string, header: HeaderOf, userId: string, appId: string) => Promise<AppGrant>;
}

export interface AppAsked {
  readonly grant: AppGrant;
  /** What the first and the second group of the tail took, '' without one. */
  readonly id: string;
  readonly otherId: string;
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
}

export interface AppRoute {
  readonly verb: 'GET' | 'POST';
  /** Of a regular expression, after the address of the app. */
  readonly tail: string;
  /** The caller needs the rights of all of them. */
  readonly rpcs: readonly string[];
  work(asked: AppAsked): Promise<object>;
}

const place = '^/v2/ext/fovea/users/([^/]+)/apps/([^/]+)';

/**
 * Routes beside the contract about one app, for its members: JSON in, JSON out.
 *
 * @param what the words after "Only the owner and collaborators of this app may"
 */
export const appRoutes = (parts: AppRouteParts, what: string, routes: readonly AppRoute[]) =>
  routes.map(({ verb, tail, rpcs, work }) => {
    const path = new RegExp(`${place}${tail}$`);
    return {
      verb,
      path,
      async answer(
        request: IncomingMessage,
        response: ServerResponse,
        { url, header }: { url: URL; header: HeaderOf },
      ) {
        const found = (path.exec(url.pathname) as RegExpExecArray).slice(1).map(decoded);
        const [userId = '', appId = '', id = '', otherId = ''] = found;
        let grant: AppGrant | undefined;
        for (const rpc of rpcs) grant = await parts.grantFor(rpc, header, userId, appId);
        if (!grant?.isMember) throw commonFault.membersOnly(what);
        const body = verb === 'POST' ? await readJsonBody(request) : {};
        const reply = await work({ grant, id, otherId, query: url.searchParams, body });
        response.writeHead(200, {
          'content-type': 'application/json; charset=utf-8',
          'cache-control': 'no-store',
        });
        response.end(JSON.stringify({ status: { code: 10000, description: 'Ok' }, ...reply }));
      },
    };
  });

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw commonFault.invalid(`'${part}' in the address is not percent-encoded text.`);
  }
}
