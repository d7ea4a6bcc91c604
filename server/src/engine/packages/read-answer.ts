import { suppressed, unit } from '../builtin/boxes.ts';
import type { Manifest } from './manifest.ts';
import { PackageRefused } from './manifest.ts';
import type { GuestAnswer, GuestBox, GuestPicture } from './messages.ts';

/** A network's output for one item: its first axis, the batch, is gone. */
export interface Output {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

export type Outputs = Readonly<Record<string, Output>>;
export type Pool = 'given' | 'first' | 'mean';

const boxesMax = 300;
const overlapMax = 0.45;

/**
 * Turns what a network gave for one picture into an answer.
 *
 * @throws PackageRefused when the outputs do not have the shapes that the task needs
 */
export function readPictureAnswer(manifest: Manifest, outputs: Outputs, picture: GuestPicture): GuestAnswer {
  switch (manifest.task) {
    case 'image-classification':
      return { kind: 'scores', scores: scoresOf(manifest, outputs) };
    case 'object-detection':
      return { kind: 'boxes', boxes: boxesOf(manifest, outputs, picture) };
    case 'image-segmentation':
      return mapOf(named(outputs, manifest.image?.output, ['logits']));
    default:
      return { kind: 'vector', vector: vectorOf(outputs, manifest.image?.output, manifest.image?.pool) };
  }
}

function named(outputs: Outputs, asked: string | undefined, usual: readonly string[]): Output {
  const found = [asked, ...usual, ...Object.keys(outputs)].find(
    (name) => name !== undefined && outputs[name],
  );
  if (found === undefined) throw new PackageRefused('the network gives no numbers');
  return outputs[found] as Output;
}

const shapeOf = ({ dims }: Output) => dims.join(' x ') || 'nothing';

function scoresOf(manifest: Manifest, outputs: Outputs): Float32Array {
  const output = named(outputs, manifest.image?.output, ['logits', 'probs', 'scores']);
  if (output.dims.length !== 1)
    throw new PackageRefused(`a classifier gives one row of scores, and this gives ${shapeOf(output)}`);
  if (manifest.decoder === 'sigmoid') return output.data.map(sigmoid);
  if (manifest.decoder === 'softmax' && !isDistribution(output.data)) return softmax(output.data);
  return output.data.map(finite);
}

/** Some networks end in a softmax of their own; a second one would blur it. */
const isDistribution = (values: Float32Array): boolean =>
  values.length > 1 &&
  values.every((value) => value >= 0 && value <= 1) &&
  Math.abs(values.reduce((a, b) => a + b, 0) - 1) < 1e-3;

const sigmoid = (value: number): number => finite(1 / (1 + Math.exp(-value)));
const finite = (value: number): number => (Number.isFinite(value) ? value : 0);

function softmax(values: Float32Array): Float32Array {
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = values.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => finite(value / sum));
}

/** The embedding, of length one. */
export function vectorOf(
  outputs: Outputs,
  asked: string | undefined,
  pool: Pool | undefined,
  mask?: readonly number[],
): Float32Array {
  const output = named(outputs, asked, [
    'image_embeds',
    'text_embeds',
    'sentence_embedding',
    'pooler_output',
    'embeddings',
    'last_hidden_state',
  ]);
  const [rows = 0, width = 0] = output.dims;
  if (output.dims.length === 1) return unitLength(output.data);
  if (output.dims.length === 3) return unitLength(channelMeans(output));
  if (output.dims.length !== 2)
    throw new PackageRefused(`an embedder gives one row of numbers, and this gives ${shapeOf(output)}`);
  if (pool === 'first' || (pool === undefined && !mask)) return unitLength(output.data.slice(0, width));
  const sum = new Float32Array(width);
  for (let row = 0; row < rows; row += 1) {
    if (mask && !mask[row]) continue;
    for (let at = 0; at < width; at += 1)
      sum[at] = (sum[at] as number) + (output.data[row * width + at] as number);
  }
  return unitLength(sum);
}

/** Feature maps [channels, height, width] are averaged over the picture. */
function channelMeans({ dims, data }: Output): Float32Array {
  const [channels = 0, height = 0, width = 0] = dims;
  const area = height * width;
  return Float32Array.from({ length: channels }, (_, channel) => {
    let sum = 0;
    for (let at = 0; at < area; at += 1) sum += data[channel * area + at] as number;
    return sum / area;
  });
}

function unitLength(values: Float32Array): Float32Array {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  if (!Number.isFinite(length)) throw new Error('the embedding holds numbers that are not finite');
  return length > 0 ? values.map((value) => value / length) : values;
}

function boxesOf(manifest: Manifest, outputs: Outputs, picture: GuestPicture): GuestBox[] {
  switch (manifest.decoder) {
    case 'yolox':
      return yoloxBoxes(manifest, named(outputs, manifest.image?.output, ['output', 'output0']), picture);
    case 'boxes':
      return plainBoxes(outputs, picture);
    default:
      return detrBoxes(outputs, picture, manifest.decoder === 'detr-softmax');
  }
}

