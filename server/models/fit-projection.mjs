/**
 * Fits the projection of the general image embedding: a mean and a whitening matrix, from a folder of pictures
 * whose licence lets their statistics be published (here: CC0).
 *
 *   node server/models/fit-projection.mjs TRAIN_DIR [TEST_DIR]
 *
 * Both folders hold one sub-folder per class. With a second folder, the features before and after projection
 * are scored by k nearest neighbours (k = 10, cosine) and by a linear probe.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import sharp from 'sharp';

const dims = 256;
/** Random parts cut from every picture: 800 pictures alone do not pin down 256 directions. */
const cropsEach = 8;
/** Added to every variance, as a share of the mean kept variance, so that faint directions are not blown up. */
const shrinkage = 0.003;
const here = path.dirname(fileURLToPath(import.meta.url));
const [trainDir, testDir] = process.argv.slice(2);
if (!trainDir) throw new Error('usage: node server/models/fit-projection.mjs TRAIN_DIR [TEST_DIR]');

const { openFeatures } = await loadFromSource(
  path.join(here, '..', 'src', 'engine', 'builtin', 'features.ts'),
);
const extractor = await openFeatures(path.join(os.tmpdir(), 'fovea-fit'), here);

const train = await readFolder(trainDir, cropsEach);
const test = testDir ? await readFolder(testDir, 0) : undefined;
await extractor.close();

const { mean, whitening, kept } = fit([...train.rows, ...train.crops], dims);
const bytes = Buffer.from(Float32Array.from([...mean, ...whitening]).buffer);
writeFileSync(path.join(here, 'general-embed-projection.f32'), bytes);
const provenance = {
  version: 1,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  layout: 'float32 little endian: 696 means, then a 696 x 256 matrix row by row',
  features:
    'pooled CenterNet MobileNetV3 block 14 (120) and MoveNet MobileNetV2 block 13 (576), each of length one',
  fittedOn: {
    pictures: train.rows.length,
    cropsEach,
    name: 'clothing dataset (small), train part',
    licence: 'CC0-1.0',
  },
  method: 'principal components of the centred features, scaled to equal variance',
  shrinkage,
  varianceKept: Number(kept.toFixed(4)),
  by: 'server/models/fit-projection.mjs',
};
writeFileSync(path.join(here, 'general-embed-projection.json'), `${JSON.stringify(provenance, null, 2)}\n`);
console.log(`fitted on ${train.rows.length} pictures, ${(kept * 100).toFixed(1)} % of the variance kept`);
if (test) {
  const project = (row) => unit(multiply(row, mean, whitening, dims));
  report('pooled features, 696', train.rows.map(unit), test.rows.map(unit));
  report('projected, 256', train.rows.map(project), test.rows.map(project));
}

async function loadFromSource(entry) {
  const folder = path.join(here, '..', '..', 'node_modules', '.cache', 'fovea-entries');
  mkdirSync(folder, { recursive: true });
  const outfile = path.join(folder, 'fit-features.mjs');
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  });
  const worker = path.join(here, '..', 'src', 'engine', 'inference', 'inference-worker.ts');
  const converter = path.join(here, '..', 'src', 'engine', 'convert', 'convert-worker.ts');
  for (const source of [worker, converter]) {
    const name = path.basename(source, '.ts');
    await build({
      entryPoints: [source],
      outfile: path.join(folder, `${name}.js`),
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
    });
  }
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}\n');
  return import(pathToFileURL(outfile).href);
}

async function readFolder(root, crops) {
  const rows = [];
  const cropRows = [];
  const labels = [];
  const random = seeded(1);
  const files = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) =>
      readdirSync(path.join(root, name)).map((file) => [name, path.join(root, name, file)]),
    )
    .sort((a, b) => (a[1] < b[1] ? -1 : 1));
  const began = performance.now();
  for (let at = 0; at < files.length; at += 32) {
    const batch = files.slice(at, at + 32);
    rows.push(...(await Promise.all(batch.map(([, file]) => extractor.features(readFileSync(file))))));
    labels.push(...batch.map(([label]) => label));
    const cuts = batch.flatMap(([, file]) =>
      Array.from({ length: crops }, () => [file, random(), random(), random()]),
    );
    cropRows.push(...(await Promise.all(cuts.map(async (cut) => extractor.features(await cropOf(...cut))))));
  }
  const each = (performance.now() - began) / files.length;
  console.log(`${root}: ${files.length} pictures, ${each.toFixed(1)} ms each`);
  return { rows, labels, crops: cropRows };
}

/** A part of 35 to 85 % of each side, sometimes mirrored. */
async function cropOf(file, size, across, down) {
  const bytes = readFileSync(file);
  const { width, height } = await sharp(bytes).metadata();
  const share = 0.35 + 0.5 * size;
  const part = {
    width: Math.max(8, Math.floor(width * share)),
    height: Math.max(8, Math.floor(height * share)),
  };
  const left = Math.floor((width - part.width) * across);
  const top = Math.floor((height - part.height) * down);
  return sharp(bytes)
    .extract({ left, top, ...part })
    .flop(Math.floor(size * 1000) % 2 === 0)
    .png()
    .toBuffer();
}

function seeded(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
}

