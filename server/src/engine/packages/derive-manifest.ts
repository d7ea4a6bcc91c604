import { readFilledManifest } from './filled-manifest.ts';
import {
  type Decoder,
  decoders,
  filledFormat,
  type ImageTower,
  type Kernel,
  type Manifest,
  oneOf,
  type PackageLabel,
  PackageRefused,
  type PackageTask,
  type PixelPlan,
  packageTasks,
  type TextTower,
  towersOf,
} from './manifest.ts';
import type { OnnxFacts } from './onnx-facts.ts';

type JsonMap = Record<string, unknown>;

/** The files of a package, flat in one folder. */
export interface PackageFiles {
  readonly names: readonly string[];
  /** @returns the object in a JSON file, undefined where it is not there @throws PackageRefused for broken JSON */
  json(name: string): JsonMap | undefined;
  text(name: string): string | undefined;
  /** @throws PackageRefused where the network is refused */
  facts(name: string): OnnxFacts;
}

/** Types of models of the transformers library that end in a class for "nothing here". */
const softmaxDetectors = new Set(['detr', 'yolos', 'table-transformer']);
const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
/** Codes of the Python imaging library; box and hamming are nearest to linear here. */
const kernels: readonly Kernel[] = ['nearest', 'lanczos3', 'linear', 'cubic', 'linear', 'linear'];
const usualEdge = 224;
const edgeMax = 2048;
const tokensMax = 512;

/**
 * Finds out what a package is and how its network is used: from `fovea.json`, from the files of a repository of the
 * transformers library (config.json, preprocessor_config.json, tokenizer.json), and from the network itself.
 *
 * @throws PackageRefused naming what is missing and the way out
 */
export function deriveManifest(files: PackageFiles, hint: { typeId: string; name: string }): Manifest {
  const own = files.json('fovea.json') ?? {};
  if (own.format === filledFormat) return readFilledManifest(own, files.names, hint.name);
  const config = files.json('config.json') ?? {};
  const task = taskOf(own, config, files, hint.typeId);
  const { takesImage, takesText } = towersOf(task);
  return {
    format: filledFormat,
    formatVersion: 1,
    task,
    name: textOf(own.name) || hint.name,
    description: textOf(own.description),
    licence: textOf(own.licence) || textOf(own.license),
    source: textOf(own.source) || textOf(config._name_or_path),
    ...(takesImage ? { image: imageTower(own, config, files, task) } : {}),
    ...(takesText ? { text: textTower(own, config, files) } : {}),
    labels: labelsOf(own, config, files),
    decoder: decoderOf(own, config, files, task),
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 2000) : '');
const mapOf = (value: unknown): JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonMap) : {};
const positive = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;

/** What models of a type do, where nothing else tells. */
const taskOfType: Readonly<Record<string, PackageTask>> = {
  'visual-classifier': 'image-classification',
  'visual-detector': 'object-detection',
  'visual-segmenter': 'image-segmentation',
  'visual-embedder': 'image-embedding',
  'text-embedder': 'text-embedding',
  'multimodal-embedder': 'image-text-embedding',
};

function taskOf(own: JsonMap, config: JsonMap, files: PackageFiles, typeId: string): PackageTask {
  if (own.task !== undefined) return oneOf(packageTasks, own.task, 'task');
  const hasPair = fileOf(files, 'vision_model') !== undefined && fileOf(files, 'text_model') !== undefined;
  if (hasPair) return 'image-text-embedding';
  const architecture = Array.isArray(config.architectures) ? textOf(config.architectures[0]) : '';
  if (/ForImageClassification/.test(architecture)) return 'image-classification';
  if (/ObjectDetection/.test(architecture)) return 'object-detection';
  if (/ForSemanticSegmentation/.test(architecture)) return 'image-segmentation';
  if (
    /For(Universal|Instance)Segmentation|ForCausalLM|ForConditionalGeneration|ForMasked|ForSequence|ForToken/.test(
      architecture,
    )
  )
    throw new PackageRefused(
      `config.json: models of the kind ${architecture} are not run here; known are classification, detection, semantic segmentation and embedding`,
    );
  const byType = taskOfType[typeId];
  const takesTokens = hasInput(files, 'input_ids');
  if (takesTokens) return 'text-embedding';
  if (architecture !== '' && /Model$/.test(architecture)) return 'image-embedding';
  if (byType) return byType;
  throw new PackageRefused(
    `it is not known what the network does: add a fovea.json with {"task": "…"} (one of ${packageTasks.join(', ')}), or use a model type such as visual-classifier`,
  );
}

const hasInput = (files: PackageFiles, name: string): boolean =>
  files.names
    .filter((one) => one.endsWith('.onnx'))
    .some((one) => files.facts(one).inputs.some((port) => port.name === name));

/** A network file of this name, in its plainest variant. */
function fileOf(files: PackageFiles, stem: string): string | undefined {
  const variants = ['', '_int8', '_quantized', '_uint8', '_fp16'];
  return variants.map((suffix) => `${stem}${suffix}.onnx`).find((name) => files.names.includes(name));
}