/** DETR and its kin: scores and boxes (middle and size, 0..1 of what the network saw) of so many queries. */
function detrBoxes(outputs: Outputs, picture: GuestPicture, hasNothingClass: boolean): GuestBox[] {
  const logits = named(outputs, undefined, ['logits', 'pred_logits', 'labels']);
  const boxes = outputs.pred_boxes ?? outputs.dets;
  const [queries = 0, classes = 0] = logits.dims;
  if (boxes?.dims.length !== 2 || boxes.dims[0] !== queries || boxes.dims[1] !== 4)
    throw new PackageRefused(
      'a detector of this kind gives logits [queries, classes] and pred_boxes [queries, 4]',
    );
  const found: GuestBox[] = [];
  for (let query = 0; query < queries; query += 1) {
    const row = logits.data.subarray(query * classes, (query + 1) * classes);
    const scores = hasNothingClass ? softmax(row).subarray(0, classes - 1) : row.map(sigmoid);
    const [label, score] = surest(scores);
    if (score < picture.confidenceMin) continue;
    const [x = 0, y = 0, width = 0, height = 0] = boxes.data.subarray(query * 4, query * 4 + 4);
    found.push({
      ...placed(
        picture,
        x * picture.width,
        y * picture.height,
        width * picture.width,
        height * picture.height,
      ),
      label,
      score,
    });
  }
  return ranked(found);
}

/** YOLOX: [cells, 5 + classes] over grids of strides 8, 16 and 32; boxes relative to their cell. */
function yoloxBoxes(manifest: Manifest, output: Output, picture: GuestPicture): GuestBox[] {
  const [cells = 0, width = 0] = output.dims;
  const grids = [8, 16, 32].map((stride) => ({
    stride,
    columns: Math.floor(picture.width / stride),
    rows: Math.floor(picture.height / stride),
  }));
  const wanted = grids.reduce((sum, { columns, rows }) => sum + columns * rows, 0);
  if (output.dims.length !== 2 || cells !== wanted || width < 6)
    throw new PackageRefused(
      `a YOLOX network gives [${wanted}, 5 + classes] for this size, and this gives ${shapeOf(output)}`,
    );
  const found: { box: GuestBox; score: number }[] = [];
  let cell = 0;
  for (const { stride, columns, rows } of grids) {
    for (let at = 0; at < columns * rows; at += 1, cell += 1) {
      const row = output.data.subarray(cell * width, (cell + 1) * width);
      const [label, sure] = surest(row.subarray(5));
      const score = finite(sure * (row[4] as number));
      if (score < picture.confidenceMin) continue;
      const x = ((row[0] as number) + (at % columns)) * stride;
      const y = ((row[1] as number) + Math.floor(at / columns)) * stride;
      const [w, h] = [Math.exp(row[2] as number) * stride, Math.exp(row[3] as number) * stride];
      found.push({ box: { ...placed(picture, x, y, w, h), label, score }, score });
    }
  }
  const few = found.sort((a, b) => b.score - a.score).slice(0, 10 * boxesMax);
  return suppressed(few, overlapMax, ({ box }) => box.label)
    .slice(0, boxesMax)
    .map(({ box }) => box);
}

/** Networks that end in their own suppression: boxes [n, 4] in pixels or 0..1, scores [n], labels [n]. */
function plainBoxes(outputs: Outputs, picture: GuestPicture): GuestBox[] {
  const { boxes, scores, labels } = outputs;
  const count = scores?.data.length ?? 0;
  if (!boxes || !scores || boxes.data.length !== count * 4)
    throw new PackageRefused('a detector of this kind gives boxes [n, 4], scores [n] and labels [n]');
  const isUnit = boxes.data.every((value) => value <= 1.5);
  const [sx, sy] = isUnit ? [picture.width, picture.height] : [1, 1];
  const found: GuestBox[] = [];
  for (let at = 0; at < count; at += 1) {
    const score = finite(scores.data[at] as number);
    if (score < picture.confidenceMin) continue;
    const [left = 0, top = 0, right = 0, bottom = 0] = boxes.data.subarray(at * 4, at * 4 + 4);
    const box = placed(
      picture,
      ((left + right) / 2) * sx,
      ((top + bottom) / 2) * sy,
      (right - left) * sx,
      (bottom - top) * sy,
    );
    found.push({ ...box, label: Math.max(0, Math.round(labels?.data[at] ?? 0)), score });
  }
  return ranked(found);
}

function surest(scores: Float32Array): [label: number, score: number] {
  let best = 0;
  for (let at = 1; at < scores.length; at += 1)
    if ((scores[at] as number) > (scores[best] as number)) best = at;
  return [best, finite(scores[best] ?? 0)];
}

/** A box by its middle and size, in pixels of what the network saw, as 0..1 of the picture that lies in it. */
function placed({ frame }: GuestPicture, x: number, y: number, width: number, height: number) {
  return {
    left: unit(finite((x - width / 2 - frame.left) / frame.width)),
    right: unit(finite((x + width / 2 - frame.left) / frame.width)),
    top: unit(finite((y - height / 2 - frame.top) / frame.height)),
    bottom: unit(finite((y + height / 2 - frame.top) / frame.height)),
  };
}

const ranked = (found: GuestBox[]): GuestBox[] => found.sort((a, b) => b.score - a.score).slice(0, boxesMax);

/** Semantic segmentation: the likeliest class of each cell of [classes, height, width], or the classes themselves. */
function mapOf(output: Output): GuestAnswer {
  const [classes = 0, height = 0, width = 0] = output.dims.length === 2 ? [1, ...output.dims] : output.dims;
  const area = height * width;
  if (output.dims.length < 2 || output.dims.length > 3 || output.data.length !== classes * area)
    throw new PackageRefused(`a segmenter gives [classes, height, width], and this gives ${shapeOf(output)}`);
  const labels = new Uint16Array(area);
  for (let at = 0; at < area; at += 1) {
    if (classes === 1) {
      labels[at] = Math.max(0, Math.round(output.data[at] as number));
      continue;
    }
    let best = 0;
    for (let one = 1; one < classes; one += 1)
      if ((output.data[one * area + at] as number) > (output.data[best * area + at] as number)) best = one;
    labels[at] = best;
  }
  return { kind: 'map', labels, width, height };
}
