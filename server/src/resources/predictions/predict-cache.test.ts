import { create } from '@bufbuild/protobuf';
import { type Data, DataSchema } from '@fovea/contract';
import { expect, test } from 'vitest';
import { openPredictCache, type Question } from './predict-cache.ts';

const question = (over: { text?: string; appKey?: number; version?: object; settings?: object } = {}) => {
  const { text = 'a', appKey = 1, version = {}, settings = {} } = over;
  return {
    grant: { appKey },
    runnable: {
      model: { typeId: 'text-embedder' },
      version: { key: 7, builtin: 'package:1', headSha: null, body: Buffer.from('body'), ...version },
    },
    media: { kinds: ['text'], text: async () => text },
    settings,
    params: {},
  } as unknown as Question;
};

/** A cache whose misses are counted; each answer says which miss made it. */
function counted(limits?: Parameters<typeof openPredictCache>[0]) {
  const cache = openPredictCache(limits);
  let misses = 0;
  const predict = async (): Promise<Data> => {
    misses += 1;
    return create(DataSchema, { text: { raw: `answer ${misses} ${'x'.repeat(80)}` } });
  };
  return async (over?: Parameters<typeof question>[0]): Promise<number> =>
    Number((await cache.answer(question(over), predict)).text?.raw.split(' ')[1]);
}

test('only the very same question finds an answer', async () => {
  const ask = counted();
  const others = [
    {},
    { text: 'b' },
    { appKey: 2 },
    { version: { key: 8 } },
    { version: { body: Buffer.from('other') } },
    { version: { headSha: Buffer.from('1') } },
    { settings: { conceptsMax: 3 } },
  ];
  const made = [];
  for (const one of others) made.push(await ask(one));
  expect(made).toEqual([1, 2, 3, 4, 5, 6, 7]);
  for (const [at, one] of others.entries()) expect(await ask(one)).toBe(at + 1);
});

test('what no network answers is computed anew', async () => {
  const ask = counted();
  expect([await ask({ version: { builtin: null } }), await ask({ version: { builtin: null } })]).toEqual([
    1, 2,
  ]);
});

test('memory stays within the limit, and what was unused for longest goes first', async () => {
  const ask = counted({ bytesMax: 250, answerBytesMax: 200 });
  expect([await ask({ text: 'a' }), await ask({ text: 'b' })]).toEqual([1, 2]);
  expect(await ask({ text: 'a' })).toBe(1);
  expect(await ask({ text: 'c' })).toBe(3);
  expect(await ask({ text: 'a' })).toBe(1);
  expect(await ask({ text: 'b' })).toBe(4);
  const none = counted({ bytesMax: 250, answerBytesMax: 50 });
  expect([await none(), await none()]).toEqual([1, 2]);
});

test('a caller who changes its answer changes nobody else’s', async () => {
  const cache = openPredictCache();
  const predict = async () => create(DataSchema, { concepts: [{ id: 'cat', name: 'cat' }] });
  await cache.answer(question(), predict);
  const first = await cache.answer(question(), predict);
  if (first.concepts[0]) first.concepts[0].name = 'chat';
  expect((await cache.answer(question(), predict)).concepts[0]?.name).toBe('cat');
});
