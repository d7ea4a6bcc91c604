import type { IncomingMessage, ServerResponse } from 'node:http';
import { StatusCode } from '@fovea/contract';
import { formatNamed, formats } from '@fovea/formats';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { withSessionCookie } from '#domain/session-cookie.ts';
import { commonFault } from '../common/faults.ts';
import { readJsonBody } from '../common/request-body.ts';
import { always, refuse, sendObject } from '../common/send-object.ts';
import { findDatasetKeys, versionState } from '../datasets/index.ts';
import { findUpload } from '../uploads/index.ts';
import type { TransferParts } from './deps.ts';
import { enqueueTransfer } from './jobs.ts';
import {
  cancelTransfer,
  deleteTransfer,
  findTransfer,
  insertTransfer,
  type NewTransfer,
  transfersBefore,
} from './store.ts';
import { isOpen, noCounts, type TransferRow } from './transfer.ts';

type HeaderOf = (name: string) => string | undefined;

/** RPCs whose rights a caller needs, all of them. */
type Rights = readonly (
  | 'PostInputs'
  | 'PostAnnotations'
  | 'PostDatasets'
  | 'PostDatasetInputs'
  | 'ListInputs'
  | 'ListAnnotations'
  | 'GetDataset'
)[];

export interface TransferRouteParts extends Pick<TransferParts, 'db' | 'objects'> {
  /** Signs a caller in for RPCs on an app. @throws Fault as the RPCs would */
  readonly grantFor: (rpcs: Rights, header: HeaderOf, userId: string, appId: string) => Promise<AppGrant>;
}

interface Context {
  readonly url: URL;
  readonly header: HeaderOf;
  readonly requestId: string;
}

export interface TransferRoute {
  readonly verb: 'GET' | 'POST' | 'DELETE';
  readonly path: RegExp;
  answer(request: IncomingMessage, response: ServerResponse, context: Context): Promise<void>;
}

const toRead: Rights = ['ListInputs', 'ListAnnotations', 'GetDataset'];
const toImport: Rights = ['PostInputs', 'PostAnnotations', 'PostDatasets', 'PostDatasetInputs'];
const app = String.raw`^\/v2\/ext\/fovea\/users\/([^/]+)\/apps\/([^/]+)`;
const listPath = new RegExp(`${app}\\/transfers\\/?$`);
const onePath = new RegExp(`${app}\\/transfers\\/([^/]+)\\/?$`);
const contentPath = new RegExp(`${app}\\/transfers\\/([^/]+)\\/content$`);
const importsPath = new RegExp(`${app}\\/imports\\/?$`);
const exportsPath = new RegExp(`${app}\\/exports\\/?$`);
const pageSize = 50;

/** Imports and exports of other tools' formats; documented in docs/EXTENSIONS.md. */
export function transferRoutes(parts: TransferRouteParts): TransferRoute[] {
  const route = (
    verb: TransferRoute['verb'],
    path: RegExp,
    rights: Rights,
    work: (
      grant: AppGrant,
      id: string,
      request: IncomingMessage,
      response: ServerResponse,
      context: Context,
    ) => Promise<object | undefined>,
  ): TransferRoute => ({
    verb,
    path,
    async answer(request, response, context) {
      const [userId, appId, id = ''] = (path.exec(context.url.pathname) ?? []).slice(1).map(decoded) as [
        string,
        string,
        string?,
      ];
      // A browser that downloads sends its cookie and no header of ours.
      const header = path === contentPath ? withSessionCookie(context.header) : context.header;
      const grant = await parts.grantFor(rights, header, userId, appId);
      if (!grant.isMember) throw commonFault.membersOnly('import and export its data');
      const reply = await work(grant, id, request, response, context);
      if (reply === undefined) return;
      const status = { code: StatusCode.SUCCESS, description: 'Ok', req_id: context.requestId };
      response.writeHead(200, {
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'no-store',
      });
      response.end(JSON.stringify({ status, ...reply }));
    },
  });
  const begin = async (grant: AppGrant, wanted: NewTransfer) => {
    const row = await parts.db.transaction(async (tx) => {
      const made = await insertTransfer(tx, grant, wanted);
      if (!made) throw commonFault.duplicateId('transfer', wanted.id);
      await enqueueTransfer(tx, grant, made.key);
      return made;
    });
    return { transfer: show(row) };
  };
  return [
    route('POST', importsPath, toImport, async (grant, _, request) =>
      begin(grant, await readImport(parts, grant, request)),
    ),
    route('POST', exportsPath, toRead, async (grant, _, request) =>
      begin(grant, await readExport(parts, grant, request)),
    ),
    route('GET', listPath, toRead, async (grant, _, __, ___, { url }) => {
      const before = Number(url.searchParams.get('before') ?? '') || Number.MAX_SAFE_INTEGER;
      const rows = await transfersBefore(parts.db, grant, before, pageSize);
      const next = rows.length === pageSize ? { next_before: rows.at(-1)?.key } : {};
      return { transfers: rows.map((row) => show({ ...row, problems: [] })), ...next };
    }),
    route('GET', onePath, toRead, async (grant, id) => ({ transfer: show(await found(parts, grant, id)) })),
    route('DELETE', onePath, toImport, async (grant, id) => {
      const row = await found(parts, grant, id);
      const stopped = isOpen(row) ? await cancelTransfer(parts.db, grant, id) : undefined;
      if (stopped) return { transfer: show(stopped) };
      await deleteTransfer(parts.db, grant, id);
      if (row.objectKey !== '') await parts.objects.delete(row.objectKey);
      return {};
    }),
    route('GET', contentPath, toRead, async (grant, id, request, response) => {
      const row = await found(parts, grant, id);
      if (row.state !== 'done' || row.objectKey === '') refuse(response, 404);
      else {
        const version = row.versionId === '' ? '' : `-${row.versionId}`;
        const name = `${row.datasetId}${version}-${row.format}.zip`.replace(/[^\w.-]+/g, '_');
        await sendObject(request, response, (range) => parts.objects.get(row.objectKey, range), {
          ...always,
          etag: `"${row.objectKey.replace(/^.*\//, '').replace(/\.zip$/, '')}"`,
          'content-type': 'application/zip',
          'content-disposition': `attachment; filename="${name}"`,
        });
      }
      return undefined;
    }),
  ];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw commonFault.invalid('The path is not well encoded.');
  }
}

