import { create } from '@bufbuild/protobuf';
import { type Key, KeySchema, type ServicePart } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { readPage } from '#domain/page.ts';
import type { Deps } from '../common/deps.ts';
import { commonFault } from '../common/faults.ts';
import { hashSecret } from '../common/sealer.ts';
import { readTime, showTime } from '../common/translate.ts';
import type { RememberedDirectory } from './directory.ts';
import { identityFault } from './faults.ts';
import { newSecret } from './first-user.ts';
import { appKeyType, type KeyRow, readKeyType } from './key.ts';
import {
  deleteKey,
  findKey,
  insertKey,
  lockKey,
  pageOfAppKeys,
  pageOfUserKeys,
  updateKey,
} from './key-store.ts';
import { checkGrantable, patchedAccess } from './scopes.ts';

type Rpc = 'postKeys' | 'getKey' | 'listKeys' | 'listAppKeys' | 'patchKeys' | 'deleteKey';

export function keyHandlers({ db, sealer }: Deps, directory: RememberedDirectory): ServicePart<Call, Rpc> {
  const showKey = (row: KeyRow): Key =>
    create(KeySchema, {
      // The secret is the id (SEMANTICS 2.1), shown to its owner whenever the key is.
      id: sealer.unseal(row.sealed),
      type: row.type,
      description: row.description,
      scopes: row.scopes,
      endpoints: row.endpoints,
      apps: row.appId ? [{ id: row.appId, userId: row.appUserId ?? '' }] : [],
      organizationId: row.organizationId,
      createdAt: showTime(row.createdAt),
      expiresAt: showTime(row.expiresAt),
    });

  async function appKeyOf(call: Call, wire: Key): Promise<number | null> {
    const app = wire.apps[0];
    if (!app) return null;
    const grant = await call.appGrant(app.userId, app.id);
    if (!grant.isMember || !grant.holds('Keys_Add')) throw commonFault.membersOnly('make keys for it');
    return grant.appKey;
  }

  return {
    /** Makes keys, all or none. The reply is where the secrets are first seen. */
    async postKeys(req, call) {
      ownOnly(call);
      const wanted: { wire: Key; type: string; appKey: number | null }[] = [];
      for (const wire of req.keys) {
        const type = readKeyType(wire);
        checkGrantable(wire, call.caller);
        wanted.push({ wire, type, appKey: type === appKeyType ? await appKeyOf(call, wire) : null });
      }
      const stored = await db.transaction(async (tx) => {
        const made = [];
        for (const { wire, type, appKey } of wanted) {
          const secret = newSecret();
          made.push(
            await insertKey(tx, call.user, {
              hash: hashSecret(secret),
              sealed: sealer.seal(secret),
              type,
              appKey,
              description: wire.description,
              scopes: wire.scopes,
              endpoints: wire.endpoints,
              organizationId: wire.organizationId,
              expiresAt: readExpiry(wire),
            }),
          );
        }
        return made;
      });
      return { keys: stored.map(showKey) };
    },

    async getKey(req, call) {
      ownOnly(call);
      const row = await findKey(db, call.user, hashSecret(req.keyId));
      if (!row) throw identityFault.missingKey();
      return { key: showKey(row) };
    },

    async listKeys(req, call) {
      ownOnly(call);
      return { keys: (await pageOfUserKeys(db, call.user, req, readPage(req))).map(showKey) };
    },

    async listAppKeys(req, call) {
      return { keys: (await pageOfAppKeys(db, call.app, readPage(req))).map(showKey) };
    },

    async patchKeys(req, call) {
      ownOnly(call);
      if (req.action !== '' && req.action !== 'overwrite')
        throw commonFault.unknownAction(req.action, ['overwrite']);
      const patches: { wire: Key; appKey: number | undefined }[] = [];
      for (const wire of req.keys) {
        if (wire.apps.length > 1) throw identityFault.oneAppPerKey(wire.apps.length);
        patches.push({ wire, appKey: (await appKeyOf(call, wire)) ?? undefined });
      }
      const after = await db.transaction(async (tx) => {
        const shown = [];
        for (const { wire, appKey } of patches) {
          const hash = hashSecret(wire.id);
          const before = await lockKey(tx, call.user, hash);
          if (!before) throw identityFault.missingKey();
          if (appKey !== undefined && before.type !== appKeyType) throw identityFault.noAppsOnPat();
          const access = patchedAccess(before, wire, call.caller);
          await updateKey(tx, call.user, hash, {
            description: wire.description || undefined,
            ...access,
            appKey,
          });
          shown.push((await findKey(tx, call.user, hash)) as KeyRow);
        }
        return shown;
      });
      directory.forget();
      return { keys: after.map(showKey) };
    },

    async deleteKey(req, call) {
      ownOnly(call);
      if (!(await deleteKey(db, call.user, hashSecret(req.keyId)))) throw identityFault.missingKey();
      directory.forget();
      return {};
    },
  };
}

function ownOnly(call: Call): void {
  if (call.user.role !== 'owner') throw identityFault.ownKeysOnly();
}

/** The epoch stands for "never" (a secret without expiry is shown as 1970 by clients). */
function readExpiry(wire: Key): Date | null {
  if (!wire.expiresAt) return null;
  const at = readTime(wire.expiresAt, 'keys[].expires_at');
  return at.getTime() === 0 ? null : at;
}
