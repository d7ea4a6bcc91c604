import { availableParallelism } from 'node:os';
import { Fault } from '#domain/fault.ts';
import { findAssetsDir } from './assets.ts';
import { BarcodeReader, type FoundBarcode } from './barcodes/index.ts';
import type { ModelRun, Prediction, PredictOptions } from './builtin/prediction.ts';
import { OnnxCache } from './convert/onnx-cache.ts';
import { denseEdge, type RecipeId } from './convert/recipes.ts';
import type { DenseRecipe } from './dense/grid.ts';
import type { DenseReduction } from './dense/reduce.ts';
import { engineFault } from './faults.ts';
import { Gate } from './gate.ts';
import { decodeForModel, decodeSquare, defaultImageLimits, type ImageLimits, type Picture } from './image.ts';
import type { TensorPort, Tensors } from './inference/messages.ts';
import { InferencePool } from './inference/pool.ts';
import { stretched } from './model-pixels.ts';
import { type BuiltinModel, type ModelPackage, modelPackages } from './package.ts';
import type { Manifest } from './packages/manifest.ts';
import {
  type Inspected,
  PackageHost,
  type PackageHostOptions,
  packagePrefix,
} from './packages/package-host.ts';
import { PictureCache } from './picture-cache.ts';
import { TextReader } from './text-reading/index.ts';

export type { FoundBarcode } from './barcodes/index.ts';
export type { Box } from './builtin/boxes.ts';
export type { Label } from './builtin/labels.ts';
export type {
  PredictedColor,
  PredictedConcept,
  PredictedMask,
  PredictedPoint,
  PredictedRegion,
  Prediction,
  PredictOptions,
} from './builtin/prediction.ts';
export { type DenseRecipe, gridOf } from './dense/grid.ts';
export { cellsInPolygon, type KindMap } from './dense/kinds.ts';
export { cellsInMask, greyPng, maskPng } from './dense/masks.ts';
export type { PatchBank } from './dense/patches.ts';
export { type FoundThing, type LabelledBox, type ThingTargets, thingTargets } from './dense/things.ts';
export {
  decodeForModel,
  defaultImageLimits,
  type ImageInfo,
  type ImageLimits,
  type Picture,
  readImageInfo,
  renderPicture,
  type Thumbnails,
} from './image.ts';
export type { ImageFormat } from './image-format.ts';
export type { TensorData, TensorPort, Tensors } from './inference/messages.ts';
export type { BuiltinModel, ModelCard, OutputKind } from './package.ts';
export {
  chooseFiles,
  defaultGuestLimits,
  foreignKind,
  type GuestLimits,
  type Inspected,
  type Manifest,
  manifestName,
  PackageFault,
  type PackageReport,
  packagePrefix,
  typeOfTask,
} from './packages/index.ts';

/** What is wanted of a picture's cells; the size of a map follows the picture. */
export type WantedOfCells =
  | Exclude<DenseReduction, { kind: 'kinds' }>
  | Omit<Extract<DenseReduction, { kind: 'kinds' }>, 'width' | 'height'>;

export interface EngineOptions {
  /** Made ONNX files are kept in its sub-folder `models`. */
  dataDir: string;
  /** Worker threads; one for each core when absent. */
  threads?: number;
  /** Waiting predictions beyond which new ones are refused as busy. */
  queueMax?: number;
  /** Predictions that would wait longer, in milliseconds, are refused as busy. */
  waitMsMax?: number;
  /** Models that the operator must ask for. */
  optIn?: { faces?: boolean };
  imageLimits?: ImageLimits;
  /** Packages that users brought; without it there are none. */
  packages?: Omit<PackageHostOptions, 'log'>;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>): void;
  onProgress?(text: string): void;
}

/** An encoded image. The same Buffer object given twice is decoded once. */
export interface ImageSource {
  bytes: Buffer;
}

