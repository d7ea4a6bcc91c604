import type { JsonObject } from '@bufbuild/protobuf';
import { type App, AppSchema } from '@fovea/contract';
import { visibility } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import {
  completed,
  packBody,
  readVisibility,
  searchWords,
  showTime,
  showVisibility,
  unpackBody,
} from '../common/translate.ts';
import type { AppRow } from './app.ts';
import { appFault } from './faults.ts';
import type { AppPatch, NewApp, ResourceCounts } from './store.ts';

/** Fields with a column of their own, or made by the server. */
const columns = [
  'id',
  'name',
  'userId',
  'defaultLanguage',
  'visibility',
  'isTemplate',
  'defaultWorkflow',
  'defaultWorkflowId',
  'createdAt',
  'modifiedAt',
  'extraInfo',
  'isStarred',
  'starCount',
] as const;

const notesBytesMax = 64 * 1024;

export function readApp(wire: App): NewApp {
  const id = wire.id || newId();
  const trouble = idTrouble(id, 'app');
  if (trouble) throw appFault.invalid(trouble);
  checkTexts(wire);
  return {
    id,
    name: wire.name || id,
    body: packBody(AppSchema, wire, columns),
    words: wordsIn({ ...wire, id }),
    defaultLanguage: wire.defaultLanguage || 'en',
    visibility: readVisibility(wire.visibility),
    isTemplate: wire.isTemplate ?? false,
  };
}

export function checkTexts(wire: App): void {
  if (Buffer.byteLength(wire.notes) > notesBytesMax)
    throw appFault.invalid(`apps[].notes is longer than ${notesBytesMax / 1024} KiB.`);
}

export function showApp(row: AppRow, counts?: ResourceCounts, withRevision = false): App {
  const workflow = row.workflowId
    ? { id: row.workflowId, appId: row.id, userId: row.userId, version: { id: row.workflowVersionId ?? '' } }
    : undefined;
  return completed(AppSchema, row.body, {
    id: row.id,
    name: row.name,
    userId: row.userId,
    defaultLanguage: row.defaultLanguage,
    ...(workflow ? { defaultWorkflow: workflow, defaultWorkflowId: workflow.id } : {}),
    visibility: showVisibility(row.visibility),
    ...(row.isTemplate ? { isTemplate: true } : {}),
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    ...(counts || withRevision ? { extraInfo: showExtra(row, counts, withRevision) } : {}),
  });
}

function showExtra(row: AppRow, counts: ResourceCounts | undefined, withRevision: boolean) {
  return {
    ...(withRevision ? { searchRevisionMarker: String(row.searchRevision) } : {}),
    ...(counts
      ? {
          counts: {
            datasets: BigInt(counts.datasets),
            models: BigInt(counts.models),
            workflows: BigInt(counts.workflows),
            inputs: BigInt(counts.inputs),
          },
        }
      : {}),
  };
}

/**
 * The app after an overwrite: only what the request names changes (clients send sparse objects); over REST an
 * empty text that was named clears the field.
 */
export function overwritten(
  before: AppRow,
  sent: App,
  named: (field: string) => boolean,
  metadata: JsonObject | undefined,
): AppPatch {
  const kept = unpackBody(AppSchema, before.body);
  const text = (field: 'description' | 'notes') =>
    sent[field] !== '' || named(field) ? sent[field] : kept[field];
  const after = completed(AppSchema, before.body, {
    description: text('description'),
    notes: text('notes'),
    sampleMs: sent.sampleMs || named('sample_ms') ? sent.sampleMs : kept.sampleMs,
    dataTierId: sent.dataTierId || kept.dataTierId,
    embeddingsStorage: sent.embeddingsStorage || kept.embeddingsStorage,
    image: sent.image ?? kept.image,
    metadata: metadata ?? undefined,
  });
  return {
    name: sent.name || undefined,
    body: packBody(AppSchema, after, columns),
    words: wordsIn({ ...after, id: before.id, name: sent.name || before.name }),
    defaultLanguage: sent.defaultLanguage || undefined,
    visibility: sent.visibility ? readVisibility(sent.visibility) : undefined,
    isTemplate: sent.isTemplate,
  };
}

/** The app as it was, less its image. */
export function withoutImage(before: AppRow): AppPatch {
  const after = completed(AppSchema, before.body, { image: undefined });
  return {
    name: undefined,
    body: packBody(AppSchema, after, columns),
    words: wordsIn({ ...after, id: before.id, name: before.name }),
    defaultLanguage: undefined,
    visibility: undefined,
    isTemplate: undefined,
  };
}

const wordsIn = (app: App): string => searchWords(app.id, app.name, app.description, app.notes);

/** A new app like another: what `wanted` leaves open is as there, and nobody but the owner sees it. */
export function appOf(source: AppRow, wanted: App): NewApp {
  const kept = unpackBody(AppSchema, source.body);
  const description = wanted.description || kept.description;
  const after = completed(AppSchema, source.body, { description });
  return {
    id: wanted.id,
    name: wanted.name || wanted.id,
    body: packBody(AppSchema, after, columns),
    words: wordsIn({ ...after, id: wanted.id, name: wanted.name || wanted.id }),
    defaultLanguage: source.defaultLanguage,
    visibility: visibility.private,
    isTemplate: false,
  };
}
