import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, run, sql } from '#store/sql.ts';

export const backendKinds = ['openai', 'kserve'] as const;

/** A service elsewhere that answers for a model version. */
export interface Backend {
  /** OpenAI-compatible, or the open inference protocol of KServe, version 2. */
  readonly kind: (typeof backendKinds)[number];
  /** For `openai` up to and with `/v1`; for `kserve` what stands before `/v2`. */
  readonly url: string;
  /** What the service calls the model. */
  readonly remoteModel: string;
  readonly sealedKey: Buffer | null;
  readonly timeoutMs: number;
}

/** Stands in `model_versions.builtin`. */
export const backendMark = 'backend';

export const insertBackend = (db: Db, grant: AppGrant, versionKey: number, backend: Backend) =>
  run(
    db,
    sql`insert into model_backends (version_key, app_key, kind, url, remote_model, sealed_key, timeout_ms)
        values (${versionKey}, ${grant.appKey}, ${backend.kind}, ${backend.url}, ${backend.remoteModel},
          ${backend.sealedKey}, ${backend.timeoutMs})`,
  );

/** The backend of a version that the caller may use: who found the version may ask it. */
export const backendOf = (db: Db, versionKey: number): Promise<Backend | undefined> =>
  first<Backend>(
    db,
    sql`select kind, url, remote_model as "remoteModel", sealed_key as "sealedKey", timeout_ms as "timeoutMs"
        from model_backends where version_key = ${versionKey}`,
  );

export const backendFault = {
  busy: (words: string) =>
    new Fault('busy', StatusCode.MODEL_BUSY_PLEASE_RETRY, `The service behind the model is busy: ${words}`),
  down: (words: string) =>
    new Fault(
      'bad_request',
      StatusCode.MODEL_PREDICTION_FAILED,
      `The service behind the model cannot be used: ${words}`,
    ),
  wrongAnswer: (words: string) =>
    new Fault(
      'bad_request',
      StatusCode.MODEL_PREDICTION_FAILED,
      `The service behind the model answered what is not understood: ${words}.`,
    ),
} as const;
