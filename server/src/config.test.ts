import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '#config.ts';
import { selfSigned } from '#testing/self-signed.ts';

const folder = mkdtempSync(join(tmpdir(), 'fovea-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const fileWith = (name: string, content: string) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

const linesOf = (env: NodeJS.ProcessEnv): string[] => {
  try {
    loadConfig(env, folder);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.lines;
    throw error;
  }
};

const { cert: certificate, key } = selfSigned();

test('an empty environment is a working one: this machine, port 8080, the embedded database', () => {
  const config = loadConfig({}, folder);
  expect(config).toMatchObject({
    host: '127.0.0.1',
    port: 8080,
    user: 'admin',
    pat: undefined,
    dataDir: join(folder, 'data'),
    databaseUrl: undefined,
    s3: undefined,
    tls: undefined,
    fetchAllow: { hosts: [], ranges: [] },
    requestBytesMax: 134_217_728,
    mediaLimits: {
      pixelsMax: 85_000_000,
      imageBytesMax: 20_000_000,
      videoUrlBytesMax: 300_000_000,
      durationSecondsMax: 600,
    },
    ffmpeg: undefined,
    rateLimit: undefined,
    faces: false,
    jsonNames: 'snake',
    logLevel: 'info',
    warnings: [],
  });
  expect([...config.roles]).toEqual(['api', 'worker']);
  expect(config.inferenceThreads).toBeGreaterThanOrEqual(1);
});

test.each([
  // variable                 given                          where              becomes
  ['FOVEA_HOST', '0.0.0.0', 'host', '0.0.0.0'],
  ['FOVEA_HOST', '::', 'host', '::'],
  ['FOVEA_PORT', '0', 'port', 0],
  ['FOVEA_PORT', ' 443 ', 'port', 443],
  ['FOVEA_PORT', '', 'port', 8080],
  ['FOVEA_PUBLIC_URL', 'https://a.example/api/', 'publicUrl', 'https://a.example/api'],
  ['FOVEA_USER', 'alice-2', 'user', 'alice-2'],
  ['FOVEA_REQUEST_BYTES_MAX', '1 GiB', 'requestBytesMax', 1_073_741_824],
  ['FOVEA_REQUEST_BYTES_MAX', '2048', 'requestBytesMax', 2048],
  ['FOVEA_RATE_LIMIT', '15/s', 'rateLimit', { requests: 15, windowMs: 1000 }],
  ['FOVEA_RATE_LIMIT', '600/m', 'rateLimit', { requests: 600, windowMs: 60_000 }],
  ['FOVEA_RATE_LIMIT', 'off', 'rateLimit', undefined],
  ['FOVEA_ROLES', 'worker, api', 'roles', new Set(['api', 'worker'])],
  ['FOVEA_FACES', 'YES', 'faces', true],
  ['FOVEA_JSON_NAMES', 'camel', 'jsonNames', 'camel'],
  ['FOVEA_SECRET_KEY', 'ab'.repeat(32), 'secretKey', Buffer.alloc(32, 0xab)],
  ['FOVEA_SECRET_KEY', Buffer.alloc(32, 7).toString('base64'), 'secretKey', Buffer.alloc(32, 7)],
  ['DATABASE_URL', 'postgresql://u:p@h/db', 'databaseUrl', 'postgresql://u:p@h/db'],
  [
    'FOVEA_FETCH_ALLOW',
    'Media.Internal, 10.0.0.0/8,192.168.1.7,fd00::/8,[::1]',
    'fetchAllow',
    { hosts: ['media.internal'], ranges: ['10.0.0.0/8', '192.168.1.7/32', 'fd00::/8', '::1/128'] },
  ],
] as const)('%s=%s is understood', (name, given, where, becomes) => {
  expect(loadConfig({ [name]: given }, folder)[where]).toEqual(becomes);
});

test.each([
  ['FOVEA_HOST', 'http://here', 'an IP address or a host name'],
  ['FOVEA_PORT', '80a', 'a whole number from 0 to 65535; it is "80a"'],
  ['FOVEA_PORT', '65536', 'from 0 to 65535'],
  ['FOVEA_PORT', '-1', 'from 0 to 65535'],
  ['FOVEA_PUBLIC_URL', 'vision.example.org', 'http:// or https://'],
  ['FOVEA_PUBLIC_URL', 'https://a.example/?x=1', 'a query'],
  ['FOVEA_USER', 'me', '"me"'],
  ['FOVEA_USER', 'a--b', '1 to 48 letters'],
  ['FOVEA_USER', 'x'.repeat(49), '1 to 48 letters'],
  ['DATABASE_URL', 'mysql://u:geheim@h/db', 'postgres://'],
  ['FOVEA_PAT', 'short', '16 to 256'],
  ['FOVEA_SECRET_KEY', 'abcd', '32 bytes'],
  ['FOVEA_FETCH_ALLOW', '10.0.0.0/33', '"10.0.0.0/33"'],
  ['FOVEA_FETCH_ALLOW', '10.0.0', '"10.0.0"'],
  ['FOVEA_FETCH_ALLOW', 'ok.example,http://x', '"http://x"'],
  ['FOVEA_REQUEST_BYTES_MAX', '10', 'between 1 KiB'],
  ['FOVEA_REQUEST_BYTES_MAX', '8 TiB', '128MiB'],
  ['FOVEA_IMAGE_PIXELS_MAX', '1', 'from 10000'],
  ['FOVEA_RATE_LIMIT', '15', '15/s'],
  ['FOVEA_ROLES', 'api,baker', '"baker"'],
  ['FOVEA_ROLES', ',', 'names no role'],
  ['FOVEA_INFERENCE_THREADS', '0', 'from 1 to 256'],
  ['FOVEA_FACES', 'maybe', 'true or false'],
  ['FOVEA_JSON_NAMES', 'kebab', 'snake, camel'],
  ['FOVEA_LOG_LEVEL', 'loud', 'fatal'],
  ['FOVEA_S3_BUCKET', 'a b', 'a bucket name'],
])('%s=%s stops the start with one line that names it', (name, given, words) => {
  const lines = linesOf({ [name]: given });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(new RegExp(`^${name} .*\\.$`));
  expect(lines[0]).toContain(words);
});

test('every mistake is reported, not only the first', () => {
  expect(linesOf({ FOVEA_PORT: 'x', FOVEA_ROLES: 'y' })).toHaveLength(2);
});

test.each(['FOVEA_PAT', 'FOVEA_SECRET_KEY', 'DATABASE_URL'])(
  'a wrong %s is not repeated in the message',
  (name) => {
    expect(linesOf({ [name]: 'geheim geheim' }).join()).not.toContain('geheim');
  },
);

test('a secret may come from a file', () => {
  const path = fileWith('pat', 'a-token-of-some-length\n');
  expect(loadConfig({ FOVEA_PAT_FILE: path }, folder).pat).toBe('a-token-of-some-length');
});

test.each([
  [{ FOVEA_PAT: 'x'.repeat(20), FOVEA_PAT_FILE: '/anything' }, 'FOVEA_PAT and FOVEA_PAT_FILE are both set'],
  [
    { DATABASE_URL_FILE: '/no/such/file' },
    'DATABASE_URL_FILE names the file /no/such/file, which cannot be read',
  ],
  [{ FOVEA_TLS_CERT: certificate }, 'FOVEA_TLS_KEY is missing'],
  [{ FOVEA_TLS_KEY: key }, 'FOVEA_TLS_CERT is missing'],
  [
    { FOVEA_TLS_CERT: certificate, FOVEA_TLS_KEY: selfSigned().key },
    'FOVEA_TLS_CERT and FOVEA_TLS_KEY cannot be used together',
  ],
  [{ FOVEA_S3_REGION: 'eu-central-1' }, 'FOVEA_S3_BUCKET is missing; FOVEA_S3_REGION'],
  [{ FOVEA_S3_BUCKET: 'fovea', FOVEA_S3_ACCESS_KEY_ID: 'a' }, 'FOVEA_S3_SECRET_ACCESS_KEY is missing'],
])('settings that contradict each other stop the start: %o', (env, words) => {
  expect(linesOf(env)).toEqual([expect.stringContaining(words)]);
});

test('TLS takes PEM text, PEM text on one line, and files', () => {
  const fromFiles = loadConfig(
    { FOVEA_TLS_CERT: fileWith('cert.pem', certificate), FOVEA_TLS_KEY_FILE: fileWith('key.pem', key) },
    folder,
  );
  expect(fromFiles.tls).toEqual({ cert: certificate, key: key.trim() });
  const fromText = loadConfig(
    { FOVEA_TLS_CERT: certificate.replaceAll('\n', '\\n'), FOVEA_TLS_KEY: key },
    folder,
  );
  expect(fromText.tls).toEqual({ cert: certificate, key: key.trim() });
});

test('S3 needs a bucket only; an endpoint of one’s own is addressed by path', () => {
  const env = { FOVEA_S3_BUCKET: 'fovea', FOVEA_S3_ENDPOINT: 'http://minio:9000', FOVEA_S3_PREFIX: '/a/b/' };
  expect(loadConfig(env, folder).s3).toEqual({
    bucket: 'fovea',
    endpoint: 'http://minio:9000',
    region: 'us-east-1',
    prefix: 'a/b',
    credentials: undefined,
    forcePathStyle: true,
  });
  expect(loadConfig({ FOVEA_S3_BUCKET: 'fovea' }, folder).s3?.forcePathStyle).toBe(false);
});

test('an unknown FOVEA_ variable is warned about, with the name that was probably meant', () => {
  const { warnings } = loadConfig({ FOVEA_PROT: '9', FOVEA_SOMETHING_ELSE: '1', PATH: '/bin' }, folder);
  expect(warnings).toEqual([
    'FOVEA_PROT is not a setting and is ignored; did you mean FOVEA_PORT?',
    'FOVEA_SOMETHING_ELSE is not a setting and is ignored.',
  ]);
});
