import { setTimeout as sleep } from 'node:timers/promises';
import type { Person } from './people.ts';
import { pngOf } from './png.ts';

/** A valid PNG of one colour, `size` pixels square; each shade (0..255) is another file. */
export function tinyPng(shade: number, size = 8): Uint8Array {
  const row = Buffer.concat([Buffer.of(0), Buffer.alloc(size * 3, shade)]);
  return pngOf(
    size,
    size,
    Array.from({ length: size }, () => row),
  );
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

/** A small picture of one colour. */
export function colourPng(red: number, green: number, blue: number, size = 8): Uint8Array {
  const row = Buffer.from([0, ...Array.from({ length: size }, () => [red, green, blue]).flat()]);
  return pngOf(
    size,
    size,
    Array.from({ length: size }, () => row),
  );
}
