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

test.each([
  [1, 1, 3],
  [4, 12, 1],
  [256, 100, 40],
])(
  'a softmax of %i rows of %i classes, up to %i apart, is what the definition gives',
  (rows, classes, apart) => {
    const random = randomFrom(rows + classes);
    const panels = Math.ceil(classes / 8);
    const bench = new Workbench(panels * rows * 8 + rows * 4 + 256);
    const [x, notes] = [bench.take(panels * rows * 8), bench.take(rows * 4)];
    const cell = (r: number, c: number) => (c >> 3) * rows * 8 + r * 8 + (c & 7);
    x.fill(-1e4);
    for (let r = 0; r < rows; r += 1)
      for (let c = 0; c < classes; c += 1) x[cell(r, c)] = apart * (random() - 0.5);
    const logits = x.slice();
    for (let r = 0; r < rows; r += 1) notes[4 * r] = r % 3;
    bench.kernel.softmax(rows, panels, x.byteOffset, rows * 32, notes.byteOffset);
    for (let r = 0; r < rows; r += 1) {
      const row = Array.from({ length: classes }, (_, c) => logits[cell(r, c)] as number);
      const highest = Math.max(...row);
      const sum = row.reduce((total, value) => total + Math.exp(value - highest), 0);
      expect(notes[4 * r + 1]).toBe(highest);
      expect((notes[4 * r + 2] as number) / sum).toBeCloseTo(1, 6);
      row.forEach((value, c) => {
        expect(x[cell(r, c)]).toBeCloseTo(((r % 3) * Math.exp(value - highest)) / sum, 6);
      });
    }
  },
);

test('standardised rows are less their mean, times the scale; what stands behind them is left alone', () => {
  const bench = new Workbench(3 * 12 + 8 + 256);
  const [x, mean] = [bench.take(3 * 12), bench.take(8)];
  x.forEach((_, i) => {
    x[i] = i;
  });
  mean.forEach((_, i) => {
    mean[i] = i * i;
  });
  bench.kernel.standardise(3, 2, x.byteOffset, 48, mean.byteOffset, 0.5);
  expect([...x]).toEqual(Array.from({ length: 36 }, (_, i) => (i % 12 < 8 ? (i - (i % 12) ** 2) * 0.5 : i)));
});
