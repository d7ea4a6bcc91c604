/** What is needed of a request of node:http to read its body. */
export interface SentBody {
  readonly headers: { readonly 'content-length'?: string | undefined };
  readonly destroyed: boolean;
  readonly complete: boolean;
  iterator(options: { destroyOnReturn: boolean }): AsyncIterable<unknown>;
}

/** What a body that cannot be read ends in. */
export interface BodyFaults {
  tooLarge(sizeBytesMax: number): Error;
  /** The caller hung up halfway. */
  cutOff(): Error;
}

/**
 * Reads a whole request body.
 *
 * @throws what `faults` says, too large as soon as the limit is passed: what still comes is dropped unread, and the
 * answer arrives all the same
 */
export async function readWhole(body: SentBody, sizeBytesMax: number, faults: BodyFaults): Promise<Buffer> {
  const declared = Number(body.headers['content-length'] ?? 0);
  if (declared > sizeBytesMax) throw faults.tooLarge(sizeBytesMax);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    // The request must outlive a refusal, or the answer would not arrive.
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > sizeBytesMax) throw faults.tooLarge(sizeBytesMax);
      chunks.push(chunk);
    }
  } catch (thrown) {
    if (body.destroyed && !body.complete) throw faults.cutOff();
    throw thrown;
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}
