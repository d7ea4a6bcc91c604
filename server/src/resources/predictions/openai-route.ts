import type { IncomingMessage, ServerResponse } from 'node:http';
import { create } from '@bufbuild/protobuf';
import {
  InputSchema,
  type MultiOutputResponse,
  type Output,
  type PostModelOutputsRequest,
  PostModelOutputsRequestSchema,
  StatusCode,
} from '@fovea/contract';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { readJsonBody } from '../common/request-body.ts';

type HeaderOf = (name: string) => string | undefined;

export interface OpenAiParts {
  /** Signs in whoever may predict with models of the app. @throws Fault as PostModelOutputs would */
  readonly grant: (header: HeaderOf, userId: string, appId: string) => Promise<AppGrant>;
  /** PostModelOutputs and GenerateModelOutputs, as a caller of the app. */
  readonly predict: (
    grant: AppGrant,
    request: PostModelOutputsRequest,
    signal: AbortSignal,
  ) => Promise<Answer>;
  readonly generate: (
    grant: AppGrant,
    request: PostModelOutputsRequest,
    signal: AbortSignal,
  ) => AsyncIterable<Answer>;
}

type Answer = Pick<MultiOutputResponse, 'outputs'> & {
  status?: { code?: number; details?: string } | undefined;
};

const bodyBytesMax = 32 * 2 ** 20;

/**
 * The parts of OpenAI's interface that official clients of Clarifai use: chat completions and embeddings. `model` names
 * a model as `USER/APP/models/MODEL[/versions/VERSION]`, or as the URL of its page.
 */
export function openAiRoutes(parts: OpenAiParts) {
  const route = (path: string, work: (body: Sent, asked: Asked) => Promise<void>) => ({
    verb: 'POST' as const,
    path,
    async answer(
      request: IncomingMessage,
      response: ServerResponse,
      { header }: { header: HeaderOf },
    ): Promise<void> {
      const aborter = new AbortController();
      response.once('close', () => aborter.abort());
      try {
        const body = (await readJsonBody(request, bodyBytesMax)) as Sent;
        const model = modelIn(body.model);
        const grant = await parts.grant(withKey(header), model.userId, model.appId);
        await work(body, { grant, model, response, signal: aborter.signal });
      } catch (error) {
        if (!(error instanceof Fault) || error.kind === 'internal') throw error;
        refuse(response, error);
      }
    },
  });

  return [
    route('/v2/ext/openai/v1/chat/completions', async (body, asked) => {
      const request = chatRequest(body, asked.model);
      if (body.stream === true)
        await streamChat(asked, body, parts.generate(asked.grant, request, asked.signal));
      else answerChat(asked, body, firstOf(await parts.predict(asked.grant, request, asked.signal)));
    }),
    route('/v2/ext/openai/v1/embeddings', async (body, { grant, model, response, signal }) => {
      const texts = (Array.isArray(body.input) ? body.input : [body.input]) as unknown[];
      if (texts.length === 0 || texts.some((text) => typeof text !== 'string' || text === ''))
        throw badRequest('input must be a text, or a list of texts.');
      const inputs = texts.map((raw) => create(InputSchema, { data: { text: { raw: raw as string } } }));
      const reply = await parts.predict(grant, requestFor(model, inputs), signal);
      const data = texts.map((_, index) => {
        const vector = outputAt(reply, index).data?.embeddings[0]?.vector;
        if (!vector) throw badRequest(`the model '${model.modelId}' makes no embeddings of texts.`);
        return { object: 'embedding', index, embedding: encoded(vector, body.encoding_format) };
      });
      sendJson(response, 200, {
        object: 'list',
        data,
        model: body.model,
        usage: { prompt_tokens: 0, total_tokens: 0 },
      });
    }),
  ];
}

interface Sent {
  readonly [name: string]: unknown;
}

interface Named {
  readonly userId: string;
  readonly appId: string;
  readonly modelId: string;
  readonly versionId: string;
}

interface Asked {
  readonly grant: AppGrant;
  readonly model: Named;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
}

const badRequest = (words: string) => new Fault('bad_request', StatusCode.CONN_INVALID_REQUEST, words);

/** Its clients say `Bearer` where the contract says `Key`. */
const withKey =
  (header: HeaderOf): HeaderOf =>
  (name) => {
    const value = header(name);
    return name === 'authorization' ? value?.replace(/^Bearer /i, 'Key ') : value;
  };

