import type { Readable } from 'node:stream';
import type { Annotation, Input, Service } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { Fault } from '#domain/fault.ts';
import type { AppGrant, Caller } from '#domain/grant.ts';
import type { MediaDecoder } from '#engine/media/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Db } from '#store/sql.ts';
import type { FindInputs, PlainBox } from '../annotations/index.ts';
import type { Deps } from '../common/deps.ts';
import type { DatasetParts } from '../datasets/index.ts';

/** The RPCs that an import goes through: what it writes is written as anybody's. */
export type ImportCalls = Pick<
  Service<Call>,
  'postInputs' | 'patchInputs' | 'postDatasets' | 'postDatasetInputs' | 'getDataset' | 'patchDatasets'
>;

export interface TransferParts extends Deps, Pick<DatasetParts, 'showMedium' | 'openOriginal'> {
  readonly objects: ObjectStore;
  /** Where packed files are unpacked that must be read in any order. */
  readonly workDir: string;
  readonly calls: ImportCalls;
  /** As PostAnnotations, without showing what was stored: its key, or why it was not, in the order sent. */
  readonly addAnnotations: (
    grant: AppGrant,
    annotations: readonly Annotation[],
  ) => Promise<readonly (number | Fault)[]>;
  /** The same for boxes that say nothing but what they show. */
  readonly addBoxes: (grant: AppGrant, boxes: readonly PlainBox[]) => Promise<readonly (number | Fault)[]>;
  readonly findInputs: FindInputs;
  readonly showInputs: (grant: AppGrant, inputKeys: readonly number[]) => Promise<readonly Input[]>;
  readonly pictureSizes: (
    db: Db,
    grant: AppGrant,
    keys: readonly number[],
  ) => Promise<Map<number, { width: number; height: number }>>;
  /** Opens the original of an input; damaged bytes end the stream. @throws Fault when it has none */
  readonly openMedium: (grant: AppGrant, inputKey: number) => Promise<Readable>;
  readonly media: MediaDecoder;
  /** Acts as whoever asked, with the rights of the app's owner; undefined when the app is gone. */
  readonly jobGrant: (
    appKey: number,
    asked?: Pick<Caller, 'userKey' | 'userId'>,
  ) => Promise<AppGrant | undefined>;
}
