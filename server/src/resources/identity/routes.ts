import type { IncomingMessage, ServerResponse } from 'node:http';
import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import { type Caller, visibility as visibilities } from '#domain/grant.ts';
import { idTrouble } from '#domain/ids.ts';
import { sessionCookie, sessionTokenIn } from '#domain/session-cookie.ts';
import type { Database } from '#store/postgres/index.ts';
import { run, sql } from '#store/sql.ts';
import { readJsonBody } from '../common/request-body.ts';
import type { Sealer } from '../common/sealer.ts';
import { hashSecret } from '../common/sealer.ts';
import type { RememberedDirectory } from './directory.ts';
import { identityFault } from './faults.ts';
import { addUser, newSecret } from './first-user.ts';
import { openSession } from './session.ts';
import type { Welcome } from './welcome.ts';

type HeaderOf = (name: string) => string | undefined;

export interface IdentityRouteParts {
  readonly db: Database;
  readonly sealer: Sealer;
  readonly directory: RememberedDirectory;
  /** Id of the first user, who may make others. */
  readonly adminId: string;
  readonly signIn: (header: HeaderOf) => Promise<Caller>;
  readonly secureCookies: () => boolean;
  readonly welcome: Welcome;
  /** The first user's token, whose session the code of the start opens. */
  readonly firstToken: string;
}

/**
 * What the contract leaves to the service itself: sign-in with a session, and the making of users.
 * `/v2/login` and the list of organizations are called by official clients (SEMANTICS 5.24).
 */
export function identityRoutes(parts: IdentityRouteParts) {
  const { db, directory } = parts;

  async function startSession(caller: Caller, response: ServerResponse) {
    const { token, expiresAt } = await openSession(db, caller);
    const secure = parts.secureCookies() ? '; Secure' : '';
    response.setHeader(
      'set-cookie',
      `${sessionCookie}=${token}; HttpOnly; SameSite=Strict; Path=/; Expires=${expiresAt.toUTCString()}${secure}`,
    );
    return { session_token: token, v2_user_id: caller.userId };
  }

  return [
    {
      verb: 'POST' as const,
      path: '/v2/login',
      /** `password` is a personal access token: there are no passwords here, and `email` is not needed. */
      async answer(request: IncomingMessage, response: ServerResponse) {
        const { password } = (await readJsonBody(request)) as { password?: string };
        const caller = await parts.signIn((name) =>
          name === 'authorization' ? `Key ${password ?? ''}` : undefined,
        );
        checkMayOpenSession(caller);
        sendJson(response, {
          status: { code: 10000, description: 'Ok' },
          ...(await startSession(caller, response)),
        });
      },
    },
    {
      verb: 'POST' as const,
      path: '/v2/ext/fovea/session',
      async answer(_request: IncomingMessage, response: ServerResponse, { header }: { header: HeaderOf }) {
        const caller = await parts.signIn(header);
        checkMayOpenSession(caller);
        sendJson(response, await startSession(caller, response));
      },
    },
    {
      verb: 'POST' as const,
      path: '/v2/ext/fovea/welcome',
      /** Body {code}: the code in the link that the start printed, which opens one session of the first user. */
      async answer(request: IncomingMessage, response: ServerResponse) {
        const { code } = (await readJsonBody(request)) as { code?: unknown };
        if (typeof code !== 'string' || !parts.welcome.take(code)) throw identityFault.usedWelcome();
        const caller = await parts.signIn((name) =>
          name === 'authorization' ? `Key ${parts.firstToken}` : undefined,
        );
        sendJson(response, await startSession(caller, response));
      },
    },
    {
      verb: 'DELETE' as const,
      path: '/v2/ext/fovea/session',
      async answer(_request: IncomingMessage, response: ServerResponse, { header }: { header: HeaderOf }) {
        const token = header('x-clarifai-session-token') ?? sessionTokenIn(header);
        if (token) await run(db, sql`delete from sessions where hash = ${hashSecret(token)}`);
        directory.forget();
        response.setHeader('set-cookie', `${sessionCookie}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0`);
        sendJson(response, {});
      },
    },
    {
      verb: 'POST' as const,
      path: '/v2/ext/fovea/users',
      /** Body {id, email?, visibility?}; the reply shows the new user's token, once. First user only. */
      async answer(request: IncomingMessage, response: ServerResponse, { header }: { header: HeaderOf }) {
        const caller = await parts.signIn(header);
        const isFull =
          caller.credential !== 'app_key' && caller.scopes.has('All') && caller.endpoints.size === 0;
        if (caller.userId !== parts.adminId || !isFull) {
          throw new Fault(
            'forbidden',
            StatusCode.CONN_INSUFFICIENT_SCOPES,
            'Only the first user, with a token that holds the scope All, may make users.',
          );
        }
        const { id, email, visibility } = readNewUser(await readJsonBody(request));
        const secret = newSecret();
        const isNew = await addUser(db, parts.sealer, { id, email, visibility, secret });
        if (!isNew) throw identityFault.userExists(id);
        sendJson(response, { user: { id }, personal_access_token: secret });
      },
    },
    {
      verb: 'GET' as const,
      path: /^\/v2\/users\/[^/]+\/organizations$/,
      async answer(_request: IncomingMessage, response: ServerResponse, { header }: { header: HeaderOf }) {
        await parts.signIn(header);
        sendJson(response, { status: { code: 10000, description: 'Ok' }, organizations: [] });
      },
    },
  ];
}

/** @throws Fault 11102 naming the field that will not do */
function readNewUser(body: object): { id: string; email: string | undefined; visibility: number } {
  const {
    id = '',
    email,
    visibility = visibilities.private,
  } = body as { id?: unknown; email?: unknown; visibility?: unknown };
  if (typeof id !== 'string' || id === '' || id === 'me')
    throw identityFault.invalid(`id is '${id}'; choose another.`);
  const trouble = idTrouble(id, 'user');
  if (trouble) throw identityFault.invalid(trouble);
  if (email !== undefined && (typeof email !== 'string' || !/^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(email))) {
    throw identityFault.invalid('email is no address; leave it out or send one like ada@example.org.');
  }
  if (!Object.values<unknown>(visibilities).includes(visibility))
    throw identityFault.invalid('visibility is 10 (private), 30 (organization) or 50 (public).');
  return { id, email, visibility: visibility as number };
}

/** A session may do whatever its user may, so nothing less than a token for everything opens one. */
function checkMayOpenSession(caller: Caller): void {
  if (caller.credential !== 'pat' || !caller.scopes.has('All') || caller.endpoints.size > 0)
    throw loginNeedsPat();
}

const loginNeedsPat = () =>
  new Fault(
    'forbidden',
    StatusCode.CONN_INSUFFICIENT_SCOPES,
    'Sign in with a personal access token that holds the scope All; other keys open no session.',
  );

function sendJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