function mainFile(own: JsonMap, files: PackageFiles, key: string, stems: readonly string[]): string {
  const asked = textOf(mapOf(own[key]).file) || textOf(own.model);
  if (asked !== '') {
    if (files.names.includes(asked) && asked.endsWith('.onnx')) return asked;
    throw new PackageRefused(`fovea.json names the network '${asked}', which is not in the package`);
  }
  const found = stems.map((stem) => fileOf(files, stem)).find((name) => name !== undefined);
  if (found) return found;
  const all = files.names.filter((name) => name.endsWith('.onnx'));
  if (all.length === 1) return all[0] as string;
  throw new PackageRefused(
    all.length === 0
      ? 'there is no .onnx file in the package; export the model to ONNX first'
      : `there are several networks (${all.join(', ')}); name one as model.onnx`,
  );
}

function imageTower(own: JsonMap, config: JsonMap, files: PackageFiles, task: PackageTask): ImageTower {
  const stems = task === 'image-text-embedding' ? ['vision_model', 'image_model'] : ['model', 'vision_model'];
  const file = mainFile(own, files, 'image', stems);
  const input = files.facts(file).inputs.find((port) => port.dims.length === 4);
  if (!input) throw new PackageRefused(`${file} has no input with four dimensions, as pictures need`);
  const [, a = -1, b = -1, c = -1] = input.dims;
  const isLast = c === 3 || c === 1;
  const declared = isLast ? { height: a, width: b } : { height: b, width: c };
  const output = textOf(mapOf(own.image).output);
  return {
    file,
    pixels: pixelPlan(own, config, files, task, declared),
    ...(output === '' ? {} : { output }),
  };
}

/** Reads what repositories say of the preparation of pictures, in the order in which it is done (see docs/MODELS.md). */
function pixelPlan(
  own: JsonMap,
  config: JsonMap,
  files: PackageFiles,
  task: PackageTask,
  declared: { width: number; height: number },
): PixelPlan {
  const outer = files.json('processor_config.json') ?? {};
  const said = {
    ...mapOf(outer.image_processor),
    ...(files.json('preprocessor_config.json') ?? {}),
    ...mapOf(own.preprocess),
  };
  const isKnown = Object.keys(said).length > 0;
  const size = typeof said.size === 'number' ? { edge: said.size } : mapOf(said.size);
  const crop =
    typeof said.crop_size === 'number'
      ? { height: said.crop_size, width: said.crop_size }
      : mapOf(said.crop_size);
  const isCropped = said.do_center_crop === true && positive(crop.height) !== undefined;
  const shortest = positive(size.shortest_edge);
  const edge = shortest ?? positive((size as { edge?: unknown }).edge);
  const asked = {
    height: (isCropped ? positive(crop.height) : undefined) ?? positive(size.height) ?? edge,
    width: (isCropped ? positive(crop.width) : undefined) ?? positive(size.width) ?? edge,
  };
  const usual = positive(config.image_size) ?? (task === 'object-detection' ? 640 : usualEdge);
  const height = declared.height > 0 ? declared.height : (asked.height ?? usual);
  const width = declared.width > 0 ? declared.width : (asked.width ?? usual);
  for (const one of [height, width])
    if (!Number.isInteger(one) || one > edgeMax)
      throw new PackageRefused(
        `pictures of ${width} x ${height} pixels cannot be prepared; at most ${edgeMax} on each side`,
      );
  // Without a crop, networks that say `shortest_edge` take pictures of any shape; they are shown squares here.
  const fit =
    said.fit === 'letterbox' || said.letterbox === true ? 'letterbox' : isCropped ? 'cover' : 'stretch';
  const normalises = said.do_normalize !== false && isKnown;
  const usualScale = said.do_rescale === false ? 1 : 1 / 255;
  return {
    width,
    height,
    fit,
    edge: Math.max(edge ?? Math.min(width, height), Math.min(width, height)),
    grey: positive(said.pad_value) ?? 114,
    corner: said.corner !== false,
    kernel: kernels[typeof said.resample === 'number' ? said.resample : 2] ?? 'linear',
    scale: positive(said.rescale_factor) ?? usualScale,
    mean: normalises ? numbersOf(said.image_mean, imagenet.mean) : isKnown ? [0, 0, 0] : imagenet.mean,
    std: normalises ? numbersOf(said.image_std, imagenet.std) : isKnown ? [1, 1, 1] : imagenet.std,
    bgr: said.do_flip_channel_order === true || said.bgr === true,
  };
}

function numbersOf(value: unknown, usual: number[]): number[] {
  const list = Array.isArray(value) ? value : typeof value === 'number' ? [value, value, value] : undefined;
  if (!list) return usual;
  const numbers = list.map(Number);
  const three = numbers.length === 1 ? [numbers[0], numbers[0], numbers[0]] : numbers;
  if (three.length === 3 && three.every((one) => Number.isFinite(one))) return three as number[];
  throw new PackageRefused('image_mean and image_std must be three numbers');
}

