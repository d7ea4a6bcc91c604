import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { ImageTower, Manifest, TextTower } from './manifest.ts';
import { PackageRefused } from './manifest.ts';
import type { GuestAnswer, GuestItem, GuestPicture, GuestText, ItemAnswer } from './messages.ts';
import { type Output, type Outputs, readPictureAnswer, vectorOf } from './read-answer.ts';

const sessionOptions: InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  logSeverityLevel: 4,
  extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
};

type Port = InferenceSession.TensorValueMetadata;

interface Network {
  readonly session: InferenceSession;
  readonly inputs: readonly Port[];
  /** The first axis of every input is free: several items may go in at once. */
  readonly canBatch: boolean;
}

/** The networks of one package, loaded, with what is done before and after them. */
export interface GuestNetworks {
  readonly canBatch: { picture: boolean; text: boolean };
  run(items: readonly GuestItem[]): Promise<ItemAnswer[]>;
}

export async function openNetworks(folder: string, manifest: Manifest): Promise<GuestNetworks> {
  const loaded = new Map<string, Promise<Network>>();
  const networkOf = (file: string) => {
    const found = loaded.get(file) ?? loadNetwork(join(folder, file));
    loaded.set(file, found);
    return found;
  };
  const image = manifest.image && (await networkOf(manifest.image.file));
  const text = manifest.text && (await networkOf(manifest.text.file));
  const tokenize = manifest.text && openTokenizer(folder, manifest.text);

  const answerPictures = async (pictures: readonly GuestPicture[]): Promise<GuestAnswer[]> => {
    if (!image || !manifest.image) throw new PackageRefused('this model takes no pictures');
    const [first] = pictures as [GuestPicture];
    const outputs = await runNetwork(
      image,
      await pictureFeeds(image, manifest.image, pictures),
      pictures.length,
    );
    return outputs.map((one, at) => readPictureAnswer(manifest, one, pictures[at] ?? first));
  };
  const answerTexts = async (texts: readonly GuestText[]): Promise<GuestAnswer[]> => {
    if (!text || !manifest.text || !tokenize) throw new PackageRefused('this model takes no texts');
    const { pool, output } = manifest.text;
    const tokens = texts.map((one) => tokenize(one.text));
    const outputs = await runNetwork(text, textFeeds(text, tokens), texts.length);
    return outputs.map((one, at) => ({
      kind: 'vector',
      vector: vectorOf(one, output, pool, tokens[at]?.mask),
    }));
  };
  const answerAll = (items: readonly GuestItem[]): Promise<GuestAnswer[]> =>
    items[0]?.kind === 'text' ? answerTexts(items as GuestText[]) : answerPictures(items as GuestPicture[]);

  return {
    canBatch: { picture: image?.canBatch ?? false, text: false },
    /** A batch that fails is run item by item, so that only those at fault fail. */
    async run(items) {
      if (items.length > 1) {
        try {
          return (await answerAll(items)).map((answer) => ({ ok: true, answer }));
        } catch {
          // Alone, each item shows whether it was the one at fault.
        }
      }
      const answers: ItemAnswer[] = [];
      for (const item of items) {
        try {
          answers.push({ ok: true, answer: (await answerAll([item]))[0] as GuestAnswer });
        } catch (error) {
          answers.push({ ok: false, reason: error instanceof Error ? error.message : String(error) });
        }
      }
      return answers;
    },
  };
}

async function loadNetwork(path: string): Promise<Network> {
  const session = await InferenceSession.create(path, sessionOptions);
  const inputs = session.inputMetadata.filter((port): port is Port => port.isTensor);
  return { session, inputs, canBatch: inputs.every((port) => typeof port.shape[0] === 'string') };
}

async function runNetwork(
  { session }: Network,
  feeds: Record<string, Tensor>,
  count: number,
): Promise<Outputs[]> {
  const made = await session.run(feeds);
  const items: Record<string, Output>[] = Array.from({ length: count }, () => ({}));
  for (const [name, tensor] of Object.entries(made)) {
    const data = floatsOf(tensor as Tensor);
    if (!data) continue;
    const { dims } = tensor as Tensor;
    if (count > 1 && dims[0] !== count)
      throw new Error(`the output ${name} does not keep the items of a batch apart`);
    const width = data.length / count;
    const isBatched = dims.length > 0 && dims[0] === count;
    for (const [at, item] of items.entries())
      item[name] = { dims: isBatched ? dims.slice(1) : dims, data: data.slice(at * width, (at + 1) * width) };
  }
  return items;
}

function floatsOf({ type, data }: Tensor): Float32Array | undefined {
  if (type === 'float32') return data as Float32Array;
  if (type === 'string') return undefined;
  if (type === 'float16')
    throw new PackageRefused('the network gives float16 numbers; export it with float32 inputs and outputs');
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}

