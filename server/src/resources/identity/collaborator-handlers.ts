import type { Collaborator, ServicePart } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import type { Db } from '#store/sql.ts';
import type { Deps } from '../common/deps.ts';
import { commonFault } from '../common/faults.ts';
import { showTime } from '../common/translate.ts';
import {
  type CollaboratorRow,
  findUserByEmail,
  insertCollaborator,
  lockCollaborator,
  pageOfCollaborations,
  pageOfCollaborators,
  removeCollaborators,
  updateCollaborator,
} from './collaborator-store.ts';
import type { RememberedDirectory } from './directory.ts';
import { identityFault } from './faults.ts';
import { checkGrantable, patchedAccess } from './scopes.ts';

type Rpc =
  | 'postCollaborators'
  | 'listCollaborators'
  | 'patchCollaborators'
  | 'deleteCollaborators'
  | 'listCollaborations';

export function collaboratorHandlers({ db }: Deps, directory: RememberedDirectory): ServicePart<Call, Rpc> {
  async function userOf(tx: Db, wire: Collaborator) {
    const email = wire.user?.emailAddresses[0]?.email || wire.user?.primaryEmail;
    const found = wire.user?.id
      ? await directory.userOf(wire.user.id)
      : email
        ? await findUserByEmail(tx, email)
        : undefined;
    if (!found) throw identityFault.collaboratorNeedsUser();
    return found;
  }

  return {
    async postCollaborators(req, call) {
      ownerOnly(call.app);
      for (const wire of req.collaborators) checkWanted(wire, call);
      const stored = await db.transaction(async (tx) => {
        const made = [];
        for (const wire of req.collaborators) {
          const user = await userOf(tx, wire);
          if (user.key === call.app.userKey) throw identityFault.collaboratorIsOwner();
          const row = await insertCollaborator(tx, call.app, {
            ...wire,
            id: wire.id || newId(),
            userKey: user.key,
          });
          if (row === 'id_taken') throw identityFault.duplicateCollaboratorId(wire.id);
          if (!row) throw identityFault.alreadyCollaborator(user.id);
          made.push(row);
        }
        return made;
      });
      directory.forget();
      return { collaborators: stored.map((row) => showCollaborator(row, call.app)) };
    },

    async listCollaborators(req, call) {
      const found = await pageOfCollaborators(db, call.app, req.listAllCollaborators, readPage(req));
      return {
        collaborators: found.map((row) => showCollaborator(row, call.app)),
        appOwner: { id: call.app.userId },
      };
    },

    async patchCollaborators(req, call) {
      ownerOnly(call.app);
      if (req.action !== '' && req.action !== 'overwrite')
        throw commonFault.unknownAction(req.action, ['overwrite']);
      const after = await db.transaction(async (tx) => {
        const patched = [];
        for (const wire of req.collaborators) {
          const before = await lockCollaborator(tx, call.app, wire.id);
          if (!before) throw identityFault.missingCollaborator(wire.id);
          patched.push(
            await updateCollaborator(tx, call.app, wire.id, patchedAccess(before, wire, call.caller)),
          );
        }
        return patched;
      });
      directory.forget();
      return { collaborators: after.map((row) => showCollaborator(row, call.app)) };
    },

    async deleteCollaborators(req, call) {
      ownerOnly(call.app);
      await removeCollaborators(db, call.app, req.collaboratorIds, req.userEmails);
      directory.forget();
      return {};
    },

    async listCollaborations(req, call) {
      if (call.user.role !== 'owner') throw identityFault.missingUser(call.user.userId);
      const found = await pageOfCollaborations(db, call.user, req.templateOnly, readPage(req));
      return {
        collaborations: found.map((row) => ({
          app: { id: row.appId, name: row.appName, userId: row.ownerId },
          appOwner: { id: row.ownerId },
          scopes: row.scopes,
          endpoints: row.endpoints,
          createdAt: showTime(row.createdAt),
        })),
      };
    },
  };
}

function checkWanted(wire: Collaborator, call: Call): void {
  checkGrantable(wire, call.caller);
  const trouble = idTrouble(wire.id, 'collaborator');
  if (trouble) throw identityFault.invalid(trouble);
}

function ownerOnly(grant: AppGrant): void {
  if (grant.role !== 'owner') throw identityFault.ownerOnly();
}

const showCollaborator = (row: CollaboratorRow, grant: AppGrant) => ({
  id: row.id,
  app: { id: grant.appId, userId: grant.userId },
  user: { id: row.userId },
  scopes: row.scopes,
  endpoints: row.endpoints,
  createdAt: showTime(row.createdAt),
  modifiedAt: showTime(row.modifiedAt),
  deletedAt: showTime(row.deletedAt),
});
