import {
  decoders,
  filledFormat,
  type ImageTower,
  type Manifest,
  oneOf,
  type PackageLabel,
  PackageRefused,
  type PixelPlan,
  packageTasks,
  type TextTower,
  towersOf,
} from './manifest.ts';

type JsonMap = Record<string, unknown>;

const sideMax = 2048;
const tokensMax = 65_536;
const labelsMax = 50_000;

/**
 * Reads the `fovea.json` that a server filled in when a package arrived, and put into the exports of it. The files that
 * it was made from are not in an export, so everything is taken as it stands there: the network is then fed as it was.
 *
 * @param own what the file holds; it may have been changed by anybody since
 * @param names files of the package
 * @throws PackageRefused naming the field
 */
export function readFilledManifest(own: JsonMap, names: readonly string[], usualName: string): Manifest {
  if (own.formatVersion !== 1) refuse('formatVersion', 'must be 1');
  const task = oneOf(packageTasks, own.task, 'task');
  const { takesImage, takesText } = towersOf(task);
  return {
    format: filledFormat,
    formatVersion: 1,
    task,
    name: textIn(own.name, 'name') || usualName,
    description: textIn(own.description, 'description'),
    licence: textIn(own.licence, 'licence'),
    source: textIn(own.source, 'source'),
    ...(takesImage ? { image: imageTower(mapIn(own.image, 'image'), names) } : {}),
    ...(takesText ? { text: textTower(mapIn(own.text, 'text'), names) } : {}),
    labels: labelsIn(own.labels),
    decoder: oneOf(decoders, own.decoder, 'decoder'),
  };
}

function refuse(field: string, what: string): never {
  throw new PackageRefused(`fovea.json: ${field} ${what}`);
}

function mapIn(value: unknown, field: string): JsonMap {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(field, 'must be an object');
  return value as JsonMap;
}

function textIn(value: unknown, field: string): string {
  if (value === undefined) return '';
  if (typeof value !== 'string') refuse(field, 'must be a text');
  return value.slice(0, 2000);
}

function numberIn(value: unknown, field: string, min: number, max: number): number {
  if (typeof value !== 'number' || !(value >= min && value <= max))
    refuse(field, `must be a number from ${min} to ${max}`);
  return value;
}

function wholeIn(value: unknown, field: string, min: number, max: number): number {
  const number = numberIn(value, field, min, max);
  if (!Number.isInteger(number)) refuse(field, 'must be a whole number');
  return number;
}

function flagIn(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') refuse(field, 'must be true or false');
  return value;
}

function threeIn(value: unknown, field: string): number[] {
  if (!Array.isArray(value) || value.length !== 3) refuse(field, 'must be three numbers');
  return (value as unknown[]).map((one) => numberIn(one, field, -1e6, 1e6));
}

function fileIn(value: unknown, field: string, names: readonly string[]): string {
  if (typeof value !== 'string' || !names.includes(value)) refuse(field, 'names no file of the package');
  return value;
}

const pools = ['given', 'first', 'mean'] as const;

const outputAndPool = (sent: JsonMap, field: string): Pick<ImageTower, 'output' | 'pool'> => ({
  ...(sent.output === undefined ? {} : { output: textIn(sent.output, `${field}.output`) }),
  ...(sent.pool === undefined ? {} : { pool: oneOf(pools, sent.pool, `${field}.pool`) }),
});

function networkIn(value: unknown, field: string, names: readonly string[]): string {
  const file = fileIn(value, field, names);
  if (!file.endsWith('.onnx')) refuse(field, 'must be an .onnx file');
  return file;
}

const imageTower = (sent: JsonMap, names: readonly string[]): ImageTower => ({
  file: networkIn(sent.file, 'image.file', names),
  pixels: pixelPlan(mapIn(sent.pixels, 'image.pixels')),
  ...outputAndPool(sent, 'image'),
});

const pixelPlan = (sent: JsonMap): PixelPlan => ({
  width: wholeIn(sent.width, 'image.pixels.width', 1, sideMax),
  height: wholeIn(sent.height, 'image.pixels.height', 1, sideMax),
  fit: oneOf(['stretch', 'cover', 'letterbox'] as const, sent.fit, 'image.pixels.fit'),
  edge: numberIn(sent.edge, 'image.pixels.edge', 1, 65_535),
  grey: numberIn(sent.grey, 'image.pixels.grey', 0, 65_535),
  corner: flagIn(sent.corner, 'image.pixels.corner'),
  kernel: oneOf(['nearest', 'linear', 'cubic', 'lanczos3'] as const, sent.kernel, 'image.pixels.kernel'),
  scale: numberIn(sent.scale, 'image.pixels.scale', 0, 1e6),
  mean: threeIn(sent.mean, 'image.pixels.mean'),
  std: threeIn(sent.std, 'image.pixels.std'),
  bgr: flagIn(sent.bgr, 'image.pixels.bgr'),
});

const textTower = (sent: JsonMap, names: readonly string[]): TextTower => ({
  file: networkIn(sent.file, 'text.file', names),
  tokenizer: fileIn(sent.tokenizer, 'text.tokenizer', names),
  ...(sent.tokenizerConfig === undefined
    ? {}
    : { tokenizerConfig: fileIn(sent.tokenizerConfig, 'text.tokenizerConfig', names) }),
  lengthMax: wholeIn(sent.lengthMax, 'text.lengthMax', 1, tokensMax),
  ...(sent.padTo === undefined ? {} : { padTo: wholeIn(sent.padTo, 'text.padTo', 1, tokensMax) }),
  padId: wholeIn(sent.padId, 'text.padId', 0, 2 ** 31 - 1),
  ...outputAndPool(sent, 'text'),
});

const idPattern = /^[\p{L}\p{N}_-]{1,80}$/u;

function labelsIn(value: unknown): PackageLabel[] {
  if (!Array.isArray(value) || value.length > labelsMax)
    refuse('labels', `must be a list of at most ${labelsMax} labels`);
  const seen = new Set<string>();
  return (value as unknown[]).map((one, at) => {
    const { id, name } = mapIn(one, `labels[${at}]`);
    if (typeof id !== 'string' || !idPattern.test(id) || seen.has(id))
      refuse(`labels[${at}].id`, 'must be an id, and no other label’s');
    seen.add(id);
    return { id, name: textIn(name, `labels[${at}].name`) };
  });
}
