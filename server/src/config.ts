import { availableParallelism } from 'node:os';
import { delimiter, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { z } from 'zod';
import { readText } from '#config-values.ts';
import { type Variable, variables } from '#config-variables.ts';
import { withoutTelemetry } from '#domain/telemetry.ts';

export type { FetchAllow, RateLimit, Role } from '#config-values.ts';

type Name = keyof typeof variables;
type Value<N extends Name> = z.output<(typeof variables)[N]['read']>;
type Values = {
  [N in Name]: (typeof variables)[N] extends { fallback: string } ? Value<N> : Value<N> | undefined;
};

const names = Object.keys(variables) as Name[];

/** Where objects go when they do not go into the data folder. */
export interface S3Config {
  bucket: string;
  endpoint: string | undefined;
  region: string;
  /** Without slashes at its ends; empty for none. */
  prefix: string;
  /** Absent: the SDK finds its own. */
  credentials: { accessKeyId: string; secretAccessKey: string } | undefined;
  forcePathStyle: boolean;
}

/** What the server was asked to be. */
export type Config = ReturnType<typeof arrange>;

/** The environment asks for something that cannot be; `lines` has one line per mistake, naming the variable. */
export class ConfigError extends Error {
  readonly lines: string[];

  constructor(lines: string[]) {
    super(lines.join('\n'));
    this.name = 'ConfigError';
    this.lines = lines;
  }
}

/** Native libraries read the environment of the process by themselves, when a thread first loads them. */
export function silenceLibraries(): void {
  Object.assign(process.env, withoutTelemetry);
}

/**
 * Reads the configuration. An empty value counts as unset.
 *
 * @param env    the variables, e.g. `process.env`
 * @param cwd    the folder that a relative `FOVEA_DATA` starts from
 * @returns the typed configuration; its `warnings` are one line each and meant for the log
 * @throws ConfigError with every mistake that was found
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env, cwd = process.cwd()): Config {
  const mistakes: string[] = [];
  const found = new Map<Name, unknown>();
  for (const name of names) {
    const given = givenText(env, name, mistakes);
    if (given === undefined) continue;
    const read = variables[name].read.safeParse(given);
    if (read.success) found.set(name, read.data);
    else mistakes.push(mistakeLine(name, given, read.error));
  }
  mistakes.push(...contradictions(env, found));
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  const programFolders = (env.PATH ?? '').split(delimiter).filter(Boolean);
  return arrange(Object.fromEntries(found) as Values, { cwd, programFolders }, unknownNames(env));
}

function givenText(env: NodeJS.ProcessEnv, name: Name, mistakes: string[]): string | undefined {
  const { secret, fallback }: Variable<unknown> = variables[name];
  const direct = env[name]?.trim() || undefined;
  const path = secret ? env[`${name}_FILE`]?.trim() || undefined : undefined;
  if (path === undefined) return direct ?? fallback;
  if (direct !== undefined) {
    mistakes.push(`${name} and ${name}_FILE are both set; keep one of them.`);
    return undefined;
  }
  const content = readText(path)?.trim();
  if (!content) {
    const trouble = content === undefined ? 'cannot be read' : 'is empty';
    mistakes.push(`${name}_FILE names the file ${path}, which ${trouble}.`);
    return undefined;
  }
  return content;
}

function mistakeLine(name: Name, given: string, error: z.ZodError): string {
  const { secret }: Variable<unknown> = variables[name];
  const words = error.issues.map((issue) => issue.message).join('; ');
  return secret ? `${name} ${words}.` : `${name} ${words}; it is "${given}".`;
}

function contradictions(env: NodeJS.ProcessEnv, found: ReadonlyMap<Name, unknown>): string[] {
  const isSet = (name: Name) => Boolean(env[name]?.trim() || env[`${name}_FILE`]?.trim());
  const lines: string[] = [];
  for (const [one, other] of [
    ['FOVEA_TLS_CERT', 'FOVEA_TLS_KEY'],
    ['FOVEA_S3_ACCESS_KEY_ID', 'FOVEA_S3_SECRET_ACCESS_KEY'],
  ] as const) {
    if (isSet(one) && !isSet(other)) lines.push(`${other} is missing; ${one} is useless without it.`);
    if (isSet(other) && !isSet(one)) lines.push(`${one} is missing; ${other} is useless without it.`);
  }
  const tls = tlsTrouble(found.get('FOVEA_TLS_CERT'), found.get('FOVEA_TLS_KEY'));
  if (tls) lines.push(tls);
  const s3 = names.find((name) => name.startsWith('FOVEA_S3_') && isSet(name));
  if (s3 && !found.has('FOVEA_S3_BUCKET') && !isSet('FOVEA_S3_BUCKET')) {
    lines.push(`FOVEA_S3_BUCKET is missing; ${s3} is useless without it.`);
  }
  return lines;
}

/** Whether certificate and key can be used, and belong together. */
function tlsTrouble(cert: unknown, key: unknown): string | undefined {
  if (typeof cert !== 'string' || typeof key !== 'string') return undefined;
  try {
    createSecureContext({ cert, key });
    return undefined;
  } catch (error) {
    return `FOVEA_TLS_CERT and FOVEA_TLS_KEY cannot be used together: ${(error as Error).message}.`;
  }
}

/** One line for each variable with our prefix that means nothing, with the nearest name that does. */
function unknownNames(env: NodeJS.ProcessEnv): string[] {
  const known = names.flatMap((name) => (isSecret(name) ? [name, `${name}_FILE`] : [name]));
  return Object.keys(env)
    .filter((name) => name.startsWith('FOVEA_') && !(known as string[]).includes(name))
    .sort()
    .map((name) => {
      const nearest = [...known].sort((a, b) => editDistance(name, a) - editDistance(name, b))[0];
      const near = nearest !== undefined && editDistance(name, nearest) <= 3;
      return `${name} is not a setting and is ignored${near ? `; did you mean ${nearest}?` : '.'}`;
    });
}

const isSecret = (name: Name) => (variables[name] as Variable<unknown>).secret === true;

/** Levenshtein distance: the fewest single-letter changes from one word to the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const swap = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function arrange(
  values: Values,
  { cwd, programFolders }: { cwd: string; programFolders: readonly string[] },
  warnings: string[],
) {
  return {
    host: values.FOVEA_HOST,
    /** 0 asks for any free port. */
    port: values.FOVEA_PORT,
    /** Without a slash at its end. */
    publicUrl: values.FOVEA_PUBLIC_URL,
    tls: tlsOf(values),
    /** Id of the first user. */
    user: values.FOVEA_USER,
    /** Token of the first user; absent: make one. */
    pat: values.FOVEA_PAT,
    /** Absolute path. */
    dataDir: resolve(cwd, values.FOVEA_DATA),
    databaseUrl: values.DATABASE_URL,
    /** Absolute path of a folder with `postgres` and `initdb`. */
    pgBinDir: values.FOVEA_PG_BIN && resolve(cwd, values.FOVEA_PG_BIN),
    /** 32 bytes; absent: kept in a file of the data folder. */
    secretKey: values.FOVEA_SECRET_KEY,
    s3: s3Of(values),
    qdrant: values.FOVEA_QDRANT_URL
      ? {
          url: values.FOVEA_QDRANT_URL,
          apiKey: values.FOVEA_QDRANT_API_KEY,
          prefix: values.FOVEA_QDRANT_PREFIX,
        }
      : undefined,
    fetchAllow: values.FOVEA_FETCH_ALLOW ?? { hosts: [], ranges: [] },
    requestBytesMax: values.FOVEA_REQUEST_BYTES_MAX,
    mediaLimits: {
      imageBytesMax: values.FOVEA_IMAGE_BYTES_MAX,
      pixelsMax: values.FOVEA_IMAGE_PIXELS_MAX,
      textBytesMax: values.FOVEA_TEXT_BYTES_MAX,
      audioBytesMax: values.FOVEA_AUDIO_BYTES_MAX,
      videoBytesMax: values.FOVEA_VIDEO_BYTES_MAX,
      videoUrlBytesMax: values.FOVEA_VIDEO_URL_BYTES_MAX,
      durationSecondsMax: values.FOVEA_MEDIA_SECONDS_MAX,
      videoPixelsMax: values.FOVEA_VIDEO_PIXELS_MAX,
      fetchTimeoutMs: 1000 * values.FOVEA_FETCH_SECONDS_MAX,
    },
    /** Absent: look for one on the machine. */
    ffmpeg: values.FOVEA_FFMPEG && resolve(cwd, values.FOVEA_FFMPEG),
    /** Folders in which programs of this machine are looked for. */
    programFolders,
    imagePixelsMax: values.FOVEA_IMAGE_PIXELS_MAX,
    searchTimeoutMs: 1000 * values.FOVEA_SEARCH_SECONDS_MAX,
    deletedKeptMs: 60_000 * values.FOVEA_DELETED_MINUTES,
    archives: {
      bytesMax: values.FOVEA_ARCHIVE_BYTES_MAX,
      entriesMax: values.FOVEA_ARCHIVE_ENTRIES_MAX,
      ratioMax: values.FOVEA_ARCHIVE_RATIO_MAX,
      depthMax: values.FOVEA_ARCHIVE_DEPTH_MAX,
    },
    /** Where data sources are, for those who run their own. */
    sourceEndpoints: {
      s3: values.FOVEA_SOURCE_S3_ENDPOINT,
      gcs: values.FOVEA_SOURCE_GCS_ENDPOINT,
      azure: values.FOVEA_SOURCE_AZURE_ENDPOINT,
    },
    uploads: {
      uploadBytesMax: values.FOVEA_UPLOAD_BYTES_MAX,
      appBytesMax: values.FOVEA_APP_UPLOADS_BYTES_MAX,
      lifetimeS: values.FOVEA_UPLOAD_SECONDS_MAX,
    },
    /** What models that users bring may take. */
    models: {
      bytesMax: values.FOVEA_MODEL_BYTES_MAX,
      memoryBytesMax: values.FOVEA_MODEL_MEMORY_MAX,
      secondsMax: values.FOVEA_MODEL_SECONDS_MAX,
    },
    /** Absent: no limit. */
    rateLimit: values.FOVEA_RATE_LIMIT,
    roles: new Set(values.FOVEA_ROLES),
    inferenceThreads: values.FOVEA_INFERENCE_THREADS ?? availableParallelism(),
    predictWaitMsMax: 1000 * values.FOVEA_PREDICT_WAIT_MAX,
    /** Whether the models that describe faces are served. */
    faces: values.FOVEA_FACES,
    jsonNames: values.FOVEA_JSON_NAMES,
    logLevel: values.FOVEA_LOG_LEVEL,
    failpoints: values.FOVEA_FAILPOINTS ?? [],
    warnings,
  };
}

/** PEM texts. */
function tlsOf({ FOVEA_TLS_CERT: cert, FOVEA_TLS_KEY: key }: Values) {
  return cert !== undefined && key !== undefined ? { cert, key } : undefined;
}

function s3Of(values: Values): S3Config | undefined {
  const { FOVEA_S3_BUCKET: bucket, FOVEA_S3_ENDPOINT: endpoint } = values;
  if (bucket === undefined) return undefined;
  const { FOVEA_S3_ACCESS_KEY_ID: accessKeyId, FOVEA_S3_SECRET_ACCESS_KEY: secretAccessKey } = values;
  return {
    bucket,
    endpoint,
    region: values.FOVEA_S3_REGION,
    prefix: values.FOVEA_S3_PREFIX ?? '',
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
    forcePathStyle: values.FOVEA_S3_FORCE_PATH_STYLE ?? endpoint !== undefined,
  };
}
