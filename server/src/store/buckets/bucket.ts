import type { Readable } from 'node:stream';
import type { Fetcher } from '../fetcher/index.ts';

/** A file in somebody else's storage. */
export interface BucketObject {
  readonly key: string;
  /** Where the listing says it. */
  readonly sizeBytes: number | undefined;
}

export interface Listed {
  readonly objects: readonly BucketObject[];
  /** Where the listing goes on; undefined at its end. */
  readonly next: string | undefined;
}

export interface OpenOptions {
  readonly sizeBytesMax: number;
  readonly signal: AbortSignal;
}

/** Somebody else's storage, seen through the guarded fetcher. One try each; `patiently` repeats what is worth it. */
export interface Bucket {
  /** Objects whose keys begin with what was asked for, behind a cursor; '' begins. @throws FetchFault, BucketFault */
  list(cursor: string, signal: AbortSignal): Promise<Listed>;
  /** @throws FetchFault, BucketFault; the stream fails with a FetchFault */
  open(key: string, options: OpenOptions): Promise<Readable>;
}

/** Where a source of data lies, and what opens it. */
export interface SourceAddress {
  readonly provider: 's3' | 'gcs' | 'azure' | 'web';
  /** Bucket or container; of the web the URL of the folder or file. */
  readonly bucket: string;
  /** What keys begin with. */
  readonly prefix: string;
  /** Of Azure. */
  readonly account?: string;
  /** Of the web and of Azure: a query that is sent along, for it may be what opens the door. Never shown. */
  readonly query?: string;
}

export type SourceCredentials =
  | { readonly kind: 's3'; id: string; secret: string; token: string; region: string }
  /** Text of a service account's key file. */
  | { readonly kind: 'gcs'; keyFile: string }
  | { readonly kind: 'azure'; accountName: string; accountKey: string };

/** Where the services are, for those who run their own. `{account}` stands for the account's name. */
export interface SourceEndpoints {
  readonly s3?: string | undefined;
  readonly gcs?: string | undefined;
  readonly azure?: string | undefined;
}

export interface BucketParts {
  readonly fetcher: Fetcher;
  readonly address: SourceAddress;
  readonly credentials: SourceCredentials | undefined;
  readonly endpoints: SourceEndpoints;
}

/** What is wrong with a source, in words for the person who named it. Trying again does not help. */
export class BucketFault extends Error {
  override name = 'BucketFault';
}

export const objectsPerList = 500;
export const listBytesMax = 64 * 2 ** 20;
