import { type Data, DataSchema } from '@fovea/contract';
import type { ClassInfo, ImageRecord } from '@fovea/formats';
import type { AppGrant } from '#domain/grant.ts';
import type { Database } from '#store/postgres/index.ts';
import { nameConcepts } from '../../annotations/index.ts';
import { unpackBody } from '../../common/translate.ts';
import type { DatasetParts } from '../deps.ts';
import { conceptsOfVersion, inputSteps, type KeptInput } from '../version-rows.ts';
import { findVersion, versionStatus } from '../version-store.ts';
import { type KnownInput, type LeftOut, type RecordTools, recordsOf } from './records.ts';

/** A version, ready to be read as records of other tools. */
export interface VersionSource {
  readonly db: Database;
  readonly grant: AppGrant;
  readonly versionKey: number;
  /** The medium of a kept input, with links that begin with where whoever asked finds this server. */
  readonly showMedium: (input: KeptInput) => Data;
  /** Opens the original of an input that a version keeps. */
  readonly openOriginal: (input: KeptInput) => ReturnType<KnownInput['open']>;
  readonly tools: RecordTools;
}

/** Inputs looked at in one step; what is said of them never takes more than a few megabytes. */
const inputsPerStep = 128;

/** The pictures of a version, in the order in which they came. */
export async function* recordsOfVersion(
  source: VersionSource,
  leftOut: LeftOut,
): AsyncGenerator<ImageRecord> {
  const { db, grant, versionKey, tools } = source;
  for await (const step of inputSteps(db, versionKey, undefined, inputsPerStep)) {
    tools.signal.throwIfAborted();
    const bodies = step.flatMap(({ annotations }) =>
      annotations.map(({ data }) => unpackBody(DataSchema, data)),
    );
    const named = (await nameConcepts(db, grant, bodies)).values();
    for (const { input, annotations } of step) {
      const said = annotations.map(({ id, inputLevel, info }) => {
        const data = named.next().value as Data;
        return { id, inputLevel, info, data };
      });
      const known: KnownInput = {
        id: input.id,
        kind: input.kind,
        medium: source.showMedium(input),
        metadata: said.find(({ inputLevel }) => inputLevel)?.data.metadata,
        said,
        open: () => source.openOriginal(input),
      };
      yield* recordsOf(known, tools, leftOut);
    }
  }
}

/** The classes that a version names, in the order in which the app came to know them. */
export async function classesOfVersion(db: Database, versionKey: number): Promise<ClassInfo[]> {
  const concepts = await conceptsOfVersion(db, versionKey);
  return concepts.map(({ id, name }) => ({ name: name || id, ...(name && name !== id ? { id } : {}) }));
}

/** What can be done with a version now. */
export type VersionState =
  | { readonly is: 'ready'; readonly key: number }
  | { readonly is: 'being made' }
  | { readonly is: 'failed'; readonly why: string };

/** @returns undefined where there is no such version, or the caller may not see it */
export async function versionState(
  db: Database,
  grant: AppGrant,
  datasetId: string,
  id: string,
): Promise<VersionState | undefined> {
  const version = await findVersion(db, grant, datasetId, id);
  if (!version) return undefined;
  if (version.statusCode === versionStatus.ready) return { is: 'ready', key: version.key };
  const hasFailed = [versionStatus.failed, versionStatus.unexpected].some(
    (code) => code === version.statusCode,
  );
  return hasFailed ? { is: 'failed', why: version.statusDetails } : { is: 'being made' };
}

/** A version as a set of records, for exports to the formats of other tools. */
export async function openVersion(
  parts: Pick<DatasetParts, 'db' | 'publicUrl' | 'showMedium' | 'openOriginal'>,
  grant: AppGrant,
  versionKey: number,
  tools: RecordTools,
  leftOut: LeftOut,
) {
  const { db } = parts;
  const source: VersionSource = {
    db,
    grant,
    versionKey,
    showMedium: (input) => parts.showMedium(grant, parts.publicUrl(grant), input),
    openOriginal: (input) => parts.openOriginal(grant, input),
    tools,
  };
  return {
    classes: await classesOfVersion(db, versionKey),
    records: () => recordsOfVersion(source, leftOut),
  };
}
