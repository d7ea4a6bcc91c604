import { BucketFault, type SourceAddress } from './bucket.ts';

/**
 * Reads the URL of a source of data: `s3://`, `gs://`, `azure://account/container/`, the web addresses of these
 * services, or any other http(s) URL.
 *
 * @throws BucketFault naming what is wrong
 */
export function readSourceUrl(text: string): SourceAddress {
  if (text.length > 4096) throw new BucketFault('The URL is longer than 4096 characters.');
  const own = /^(s3|gs|azure):\/\/([^/?#]*)(?:\/(.*))?$/s.exec(text);
  if (own) return ofScheme(own[1] as string, own[2] as string, own[3] ?? '');
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text))
    throw new BucketFault('The URL must begin with s3://, gs://, azure://, https:// or http://.');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw new BucketFault('The URL must not hold a user name or password; send credentials beside it.');
  return (
    ofService(url) ?? { provider: 'web', bucket: url.origin + url.pathname, prefix: '', query: url.search }
  );
}

function ofScheme(scheme: string, host: string, rest: string): SourceAddress {
  if (host === '') throw new BucketFault(`The URL names no bucket; write ${scheme}://bucket/folder/.`);
  if (scheme === 's3') return { provider: 's3', bucket: bucketName(host), prefix: rest };
  if (scheme === 'gs') return { provider: 'gcs', bucket: bucketName(host), prefix: rest };
  const [container = '', prefix] = parted(rest);
  if (container === '')
    throw new BucketFault('The URL names no container; write azure://account/container/folder/.');
  return { provider: 'azure', account: accountName(host), bucket: bucketName(container), prefix };
}

function ofService(url: URL): SourceAddress | undefined {
  const path = decoded(url.pathname.slice(1));
  const hosted = /^(.+)\.s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com$/.exec(url.hostname);
  if (hosted) return { provider: 's3', bucket: bucketName(hosted[1] as string), prefix: path };
  const [first = '', rest] = parted(path);
  if (first === '') return undefined;
  if (/^s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com$/.test(url.hostname))
    return { provider: 's3', bucket: bucketName(first), prefix: rest };
  if (/^storage\.(googleapis|cloud\.google)\.com$/.test(url.hostname))
    return { provider: 'gcs', bucket: bucketName(first), prefix: rest };
  const azure = /^([a-z0-9-]+)\.blob\.core\.windows\.net$/.exec(url.hostname);
  if (!azure) return undefined;
  const account = azure[1] as string;
  return { provider: 'azure', account, bucket: bucketName(first), prefix: rest, query: url.search };
}

function parted(path: string): [string, string] {
  const at = path.indexOf('/');
  return at < 0 ? [path, ''] : [path.slice(0, at), path.slice(at + 1)];
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new BucketFault('The path of the URL holds a percent sign that encodes no character.');
  }
}

function bucketName(name: string): string {
  if (/^[$A-Za-z0-9][A-Za-z0-9._-]{1,253}$/.test(name) && !name.includes('..')) return name;
  throw new BucketFault(`'${name.slice(0, 80)}' is no name of a bucket.`);
}

function accountName(name: string): string {
  if (/^[a-z0-9-]{3,64}$/.test(name)) return name;
  throw new BucketFault(`'${name.slice(0, 80)}' is no name of an account.`);
}
