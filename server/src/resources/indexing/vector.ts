/** A vector as it is stored: float32, little endian, scaled to length one. */
export function packVector(vector: Float32Array): Buffer {
  let squares = 0;
  for (const x of vector) squares += x * x;
  const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
  const packed = Buffer.allocUnsafe(vector.length * 4);
  for (const [i, x] of vector.entries()) packed.writeFloatLE(x * scale, i * 4);
  return packed;
}

/** The stored vector, in memory of its own. */
export function unpackVector(packed: Buffer): Float32Array {
  return Float32Array.from({ length: packed.length / 4 }, (_, i) => packed.readFloatLE(i * 4));
}
