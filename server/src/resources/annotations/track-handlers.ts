import { create } from '@bufbuild/protobuf';
import {
  type AnnotationTrack,
  AnnotationTrackSchema,
  ConceptSchema,
  DataSchema,
  type ServicePart,
  type StatusCode,
  StatusSchema,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import type { Tx } from '#store/postgres/index.ts';
import type { Db } from '#store/sql.ts';
import { commonFault } from '../common/faults.ts';
import { status } from '../common/status.ts';
import { showTime } from '../common/translate.ts';
import { conceptsById } from '../concepts/index.ts';
import { dropAnnotations } from './bulk-edits.ts';
import type { AnnotationParts, FoundInput } from './deps.ts';
import { annotationFault } from './faults.ts';
import { labelTrouble, settleLabels } from './labels.ts';
import { bumpSearchRevision } from './store.ts';
import { type TrackFields, trackStatus, trackTrouble } from './track.ts';
import {
  deleteTracks,
  insertTrack,
  keysOfTrack,
  lockTracks,
  pageOfTracks,
  type TrackRow,
  updateTrack,
} from './track-store.ts';

type Rpc =
  | 'postAnnotationTracks'
  | 'listAnnotationTracks'
  | 'patchAnnotationTracks'
  | 'deleteAnnotationTracks';

const tracksMax = 128;
const missingTrack = (id: string) => commonFault.missing('annotation track', id);

/** Tracks of videos. Each request is all or nothing. */
export function trackHandlers(parts: AnnotationParts): ServicePart<Call, Rpc> {
  const { db } = parts;
  return {
    async postAnnotationTracks(req, call) {
      checkCount(req.annotationTracks);
      const rows = await db.transaction(async (tx) => {
        const input = await videoOf(parts, tx, call.app, req.inputId);
        const concepts = await settleConcepts(tx, call.app, req.annotationTracks);
        const made: TrackRow[] = [];
        for (const [i, sent] of req.annotationTracks.entries()) {
          const fields = checked(i, { ...readFields(sent), conceptId: concepts[i] ?? '' });
          const trouble = idTrouble(sent.id, 'track');
          if (trouble) throw annotationFault.invalid(`annotation_tracks[${i}].id: ${trouble}`);
          const row = await insertTrack(tx, call.app, input.key, sent.id || newId(), fields);
          if (!row) throw commonFault.duplicateId('track of this input', sent.id);
          made.push(row);
        }
        return made;
      });
      return { annotationTracks: await show(db, call.app, req.inputId, rows) };
    },

    async listAnnotationTracks(req, call) {
      const input = await inputOf(parts, db, call.app, req.inputId);
      const rows = await pageOfTracks(db, call.app, input.key, req.ids, readPage(req));
      return { annotationTracks: await show(db, call.app, req.inputId, rows) };
    },

    /** What is not sent stays. */
    async patchAnnotationTracks(req, call) {
      if (req.action !== '' && req.action !== 'overwrite')
        throw commonFault.unknownAction(req.action, ['overwrite']);
      checkCount(req.annotationTracks);
      const raws = (call.sent?.annotation_tracks as Record<string, unknown>[] | undefined) ?? [];
      const rows = await db.transaction(async (tx) => {
        const input = await inputOf(parts, tx, call.app, req.inputId);
        const ids = req.annotationTracks.map(({ id }) => id);
        const known = new Map((await lockTracks(tx, call.app, input.key, ids)).map((row) => [row.id, row]));
        const concepts = await settleConcepts(tx, call.app, req.annotationTracks);
        const changed: TrackRow[] = [];
        for (const [i, sent] of req.annotationTracks.entries()) {
          const before = known.get(sent.id);
          if (!before) throw missingTrack(sent.id);
          const fields = checked(i, patched(before, sent, raws[i] ?? {}, concepts[i]));
          const row = (await updateTrack(tx, call.app, before.key, fields)) as TrackRow;
          known.set(sent.id, row);
          changed.push(row);
        }
        return changed;
      });
      return { annotationTracks: await show(db, call.app, req.inputId, rows) };
    },

    /** With a track its annotations go: it is made of them (the RPC asks for Annotations_Delete). */
    async deleteAnnotationTracks(req, call) {
      await db.transaction(async (tx) => {
        const input = req.inputId === '' ? undefined : await inputOf(parts, tx, call.app, req.inputId);
        const locked = await lockTracks(tx, call.app, input?.key, req.ids);
        const unknown = req.ids.find((id) => !locked.some((row) => row.id === id));
        if (unknown !== undefined) throw missingTrack(unknown);
        const keys: number[] = [];
        for (const { inputKey, id } of locked) keys.push(...(await keysOfTrack(tx, call.app, inputKey, id)));
        const gone = await dropAnnotations(tx, call.app, keys);
        await deleteTracks(
          tx,
          call.app,
          locked.map(({ key }) => key),
        );
        if (gone > 0) await bumpSearchRevision(tx, call.app);
      });
      return {};
    },
  };
}

function checkCount(sent: readonly AnnotationTrack[]): void {
  if (sent.length === 0) throw annotationFault.invalid('annotation_tracks is empty.');
  if (sent.length > tracksMax) throw commonFault.tooMany('annotation_tracks', sent.length, tracksMax);
}

export async function inputOf(
  { findInputs }: Pick<AnnotationParts, 'findInputs'>,
  tx: Db,
  grant: AppGrant,
  id: string,
): Promise<FoundInput> {
  const [input] = await findInputs(tx, grant, [id]);
  if (!input) throw commonFault.missing('input', id);
  return input;
}

async function videoOf(parts: AnnotationParts, tx: Tx, grant: AppGrant, id: string): Promise<FoundInput> {
  const input = await inputOf(parts, tx, grant, id);
  if (input.kind !== 'video')
    throw annotationFault.invalid(`input_id: '${id}' is of kind ${input.kind}; tracks are of videos.`);
  return input;
}

/** @returns for each track the id of its concept, made where the app does not know it; undefined where none is named */
async function settleConcepts(tx: Tx, grant: AppGrant, sent: readonly AnnotationTrack[]) {
  const datas = sent.map(({ concept }) =>
    // A track's concept is what it is of, so it is there.
    create(DataSchema, {
      concepts: concept ? [create(ConceptSchema, { ...concept, value: 1 } as never)] : [],
    }),
  );
  for (const [i, data] of datas.entries()) {
    const trouble = labelTrouble(data);
    if (trouble)
      throw annotationFault.invalid(trouble.replace('data.concepts[]', `annotation_tracks[${i}].concept`));
  }
  return (await settleLabels(tx, grant, datas)).map(({ concepts }) => concepts[0]?.id);
}

const readFields = (sent: AnnotationTrack): TrackFields => ({
  conceptId: '',
  statusCode: sent.status?.code || trackStatus.idle,
  startFrame: sent.startFrameNr,
  endFrame: sent.endFrameNr,
  startMs: sent.startFrameMs,
  endMs: sent.endFrameMs,
  sampleMs: sent.sampleRateMs,
  sampleFrames: sent.sampleRateFrame,
});

const wireNames = {
  startFrame: 'start_frame_nr',
  endFrame: 'end_frame_nr',
  startMs: 'start_frame_ms',
  endMs: 'end_frame_ms',
  sampleMs: 'sample_rate_ms',
  sampleFrames: 'sample_rate_frame',
} as const;

/** Zeros are "not sent" over gRPC; JSON tells them apart. */
function patched(
  before: TrackRow,
  sent: AnnotationTrack,
  raw: Record<string, unknown>,
  conceptId: string | undefined,
): TrackFields {
  const fields = readFields(sent);
  const numbers = Object.entries(wireNames).map(([name, wire]) => {
    const key = name as keyof typeof wireNames;
    return [key, fields[key] !== 0 || wire in raw ? fields[key] : before[key]] as const;
  });
  return {
    ...before,
    ...(Object.fromEntries(numbers) as Pick<TrackFields, keyof typeof wireNames>),
    statusCode: sent.status?.code || before.statusCode,
    conceptId: conceptId ?? before.conceptId,
  };
}

const int4Max = 2 ** 31 - 1;

function checked(i: number, fields: TrackFields): TrackFields {
  for (const [name, wire] of Object.entries(wireNames)) {
    if (fields[name as keyof typeof wireNames] > int4Max)
      throw annotationFault.invalid(`annotation_tracks[${i}].${wire} is larger than ${int4Max}.`);
  }
  const trouble = trackTrouble(fields);
  if (trouble) throw annotationFault.invalid(`annotation_tracks[${i}].${trouble}`);
  return fields;
}

async function show(
  db: Db,
  grant: AppGrant,
  inputId: string,
  rows: readonly TrackRow[],
): Promise<AnnotationTrack[]> {
  const ids = [...new Set(rows.map(({ conceptId }) => conceptId).filter((id) => id !== ''))];
  const names = new Map((await conceptsById(db, grant, ids)).map(({ id, name }) => [id, name]));
  return rows.map((row) =>
    create(AnnotationTrackSchema, {
      id: row.id,
      inputId,
      ...(row.conceptId !== '' && {
        concept: { id: row.conceptId, name: names.get(row.conceptId) ?? row.conceptId, appId: grant.appId },
      }),
      status: create(StatusSchema, status(row.statusCode as StatusCode)),
      startFrameNr: row.startFrame,
      endFrameNr: row.endFrame,
      startFrameMs: row.startMs,
      endFrameMs: row.endMs,
      sampleRateMs: row.sampleMs,
      sampleRateFrame: row.sampleFrames,
      createdAt: showTime(row.createdAt),
      modifiedAt: showTime(row.modifiedAt),
    }),
  );
}
