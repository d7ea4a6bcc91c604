/** What a package does; the contract's model type follows from it. */
export const packageTasks = [
  'image-classification',
  'object-detection',
  'image-segmentation',
  'image-embedding',
  'text-embedding',
  'image-text-embedding',
] as const;
export type PackageTask = (typeof packageTasks)[number];

/** How the numbers that a network gives become an answer. */
export const decoders = [
  'softmax',
  'sigmoid',
  'given',
  'detr-softmax',
  'detr-sigmoid',
  'yolox',
  'boxes',
] as const;
export type Decoder = (typeof decoders)[number];

export type Kernel = 'nearest' | 'linear' | 'cubic' | 'lanczos3';

/** How a picture becomes the input of a network, in this order. */
export interface PixelPlan {
  /** Size in pixels of what the network sees. */
  width: number;
  height: number;
  /** `stretch` to the size; `cover`: scale so that the shorter side has `edge`, then cut the middle out; `letterbox`: fit in, the rest grey. */
  fit: 'stretch' | 'cover' | 'letterbox';
  /** Shorter side before the middle is cut out, for `cover`. */
  edge: number;
  /** 0..255, for `letterbox`. */
  grey: number;
  /** `letterbox` puts the picture into the corner rather than the middle. */
  corner: boolean;
  kernel: Kernel;
  /** Bytes are multiplied by it, before mean and std. */
  scale: number;
  mean: number[];
  std: number[];
  bgr: boolean;
}

export interface ImageTower {
  file: string;
  pixels: PixelPlan;
  /** Output to read; found out when the package is checked. */
  output?: string;
  pool?: 'given' | 'first' | 'mean';
}

export interface TextTower {
  file: string;
  tokenizer: string;
  tokenizerConfig?: string;
  /** Most tokens; longer texts are cut. */
  lengthMax: number;
  /** Every text is filled up to this many tokens. */
  padTo?: number;
  padId: number;
  output?: string;
  pool?: 'given' | 'first' | 'mean';
}

export interface PackageLabel {
  id: string;
  name: string;
}

export const filledFormat = 'fovea-model';

/** The file `fovea.json` of a package, filled in. */
export interface Manifest {
  format: typeof filledFormat;
  formatVersion: 1;
  task: PackageTask;
  name: string;
  description: string;
  licence: string;
  source: string;
  image?: ImageTower;
  text?: TextTower;
  labels: PackageLabel[];
  decoder: Decoder;
  /** Length of the embedding. */
  dims?: number;
}

export const manifestName = 'fovea.json';

/** The contract's model type for each task. */
export const typeOfTask: Readonly<Record<PackageTask, string>> = {
  'image-classification': 'visual-classifier',
  'object-detection': 'visual-detector',
  'image-segmentation': 'visual-segmenter',
  'image-embedding': 'visual-embedder',
  'text-embedding': 'text-embedder',
  'image-text-embedding': 'visual-embedder',
};

/** Files of a repository that say how its network is used, besides the networks themselves. */
export const sideFiles = [
  manifestName,
  'config.json',
  'preprocessor_config.json',
  'processor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'labels.txt',
  'pooling.json',
] as const;

/** Words for the owner of the package about what is wrong with it. */
export class PackageRefused extends Error {}

/** One of the words that a field of `fovea.json` may hold. @throws PackageRefused naming the field and the words */
export function oneOf<T extends string>(all: readonly T[], value: unknown, field: string): T {
  const found = all.find((one) => one === value);
  if (found === undefined) throw new PackageRefused(`fovea.json: ${field} must be one of ${all.join(', ')}`);
  return found;
}

/** Which towers a package of a task has. */
export const towersOf = (task: PackageTask): { takesImage: boolean; takesText: boolean } => ({
  takesImage: task !== 'text-embedding',
  takesText: task === 'text-embedding' || task === 'image-text-embedding',
});