async function pictureFeeds(
  network: Network,
  { pixels: plan }: ImageTower,
  pictures: readonly GuestPicture[],
) {
  const port = network.inputs.find(({ shape }) => shape.length === 4) as Port;
  const isLast = port.shape[3] === 3 || port.shape[3] === 1;
  const channels = (isLast ? port.shape[3] : port.shape[1]) === 1 ? 1 : 3;
  const { width, height } = plan;
  const area = width * height;
  const values = new Float32Array(pictures.length * area * channels);
  for (const [at, { pixels }] of pictures.entries()) {
    const base = at * area * channels;
    for (let p = 0; p < area; p += 1) {
      for (let c = 0; c < channels; c += 1) {
        const from = plan.bgr ? channels - 1 - c : c;
        const byte =
          channels === 1
            ? 0.299 * (pixels[p * 3] as number) +
              0.587 * (pixels[p * 3 + 1] as number) +
              0.114 * (pixels[p * 3 + 2] as number)
            : (pixels[p * 3 + from] as number);
        const value = (byte * plan.scale - (plan.mean[from] as number)) / (plan.std[from] as number);
        values[isLast ? base + p * channels + c : base + c * area + p] = value;
      }
    }
  }
  const dims = isLast
    ? [pictures.length, height, width, channels]
    : [pictures.length, channels, height, width];
  const feeds: Record<string, Tensor> = { [port.name]: asType(port, values, dims) };
  for (const other of network.inputs)
    if (other.name !== port.name) feeds[other.name] = sideFeed(other, plan, pictures.length);
  return feeds;
}

/** Numbers that networks for pictures also take: masks of what is no padding, and sizes. */
function sideFeed(port: Port, { width, height }: { width: number; height: number }, count: number): Tensor {
  const shape = port.shape.map((size, axis) =>
    typeof size === 'number' ? size : axis === 0 ? count : undefined,
  );
  if (/mask/.test(port.name)) {
    const [, rows = height, columns = width] = shape;
    return ones(port, [count, rows, columns]);
  }
  if (/size|shape/.test(port.name))
    return asType(
      port,
      Float32Array.from({ length: count * 2 }, (_, at) => (at % 2 ? width : height)),
      [count, 2],
    );
  if (shape.every((size): size is number => size !== undefined)) return ones(port, shape);
  throw new PackageRefused(`the network wants an input '${port.name}' (${port.type}) that is not known here`);
}

const ones = (port: Port, dims: readonly number[]): Tensor =>
  asType(port, new Float32Array(dims.reduce((product, size) => product * size, 1)).fill(1), dims);

function asType({ type, name }: Port, values: Float32Array, dims: readonly number[]): Tensor {
  switch (type) {
    case 'float32':
      return new Tensor('float32', values, dims);
    case 'uint8':
      return new Tensor(
        'uint8',
        Uint8Array.from(values, (value) => Math.max(0, Math.min(255, Math.round(value)))),
        dims,
      );
    case 'int64':
      return new Tensor(
        'int64',
        BigInt64Array.from(values, (value) => BigInt(Math.round(value))),
        dims,
      );
    case 'int32':
      return new Tensor('int32', Int32Array.from(values), dims);
    case 'bool':
      return new Tensor(
        'bool',
        Uint8Array.from(values, (value) => (value ? 1 : 0)),
        dims,
      );
    default:
      throw new PackageRefused(
        `the input '${name}' is of type ${type}; float32, uint8, int32, int64 and bool are supported`,
      );
  }
}

interface Tokens {
  readonly ids: readonly number[];
  readonly mask: readonly number[];
}

function openTokenizer(
  folder: string,
  { tokenizer, tokenizerConfig, lengthMax, padTo, padId }: TextTower,
): (text: string) => Tokens {
  const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as object;
  // Parts that a tokenizer does without may be left out of its file.
  const usual = {
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    added_tokens: [],
  };
  const made = new Tokenizer({ ...usual, ...read(tokenizer) }, tokenizerConfig ? read(tokenizerConfig) : {});
  return (text) => {
    const all = made.encode(text.slice(0, 200_000)).ids;
    // Cut texts keep their last special token, by which some networks read them.
    const ids = all.length > lengthMax ? [...all.slice(0, lengthMax - 1), all.at(-1) as number] : all;
    const missing = Math.max(0, (padTo ?? 0) - ids.length);
    const padding = (value: number) => new Array<number>(missing).fill(value);
    return { ids: [...ids, ...padding(padId)], mask: [...ids.map(() => 1), ...padding(0)] };
  };
}

/** Texts run one at a time: padding to a common length would change what some networks say. */
function textFeeds(network: Network, [tokens]: readonly Tokens[]): Record<string, Tensor> {
  if (!tokens) throw new Error('no text');
  const dims = [1, tokens.ids.length];
  return Object.fromEntries(
    network.inputs.map((port) => {
      const values =
        port.name === 'input_ids'
          ? tokens.ids
          : /attention_mask/.test(port.name)
            ? tokens.mask
            : /token_type|position/.test(port.name)
              ? tokens.ids.map((_, at) => (/position/.test(port.name) ? at : 0))
              : undefined;
      if (!values)
        throw new PackageRefused(
          `the network wants an input '${port.name}' (${port.type}) that is not known here`,
        );
      // Not through 32-bit floats: ids of large vocabularies would be rounded.
      const tensor =
        port.type === 'int32'
          ? new Tensor('int32', Int32Array.from(values), dims)
          : new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
      return [port.name, tensor];
    }),
  );
}
