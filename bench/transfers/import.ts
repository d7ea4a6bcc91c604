import { type Dataset, formatNamed, writeDataset, zipTo } from '@fovea/formats';
import { rest, until } from '../harness/api.ts';
import { type BenchServer, pat, userId } from '../harness/server.ts';

export const extensions = (appId: string): string => `/v2/ext/fovea/users/${userId}/apps/${appId}`;

/** What the endpoints of transfers show of one. */
export interface Transfer {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly report: { readonly annotations: number };
  readonly progress: Readonly<Record<string, number>>;
}

/** A set as an archive in COCO's form. */
export async function zipOf(set: Dataset): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const zip = zipTo(async (bytes) => void parts.push(bytes));
  const coco = formatNamed('coco');
  if (!coco) throw new Error('COCO is not known');
  await writeDataset(set, coco, zip, { report: () => {} });
  await zip.finish();
  return Buffer.concat(parts);
}

const partBytes = 8 * 2 ** 20;

export async function upload(server: BenchServer, appId: string, id: string, body: Buffer): Promise<void> {
  const uploads = [{ id, content_name: 'set.zip', content_length: body.length }];
  await rest(server, 'POST', `/v2/users/${userId}/apps/${appId}/uploads`, { uploads });
  for (let at = 0, n = 1; at < body.length; at += partBytes, n++) {
    const path = `${extensions(appId)}/uploads/${id}/content_parts/${n}?range_start=${at}`;
    const sent = await fetch(`${server.url}${path}`, {
      method: 'PUT',
      headers: { authorization: `Key ${pat}` },
      body: new Blob([new Uint8Array(body.subarray(at, at + partBytes))]),
    });
    if (!sent.ok) throw new Error(`part ${n}: ${sent.status}`);
    await sent.body?.cancel();
  }
}

/** @returns the id of the transfer */
export async function startImport(
  server: BenchServer,
  appId: string,
  uploadId: string,
  datasetId: string,
): Promise<string> {
  const { transfer } = await rest<{ transfer: Transfer }>(server, 'POST', `${extensions(appId)}/imports`, {
    upload_id: uploadId,
    dataset_id: datasetId,
  });
  return transfer.id;
}

export const transferOf = async (server: BenchServer, appId: string, id: string): Promise<Transfer> =>
  (await rest<{ transfer: Transfer }>(server, 'GET', `${extensions(appId)}/transfers/${id}`)).transfer;

/** Waits for the end of a transfer. @throws Error when it is no good one */
export async function ended(
  server: BenchServer,
  appId: string,
  id: string,
  look: () => void = () => {},
): Promise<Transfer> {
  let last: Transfer | undefined;
  const isOver = async () => {
    look();
    last = await transferOf(server, appId, id);
    return !['pending', 'running'].includes(last.state);
  };
  await until(`transfer ${id}`, isOver, 1_800_000);
  if (last?.state !== 'done') throw new Error(`${last?.state}: ${last?.reason}`);
  return last;
}