function modelIn(name: unknown): Named {
  const path = typeof name === 'string' ? name.replace(/^https?:\/\/[^/]+\//, '') : '';
  const [, userId = '', appId = '', modelId = '', versionId = ''] =
    /^([^/]+)\/([^/]+)\/models\/([^/]+)(?:\/versions\/([^/]+))?\/?$/.exec(path) ?? [];
  if (modelId === '')
    throw badRequest("model must be 'USER/APP/models/MODEL', or the URL of a model's page.");
  return { userId, appId, modelId, versionId };
}

const requestFor = (
  { userId, appId, modelId, versionId }: Named,
  inputs: PostModelOutputsRequest['inputs'],
  params?: object,
) =>
  create(PostModelOutputsRequestSchema, {
    userAppId: { userId, appId },
    modelId,
    versionId,
    inputs,
    ...(params ? { model: { modelVersion: { outputInfo: { params: params as never } } } } : {}),
  });

const passedOn = [
  'temperature',
  'top_p',
  'max_tokens',
  'stop',
  'seed',
  'presence_penalty',
  'frequency_penalty',
];

/** System messages become the prompt of the system; the rest of the talk becomes one text. */
function chatRequest(body: Sent, model: Named): PostModelOutputsRequest {
  const messages = (Array.isArray(body.messages) ? body.messages : []) as {
    role?: unknown;
    content?: unknown;
  }[];
  if (messages.length === 0) throw badRequest('messages must hold at least one message.');
  const said = messages.map(({ role, content }) => ({ role: String(role), ...contentOf(content) }));
  const system = said.filter(({ role }) => role === 'system' || role === 'developer').map(({ text }) => text);
  const talk = said.filter(({ role }) => role !== 'system' && role !== 'developer');
  const raw =
    talk.length === 1 ? (talk[0]?.text ?? '') : talk.map(({ role, text }) => `${role}: ${text}`).join('\n');
  const image = talk.findLast((one) => one.image !== undefined)?.image;
  const settings = Object.fromEntries(
    passedOn.filter((name) => body[name] != null).map((name) => [name, body[name]]),
  );
  const maxTokens = body.max_completion_tokens;
  const params = {
    ...settings,
    ...(maxTokens == null ? {} : { max_tokens: maxTokens }),
    ...(system.length > 0 ? { system_prompt: system.join('\n') } : {}),
  };
  const input = create(InputSchema, {
    data: { ...(raw ? { text: { raw } } : {}), ...(image ? { image } : {}) },
  });
  return requestFor(model, [input], params);
}

function contentOf(content: unknown): { text: string; image?: { url?: string; base64?: Uint8Array } } {
  if (typeof content === 'string') return { text: content };
  if (!Array.isArray(content)) return { text: '' };
  const text = content.flatMap((part) => (part?.type === 'text' ? [String(part.text ?? '')] : [])).join('\n');
  const url = content.find((part) => part?.type === 'image_url')?.image_url?.url;
  if (typeof url !== 'string') return { text };
  const inline = /^data:[^;,]*;base64,(.*)$/s.exec(url)?.[1];
  return { text, image: inline === undefined ? { url } : { base64: Buffer.from(inline, 'base64') } };
}

function outputAt({ outputs, status }: Answer, index: number): Output {
  const output = outputs[index];
  const code = output?.status?.code ?? status?.code;
  if (output && code === StatusCode.SUCCESS) return output;
  const details =
    output?.status?.details || output?.status?.description || status?.details || 'the model did not answer.';
  throw new Fault('bad_request', code ?? StatusCode.FAILURE, details);
}

const firstOf = (answer: Answer): Output => outputAt(answer, 0);

const usageOf = ({ promptTokens, completionTokens }: { promptTokens: number; completionTokens: number }) => ({
  prompt_tokens: promptTokens,
  completion_tokens: completionTokens,
  total_tokens: promptTokens + completionTokens,
});

const textIn = (output: Output): string => output.data?.text?.raw ?? '';

function answerChat({ response }: Asked, body: Sent, output: Output): void {
  sendJson(response, 200, {
    id: `chatcmpl-${newId()}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: body.model,
    choices: [{ index: 0, message: { role: 'assistant', content: textIn(output) }, finish_reason: 'stop' }],
    usage: usageOf(output),
  });
}

async function streamChat({ response }: Asked, body: Sent, answers: AsyncIterable<Answer>): Promise<void> {
  const head = {
    id: `chatcmpl-${newId()}`,
    object: 'chat.completion.chunk',
    created: Math.floor(Date.now() / 1000),
    model: body.model,
  };
  const usage = { promptTokens: 0, completionTokens: 0 };
  let hasBegun = false;
  const send = (value: object | string) => {
    if (!hasBegun)
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
      });
    hasBegun = true;
    response.write(`data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`);
  };
  try {
    for await (const answer of answers) {
      const output = firstOf(answer);
      usage.promptTokens = output.promptTokens || usage.promptTokens;
      usage.completionTokens = output.completionTokens || usage.completionTokens;
      send({
        ...head,
        choices: [{ index: 0, delta: { role: 'assistant', content: textIn(output) }, finish_reason: null }],
      });
    }
  } catch (error) {
    // Before the first word the answer can still be a refusal; after it, only its end.
    if (!hasBegun || !(error instanceof Fault)) throw error;
    send({ error: { message: error.details, code: error.code } });
  }
  send({ ...head, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage: usageOf(usage) });
  send('[DONE]');
  response.end();
}

/** Numbers as a list, or as the bytes of 32-bit floats, which official clients ask for. */
const encoded = (vector: readonly number[], format: unknown): number[] | string =>
  format === 'base64' ? Buffer.from(Float32Array.from(vector).buffer).toString('base64') : [...vector];

const httpOf: Partial<Record<Fault['kind'], number>> = {
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  too_large: 413,
  throttled: 429,
  busy: 503,
  unavailable: 503,
  not_implemented: 501,
};

function refuse(response: ServerResponse, { kind, details, code }: Fault): void {
  sendJson(response, httpOf[kind] ?? 400, {
    error: { message: details, type: kind, param: null, code: String(code) },
  });
}

function sendJson(response: ServerResponse, http: number, body: object): void {
  response.writeHead(http, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.end(JSON.stringify(body));
}
