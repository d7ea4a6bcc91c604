import { createServer } from 'node:http';
import { randomFrom } from './random.mjs';

const concepts = 5;
/** One picture in so many comes by URL instead of bytes. */
const byUrl = 20;

/** What number `n` of the ingest is: its id, its label and the way it comes. */
export const plannedInput = (n) => ({
  n,
  id: `image-${n}`,
  concept: `kind-${n % concepts}`,
  isByUrl: n % byUrl === byUrl - 1,
});

/** JPEG of picture `n`, the same bytes every time. */
export async function pictureBytes(n) {
  const { default: sharp } = await import('sharp');
  const random = randomFrom(n);
  const pixels = Buffer.from(Array.from({ length: 3 * 16 * 16 }, () => Math.floor(random() * 256)));
  return sharp(pixels, { raw: { width: 16, height: 16, channels: 3 } })
    .resize(96, 96, { kernel: 'nearest' })
    .jpeg()
    .toBuffer();
}

/** Serves `/<n>.jpg` on this machine, for the inputs that come by URL. */
export async function servePictures() {
  const server = createServer(async (request, response) => {
    const n = Number(/^\/(\d+)\.jpg$/.exec(request.url ?? '')?.[1] ?? Number.NaN);
    if (Number.isNaN(n)) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': 'image/jpeg' }).end(await pictureBytes(n));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  return { urlOf: (n) => `http://127.0.0.1:${port}/${n}.jpg`, close: () => server.close() };
}
