import type { TensorData, Tensors } from './messages.ts';

/**
 * Lays the items of a batch behind one another along the first axis.
 *
 * @param items each with the same inputs, types and inner dimensions; each counts for its own first dimension
 */
export function stackTensors(items: readonly Tensors[]): Tensors {
  const [first] = items;
  if (!first || items.length === 1) return first ?? {};
  const stacked: Tensors = {};
  for (const [name, { type, dims, data }] of Object.entries(first)) {
    const parts = items.map((item) => item[name] as TensorData);
    const length = parts.reduce((sum, part) => sum + part.data.length, 0);
    const whole = new (data.constructor as Float32ArrayConstructor)(length);
    let offset = 0;
    for (const part of parts) {
      whole.set(part.data as Float32Array, offset);
      offset += part.data.length;
    }
    const rows = parts.reduce((sum, part) => sum + (part.dims[0] ?? 1), 0);
    stacked[name] = { type, dims: [rows, ...dims.slice(1)], data: whole };
  }
  return stacked;
}

/**
 * Takes the outputs of a stacked batch apart again.
 *
 * @param rows how many rows of the first axis belong to each item
 * @throws when an output does not have one row for each row that went in
 */
export function splitTensors(outputs: Tensors, rows: readonly number[]): Tensors[] {
  const total = rows.reduce((sum, count) => sum + count, 0);
  for (const [name, { dims }] of Object.entries(outputs)) {
    if (dims[0] !== total) throw new Error(`output ${name} has ${dims[0]} rows for a batch of ${total}`);
  }
  let row = 0;
  return rows.map((count) => {
    const item: Tensors = {};
    for (const [name, { type, dims, data }] of Object.entries(outputs)) {
      const width = data.length / total;
      item[name] = {
        type,
        dims: [count, ...dims.slice(1)],
        data: data.slice(row * width, (row + count) * width),
      };
    }
    row += count;
    return item;
  });
}

/** Whether two items may share a batch: same inputs, types and inner dimensions. */
export function canShareBatch(a: Tensors, b: Tensors): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => {
    const [left, right] = [a[name], b[name]];
    if (!left || !right || left.type !== right.type || left.dims.length !== right.dims.length) return false;
    return left.dims.every((size, axis) => axis === 0 || size === right.dims[axis]);
  });
}
