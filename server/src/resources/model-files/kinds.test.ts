import { beforeAll, expect, test } from 'vitest';
import { OnnxGraph } from '#engine/convert/onnx-graph.ts';
import { colourPng } from '#testing/inputs.ts';
import { broughtModel, tarFile } from '#testing/models.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { processed } from '#testing/training.ts';

let alice: Person;
beforeAll(async () => {
  alice = await signedIn('alice');
});

const plain = JSON.stringify({ do_normalize: false, size: { height: 8, width: 8 } });
const vocab = { '[UNK]': 0, red: 1, green: 2, blue: 3 };
const tokenizer = JSON.stringify({
  version: '1.0',
  added_tokens: [],
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'Whitespace' },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab,
  },
});
const picture = (r: number, g: number, b: number) => ({ data: { image: { base64: colourPng(r, g, b) } } });

async function ready(
  id: string,
  typeId: string,
  files: Record<string, Uint8Array | string>,
  useCases: string[] = [],
) {
  const { version } = await broughtModel(alice, id, typeId, tarFile(files), useCases);
  expect(version?.status?.code, version?.status?.details).toBe(21100);
  return version?.id ?? '';
}

async function ask(modelId: string, input: object) {
  const { outputs, status } = await alice.client.postModelOutputs({ modelId, inputs: [input] });
  expect(status?.code, status?.details).toBe(10000);
  return outputs[0]?.data;
}

function towers(): { vision: Uint8Array; text: Uint8Array } {
  const vision = new OnnxGraph();
  const image = vision.input('pixel_values', 'float32', ['batch', 3, 8, 8]);
  const means = vision.node('Flatten', [vision.node('GlobalAveragePool', [image])], { axis: 1 });
  vision.output('image_embeds', means, 'float32', ['batch', 3]);
  const text = new OnnxGraph();
  const ids = text.input('input_ids', 'int64', ['batch', 'tokens']);
  const table = text.floats([0.1, 0.1, 0.1, 1, 0, 0, 0, 1, 0, 0, 0, 1], [4, 3]);
  const mean = text.node('ReduceMean', [text.node('Gather', [table, ids])], { axes: [1], keepdims: 0 });
  text.output('text_embeds', mean, 'float32', ['batch', 3]);
  return { vision: vision.finish('tests'), text: text.finish('tests') };
}

test('a detector of the DETR family: boxes of what is there, labels from config.json', async () => {
  const graph = new OnnxGraph();
  graph.input('pixel_values', 'float32', [1, 3, 8, 8]);
  graph.output('logits', graph.floats([-9, 3, -9, -9], [1, 2, 2]), 'float32', [1, 2, 2]);
  graph.output(
    'pred_boxes',
    graph.floats([0.5, 0.5, 0.5, 0.25, 0.1, 0.1, 0.1, 0.1], [1, 2, 4]),
    'float32',
    [1, 2, 4],
  );
  const config = {
    architectures: ['RTDetrForObjectDetection'],
    model_type: 'rt_detr',
    id2label: { 0: 'cat', 1: 'dog' },
  };
  await ready('detr', 'visual-detector', {
    'config.json': JSON.stringify(config),
    'preprocessor_config.json': plain,
    'onnx/model.onnx': graph.finish('tests'),
  });
  const data = await ask('detr', picture(9, 9, 9));
  expect(data?.regions.length).toBe(1);
  expect(data?.regions[0]?.data?.concepts[0]?.name).toBe('dog');
  const box = data?.regions[0]?.regionInfo?.boundingBox;
  expect(
    [box?.leftCol, box?.topRow, box?.rightCol, box?.bottomRow].map((one) => Number(one?.toFixed(4))),
  ).toEqual([0.25, 0.375, 0.75, 0.625]);
});

test('a segmenter: a mask and its share for each class', async () => {
  const graph = new OnnxGraph();
  const image = graph.input('pixel_values', 'float32', [1, 3, 8, 8]);
  graph.output('logits', image, 'float32', [1, 3, 8, 8]);
  const config = {
    architectures: ['SegformerForSemanticSegmentation'],
    id2label: { 0: 'red', 1: 'green', 2: 'blue' },
  };
  await ready('segmenter', 'visual-segmenter', {
    'config.json': JSON.stringify(config),
    'preprocessor_config.json': plain,
    'model.onnx': graph.finish('tests'),
  });
  const data = await ask('segmenter', picture(0, 200, 9));
  expect(data?.regions.map((one) => [one.data?.concepts[0]?.name, one.value])).toEqual([['green', 1]]);
  expect(data?.regions[0]?.regionInfo?.mask?.image?.base64.length).toBeGreaterThan(50);
});

test('a text embedder with its tokenizer', async () => {
  await ready('texts', 'text-embedder', { 'model.onnx': towers().text, 'tokenizer.json': tokenizer });
  expect((await ask('texts', { data: { text: { raw: 'Green' } } }))?.embeddings[0]?.vector).toEqual([
    0, 1, 0,
  ]);
});

test('a pair of towers: an app indexed by it is searched by words', async () => {
  const { vision, text } = towers();
  const files = {
    'config.json': '{"model_type":"clip"}',
    'preprocessor_config.json': plain,
    'tokenizer.json': tokenizer,
    'onnx/vision_model.onnx': vision,
    'onnx/text_model.onnx': text,
  };
  const versionId = await ready('pair', 'visual-embedder', files, ['image-embedding']);
  const model = { id: 'pair', modelVersion: { id: versionId } };
  const made = await alice.client.postWorkflows({
    workflows: [{ id: 'by-pair', nodes: [{ id: 'embed', model }] }],
  });
  expect(made.status?.code, made.status?.details).toBe(10000);
  const patched = await alice.client.patchApps({
    userAppId: { userId: alice.userId },
    action: 'overwrite',
    apps: [{ id: alice.appId, defaultWorkflow: { id: 'by-pair', userId: alice.userId, appId: alice.appId } }],
  });
  expect(patched.status?.code, patched.status?.details).toBe(10000);
  await alice.client.postInputs({
    inputs: [
      { id: 'reddish', ...picture(250, 20, 20) },
      { id: 'greenish', ...picture(20, 250, 20) },
      { id: 'bluish', ...picture(20, 20, 250) },
    ],
  });
  await processed(alice, 3);
  for (const [word, id] of [
    ['red', 'reddish'],
    ['blue', 'bluish'],
  ]) {
    const query = { ranks: [{ annotation: { data: { text: { raw: word as string } } } }] };
    const { hits, status } = await alice.client.postInputsSearches({ searches: [{ query }] });
    expect(status?.code, status?.details).toBe(10000);
    expect(hits[0]?.input?.id).toBe(id);
  }
});
