import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Input } from '@fovea/contract';
import sharp from 'sharp';
import type { Person } from '#testing/people.ts';

/** A picture that no other call makes: noise of a seed, so that it neither compresses nor repeats. */
export function picture(
  seed: number,
  options: { width?: number; height?: number; format?: 'jpeg' | 'png' | 'webp' } = {},
): Promise<Buffer> {
  const { width = 64, height = 48, format = 'jpeg' } = options;
  const pixels = Buffer.alloc(width * height * 3);
  let state = seed + 1;
  for (let i = 0; i < pixels.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    pixels[i] = state >>> 24;
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .toFormat(format)
    .toBuffer();
}

export const imageInput = (id: string, base64: Buffer) => ({ id, data: { image: { base64 } } });
export const urlInput = (id: string, url: string, allowDuplicateUrl = false) => ({
  id,
  data: { image: { url, allowDuplicateUrl } },
});
export const textInput = (id: string, raw: string) => ({ id, data: { text: { raw } } });

export const codesOf = (reply: { inputs: readonly Input[] }) =>
  reply.inputs.map(({ status }) => status?.code as number);

/** Waits until nothing of the app waits or is under work; then its inputs are what they will be. */
export async function settled(person: Person, withinMs = 60_000): Promise<void> {
  for (const end = Date.now() + withinMs; Date.now() < end; await sleep(50)) {
    const { counts } = await person.client.getInputCount({});
    if (counts?.toProcess === 0 && counts.processing === 0) return;
  }
  throw new Error('inputs are still being processed');
}

export async function inputOf(person: Person, inputId: string): Promise<Input> {
  const { input, status } = await person.client.getInput({ inputId });
  if (!input) throw new Error(`no input ${inputId}: ${status?.details}`);
  return input;
}

/** A web server of the test's own, on this machine: path to body, or to a status. */
export async function webServer(files: Record<string, Buffer | number>) {
  const server = createServer((request, response) => {
    const found = files[(request.url ?? '').split('?')[0] as string];
    if (typeof found === 'number' || found === undefined) response.writeHead(found ?? 404).end();
    else response.writeHead(200, { 'content-type': 'image/jpeg' }).end(found);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, close: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}
