import type { Input, Service } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant, Caller } from '#domain/grant.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Db } from '#store/sql.ts';
import type { FindInputs } from '../annotations/index.ts';
import type { Deps } from '../common/deps.ts';
import type { ReadMask } from './translate.ts';

/** The RPCs that an import goes through: what it writes is written as anybody's. */
export type ImportCalls = Pick<
  Service<Call>,
  | 'postInputs'
  | 'patchInputs'
  | 'postAnnotations'
  | 'postDatasets'
  | 'postDatasetInputs'
  | 'getDataset'
  | 'patchDatasets'
>;

export interface TransferParts extends Deps {
  readonly objects: ObjectStore;
  /** Where packed files are unpacked that must be read in any order. */
  readonly workDir: string;
  readonly calls: ImportCalls;
  readonly findInputs: FindInputs;
  readonly showInputs: (grant: AppGrant, inputKeys: readonly number[]) => Promise<readonly Input[]>;
  readonly pictureSizes: (
    db: Db,
    grant: AppGrant,
    keys: readonly number[],
  ) => Promise<Map<number, { width: number; height: number }>>;
  readonly readBytes: (grant: AppGrant, inputKey: number) => Promise<Buffer>;
  readonly readMask: ReadMask;
  /** Acts as whoever asked, with the rights of the app's owner; undefined when the app is gone. */
  readonly jobGrant: (
    appKey: number,
    asked?: Pick<Caller, 'userKey' | 'userId'>,
  ) => Promise<AppGrant | undefined>;
}
