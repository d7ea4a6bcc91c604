import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

export const appFault = {
  missing: (id: string) =>
    new Fault(
      'not_found',
      StatusCode.CONN_DOES_NOT_EXIST,
      `There is no app '${id}', or it is not visible to you.`,
    ),
  duplicate: (id: string) =>
    new Fault(
      'bad_request',
      StatusCode.DATABASE_DUPLICATE_KEY,
      `duplicate: you have an app with the id '${id}' already.`,
    ),
  invalid: (details: string) => new Fault('bad_request', StatusCode.CONN_INVALID_REQUEST, details),
  ownerOnly: (deed: string) =>
    new Fault('forbidden', StatusCode.CONN_INSUFFICIENT_SCOPES, `Only the owner of the app may ${deed}.`),
  relevanceNeedsSearch: () =>
    new Fault(
      'bad_request',
      StatusCode.CONN_INVALID_REQUEST,
      'sort_by_relevance needs a search text; set `search` too.',
    ),
  metadataOp: (op: string) =>
    new Fault(
      'bad_request',
      StatusCode.METADATA_INVALID_PATCH_ARGUMENTS,
      `metadata_action.op is '${op}'; use overwrite, delete or merge.`,
    ),
  metadataResolution: (name: string) =>
    new Fault(
      'bad_request',
      StatusCode.METADATA_INVALID_PATCH_ARGUMENTS,
      `metadata_action.merge_conflict_resolution is '${name}'; use overwrite_by_id, remove_by_id, merge_by_id, overwrite, append or do_nothing.`,
    ),
  metadataPath: (path: string) =>
    new Fault(
      'bad_request',
      StatusCode.METADATA_MANIPULATION_ISSUE,
      `metadata_action.path '${path}' leads nowhere in the metadata of this app.`,
    ),
} as const;
