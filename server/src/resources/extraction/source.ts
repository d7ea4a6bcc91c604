import type { InputsDataSource } from '@fovea/contract';
import {
  BucketFault,
  checkCredentials,
  readSourceUrl,
  type SourceAddress,
  type SourceCredentials,
} from '#store/buckets/index.ts';
import type { Sealer } from '../common/sealer.ts';
import { extractionFault } from './faults.ts';

export interface Source {
  readonly address: SourceAddress;
  readonly credentials: SourceCredentials | undefined;
}

/** @throws Fault naming the field, without a word of what is secret */
export function readSource(wire: InputsDataSource): { source: Source; shownUrl: string } {
  const { url = '', credentials: sent } = wire.url ?? {};
  if (url === '') throw extractionFault.invalid('data_sources: url.url is empty.');
  try {
    const source = { address: readSourceUrl(url), credentials: readCredentials(sent?.credentials) };
    checkCredentials(source);
    // A query may be a signature that opens the bucket.
    return { source, shownUrl: url.replace(/\?.*$/s, '') };
  } catch (thrown) {
    if (thrown instanceof BucketFault) throw extractionFault.invalid(`data_sources: ${thrown.message}`);
    throw thrown;
  }
}

type SentCredentials = NonNullable<NonNullable<InputsDataSource['url']>['credentials']>['credentials'];

function readCredentials(sent: SentCredentials | undefined): SourceCredentials | undefined {
  if (sent?.case === 's3Creds') {
    const { id, secret, token, region } = sent.value;
    // The SDKs send the empty message for public buckets.
    if (id === '' && secret === '') return undefined;
    if (id === '' || secret === '') throw extractionFault.invalid('s3_creds needs both id and secret.');
    if (!/^[a-z0-9-]*$/.test(region))
      throw extractionFault.invalid('s3_creds.region is no name of a region.');
    return { kind: 's3', id, secret, token, region };
  }
  if (sent?.case === 'gcpCreds')
    return sent.value.length === 0
      ? undefined
      : { kind: 'gcs', keyFile: Buffer.from(sent.value).toString('utf8') };
  if (sent?.case === 'azureBlobCreds') {
    const { accountName, accountKey } = sent.value;
    if (accountName === '' && accountKey === '') return undefined;
    if (!/^[a-z0-9-]{3,64}$/.test(accountName) || accountKey === '')
      throw extractionFault.invalid('azure_blob_creds needs account_name and account_key.');
    if (!/^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(accountKey))
      throw extractionFault.invalid(
        'azure_blob_creds.account_key is not base64; copy it whole from "Access keys" of the storage account.',
      );
    return { kind: 'azure', accountName, accountKey };
  }
  return undefined;
}

export const sealSource = (sealer: Sealer, source: Source): Buffer => sealer.seal(JSON.stringify(source));

export const unsealSource = (sealer: Sealer, sealed: Buffer): Source =>
  JSON.parse(sealer.unseal(sealed)) as Source;
