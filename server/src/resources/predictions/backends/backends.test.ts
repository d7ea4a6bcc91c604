import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Json, type Person, signedIn } from '#testing/people.ts';

let alice: Person;
let asked: { path: string; authorization: string | undefined; body: Json }[] = [];

/** A small service that speaks both protocols. */
const service = createServer((request: IncomingMessage, response: ServerResponse) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString() || '{}');
    asked.push({ path: request.url ?? '', authorization: request.headers.authorization, body });
    if (body.model === 'busy') return void response.writeHead(503).end('later');
    if (body.model === 'slow') return;
    if (body.model === 'nonsense') return void response.end('<html>');
    if (request.url === '/v1/embeddings')
      return void response.end(
        JSON.stringify({ data: [{ embedding: [0.6, 0.8] }], usage: { prompt_tokens: 3 } }),
      );
    if (request.url === '/v2/models/greeter/infer')
      return void response.end(
        JSON.stringify({ outputs: [{ datatype: 'BYTES', data: [`kserve: ${body.inputs[0].data[0]}`] }] }),
      );
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const word of ['hello', ' ', body.messages.at(-1).content])
      response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: word } }] })}\n\n`);
    response.write(
      `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 2 } })}\n\n`,
    );
    response.end('data: [DONE]\n\n');
  });
});
const address = () => `http://127.0.0.1:${(service.address() as AddressInfo).port}`;

beforeAll(async () => {
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  alice = await signedIn('alice');
});
afterAll(() => {
  service.closeAllConnections();
  service.close();
});

const place = (modelId: string) =>
  `/v2/ext/fovea/users/${alice.userId}/apps/${alice.appId}/models/${modelId}/backends`;

async function backed(modelId: string, modelTypeId: string, backend: object) {
  await alice.client.postModels({ models: [{ id: modelId, modelTypeId }] });
  const { http, json } = await alice.rest('POST', place(modelId), backend);
  expect(http, JSON.stringify(json)).toBe(200);
  return json.model_version_id as string;
}

const inputs = [{ data: { text: { raw: 'world' } } }];
const chat = () => ({
  kind: 'openai',
  url: `${address()}/v1`,
  model: 'greeter',
  api_key: 'sesame-9f1',
  params: { temperature: 0.5 },
});