function textTower(own: JsonMap, config: JsonMap, files: PackageFiles): TextTower {
  const file = mainFile(own, files, 'text', ['text_model', 'model']);
  if (!files.names.includes('tokenizer.json'))
    throw new PackageRefused('a network that reads texts needs its tokenizer.json in the package');
  const side = files.json('tokenizer_config.json');
  const tokenizer = files.json('tokenizer.json') ?? {};
  const textConfig = mapOf(config.text_config);
  const position = positive(textConfig.max_position_embeddings) ?? positive(config.max_position_embeddings);
  const said = positive(mapOf(own.text).length_max) ?? positive(side?.model_max_length);
  const lengthMax = Math.min(tokensMax, said ?? tokensMax, position ?? tokensMax);
  const declared = files.facts(file).inputs.find((port) => port.name === 'input_ids')?.dims[1] ?? -1;
  const isSiglip = /siglip/.test(textOf(config.model_type));
  const padTo = declared > 0 ? declared : isSiglip ? Math.min(64, lengthMax) : undefined;
  const output = textOf(mapOf(own.text).output) || textOutput(files, file, isSiglip);
  const pooling = files.json('pooling.json') ?? {};
  return {
    file,
    tokenizer: 'tokenizer.json',
    ...(side ? { tokenizerConfig: 'tokenizer_config.json' } : {}),
    lengthMax: padTo ?? lengthMax,
    ...(padTo ? { padTo } : {}),
    padId: padIdOf(config, side ?? {}, tokenizer),
    ...(output === '' ? {} : { output }),
    ...(pooling.pooling_mode_cls_token === true ? { pool: 'first' as const } : {}),
  };
}

/** Sentences are the mean of their tokens, where the network does not say itself what a sentence is. */
function textOutput(files: PackageFiles, file: string, isSiglip: boolean): string {
  const names = files.facts(file).outputs.map((port) => port.name);
  const wanted = isSiglip
    ? ['text_embeds', 'pooler_output']
    : ['text_embeds', 'sentence_embedding', 'token_embeddings', 'last_hidden_state'];
  return wanted.find((name) => names.includes(name)) ?? '';
}

function padIdOf(config: JsonMap, side: JsonMap, tokenizer: JsonMap): number {
  const given =
    mapOf(tokenizer.padding).pad_id ?? mapOf(config.text_config).pad_token_id ?? config.pad_token_id;
  if (typeof given === 'number' && given >= 0) return given;
  const word = typeof side.pad_token === 'string' ? side.pad_token : textOf(mapOf(side.pad_token).content);
  const added = Array.isArray(tokenizer.added_tokens) ? tokenizer.added_tokens : [];
  const found = added.map(mapOf).find((token) => token.content === word)?.id;
  return typeof found === 'number' ? found : 0;
}

function labelsOf(own: JsonMap, config: JsonMap, files: PackageFiles): PackageLabel[] {
  const listed = Array.isArray(own.labels) ? own.labels : undefined;
  const named = Object.entries(mapOf(config.id2label)).sort(([a], [b]) => Number(a) - Number(b));
  const lines = files
    .text('labels.txt')
    ?.split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const names = listed
    ? listed.map((one) => (typeof one === 'string' ? { name: one } : mapOf(one)))
    : named.length > 0
      ? named.map(([, name]) => ({ name: textOf(name) }))
      : (lines ?? []).map((name) => ({ name }));
  return uniqueLabels(names);
}

/** Ids that the contract takes, one for each label. */
function uniqueLabels(names: readonly JsonMap[]): PackageLabel[] {
  if (names.length > 50_000) throw new PackageRefused('there are more than 50,000 labels');
  const seen = new Set<string>();
  return names.map((one, index) => {
    const name = textOf(one.name) || textOf(one.id) || `class ${index}`;
    let id = (textOf(one.id) || name)
      .normalize('NFKC')
      .trim()
      .replace(/[^\p{L}\p{N}_-]+/gu, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 60);
    if (id === '' || seen.has(id)) id = `${id || 'class'}-${index}`;
    seen.add(id);
    return { id, name };
  });
}

function decoderOf(own: JsonMap, config: JsonMap, files: PackageFiles, task: PackageTask): Decoder {
  if (own.decoder !== undefined) return oneOf(decoders, own.decoder, 'decoder');
  if (task === 'image-classification')
    return config.problem_type === 'multi_label_classification' ? 'sigmoid' : 'softmax';
  if (task !== 'object-detection') return 'given';
  const outputs = files.facts(mainFile(own, files, 'image', ['model'])).outputs;
  if (outputs.some((port) => port.name === 'pred_boxes') || outputs.some((port) => port.name === 'dets'))
    return softmaxDetectors.has(textOf(config.model_type)) ? 'detr-softmax' : 'detr-sigmoid';
  if (outputs.some((port) => port.name === 'scores') && outputs.some((port) => port.name === 'boxes'))
    return 'boxes';
  const [only] = outputs;
  if (outputs.length === 1 && only?.dims.length === 3 && (only.dims[2] ?? 0) > 5) return 'yolox';
  throw new PackageRefused(
    `the outputs of the network (${outputs.map((port) => port.name).join(', ')}) are those of no known detector; name a decoder in fovea.json`,
  );
}
