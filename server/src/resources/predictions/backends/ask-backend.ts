import type { Fault } from '#domain/fault.ts';
import { type Fetcher, FetchFault, type FetchOptions } from '#store/fetcher/index.ts';
import { type Backend, backendFault } from './backend.ts';

/** What a service said: words, or numbers. */
export interface BackendAnswer {
  readonly text?: string;
  readonly vector?: Float32Array;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
}

export interface BackendQuestion {
  /** `embed` asks for numbers, `generate` for words. */
  readonly wants: 'embed' | 'generate';
  readonly text: string;
  readonly image?: Buffer | undefined;
  /** temperature, max_tokens, top_p, system_prompt … of the version and of the request. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal | undefined;
  /** The credential in clear. */
  readonly key: string | undefined;
}

const answerBytesMax = 64 * 2 ** 20;
const passedOn = [
  'temperature',
  'top_p',
  'max_tokens',
  'stop',
  'seed',
  'presence_penalty',
  'frequency_penalty',
];

/**
 * Asks the service behind a model; words come as they are said.
 *
 * @throws Fault 21354 when it is busy · 21313 when it is down, slow, or answers nonsense
 */
export async function* askBackend(
  fetcher: Fetcher,
  backend: Backend,
  question: BackendQuestion,
): AsyncGenerator<BackendAnswer> {
  try {
    if (backend.kind === 'kserve') yield await askKserve(fetcher, backend, question);
    else if (question.wants === 'embed') yield await askEmbedding(fetcher, backend, question);
    else yield* askChat(fetcher, backend, question);
  } catch (error) {
    throw asFault(error, backend);
  }
}

function asFault(error: unknown, { timeoutMs }: Backend): Fault | unknown {
  if (!(error instanceof FetchFault)) return error;
  if (error.status === 429 || error.status === 503) return backendFault.busy(error.message);
  if (error.kind === 'timeout')
    return backendFault.down(`it took longer than ${Math.round(timeoutMs / 1000)} s.`);
  return backendFault.down(error.message);
}

const postOf = ({ timeoutMs }: Backend, { key, signal }: BackendQuestion, body: object): FetchOptions => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}) },
  timeoutMs,
  sizeBytesMax: answerBytesMax,
  ...(signal ? { signal } : {}),
});

async function* askChat(
  fetcher: Fetcher,
  backend: Backend,
  question: BackendQuestion,
): AsyncGenerator<BackendAnswer> {
  const { params, text, image } = question;
  const system = params.system_prompt;
  const content = image
    ? [
        ...(text ? [{ type: 'text', text }] : []),
        { type: 'image_url', image_url: { url: `data:${mimeOf(image)};base64,${image.toString('base64')}` } },
      ]
    : text;
  const messages = [
    ...(typeof system === 'string' && system !== '' ? [{ role: 'system', content: system }] : []),
    { role: 'user', content },
  ];
  const settings = Object.fromEntries(
    passedOn.filter((name) => params[name] != null).map((name) => [name, params[name]]),
  );
  const body = {
    model: backend.remoteModel,
    messages,
    ...settings,
    stream: true,
    stream_options: { include_usage: true },
  };
  const { stream, contentType } = await fetcher.open(
    `${backend.url}/chat/completions`,
    postOf(backend, question, body),
  );
  if (!contentType.includes('event-stream')) {
    const whole = await jsonOf(stream);
    yield { text: whole?.choices?.[0]?.message?.content ?? '', ...usageOf(whole) };
    return;
  }
  for await (const event of eventsOf(stream)) {
    const delta = event?.choices?.[0]?.delta?.content;
    if (typeof delta === 'string' && delta !== '') yield { text: delta };
    if (event?.usage) yield usageOf(event);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what a foreign service says is looked at field by field
type Foreign = any;

const usageOf = (said: Foreign): BackendAnswer => ({
  promptTokens: Number(said?.usage?.prompt_tokens ?? 0),
  completionTokens: Number(said?.usage?.completion_tokens ?? 0),
});

const mimeOf = (image: Buffer): string =>
  image[0] === 0x89 ? 'image/png' : image[0] === 0x52 ? 'image/webp' : 'image/jpeg';

async function jsonOf(stream: AsyncIterable<Buffer | Uint8Array>): Promise<Foreign> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw backendFault.wrongAnswer('it is no JSON');
  }
}

/** The JSON of server-sent events, up to `[DONE]`. */
async function* eventsOf(stream: AsyncIterable<Buffer | Uint8Array>): AsyncGenerator<Foreign> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const data = /^data:\s*(.*)$/.exec(line)?.[1];
      if (data === undefined) continue;
      if (data === '[DONE]') return;
      try {
        yield JSON.parse(data);
      } catch {
        throw backendFault.wrongAnswer('an event of its stream is no JSON');
      }
    }
  }
}

async function askEmbedding(
  fetcher: Fetcher,
  backend: Backend,
  question: BackendQuestion,
): Promise<BackendAnswer> {
  const body = { model: backend.remoteModel, input: question.text };
  const { stream } = await fetcher.open(`${backend.url}/embeddings`, postOf(backend, question, body));
  const said = await jsonOf(stream);
  return { vector: numbersOf(said?.data?.[0]?.embedding), ...usageOf(said) };
}

function numbersOf(list: unknown): Float32Array {
  if (Array.isArray(list) && list.length > 0 && list.every((one) => Number.isFinite(one)))
    return Float32Array.from(list as number[]);
  throw backendFault.wrongAnswer('it holds no numbers');
}

/** One tensor in, of bytes; one out: texts, or numbers. Source: open inference protocol, version 2. */
async function askKserve(
  fetcher: Fetcher,
  backend: Backend,
  question: BackendQuestion,
): Promise<BackendAnswer> {
  const { params, image, text } = question;
  const name = typeof params.input_name === 'string' ? params.input_name : 'input';
  const data = [image ? image.toString('base64') : text];
  const body = { inputs: [{ name, shape: [1, 1], datatype: 'BYTES', data }] };
  const url = `${backend.url}/v2/models/${encodeURIComponent(backend.remoteModel)}/infer`;
  const { stream } = await fetcher.open(url, postOf(backend, question, body));
  const [output] = (await jsonOf(stream))?.outputs ?? [];
  if (output?.datatype === 'BYTES') return { text: (output.data ?? []).join('') };
  return { vector: numbersOf((output?.data ?? []).flat(Number.POSITIVE_INFINITY)) };
}
