import type { Readable, Writable } from 'node:stream';

/**
 * Messages of a few words and many bytes over a pipe: four bytes for the length of some JSON, the JSON, and as many
 * bytes as it says. The bytes are not copied on their way out, as they would be by the channel between processes.
 */
export function sendFrame(pipe: Writable, head: object, body: Buffer): void {
  const json = Buffer.from(JSON.stringify({ ...head, bytes: body.length }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  pipe.write(Buffer.concat([length, json]));
  pipe.write(body);
}

/** Ends with the pipe, at the last whole message. */
export async function* framesOf<Head>(pipe: Readable): AsyncGenerator<{ head: Head; body: Buffer }> {
  const chunks = pipe[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Buffer = Buffer.alloc(0);
  const take = async (count: number): Promise<Buffer | undefined> => {
    const taken = Buffer.allocUnsafe(count);
    for (let at = 0; at < count; ) {
      if (rest.length === 0) {
        const { value, done } = await chunks.next();
        if (done) return undefined;
        rest = value;
      }
      const part = rest.subarray(0, count - at);
      taken.set(part, at);
      at += part.length;
      rest = rest.subarray(part.length);
    }
    return taken;
  };
  for (;;) {
    const length = await take(4);
    const json = length && (await take(length.readUInt32BE()));
    if (!json) return;
    const head = JSON.parse(json.toString()) as Head & { bytes: number };
    const body = await take(head.bytes);
    if (!body) return;
    yield { head, body };
  }
}
