import { expect, test } from 'vitest';
import { readSourceUrl } from './address.ts';
import { elementsOf, textOf } from './listing-xml.ts';
import { signed } from './s3-bucket.ts';

test('a listing is signed as the example in the documentation of Amazon S3', () => {
  const creds = { id: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', token: '' };
  const url = new URL('https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J');
  const headers = signed(url, creds, 'us-east-1', new Date('2013-05-24T00:00:00Z'));
  expect(headers.authorization).toBe(
    'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  );
});

test.each([
  ['s3://photos/a b/c', { provider: 's3', bucket: 'photos', prefix: 'a b/c' }],
  ['s3://photos', { provider: 's3', bucket: 'photos', prefix: '' }],
  ['https://photos.s3.eu-west-1.amazonaws.com/a%20b', { provider: 's3', bucket: 'photos', prefix: 'a b' }],
  ['https://s3.eu-west-1.amazonaws.com/photos/a', { provider: 's3', bucket: 'photos', prefix: 'a' }],
  ['gs://photos/a', { provider: 'gcs', bucket: 'photos', prefix: 'a' }],
  ['https://storage.googleapis.com/photos/a', { provider: 'gcs', bucket: 'photos', prefix: 'a' }],
  [
    'https://acct.blob.core.windows.net/box/a?sv=1',
    { provider: 'azure', account: 'acct', bucket: 'box', prefix: 'a', query: '?sv=1' },
  ],
  ['azure://acct/box/a', { provider: 'azure', account: 'acct', bucket: 'box', prefix: 'a' }],
  [
    'https://files.example/set/?k=1',
    { provider: 'web', bucket: 'https://files.example/set/', prefix: '', query: '?k=1' },
  ],
])('%s lies in %o', (url, address) => {
  expect(readSourceUrl(url)).toMatchObject(address);
});

test('names in listings come out as they are', () => {
  const xml =
    '<Contents><Key>a &amp; &#x2603;&#38;lt;</Key><Size>7</Size></Contents><Contents a="1"><Key/></Contents>';
  expect(elementsOf(xml, 'Contents').map((one) => textOf(one, 'Key'))).toEqual(['a & ☃&lt;', '']);
});
