import { isIP } from 'node:net';
import type { z } from 'zod';
import {
  bytes,
  hostName,
  masterKey,
  megapixels,
  oneOf,
  pem,
  rateLimit,
  readAllowed,
  readFailpoints,
  readRoles,
  roleNames,
  text,
  url,
  wholeNumber,
  yesOrNo,
} from '#config-values.ts';
import { deathPoints, failpointNames } from '#domain/failpoints.ts';

/** One documented variable of the environment. Everything that is read, checked or written about it is here. */
export interface Variable<T> {
  /** Heading in the reference. */
  group: string;
  /** What it does, in a sentence or two; Markdown. */
  about: string;
  /** Text to value; its messages finish the sentence "FOVEA_X …". */
  read: z.ZodType<T, string>;
  /** Used as if it had been set, and shown in the reference. */
  fallback?: string;
  /** Words for the reference where the absence of a value means something. */
  unset?: string;
  example?: string;
  /** Never printed; may come from the file that `NAME_FILE` names. */
  secret?: true;
}

const named = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ');

/** Every variable the server knows, in the order of the reference. */
export const variables = {
  FOVEA_HOST: {
    group: 'Address',
    about:
      'Address to listen on. The default answers this machine only, because the port speaks plain HTTP until TLS is configured; `0.0.0.0` (or `::`) opens it to the network.',
    read: text.refine((value) => isIP(value) !== 0 || hostName.test(value), {
      error: 'must be an IP address or a host name, without a port',
    }),
    fallback: '127.0.0.1',
  },
  FOVEA_PORT: {
    group: 'Address',
    about: 'The one TCP port for gRPC, gRPC-Web, REST, the page and media. `0` takes any free port.',
    read: wholeNumber(0, 65_535),
    fallback: '8080',
  },
  FOVEA_PUBLIC_URL: {
    group: 'Address',
    about:
      'The URL under which clients reach the server, used in links to media and in printed examples. Needed behind a proxy.',
    read: url('http:', 'https:')
      .refine((value) => !/[?#]/.test(value), { error: 'must not have a query or a fragment' })
      .transform((value) => value.replace(/\/+$/, '')),
    unset: 'the host that the caller asked for',
    example: 'https://vision.example.org',
  },
  FOVEA_TLS_CERT: {
    group: 'Address',
    about:
      'Certificate chain, as PEM text or the path of a PEM file. With it and its key the port speaks TLS.',
    read: pem,
    unset: 'plain HTTP',
    example: './tls/fullchain.pem',
  },
  FOVEA_TLS_KEY: {
    group: 'Address',
    about: 'Private key of the certificate, as PEM text or the path of a PEM file.',
    read: pem,
    unset: 'plain HTTP',
    example: './tls/key.pem',
    secret: true,
  },
  FOVEA_USER: {
    group: 'First user',
    about: 'Id of the first user, made at the first start.',
    read: text.regex(/^(?!(me|clarifai)$)(?=.{1,48}$)[0-9A-Za-z]+([-_][0-9A-Za-z]+)*$/, {
      error:
        'must be 1 to 48 letters or digits, parted by single - or _, and neither "me" nor "clarifai", which the contract reserves',
    }),
    fallback: 'admin',
  },
  FOVEA_PAT: {
    group: 'First user',
    about: 'The personal access token of the first user.',
    read: text.regex(/^[!-~]{16,256}$/, { error: 'must be 16 to 256 printable characters without spaces' }),
    unset: 'generated at the first start and shown once',
    secret: true,
  },
  FOVEA_DATA: {
    group: 'State',
    about: 'Folder for everything the server keeps: the embedded database, media, models, keys.',
    read: text,
    fallback: './data',
  },
  DATABASE_URL: {
    group: 'State',
    about: 'A PostgreSQL 15 or newer to use instead of the embedded one.',
    read: url('postgres:', 'postgresql:'),
    unset: 'the embedded PostgreSQL, inside `FOVEA_DATA`',
    example: 'postgres://fovea:secret@db.example.org:5432/fovea',
    secret: true,
  },
  FOVEA_PG_BIN: {
    group: 'State',
    about: 'Folder with the `postgres` and `initdb` programs that the embedded database runs on.',
    read: text,
    unset: 'the binaries that came with the packages',
    example: '/usr/lib/postgresql/17/bin',
  },
  FOVEA_SECRET_KEY: {
    group: 'State',
    about:
      'Master key of 32 bytes (64 hex digits or base64) that encrypts stored credentials. All processes of one installation share it.',
    read: masterKey,
    unset: 'generated into a file in `FOVEA_DATA`',
    secret: true,
  },
  FOVEA_S3_BUCKET: {
    group: 'S3',
    about: 'Bucket that holds media and model files instead of the data folder. Setting it turns S3 on.',
    read: text.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/, { error: 'must be a bucket name' }),
    unset: 'files below `FOVEA_DATA`',
  },
  FOVEA_S3_ENDPOINT: {
    group: 'S3',
    about: 'URL of an S3-compatible service.',
    read: url('http:', 'https:'),
    unset: 'the endpoint of the region at AWS',
    example: 'http://minio:9000',
  },
  FOVEA_S3_REGION: {
    group: 'S3',
    about: 'Region of the bucket.',
    read: text,
    fallback: 'us-east-1',
  },
  FOVEA_S3_PREFIX: {
    group: 'S3',
    about: 'Put before every object name, so that a bucket can be shared.',
    read: text.transform((value) => value.replace(/^\/+|\/+$/g, '')),
    unset: 'none',
    example: 'fovea',
  },
  FOVEA_S3_ACCESS_KEY_ID: {
    group: 'S3',
    about: 'Access key id.',
    read: text,
    unset: 'the credentials that the AWS SDK finds by itself',
    secret: true,
  },
  FOVEA_S3_SECRET_ACCESS_KEY: {
    group: 'S3',
    about: 'Secret access key.',
    read: text,
    unset: 'the credentials that the AWS SDK finds by itself',
    secret: true,
  },
  FOVEA_S3_FORCE_PATH_STYLE: {
    group: 'S3',
    about: 'Address the bucket by path, not by host name, as most S3-compatible services want.',
    read: yesOrNo,
    unset: '`true` where `FOVEA_S3_ENDPOINT` is set, else `false`',
  },
  FOVEA_QDRANT_URL: {
    group: 'Vectors',
    about:
      'URL of a Qdrant (1.10 or later). Apps whose `embeddings_storage` is QDRANT are searched there; what they hold stays in the database, and Qdrant may be emptied at any time.',
    read: url('http:', 'https:'),
    unset: 'such apps are searched in memory',
    example: 'http://qdrant:6333',
  },
  FOVEA_QDRANT_API_KEY: {
    group: 'Vectors',
    about: 'API key of that Qdrant.',
    read: text,
    secret: true,
    unset: 'none is sent',
  },
  FOVEA_QDRANT_PREFIX: {
    group: 'Vectors',
    about: 'Prefix of the names of collections, for several servers at one Qdrant.',
    read: text.refine((value) => /^[A-Za-z0-9_-]{1,40}$/.test(value), {
      error: 'takes 1 to 40 letters, digits, hyphens and underscores',
    }),
    fallback: 'fovea_',
  },
  FOVEA_FETCH_ALLOW: {
    group: 'Limits',
    about:
      'Comma list of host names and address ranges that URLs given by users may reach although they are private.',
    read: text.transform(readAllowed),
    unset: 'public addresses only',
    example: 'media.internal,10.20.0.0/16',
  },
  FOVEA_REQUEST_BYTES_MAX: {
    group: 'Limits',
    about: 'Largest request, in bytes (`KiB`, `MiB` and `GiB` are understood).',
    read: bytes(2 ** 31 - 2 ** 20),
    fallback: '128MiB',
  },
  FOVEA_IMAGE_PIXELS_MAX: {
    group: 'Limits',
    about:
      'Largest image, in pixels of width × height; larger ones end in a clear status and are not decoded.',
    read: wholeNumber(megapixels / 100, 1000 * megapixels),
    fallback: String(85 * megapixels),
  },
  FOVEA_IMAGE_BYTES_MAX: {
    group: 'Limits',
    about: 'Largest image file, in bytes.',
    read: bytes(2 ** 31 - 2 ** 20),
    fallback: '20000000',
  },
  FOVEA_TEXT_BYTES_MAX: {
    group: 'Limits',
    about: 'Largest text, in bytes.',
    read: bytes(2 ** 30),
    fallback: '20000000',
  },
  FOVEA_AUDIO_BYTES_MAX: {
    group: 'Limits',
    about: 'Largest sound file, in bytes.',
    read: bytes(2 ** 31 - 2 ** 20),
    fallback: '20000000',
  },
  FOVEA_VIDEO_BYTES_MAX: {
    group: 'Limits',
    about: 'Largest video sent as bytes. The largest request limits it too.',
    read: bytes(2 ** 31 - 2 ** 20),
    fallback: '128000000',
  },
  FOVEA_VIDEO_URL_BYTES_MAX: {
    group: 'Limits',
    about: 'Largest video fetched from a URL, in bytes.',
    read: bytes(2 ** 40),
    fallback: '300000000',
  },
  FOVEA_MEDIA_SECONDS_MAX: {
    group: 'Limits',
    about: 'Longest video or sound, in seconds.',
    read: wholeNumber(1, 1_000_000),
    fallback: '600',
  },
  FOVEA_VIDEO_PIXELS_MAX: {
    group: 'Limits',
    about: 'Largest frame of a video, in pixels of width × height.',
    read: wholeNumber(megapixels / 100, 1000 * megapixels),
    fallback: String(36 * megapixels),
  },
  FOVEA_FETCH_SECONDS_MAX: {
    group: 'Limits',
    about:
      'Longest time in seconds for fetching an image, a text or a sound from a URL; a video may take ten times as long.',
    read: wholeNumber(1, 86_400),
    fallback: '30',
  },
  FOVEA_SEARCH_SECONDS_MAX: {
    group: 'Limits',
    about:
      'Longest time in seconds that a search may work on its answer; then it is stopped with status 40011. Waiting for a turn does not count.',
    read: wholeNumber(1, 3_600),
    fallback: '10',
  },
  FOVEA_UPLOAD_BYTES_MAX: {
    group: 'Limits',
    about: 'Largest content of one upload in parts, in bytes.',
    read: bytes(2 ** 50),
    fallback: '20GiB',
  },
  FOVEA_APP_UPLOADS_BYTES_MAX: {
    group: 'Limits',
    about: 'All uploads in parts that one app may keep at a time, in bytes.',
    read: bytes(2 ** 50),
    fallback: '100GiB',
  },
  FOVEA_UPLOAD_SECONDS_MAX: {
    group: 'Limits',
    about: 'How long an upload in parts is kept after it was begun, in seconds; then its bytes are removed.',
    read: wholeNumber(1, 365 * 24 * 3600),
    fallback: String(7 * 24 * 3600),
  },
  FOVEA_DELETED_MINUTES: {
    group: 'Limits',
    about:
      'How long dataset versions keep what they hold of deleted inputs, in minutes: until then a restore brings them back, then it is erased. Nobody can reach it meanwhile. 0 erases at once.',
    read: wholeNumber(0, 365 * 24 * 60),
    fallback: String(12 * 60),
  },
  FOVEA_ARCHIVE_BYTES_MAX: {
    group: 'Limits',
    about: 'What the archives of one extraction job may unpack to, in bytes.',
    read: bytes(2 ** 50),
    fallback: '20000000000',
  },
  FOVEA_ARCHIVE_ENTRIES_MAX: {
    group: 'Limits',
    about: 'Entries that the archives of one extraction job may have.',
    read: wholeNumber(1, 1_000_000_000),
    fallback: '1000000',
  },
  FOVEA_ARCHIVE_RATIO_MAX: {
    group: 'Limits',
    about: 'What an archive may unpack to, in times its own size; up to 64 MiB are always fine.',
    read: wholeNumber(1, 1_000_000),
    fallback: '200',
  },
  FOVEA_ARCHIVE_DEPTH_MAX: {
    group: 'Limits',
    about: 'Archives inside archives that are opened; `0` opens none of them.',
    read: wholeNumber(0, 16),
    fallback: '3',
  },
  FOVEA_MODEL_BYTES_MAX: {
    group: 'Limits',
    about: 'The largest model that may be uploaded, in bytes, packed and unpacked.',
    read: bytes(2 ** 50),
    fallback: '16GiB',
  },
  FOVEA_MODEL_MEMORY_MAX: {
    group: 'Limits',
    about:
      'Memory that one model that a user brought may take, in bytes. It runs in a process of its own, which is ended beyond it (on Linux); weights may fill half of it. All of them together may take twice as much.',
    read: bytes(2 ** 50),
    fallback: '4GiB',
  },
  FOVEA_MODEL_SECONDS_MAX: {
    group: 'Limits',
    about:
      'How long one run of a model may take, in seconds; one that a user brought then loses its process, a built-in one its thread.',
    read: wholeNumber(1, 3600),
    fallback: '30',
  },
  FOVEA_SOURCE_S3_ENDPOINT: {
    group: 'Sources',
    about:
      'URL of the S3 service behind `s3://` data sources. One at a private address needs `FOVEA_FETCH_ALLOW` too.',
    read: url('http:', 'https:'),
    unset: 'Amazon S3',
    example: 'http://minio:9000',
  },
  FOVEA_SOURCE_GCS_ENDPOINT: {
    group: 'Sources',
    about: 'URL of the Cloud Storage service behind `gs://` data sources.',
    read: url('http:', 'https:'),
    unset: 'Google Cloud Storage',
  },
  FOVEA_SOURCE_AZURE_ENDPOINT: {
    group: 'Sources',
    about: 'URL of the Blob service behind `azure://` data sources; `{account}` stands for the account.',
    read: url('http:', 'https:'),
    unset: '`https://{account}.blob.core.windows.net`',
    example: 'http://azurite:10000/{account}',
  },
  FOVEA_RATE_LIMIT: {
    group: 'Limits',
    about: 'Requests allowed per token: `off`, or a number per second, minute or hour.',
    read: rateLimit,
    fallback: 'off',
    example: '15/s',
  },
  FOVEA_ROLES: {
    group: 'Work',
    about: `What this process does: any of ${roleNames.map((name) => `\`${name}\``).join(', ')}.`,
    read: text.transform(readRoles),
    fallback: roleNames.join(','),
  },
  FOVEA_INFERENCE_THREADS: {
    group: 'Work',
    about: 'Threads that run networks, each with one compute thread.',
    read: wholeNumber(1, 256),
    unset: 'one per processor core',
  },
  FOVEA_PREDICT_WAIT_MAX: {
    group: 'Work',
    about:
      'How long a prediction may have to wait for its turn, in seconds. One that would wait longer, by what others took lately, is refused at once with status 21351 instead of being answered when nobody waits for it any more.',
    read: wholeNumber(1, 3600),
    fallback: '5',
  },
  FOVEA_FFMPEG: {
    group: 'Work',
    about:
      'Path of the ffmpeg that decodes videos and sounds, with ffprobe beside it. Without any ffmpeg such inputs end in status 30101; everything else works.',
    read: text,
    unset: 'found on the machine',
    example: '/opt/ffmpeg/bin/ffmpeg',
  },
  FOVEA_FACES: {
    group: 'Work',
    about:
      'Serves the models that describe faces (embedding, age, gender, emotion). Off unless asked for: in many places their use needs a legal ground.',
    read: yesOrNo,
    fallback: 'false',
  },
  FOVEA_JSON_NAMES: {
    group: 'Wire',
    about: 'How REST answers name fields unless the request says: `snake` as the live service, or `camel`.',
    read: oneOf('snake', 'camel'),
    fallback: 'snake',
  },
  FOVEA_LOG_LEVEL: {
    group: 'Wire',
    about: 'Least severe log line to print.',
    read: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    fallback: 'info',
  },
  FOVEA_FAILPOINTS: {
    group: 'Testing',
    about: `Comma list of checks to leave out and faults to provoke, so that the test harnesses can show that they notice. Never set it where data matters. Any of ${named(failpointNames)}; or a point at which to die at once, such as \`commit-done@12\` for its twelfth passage: ${named(deathPoints)}.`,
    read: text.transform(readFailpoints),
    unset: 'none',
  },
} satisfies Record<string, Variable<unknown>>;