describe('a model that a service elsewhere answers for', () => {
  test('chats by PostModelOutputs, with settings and a credential that nobody sees again', async () => {
    const versionId = await backed('chat', 'text-to-text', chat());
    asked = [];
    const params = { max_tokens: 12, system_prompt: 'be kind' };
    const { outputs, status } = await alice.client.postModelOutputs({
      modelId: 'chat',
      inputs,
      model: { modelVersion: { outputInfo: { params } } },
    });
    expect(status?.code, status?.details).toBe(10000);
    expect(outputs[0]?.data?.text?.raw).toBe('hello world');
    expect(outputs[0]).toMatchObject({ promptTokens: 7, completionTokens: 2 });
    expect(asked[0]).toMatchObject({
      path: '/v1/chat/completions',
      authorization: 'Bearer sesame-9f1',
      body: {
        model: 'greeter',
        temperature: 0.5,
        max_tokens: 12,
        messages: [
          { role: 'system', content: 'be kind' },
          { role: 'user', content: 'world' },
        ],
      },
    });
    const shown = await alice.rest('GET', `models/chat/versions/${versionId}`);
    expect(JSON.stringify(shown.json)).not.toContain('sesame');
    expect(shown.json.model_version.metadata.backend).toMatchObject({ kind: 'openai', model: 'greeter' });
  });

  test('is asked once for the same question where use_predict_cache is set, and not at all without', async () => {
    await backed('cached', 'text-to-text', chat());
    asked = [];
    const ask = async (raw: string, more: object = { usePredictCache: true }, person = alice) => {
      const { outputs } = await person.client.postModelOutputs({
        userAppId: { userId: alice.userId, appId: alice.appId },
        modelId: 'cached',
        inputs: [{ data: { text: { raw } } }],
        ...more,
      });
      return [outputs[0]?.data?.text?.raw, asked.length];
    };
    expect(await ask('world', {})).toEqual(['hello world', 1]);
    expect(await ask('world')).toEqual(['hello world', 2]);
    expect(await ask('world')).toEqual(['hello world', 2]);
    expect(await ask('moon')).toEqual(['hello moon', 3]);
    expect(await ask('world', {})).toEqual(['hello world', 4]);
    const warmer = { modelVersion: { outputInfo: { params: { temperature: 0.9 } } } };
    expect(await ask('world', { usePredictCache: true, model: warmer })).toEqual(['hello world', 5]);
    // Another version is another model.
    await backed('cached', 'text-to-text', chat());
    expect(await ask('world')).toEqual(['hello world', 6]);
    expect(await ask('world')).toEqual(['hello world', 6]);
  });

  test('embeds texts, and KServe answers too', async () => {
    await backed('embeds', 'text-embedder', { ...chat(), api_key: undefined });
    const embedded = await alice.client.postModelOutputs({ modelId: 'embeds', inputs });
    expect(embedded.outputs[0]?.data?.embeddings[0]?.vector.map((one) => Number(one.toFixed(3)))).toEqual([
      0.6, 0.8,
    ]);
    await backed('kserve', 'text-to-text', { kind: 'kserve', url: address(), model: 'greeter' });
    const greeted = await alice.client.postModelOutputs({ modelId: 'kserve', inputs });
    expect(greeted.outputs[0]?.data?.text?.raw).toBe('kserve: world');
  });

  test.each([
    ['busy', 21354, /busy/],
    ['slow', 21313, /longer than 1 s|in time/],
    ['nonsense', 21313, /not understood/],
  ])('that is %s answers with %i and words', async (model, code, words) => {
    await backed(`is-${model}`, 'text-to-text', { ...chat(), model, timeout_seconds: 1 });
    const { status, outputs } = await alice.client.postModelOutputs({ modelId: `is-${model}`, inputs });
    const found = outputs[0]?.status ?? status;
    expect(found?.code).toBe(code);
    expect(found?.details).toMatch(words);
  });

  test('settings that cannot be are refused', async () => {
    for (const wrong of [
      { kind: 'other' },
      { url: 'ftp://x' },
      { url: 'http://a:b@c/' },
      { model: '' },
      { timeout_seconds: 0 },
      { api_key: 5 },
    ])
      expect(
        (await alice.rest('POST', place('chat'), { ...chat(), ...wrong })).json.status.code,
        JSON.stringify(wrong),
      ).toBe(11102);
    expect((await alice.rest('POST', place('nobody'), chat())).json.status.code).toBe(21200);
  });

  test('OpenAI clients chat, stream and embed through this server', async () => {
    const model = `${alice.userId}/${alice.appId}/models/chat`;
    const call = (path: string, body: object, pat = alice.pat) =>
      fetch(`${alice.url}/v2/ext/openai/v1/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${pat}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const messages = [
      { role: 'system', content: 'be kind' },
      { role: 'user', content: 'you' },
    ];
    const whole = (await (await call('chat/completions', { model, messages })).json()) as Json;
    expect(whole.choices[0].message).toEqual({ role: 'assistant', content: 'hello you' });
    expect(whole.usage.total_tokens).toBe(9);
    const streamed = await (await call('chat/completions', { model, messages, stream: true })).text();
    const words = streamed
      .split('\n')
      .flatMap((line) =>
        line.startsWith('data: {') ? [JSON.parse(line.slice(6)).choices[0]?.delta.content ?? ''] : [],
      );
    expect(words.join('')).toBe('hello you');
    expect(streamed.trimEnd().endsWith('data: [DONE]')).toBe(true);
    const embedded = (await (
      await call('embeddings', { model: model.replace('chat', 'embeds'), input: ['a', 'b'] })
    ).json()) as Json;
    expect(embedded.data.map((one: Json) => one.embedding.length)).toEqual([2, 2]);
    expect((await call('chat/completions', { model, messages }, 'nobody')).status).toBe(401);
    expect((await call('chat/completions', { model: 'gpt', messages })).status).toBe(400);
    expect((await call('chat/completions', { model: model.replace('chat', 'none'), messages })).status).toBe(
      404,
    );
  });
});
