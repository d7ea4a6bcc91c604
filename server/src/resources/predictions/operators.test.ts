import { beforeAll, describe, expect, test } from 'vitest';
import { codePng } from '#testing/codes.ts';
import { tinyPng } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { pngOf } from '#testing/png.ts';

let alice: Person;
let count = 0;

beforeAll(async () => {
  alice = await signedIn('alice');
});

/** Makes a model of a type with settings. @returns its id */
async function made(
  modelTypeId: string,
  params: object = {},
  concepts: { id: string; value?: number }[] = [],
) {
  const id = `${modelTypeId}-${count++}`;
  const reply = await alice.client.postModels({
    models: [
      { id, modelTypeId, outputInfo: { params: params as Record<string, never>, data: { concepts } } },
    ],
  });
  expect(reply.status?.code, reply.status?.details).toBe(10000);
  expect(reply.model?.modelVersion?.status?.code).toBe(21100);
  return id;
}

async function ask(modelId: string, data: object) {
  const { outputs, status } = await alice.client.postModelOutputs({ modelId, inputs: [{ data }] });
  return {
    output: outputs[0]?.data,
    code: outputs[0]?.status?.code ?? status?.code,
    details: status?.details,
  };
}

const concepts = [
  { id: 'a', name: 'a', value: 0.9 },
  { id: 'b', name: 'b', value: 0.5 },
  { id: 'c', name: 'c', value: 0.1 },
];
const region = (left: number, top: number, data: object, size = 0.1, value = 0.9) => ({
  regionInfo: { boundingBox: { leftCol: left, topRow: top, rightCol: left + size, bottomRow: top + size } },
  data,
  value,
});

describe('concept-threshold', () => {
  const limits = [
    { id: 'a', value: 0.5 },
    { id: 'b', value: 0.5 },
  ];
  test.each([
    ['GREATER_THAN', ['a']],
    ['GREATER_THAN_OR_EQUAL_TO', ['a', 'b']],
    ['LESS_THAN', []],
    ['LESS_THAN_OR_EQUAL_TO', ['b']],
    ['EQUAL', ['b']],
    ['GREATER_THAN_OR_EQUAL', ['a', 'b']],
    ['LESS_THAN_OR_EQUAL', ['b']],
    ['less than or equal to', ['b']],
    [2, ['a', 'b']],
  ])('%s keeps %j, and never a concept without a threshold', async (type, kept) => {
    const { output } = await ask(await made('concept-threshold', { concept_threshold_type: type }, limits), {
      concepts,
    });
    expect(output?.concepts.map((one) => one.id)).toEqual(kept);
  });

  test.each(['concept-threshold', 'region-threshold'])(
    '%s refuses a comparison that is none',
    async (type) => {
      const id = await made(type, { concept_threshold_type: 'ABOVE' }, limits);
      const { outputs, status } = await alice.client.postModelOutputs({
        modelId: id,
        inputs: [{ data: { concepts, regions: [region(0, 0, { concepts })] } }],
      });
      const found = outputs[0]?.status ?? status;
      expect(found?.code).toBe(21202);
      expect(found?.details).toContain('concept_threshold_type must be one of GREATER_THAN (1)');
    },
  );
});

test('region-threshold drops regions that are left without a concept', async () => {
  const id = await made('region-threshold', {}, [{ id: 'a', value: 0.5 }]);
  const { output } = await ask(id, {
    regions: [region(0, 0, { concepts }), region(0.5, 0.5, { concepts: concepts.slice(1) })],
  });
  expect(output?.regions.map((one) => one.data?.concepts.map(({ id }) => id))).toEqual([['a']]);
});

test('object-counter counts all regions, and each kind by its surest concept', async () => {
  const cats = {
    concepts: [
      { id: 'dog', name: 'dog', value: 0.2 },
      { id: 'cat', name: 'cat', value: 0.8 },
    ],
  };
  const { output } = await ask(await made('object-counter'), {
    regions: [region(0, 0, cats), region(0.3, 0, cats), region(0.6, 0, {})],
  });
  expect(output?.metadata).toEqual({ object_count: 3, counts: { cat: 2 } });
});

