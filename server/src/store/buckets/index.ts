import { openAzureBucket } from './azure-bucket.ts';
import { type Bucket, BucketFault, type BucketParts } from './bucket.ts';
import { openGcsBucket, readKeyFile } from './gcs-bucket.ts';
import { openS3Bucket } from './s3-bucket.ts';
import { openWebBucket } from './web-bucket.ts';

export { readSourceUrl } from './address.ts';
export {
  type Bucket,
  BucketFault,
  type BucketObject,
  type BucketParts,
  type Listed,
  type SourceAddress,
  type SourceCredentials,
  type SourceEndpoints,
} from './bucket.ts';
export { isWorthRepeating, patiently } from './patience.ts';

const openers = { s3: openS3Bucket, gcs: openGcsBucket, azure: openAzureBucket, web: openWebBucket };

export const openBucket = (parts: BucketParts): Bucket => openers[parts.address.provider](parts);

/** Whether these credentials are of the kind that the source takes. @throws BucketFault where they are not */
export function checkCredentials({
  address,
  credentials,
}: Pick<BucketParts, 'address' | 'credentials'>): void {
  if (!credentials) return;
  if (credentials.kind !== address.provider)
    throw new BucketFault(
      `The credentials are for ${credentials.kind}, but the URL is one of ${address.provider}.`,
    );
  if (credentials.kind === 'gcs') readKeyFile(credentials.keyFile);
}