export interface Engine {
  builtins(): readonly BuiltinModel[];
  /** Makes a built-in model's networks if they are not made yet, and loads them. @throws Fault 21350 */
  prepare(modelId: string): Promise<void>;
  /**
   * Runs a built-in model, by its id or an alias, on one image.
   *
   * @throws Fault 30101 · 30105 · 30300 for the image, 21200 · 21353 · 21350 · 21313 for the model, 21351 when busy
   */
  predict(modelId: string, image: ImageSource, options?: PredictOptions): Promise<Prediction>;
  /** The embedding of a whole image, of length one. @throws Fault as `predict`, and when the model makes none */
  embed(modelId: string, image: ImageSource, options?: PredictOptions): Promise<Float32Array>;
  /** The embedding of a text by a package, of length one. @throws Fault 21202 when the model takes no texts */
  embedText(modelId: string, text: string, options?: PredictOptions): Promise<Float32Array>;
  /** Whether texts and pictures lie in one space of this model. */
  readsTexts(modelId: string): Promise<boolean>;
  /** Looks through the files of a package, in a process of its own. @throws PackageFault in words for its owner */
  inspectPackage(folder: string, hint: { typeId: string; name: string }): Promise<Inspected>;
  /** The manifest of a package that is kept. */
  packageManifest(sha: string): Promise<Manifest>;
  /** Processes of packages that run now. */
  packagesRunning(): { sha: string; memoryBytes: number }[];
  /**
   * Computes the features of a picture's cells, stretched to a square, and what is wanted of them.
   *
   * @returns what the reduction says that it makes
   * @throws Fault as `predict`
   */
  dense<Result>(
    image: ImageSource,
    recipe: DenseRecipe,
    reduction: WantedOfCells,
    options?: PredictOptions,
  ): Promise<Result>;
  /** Bar codes and two-dimensional codes in an image. @throws Fault for the image */
  readBarcodes(bytes: Buffer): Promise<FoundBarcode[]>;
  /** The inputs and outputs of any ONNX file. @throws Fault 21313 when it cannot be loaded */
  describeOnnx(file: string): Promise<{ inputs: TensorPort[]; outputs: TensorPort[] }>;
  /** Runs any ONNX file. With `batchMax`, first dimensions must be 1 and calls may run together. */
  runOnnx(
    file: string,
    feeds: Tensors,
    options?: { batchMax?: number; signal?: AbortSignal },
  ): Promise<Tensors>;
  /** Whether a network hangs in native code for good: no ordinary end of the process gets past it. */
  hangs(): boolean;
  /** Lets running predictions end, refuses the waiting ones, and ends the threads. */
  close(): Promise<void>;
}

/** Pictures in work at a time: some are decoded while others are computed. */
const picturesPerThread = 4;
const defaultQueueMax = 4096;
/** People and programs give up after some seconds; see docs/decisions/0004. */
const defaultWaitMsMax = 5_000;

/** Small codes in large photographs need their pixels. */
const barcodeEdgeMax = 2048;

/** A quarter is gained for the mesh, nothing for larger networks: see docs/decisions/0004. */
const batchMax: Partial<Record<RecipeId, number>> = { 'face-mesh': 4 };