test('text-aggregation-operator reads lines from the top, and each from the left', async () => {
  const word = (left: number, top: number, raw: string) => region(left, top, { text: { raw } });
  const { output } = await ask(await made('text-aggregation-operator'), {
    regions: [
      word(0.5, 0.52, 'below'),
      word(0.4, 0.11, 'world'),
      word(0.1, 0.5, 'down'),
      word(0.1, 0.1, 'hello'),
      // A reader of text that ran on each region found by a detector.
      region(0.1, 0.8, { regions: [word(0.6, 0.3, 'inside'), word(0.2, 0.3, 'words')] }),
      region(0.3, 0.8, { regions: [] }),
    ],
  });
  expect(output?.text?.raw).toBe('hello world\ndown below\nwords inside');
});

describe('regex-based-classifier', () => {
  test.each([
    ['\\d{4}', 'in 1984', true],
    ['\\d{4}', 'in the past', false],
    ['(?i)HELLO', 'hello', true],
    ['(?P<year>\\d+)-(?P=year)', '7-7', true],
    ['é+', 'éé', true],
  ])('%s on %s is %j', async (regex, raw, matches) => {
    const { output } = await ask(await made('regex-based-classifier', { regex }, [{ id: 'found' }]), {
      text: { raw },
    });
    expect(output?.concepts.map(({ id, value }) => [id, value])).toEqual(matches ? [['found', 1]] : []);
  });

  test('a pattern that is none, and one that never ends, are said to be so', async () => {
    const text = { raw: `${'a'.repeat(40)}!` };
    expect((await ask(await made('regex-based-classifier', { regex: '(' }), { text })).code).toBe(21202);
    expect((await ask(await made('regex-based-classifier', { regex: '^(a+)+$' }), { text })).code).toBe(
      21202,
    );
  });
});

describe('language-id-operator', () => {
  test.each([
    ['The quick brown fox jumps over the lazy dog', 'en'],
    ['Der schnelle braune Fuchs springt über den faulen Hund', 'de'],
    ['El rápido zorro marrón salta sobre el perro perezoso', 'es'],
    ['これは日本語で書かれた文章です', 'ja'],
  ])('%s is %s', async (raw, code) => {
    const { output } = await ask(await made('language-id-operator'), { text: { raw } });
    expect(output?.concepts.map((one) => one.id)).toEqual([code]);
    expect(output?.concepts[0]?.value).toBeGreaterThan(0.5);
  });

  test('several where asked for, none below the threshold, none of no letters', async () => {
    const raw = 'Der schnelle braune Fuchs';
    const many = await ask(await made('language-id-operator', { topk: 3 }), { text: { raw } });
    expect(many.output?.concepts).toHaveLength(3);
    const none = await ask(await made('language-id-operator', { threshold: 0.99 }), { text: { raw } });
    expect(none.output?.concepts).toEqual([]);
    expect(
      (await ask(await made('language-id-operator'), { text: { raw: '12345' } })).output?.concepts,
    ).toEqual([]);
  });
});

describe('prompts', () => {
  test('stand around the text, which is taken as it is', async () => {
    const id = await made('prompter', { prompt_template: 'Say {data.text.raw}, twice {data.text.raw}' });
    expect((await ask(id, { text: { raw: '$& {x}' } })).output?.text?.raw).toBe('Say $& {x}, twice $& {x}');
  });

  test('without a place for the text are refused, by name', async () => {
    const { code, details } = await ask(await made('prompter', { prompt_template: 'Say' }), {
      text: { raw: 'x' },
    });
    expect(code).toBe(21202);
    expect(details).toContain('{data.text.raw}');
  });
});

test('random-sample lets all pass, or none, or some', async () => {
  expect(
    (await ask(await made('random-sample', { keep_fraction: 1 }), { concepts })).output?.concepts,
  ).toHaveLength(3);
  expect(
    (await ask(await made('random-sample', { keep_fraction: 0 }), { concepts })).output?.concepts,
  ).toHaveLength(0);
  // Half is also what it keeps where nobody said, as its type says.
  for (const params of [{ keep_fraction: 0.5 }, {}]) {
    const half = await made('random-sample', params);
    const inputs = Array.from({ length: 100 }, () => ({ data: { concepts } }));
    const { outputs } = await alice.client.postModelOutputs({ modelId: half, inputs });
    const passed = outputs.filter((output) => output.data?.concepts.length).length;
    expect(passed).toBeGreaterThan(20);
    expect(passed).toBeLessThan(80);
  }
});

