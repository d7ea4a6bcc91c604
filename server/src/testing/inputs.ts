import { setTimeout as sleep } from 'node:timers/promises';
import { deflateSync } from 'node:zlib';
import type { Person } from './people.ts';

/** A valid PNG of one colour, `size` pixels square; each shade (0..255) is another file. */
export function tinyPng(shade: number, size = 8): Uint8Array {
  const row = Buffer.concat([Buffer.of(0), Buffer.alloc(size * 3, shade)]);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const body = deflateSync(Buffer.concat(Array.from({ length: size }, () => row)));
  return Buffer.concat([
    Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    pngChunk('IHDR', header),
    pngChunk('IDAT', body),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(body.length, 0);
  frame.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([frame.subarray(0, 4), named, frame.subarray(4)]);
}

function crc32(bytes: Buffer): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

type Labels = { id: string; value: number }[];

/** Uploads a small picture for each id, with concepts where given, and waits until all are processed. */
export async function uploadPictures(
  person: Person,
  ids: readonly string[],
  labels: Record<string, Labels> = {},
): Promise<void> {
  const inputs = ids.map((id, i) => ({
    id,
    data: { image: { base64: tinyPng(i % 256) }, concepts: labels[id] ?? [] },
  }));
  const posted = await person.client.postInputs({ inputs });
  if (posted.status?.code !== 10000)
    throw new Error(`not uploaded: ${JSON.stringify(posted.inputs[0]?.status?.details)}`);
  const deadline = Date.now() + 30_000;
  for (;;) {
    const reply = await person.client.listInputs({
      ids: [...ids],
      perPage: ids.length,
      status: { code: 30000 },
    });
    if (reply.inputs.length === ids.length) return;
    if (Date.now() > deadline)
      throw new Error(`${ids.length - reply.inputs.length} of ${ids.length} inputs were not processed`);
    await sleep(20);
  }
}
