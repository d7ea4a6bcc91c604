import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Db } from '#store/sql.ts';
import { trainLogPath } from '../translate.ts';
import { trainLogOf } from '../version-store.ts';

/** A plain HTTP route beside the contract, as the gateway takes them. */
export interface TrainLogRoute {
  readonly verb: 'GET';
  readonly path: string;
  answer(request: IncomingMessage, response: ServerResponse, context: { readonly url: URL }): Promise<void>;
}

/** Training logs as text. Clients fetch them without signing in: the token in the URL is the proof. */
export const trainLogRoute = (db: Db): TrainLogRoute => ({
  verb: 'GET',
  path: `${trainLogPath}*`,
  async answer(_request, response, { url }) {
    const log = await trainLogOf(db, url.pathname.slice(trainLogPath.length));
    const headers = {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    };
    if (log === undefined) response.writeHead(404, headers).end('There is no such training log.\n');
    else response.writeHead(200, headers).end(log);
  },
});