describe('pictures', () => {
  const wide = pngOf(
    100,
    60,
    Array.from({ length: 60 }, () => Buffer.concat([Buffer.of(0), Buffer.alloc(300, 90)])),
  );

  test('image-crop cuts the regions, with a margin', async () => {
    const id = await made('image-crop', { margin: 2 });
    const { output } = await ask(id, {
      image: { base64: wide },
      regions: [region(0.4, 0.4, {}, 0.1), { data: {} }],
    });
    const png = Buffer.from(output?.regions[0]?.data?.image?.base64 ?? []);
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([20, 12]);
    expect(output?.regions).toHaveLength(2);
    expect((await ask(await made('image-crop', { margin: -1 }), { image: { base64: wide } })).code).toBe(
      21202,
    );
  });

  test('image-tiler covers the picture with tiles that overlap', async () => {
    const id = await made('image-tiler', { tile_width: 40, tile_height: 40, max_object_size: 10 });
    const { output } = await ask(id, { image: { base64: wide } });
    const boxes = output?.regions.map((one) => one.regionInfo?.boundingBox) ?? [];
    expect(boxes.map((box) => [box?.leftCol, box?.topRow].map((edge) => Number(edge?.toFixed(4))))).toEqual([
      [0, 0],
      [0.3, 0],
      [0.6, 0],
      [0, 0.3333],
      [0.3, 0.3333],
      [0.6, 0.3333],
    ]);
    expect(Math.max(...boxes.map((box) => box?.rightCol ?? 0))).toBeCloseTo(1, 5);
    const png = Buffer.from(output?.regions[0]?.data?.image?.base64 ?? []);
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([40, 40]);
    const small = await ask(await made('image-tiler'), { image: { base64: wide } });
    expect(small.output?.regions).toHaveLength(1);
    const endless = await made('image-tiler', { tile_width: 40, tile_height: 40, max_object_size: 40 });
    expect((await ask(endless, { image: { base64: wide } })).code).toBe(21202);
  });

  test.each([
    ['QRCode', 'https://example.org/äöü'],
    ['EAN-13', '4006381333931'],
    ['Code128', 'Fovea-128'],
    ['DataMatrix', 'matrix'],
  ])('barcode-operator reads %s', async (format, text) => {
    const { output } = await ask(await made('barcode-operator'), {
      image: { base64: await codePng(text, format) },
    });
    expect(output?.regions.map((one) => one.data?.text?.raw)).toEqual([text]);
    const box = output?.regions[0]?.regionInfo?.boundingBox;
    expect((box?.rightCol ?? 0) - (box?.leftCol ?? 1)).toBeGreaterThan(0.3);
  });

  test('barcode-operator finds nothing in a plain picture, and says so of one that is none', async () => {
    const id = await made('barcode-operator');
    expect((await ask(id, { image: { base64: tinyPng(200, 64) } })).output?.regions).toEqual([]);
    expect((await ask(id, { image: { base64: Buffer.from('no picture') } })).code).not.toBe(10000);
  });
});

describe.each(['byte-tracker', 'centroid-tracker', 'kalman-filter-hungarian-tracker', 'kalman-reid-tracker'])(
  '%s',
  (modelTypeId) => {
    test('gives what moves one name throughout, and drops what is seen once', async () => {
      const id = await made(modelTypeId, { track_id_prefix: 'cam1-' });
      const ball = (left: number, top: number) =>
        region(left, top, { concepts: [{ id: 'ball', name: 'ball', value: 0.9 }] });
      const frames = Array.from({ length: 8 }, (_, i) => ({
        frameInfo: { index: i, time: i * 100 },
        data: {
          regions: [
            ball(0.1 + i * 0.02, 0.1),
            ball(0.8 - i * 0.02, 0.7),
            ...(i === 3 ? [ball(0.5, 0.4)] : []),
          ],
        },
      }));
      const { output } = await ask(id, { frames });
      expect(output?.frames.map((frame) => frame.data?.regions.map((one) => one.trackId))).toEqual(
        frames.map(() => ['cam1-1', 'cam1-2']),
      );
      expect(output?.frames[5]?.frameInfo).toMatchObject({ index: 5, time: 500 });
    });

    test('says nothing of a video without regions', async () => {
      const { output, code } = await ask(await made(modelTypeId), {
        frames: [{ frameInfo: { index: 0, time: 0 }, data: {} }],
      });
      expect(code).toBe(10000);
      expect(output?.frames[0]?.data?.regions).toEqual([]);
    });
  },
);