/** Principal components by the eigenvectors of the covariance, each divided by its standard deviation. */
function fit(rows, count) {
  const width = rows[0].length;
  const mean = new Float64Array(width);
  for (const row of rows) for (let i = 0; i < width; i++) mean[i] += row[i] / rows.length;
  const covariance = Array.from({ length: width }, () => new Float64Array(width));
  const centred = new Float64Array(width);
  for (const row of rows) {
    for (let i = 0; i < width; i++) centred[i] = row[i] - mean[i];
    for (let i = 0; i < width; i++) {
      for (let j = i; j < width; j++) covariance[i][j] += (centred[i] * centred[j]) / (rows.length - 1);
    }
  }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) covariance[i][j] = covariance[j][i];
  const { values, vectors } = symmetricEigen(covariance);
  const order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, count);
  const meanKept = order.reduce((sum, at) => sum + values[at], 0) / count;
  const whitening = new Float64Array(width * count);
  order.forEach((from, to) => {
    const deviation = Math.sqrt(values[from] + shrinkage * meanKept);
    // The sign of an eigenvector is free; fixed here so that every run gives the same file.
    const largest = vectors.reduce(
      (best, row) => (Math.abs(row[from]) > Math.abs(best) ? row[from] : best),
      0,
    );
    for (let i = 0; i < width; i++)
      whitening[i * count + to] = (Math.sign(largest) * vectors[i][from]) / deviation;
  });
  const total = values.reduce((sum, value) => sum + value, 0);
  return { mean, whitening, kept: order.reduce((sum, at) => sum + values[at], 0) / total };
}

/** Jacobi's method, cyclic; exact enough for a few hundred rows, and short. */
function symmetricEigen(matrix) {
  const n = matrix.length;
  const a = matrix.map((row) => Float64Array.from(row));
  // Row r of `v` is the eigenvector of value r, so that both updates walk along rows.
  const v = Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (_, j) => Number(i === j)));
  const trace = a.reduce((sum, row, i) => sum + Math.abs(row[i]), 0);
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += Math.abs(a[p][q]);
    if (off < 1e-11 * trace * n) break;
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) rotate(a, v, p, q);
  }
  const values = a.map((row, i) => row[i]);
  return { values, vectors: Array.from({ length: n }, (_, i) => v.map((row) => row[i])) };
}

function rotate(a, v, p, q) {
  const apq = a[p][q];
  if (Math.abs(apq) < 1e-18) return;
  const theta = (a[q][q] - a[p][p]) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  const rowP = a[p];
  const rowQ = a[q];
  for (let k = 0; k < rowP.length; k++) {
    const x = rowP[k];
    const y = rowQ[k];
    rowP[k] = c * x - s * y;
    rowQ[k] = s * x + c * y;
  }
  for (const row of a) {
    const x = row[p];
    const y = row[q];
    row[p] = c * x - s * y;
    row[q] = s * x + c * y;
  }
  const vP = v[p];
  const vQ = v[q];
  for (let k = 0; k < vP.length; k++) {
    const x = vP[k];
    const y = vQ[k];
    vP[k] = c * x - s * y;
    vQ[k] = s * x + c * y;
  }
}

function multiply(row, mean, matrix, count) {
  const out = new Float64Array(count);
  for (let i = 0; i < row.length; i++) {
    const value = row[i] - mean[i];
    for (let j = 0; j < count; j++) out[j] += value * matrix[i * count + j];
  }
  return out;
}

function unit(row) {
  const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0)) || 1;
  return Float64Array.from(row, (value) => value / length);
}

function report(name, trainRows, testRows) {
  const near = testRows.map((row) => nearest(row, trainRows, 10));
  const vote = near.map((ids) => winner(ids.map((id) => train.labels[id])));
  const right = vote.filter((label, index) => label === test.labels[index]).length;
  const precision = near.reduce(
    (sum, ids, index) =>
      sum + ids.filter((id) => train.labels[id] === test.labels[index]).length / ids.length,
    0,
  );
  const probe = linearProbe(trainRows, testRows);
  const percent = (part, whole) => `${((100 * part) / whole).toFixed(1)} %`;
  const n = testRows.length;
  console.log(
    `${name}: kNN@10 ${percent(right, n)}, P@10 ${percent(precision, n)}, linear probe ${percent(probe, n)}`,
  );
}

function nearest(row, rows, k) {
  const scored = rows.map((other, id) => [id, row.reduce((sum, value, i) => sum + value * other[i], 0)]);
  return scored
    .sort((a, b) => b[1] - a[1])
    .slice(0, k)
    .map(([id]) => id);
}

function winner(labels) {
  const counts = new Map();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0][0];
}

/** Softmax regression by full gradient descent with momentum on standardised rows. @returns correct test rows */
function linearProbe(trainRows, testRows) {
  const classes = [...new Set(train.labels)].sort();
  const width = trainRows[0].length;
  const scale = Math.sqrt(width);
  const weights = classes.map(() => new Float64Array(width + 1));
  const speed = classes.map(() => new Float64Array(width + 1));
  const scoresOf = (row) =>
    weights.map((w) => row.reduce((sum, value, i) => sum + value * scale * w[i], w[width]));
  for (let epoch = 0; epoch < 120; epoch++) {
    const gradient = classes.map(() => new Float64Array(width + 1));
    trainRows.forEach((row, index) => {
      const scores = scoresOf(row);
      const top = Math.max(...scores);
      const powers = scores.map((score) => Math.exp(score - top));
      const total = powers.reduce((sum, power) => sum + power, 0);
      classes.forEach((label, at) => {
        const error = powers[at] / total - Number(label === train.labels[index]);
        const g = gradient[at];
        for (let i = 0; i < width; i++) g[i] += (error * row[i] * scale) / trainRows.length;
        g[width] += error / trainRows.length;
      });
    });
    classes.forEach((_, at) => {
      for (let i = 0; i <= width; i++) {
        speed[at][i] = 0.9 * speed[at][i] - 0.1 * (gradient[at][i] + 0.002 * weights[at][i]);
        weights[at][i] += speed[at][i];
      }
    });
  }
  return testRows.filter((row, index) => {
    const scores = scoresOf(row);
    return classes[scores.indexOf(Math.max(...scores))] === test.labels[index];
  }).length;
}
