/** Stored bytes as floats; copied, because a slice of a larger buffer need not be aligned. */
export function floatsOf(bytes: Buffer): Float32Array {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return new Float32Array(copy.buffer);
}