/** Opens the engine. Returns at once: networks are made and loaded when first wanted, or by `prepare`. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { dataDir, log } = options;
  const threads = Math.max(1, options.threads ?? availableParallelism());
  const insideMax = threads * picturesPerThread;
  // The gate bounds the work; the pool's own queue must hold every face of every picture let in.
  const pool = new InferencePool({
    threads,
    queueMax: 1024 + insideMax * 64,
    runMsMax: options.packages?.limits?.runMsMax,
  });
  const cache = new OnnxCache(dataDir, findAssetsDir(), (text) => {
    log('info', text);
    options.onProgress?.(text);
  });
  const limits = options.imageLimits ?? defaultImageLimits;
  const waitMsMax = options.waitMsMax ?? defaultWaitMsMax;
  const gate = new Gate(insideMax, options.queueMax ?? defaultQueueMax, waitMsMax);
  const pictures = new PictureCache(insideMax, (bytes) => decodeForModel(bytes, limits));
  const barcodes = new BarcodeReader();
  const texts = new TextReader({ threads });
  const packages = new PackageHost({
    folderOf: () => Promise.reject(new Error('this engine keeps no packages')),
    waitMsMax,
    ...options.packages,
    log,
  });
  const builtins = await Promise.all(modelPackages.map((one) => showBuiltin(one, options, cache)));

  const networkFile = async (model: Pick<ModelPackage, 'id'>, recipe: RecipeId): Promise<string> => {
    try {
      return await cache.file(recipe);
    } catch (cause) {
      log('error', `model ${model.id} could not be made ready`, { cause: String(cause) });
      throw engineFault.notPrepared(model.id, cause);
    }
  };

  const runOf = (model: ModelPackage, picture: Picture, wanted: PredictOptions): ModelRun => {
    const { signal, background = false } = wanted;
    // What a network reads is made for that run, but for the picture itself where other models may ask for it.
    const givesFeeds = (feeds: Tensors) =>
      model.square !== undefined ||
      Object.values(feeds).every(({ data }) => data.buffer !== picture.pixels.buffer);
    return {
      picture,
      options: wanted,
      network: async (recipe, feeds) =>
        pool.run(model.id, await networkFile(model, recipe), feeds, {
          signal,
          background,
          batchMax: batchMax[recipe] ?? 1,
          givesFeeds: givesFeeds(feeds),
        }),
      reduced: async (recipe, feeds, reduction) =>
        pool.run(model.id, await networkFile(model, recipe), feeds, {
          signal,
          background,
          reduction,
          givesFeeds: givesFeeds(feeds),
        }),
      readText: () =>
        texts.read(picture, signal).catch((cause: unknown) => {
          throw cause instanceof Fault ? cause : engineFault.notPrepared(model.id, cause);
        }),
      once: (key, make) => pictures.once(picture, key, make),
    };
  };

  const engine: Engine = {
    builtins: () => builtins,
    embedText: (modelId, text, wanted = {}) => {
      const sha = packageOf(modelId);
      return sha === undefined
        ? Promise.reject(engineFault.noTexts(modelId))
        : packages.embedText(sha, text, wanted);
    },
    async readsTexts(modelId) {
      const sha = packageOf(modelId);
      return sha !== undefined && (await packages.manifestOf(sha)).text !== undefined;
    },
    inspectPackage: (folder, hint) => packages.inspect(folder, hint),
    packageManifest: (sha) => packages.manifestOf(sha),
    packagesRunning: () => packages.running(),
    async prepare(modelId) {
      if (packageOf(modelId) !== undefined) return;
      const model = findModel(modelId, options);
      for (const recipe of model.recipes) await pool.describe(model.id, await networkFile(model, recipe));
    },
    async predict(modelId, image, wanted = {}) {
      const sha = packageOf(modelId);
      if (sha !== undefined) {
        const picture = await gate.pass(() => pictures.picture(image.bytes), { ...wanted, key: 'packages' });
        return packages.predict(sha, picture, wanted);
      }
      const model = findModel(modelId, options);
      return gate.pass(
        async () => {
          const { square, edgeMax } = model;
          const picture = square
            ? await decodeSquare(image.bytes, square, limits)
            : edgeMax
              ? await decodeForModel(image.bytes, limits, edgeMax)
              : await pictures.picture(image.bytes);
          return model.predict(runOf(model, picture, wanted));
        },
        { ...wanted, key: model.id },
      );
    },
    async embed(modelId, image, wanted) {
      const { embedding } = await engine.predict(modelId, image, wanted);
      if (!embedding) throw engineFault.noEmbedding(modelId);
      return embedding;
    },
    describeOnnx: (file) => pool.describe('in this file', file),
    runOnnx: (file, feeds, wanted = {}) => pool.run('in this file', file, feeds, wanted),
    dense: <Result>(
      image: ImageSource,
      recipe: DenseRecipe,
      reduction: WantedOfCells,
      wanted: PredictOptions = {},
    ) =>
      gate.pass(
        async () => {
          const picture = await pictures.picture(image.bytes);
          const data = await stretched(picture, denseEdge);
          const feeds = { image: { type: 'uint8' as const, dims: [1, denseEdge, denseEdge, 3], data } };
          const sized = reduction.kind === 'kinds' ? { ...reduction, ...mapSize(picture) } : reduction;
          const { signal, background = false } = wanted;
          const file = await networkFile({ id: recipe }, recipe);
          return (await pool.run(recipe, file, feeds, { signal, background, reduction: sized })) as Result;
        },
        { ...wanted, key: recipe },
      ),
    readBarcodes: (bytes) =>
      gate.pass(async () => barcodes.read(await decodeForModel(bytes, limits, barcodeEdgeMax)), {
        key: 'barcodes',
      }),
    hangs: () => pool.hanging > 0,
    async close() {
      await barcodes.close();
      await texts.close();
      await packages.close();
      await pool.close();
    },
  };
  return engine;
}

/** SHA-256 of the package that a model id names; undefined for built-in models. */
const packageOf = (modelId: string): string | undefined =>
  /^package:[0-9a-f]{64}$/.test(modelId) ? modelId.slice(packagePrefix.length) : undefined;

/** Maps of what each pixel is are no larger than this; from cells of four pixels nothing finer can be told. */
const mapEdgeMax = 512;

function mapSize({ width, height }: { width: number; height: number }) {
  const scale = Math.min(1, mapEdgeMax / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

function findModel(modelId: string, { optIn }: EngineOptions): ModelPackage {
  const found = modelPackages.find((one) => one.id === modelId || one.aliases.includes(modelId));
  if (!found) throw engineFault.noSuchModel(modelId);
  if (found.optIn && !optIn?.[found.optIn]) throw engineFault.notEnabled(modelId);
  return found;
}

async function showBuiltin(
  model: ModelPackage,
  options: EngineOptions,
  cache: OnnxCache,
): Promise<BuiltinModel> {
  const { optIn, recipes, files, square: _square, edgeMax: _edgeMax, predict: _predict, ...shown } = model;
  const enabled = optIn === undefined || options.optIn?.[optIn] === true;
  return { ...shown, enabled, fingerprint: await cache.fingerprint(model.id, recipes, files) };
}
