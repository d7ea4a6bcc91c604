import { call } from '../api/client.ts';
import type { AppName } from '../api/queries.ts';
import { Trouble } from '../api/trouble.ts';
import { pathTo } from '../app/place.ts';

/** Formats of other tools by their ids, as the server names them (docs/EXTENSIONS.md), and by their names. */
export const formatNames = {
  coco: 'COCO',
  'yolo-detect': 'YOLO detection',
  'yolo-segment': 'YOLO segmentation',
  'yolo-pose': 'YOLO pose',
  'yolo-obb': 'YOLO oriented boxes',
  'yolo-classify': 'YOLO classification',
  voc: 'Pascal VOC',
  'image-folder': 'ImageFolder',
  cvat: 'CVAT',
  labelme: 'LabelMe',
  'label-studio': 'Label Studio',
  datumaro: 'Datumaro',
  'open-images': 'Open Images',
  csv: 'CSV',
} as const;
export type FormatId = keyof typeof formatNames;
export const formatIds = Object.keys(formatNames) as FormatId[];

type Numbers = Readonly<Record<string, number>>;

/** A background import or export. */
export interface Transfer {
  readonly id: string;
  readonly kind: 'import' | 'export';
  readonly state: 'pending' | 'running' | 'done' | 'failed' | 'cancelled';
  readonly dataset_id: string;
  /** Of an export of a kept version. */
  readonly dataset_version_id?: string;
  readonly format: FormatId | '';
  readonly dry_run?: boolean;
  readonly size?: number;
  readonly progress: Readonly<Partial<Record<string, number>>>;
  readonly report: {
    readonly images?: number;
    readonly emptyImages?: number;
    readonly missingImages?: number;
    readonly annotations?: number;
    readonly byKind?: Numbers;
    readonly byClass?: Numbers;
    readonly bySplit?: Numbers;
    readonly errors?: number;
    readonly warnings?: number;
    readonly losses?: Readonly<Partial<Record<FormatId, Numbers>>>;
  };
  readonly problems: readonly {
    readonly severity: 'error' | 'warning';
    readonly path: string;
    readonly at?: string;
    readonly message: string;
  }[];
  readonly reason: string;
  readonly created_at: string;
}

const base = (app: AppName): string => `/v2/ext/fovea${pathTo('users', app.user_id, 'apps', app.app_id)}`;

export const isOver = ({ state }: Transfer): boolean => state !== 'pending' && state !== 'running';

/** How far a transfer is, 0 to 1. */
export function fractionOf({ progress, state }: Transfer): number {
  if (state === 'done') return 1;
  const { images = 0, inputs_added = 0, inputs_present = 0, inputs_failed = 0, written = 0 } = progress;
  return images > 0 ? Math.min(1, (inputs_added + inputs_present + inputs_failed + written) / images) : 0;
}

export async function startTransfer(
  app: AppName,
  kind: 'imports' | 'exports',
  body: object,
): Promise<Transfer> {
  return (await call<{ transfer: Transfer }>('POST', `${base(app)}/${kind}`, body)).transfer;
}

/** @throws Trouble where the server would export another state than the version that was asked for */
export async function startExport(
  app: AppName,
  body: { dataset_id: string; format: string; with_images?: boolean; dataset_version_id?: string },
): Promise<Transfer> {
  const transfer = await startTransfer(app, 'exports', body);
  if (!body.dataset_version_id || transfer.dataset_version_id === body.dataset_version_id) return transfer;
  await endTransfer(app, transfer.id);
  throw new Trouble('trouble.unreadable', { advice: 'advice.unreadable', isKey: true });
}

export const transferPath = (app: AppName, id: string): string =>
  `${base(app)}/transfers/${encodeURIComponent(id)}`;

export async function readTransfer(app: AppName, id: string, signal?: AbortSignal): Promise<Transfer> {
  const options = { quiet: true, signal };
  return (await call<{ transfer: Transfer }>('GET', transferPath(app, id), undefined, options)).transfer;
}

export async function listTransfers(app: AppName, signal?: AbortSignal): Promise<readonly Transfer[]> {
  const options = { quiet: true, signal };
  const path = `${base(app)}/transfers`;
  return (await call<{ transfers?: readonly Transfer[] }>('GET', path, undefined, options)).transfers ?? [];
}

export const endTransfer = (app: AppName, id: string): Promise<object> =>
  call('DELETE', transferPath(app, id));
