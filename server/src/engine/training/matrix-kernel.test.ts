import { expect, test } from 'vitest';
import { Workbench } from './matrix-kernel.ts';
import { randomFrom } from './random.ts';

const filled = (area: Float32Array, random: () => number): Float32Array => area.map(() => random() * 2 - 1);

test.each([
  [4, 4],
  [8, 16],
  [12, 100],
  [256, 516],
])('a product of %i rows of %i values is what the definition gives', (rows, inner) => {
  const random = randomFrom(rows + inner);
  const bench = new Workbench(rows * inner + inner * 8 + rows * 8 + 256);
  const [a, b, out] = [bench.take(rows * inner), bench.take(inner * 8), bench.take(rows * 8)];
  a.set(filled(a, random));
  b.set(filled(b, random));
  bench.kernel.product(rows / 4, inner / 4, a.byteOffset, inner * 4, b.byteOffset, out.byteOffset);
  for (let r = 0; r < rows; r += 1) {
    for (let c = 0; c < 8; c += 1) {
      let sum = 0;
      for (let k = 0; k < inner; k += 1) sum += (a[r * inner + k] as number) * (b[k * 8 + c] as number);
      expect(Math.abs((out[r * 8 + c] as number) - sum)).toBeLessThan(1e-4);
    }
  }
});

test.each([
  [1, 4],
  [3, 8],
  [64, 100],
])('a transposed product of %i rows of %i values is what the definition gives', (rows, inputs) => {
  const random = randomFrom(rows * 31 + inputs);
  const bench = new Workbench(rows * inputs + rows * 8 + inputs * 8 + 256);
  const [a, b, out] = [bench.take(rows * inputs), bench.take(rows * 8), bench.take(inputs * 8)];
  a.set(filled(a, random));
  b.set(filled(b, random));
  bench.kernel.productTransposed(inputs / 4, rows, a.byteOffset, inputs * 4, b.byteOffset, out.byteOffset);
  for (let f = 0; f < inputs; f += 1) {
    for (let c = 0; c < 8; c += 1) {
      let sum = 0;
      for (let r = 0; r < rows; r += 1) sum += (a[r * inputs + f] as number) * (b[r * 8 + c] as number);
      expect(Math.abs((out[f * 8 + c] as number) - sum)).toBeLessThan(1e-4);
    }
  }
});

test('an Adam step moves each weight as the definition says, decay included', () => {
  const random = randomFrom(3);
  const bench = new Workbench(4 * 16 + 256);
  const areas = [0, 1, 2, 3].map(() => bench.take(16));
  const [w, g, m, v] = areas as [Float32Array, Float32Array, Float32Array, Float32Array];
  for (const area of areas) area.set(filled(area, random));
  v.set(v.map(Math.abs));
  const wanted = Array.from(w, (weight, i) => {
    const slope = (g[i] as number) + 0.5 * weight;
    const first = 0.9 * (m[i] as number) + 0.1 * slope;
    const second = 0.999 * (v[i] as number) + 0.001 * slope * slope;
    return weight - (0.01 * first) / (Math.sqrt(second) + 1e-6);
  });
  bench.kernel.adam(4, w.byteOffset, g.byteOffset, m.byteOffset, v.byteOffset, 0.01, 1e-6, 0.5);
  wanted.forEach((value, i) => {
    expect(w[i]).toBeCloseTo(value, 5);
  });
});
