import { create } from '@bufbuild/protobuf';
import { type ServicePart, type User, UserSchema } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { first, sql } from '#store/sql.ts';
import type { Deps } from '../common/deps.ts';
import { showTime, showVisibility, unpackBody } from '../common/translate.ts';
import { identityFault } from './faults.ts';
import { passwordViolations } from './password.ts';
import { grantable } from './scopes.ts';

type Rpc = 'getUser' | 'myScopes' | 'myScopesUser' | 'myScopesRoot' | 'listScopes' | 'postValidatePassword';

interface UserRow {
  readonly id: string;
  readonly email: string | null;
  readonly body: Buffer;
  readonly visibility: number;
  readonly createdAt: Date;
}

export function userHandlers({ db }: Deps): ServicePart<Call, Rpc> {
  return {
    async getUser(_req, call) {
      const row = await first<UserRow>(
        db,
        sql`select id, email, body, visibility, created_at as "createdAt" from users where key = ${call.user.userKey}`,
      );
      if (!row) throw identityFault.missingUser(call.user.userId);
      return { user: showUser(row, call.user.role === 'owner') };
    },

    /** What the key at hand may do on the app: its own scopes, cut to the collaborator's where it is one. */
    async myScopes(_req, call) {
      const app = call.appIfNamed;
      return {
        scopes: [...(app ?? call.user).scopes],
        endpoints: [...call.caller.endpoints],
        ...(app ? { app: { id: app.appId, userId: app.userId } } : {}),
      };
    },

    async myScopesUser(_req, call) {
      return { scopes: [...call.user.scopes], endpoints: [...call.caller.endpoints] };
    },

    async myScopesRoot(_req, call) {
      return { scopes: [...call.caller.scopes], endpoints: [...call.caller.endpoints] };
    },

    async listScopes(req) {
      return grantable(req.keyType);
    },

    async postValidatePassword(req, call) {
      const violations = passwordViolations(req.password?.plaintext ?? '', call.caller.userId);
      return violations ? { passwordViolations: violations } : {};
    },
  };
}

function showUser(row: UserRow, isSelf: boolean): User {
  const kept = unpackBody(UserSchema, row.body);
  return create(UserSchema, {
    ...(isSelf ? kept : { firstName: kept.firstName, lastName: kept.lastName, image: kept.image }),
    id: row.id,
    ...(isSelf && row.email ? { primaryEmail: row.email } : {}),
    visibility: showVisibility(row.visibility),
    createdAt: showTime(row.createdAt),
  });
}
