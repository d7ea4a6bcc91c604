import type { Readable } from 'node:stream';
import type { BulkOperation, Data, Input, Model, Search } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { MediaDecoder } from '#engine/media/index.ts';
import type { NewJob } from '#jobs/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Sql } from '#store/sql.ts';
import type { FindInputs } from '../annotations/index.ts';
import type { Deps } from '../common/deps.ts';
import type { KeptInput } from './version-rows.ts';

export interface DatasetParts extends Deps {
  readonly objects: ObjectStore;
  /** How long versions keep what they hold of deleted inputs, so that a restore can bring them back. */
  readonly deletedKeptMs: number;
  readonly media: MediaDecoder;
  /** Where exports keep what has to wait until the rest is written. */
  readonly workDir: string;
  readonly findInputs: FindInputs;
  /** Inputs as the contract shows them; those that are gone are left out. */
  readonly showInputs: (grant: AppGrant, inputKeys: readonly number[]) => Promise<readonly Input[]>;
  /** Whether the profile of the app's owner can be seen by all, without which nothing of it may be public. */
  readonly isProfilePublic: (grant: AppGrant) => Promise<boolean>;
  /** Searches, answered by the family that stands after this one. */
  readonly searches: {
    /** @throws Fault for a search that cannot be run */
    check(search: Search): void;
    /** Row keys of all inputs that match; with ranks, of the best. */
    inputKeys(grant: AppGrant, search: Search): Promise<readonly number[]>;
    /** The condition that annotations meet, over `i` (inputs) and `a` (annotations). @throws Fault as `check` */
    annotationCondition(grant: AppGrant, search: Search): Promise<Sql<unknown>>;
  };
  /** Adds all hits of a search to a dataset, in the background; answered at once with the operation that does it. */
  readonly addSearch: (grant: AppGrant, datasetId: string, search: Search) => Promise<BulkOperation>;
  /** The search of a stored annotation filter; undefined when the app has none of this id. */
  readonly findAnnotationFilter: (grant: AppGrant, id: string) => Promise<Search | undefined>;
  /** The trained version that a model (named by id, owner and version) would predict with. @throws Fault when there is none */
  readonly findPredictor: (call: Call, model: Model) => Promise<{ modelVersionKey: number; model: Model }>;
  /** Predicts stored inputs of the app by id with a model version. @throws Fault when the model is gone or hidden */
  readonly predictor: (
    grant: AppGrant,
    modelVersionKey: number,
  ) => Promise<(inputId: string) => Promise<Data>>;
  /** The medium of an input that a version keeps, with links that begin with `baseUrl`. */
  readonly showMedium: (grant: AppGrant, baseUrl: string, input: KeptInput) => Data;
  /** Opens the original of an input that a version keeps. @throws Fault when it is missing or damaged */
  readonly openOriginal: (grant: AppGrant, input: KeptInput) => Promise<Readable>;
  /** Jobs that free media which nothing may refer to any more. */
  readonly freeingJobs: (shas: readonly Buffer[]) => NewJob[];
  /** Acts as the app's owner in the background; undefined when the app is gone. */
  readonly jobGrant: (appKey: number) => Promise<AppGrant | undefined>;
}
