/** One entry of a TensorFlow.js weights manifest. */
export interface WeightSpec {
  name: string;
  shape: number[];
  dtype: string;
  quantization?: { dtype: string; scale?: number; min?: number };
}

/** A weight as plain numbers; integers keep their own array type, everything else is float32. */
export interface Weight {
  shape: readonly number[];
  data: Float32Array | Int32Array;
}

const storedBytes: Record<string, number> = {
  float32: 4,
  int32: 4,
  float16: 2,
  uint8: 1,
  uint16: 2,
  bool: 1,
};

/**
 * Unpacks the weights of a TensorFlow.js model: float16 widened to float32, and affine-quantised values as
 * `stored * scale + min`.
 *
 * @param bytes the weight shards, concatenated in manifest order
 * @throws when the bytes do not add up to what the manifest says
 */
export function readWeights(specs: readonly WeightSpec[], bytes: Uint8Array): Map<string, Weight> {
  const weights = new Map<string, Weight>();
  let offset = 0;
  for (const spec of specs) {
    const stored = spec.quantization?.dtype ?? spec.dtype;
    const width = storedBytes[stored];
    if (width === undefined) throw new Error(`weight ${spec.name} has the unknown type ${stored}`);
    const count = spec.shape.reduce((product, size) => product * size, 1);
    const end = offset + count * width;
    if (end > bytes.length)
      throw new Error(`weights end inside ${spec.name}: ${bytes.length} bytes, ${end} wanted`);
    weights.set(spec.name, {
      shape: spec.shape,
      data: unpack(new Uint8Array(bytes.subarray(offset, end)).buffer, stored, spec),
    });
    offset = end;
  }
  if (offset !== bytes.length) throw new Error(`weights have ${bytes.length - offset} bytes too many`);
  return weights;
}

function unpack(buffer: ArrayBuffer, stored: string, spec: WeightSpec): Float32Array | Int32Array {
  if (stored === 'float32') return new Float32Array(buffer);
  if (stored === 'int32') return new Int32Array(buffer);
  if (stored === 'float16') return widenHalves(new Uint16Array(buffer));
  const { scale = 1, min = 0 } = spec.quantization ?? {};
  const values = stored === 'uint16' ? new Uint16Array(buffer) : new Uint8Array(buffer);
  const unpacked = spec.dtype === 'int32' ? new Int32Array(values.length) : new Float32Array(values.length);
  for (let index = 0; index < values.length; index++)
    unpacked[index] = (values[index] as number) * scale + min;
  return unpacked;
}

function widenHalves(stored: Uint16Array): Float32Array {
  const values = new Float32Array(stored.length);
  for (let index = 0; index < stored.length; index++) values[index] = widenHalf(stored[index] as number);
  return values;
}

/** IEEE 754 binary16 to a number. */
function widenHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