async function found({ db }: TransferRouteParts, grant: AppGrant, id: string): Promise<TransferRow> {
  const row = await findTransfer(db, grant, id);
  if (!row) throw commonFault.missing('transfer', id);
  return row;
}

async function readImport(
  { db }: TransferRouteParts,
  grant: AppGrant,
  request: IncomingMessage,
): Promise<NewTransfer> {
  const body = await readJsonBody(request);
  const uploadId = text(body, 'upload_id');
  if (!(await findUpload(db, grant, uploadId))) throw commonFault.missing('upload', uploadId);
  const format = text(body, 'format', '');
  const datasetId = text(body, 'dataset_id');
  const trouble = idTrouble(datasetId, 'dataset');
  if (trouble) throw commonFault.invalid(trouble);
  return {
    id: idIn(body),
    kind: 'import',
    datasetId,
    format: format === '' ? '' : formatIdOf(format),
    dryRun: flag(body, 'dry_run', false),
    withImages: true,
    uploadId,
    versionId: '',
  };
}

async function readExport(
  { db }: TransferRouteParts,
  grant: AppGrant,
  request: IncomingMessage,
): Promise<NewTransfer> {
  const body = await readJsonBody(request);
  const datasetId = text(body, 'dataset_id');
  if (!(await findDatasetKeys(db, grant, [datasetId])).has(datasetId))
    throw commonFault.missing('dataset', datasetId);
  const versionId = text(body, 'dataset_version_id', '');
  const version = versionId === '' ? undefined : await versionState(db, grant, datasetId, versionId);
  if (versionId !== '' && !version) throw commonFault.missing('dataset version', versionId);
  if (version?.is === 'failed')
    throw commonFault.invalid(`The dataset version '${versionId}' failed and holds nothing: ${version.why}`);
  return {
    id: idIn(body),
    kind: 'export',
    datasetId,
    format: formatIdOf(text(body, 'format')),
    dryRun: false,
    withImages: flag(body, 'with_images', true),
    uploadId: '',
    versionId,
  };
}

function formatIdOf(name: string): string {
  const format = formatNamed(name);
  if (format) return format.id;
  throw commonFault.invalid(
    `format is '${name.slice(0, 60)}'; use one of ${formats.map(({ id }) => id).join(', ')}.`,
  );
}

function idIn(body: Body): string {
  const id = text(body, 'id', '') || newId();
  const trouble = idTrouble(id, 'transfer');
  if (trouble) throw commonFault.invalid(trouble);
  return id;
}

type Body = Readonly<Record<string, unknown>>;

function text(body: Body, name: string, fallback?: string): string {
  const value = body[name] ?? fallback;
  if (typeof value === 'string' && (value !== '' || fallback !== undefined)) return value;
  throw commonFault.invalid(`${name} is missing or no text.`);
}

function flag(body: Body, name: string, fallback: boolean): boolean {
  const value = body[name] ?? fallback;
  if (typeof value === 'boolean') return value;
  throw commonFault.invalid(`${name} must be true or false.`);
}

/** A transfer as REST shows it. */
function show(row: TransferRow) {
  const { images, inputsAdded, inputsPresent, inputsFailed, annotationsAdded, annotationsFailed, written } = {
    ...noCounts,
    ...row.counts,
  };
  return {
    id: row.id,
    kind: row.kind,
    state: row.state,
    dataset_id: row.datasetId,
    format: row.format,
    ...(row.kind === 'import'
      ? { upload_id: row.uploadId, dry_run: row.dryRun }
      : {
          ...(row.versionId === '' ? {} : { dataset_version_id: row.versionId }),
          with_images: row.withImages,
          size: row.sizeBytes,
        }),
    progress: {
      phase: row.state === 'done' ? 'done' : (row.cursor.phase ?? 'look'),
      phase_done: row.cursor.done ?? 0,
      images,
      inputs_added: inputsAdded,
      inputs_present: inputsPresent,
      inputs_failed: inputsFailed,
      annotations_added: annotationsAdded,
      annotations_failed: annotationsFailed,
      written,
    },
    report: row.report,
    problems: row.problems,
    reason: row.reason,
    created_at: row.createdAt,
    modified_at: row.modifiedAt,
  };
}
