/**
 * Records what TensorFlow.js itself computes for the networks that we translate to ONNX, so that the
 * translation can be checked without TensorFlow.js. Run once per pinned package version:
 *
 *   npm install --prefix TFJS_DIR @tensorflow/tfjs-core@4.22 @tensorflow/tfjs-converter@4.22 \
 *     @tensorflow/tfjs-layers@4.22 @tensorflow/tfjs-backend-wasm@4.22
 *   node server/models/record-reference.mjs TFJS_DIR
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const tfjsDir = path.resolve(process.argv[2] ?? '.');
const load = createRequire(path.join(tfjsDir, 'package.json'));
const here = createRequire(import.meta.url);
const tf = load('@tensorflow/tfjs-core');
const { loadGraphModel } = load('@tensorflow/tfjs-converter');
const { loadLayersModel } = load('@tensorflow/tfjs-layers');
const { setWasmPaths } = load('@tensorflow/tfjs-backend-wasm');
const out = path.join(path.dirname(fileURLToPath(import.meta.url)), 'recorded');
const samplesMax = 300;

const folderOf = (name) => {
  const entry = here.resolve(name);
  return entry.slice(
    0,
    entry.lastIndexOf(path.join('node_modules', name)) + path.join('node_modules', name).length,
  );
};
const human = path.join(folderOf('@vladmandic/human'), 'models');
const nsfw = path.join(folderOf('nsfwjs'), 'dist/models/mobilenet_v2');

/** The same whole-number pattern as referencePicture in convert.test.ts. */
function referencePicture(edge) {
  const wave = (n, half) => Math.floor((Math.abs((n % (2 * half)) - half) * 255) / half);
  const pixels = new Uint8Array(edge * edge * 3);
  for (let y = 0; y < edge; y++) {
    for (let x = 0; x < edge; x++) {
      for (let c = 0; c < 3; c++) {
        pixels[(y * edge + x) * 3 + c] = (wave(x + c * 11, 37) + wave(y * 2 + c * 5, 29)) >> 1;
      }
    }
  }
  return pixels;
}

const picture = (edge) => tf.tensor4d(Float32Array.from(referencePicture(edge)), [1, edge, edge, 3]);
const unit = (edge) => tf.div(picture(edge), 255);
const signed = (edge) => tf.sub(tf.div(picture(edge), 127.5), 1);

function graphModel(name, resize) {
  const json = JSON.parse(readFileSync(path.join(human, `${name}.json`), 'utf8'));
  if (resize) {
    const placeholder = json.modelTopology.node.find((node) => node.op === 'Placeholder');
    const dims = placeholder.attr.shape.shape.dim;
    dims[1].size = dims[2].size = String(resize);
    delete json.signature;
  }
  const bytes = readFileSync(path.join(human, `${name}.bin`));
  return loadGraphModel({
    load: async () => ({
      modelTopology: json.modelTopology,
      format: json.format,
      signature: json.signature,
      userDefinedMetadata: json.userDefinedMetadata,
      weightSpecs: json.weightsManifest.flatMap((group) => group.weights),
      weightData: new Uint8Array(bytes).buffer,
    }),
  });
}

function layersModel() {
  const json = here(path.join(nsfw, 'model.min.js'));
  const bytes = Buffer.from(here(path.join(nsfw, 'group1-shard1of1.min.js')), 'base64');
  return loadLayersModel({
    load: async () => ({
      modelTopology: json.modelTopology,
      weightSpecs: json.weightsManifest.flatMap((group) => group.weights),
      weightData: new Uint8Array(bytes).buffer,
    }),
  });
}

const graphOutputs = async (name, feeds, outputs, resize) => {
  const model = await graphModel(name, resize);
  const made = model.execute(feeds, Object.values(outputs));
  const list = Array.isArray(made) ? made : [made];
  return Object.fromEntries(Object.keys(outputs).map((key, index) => [key, list[index]]));
};

const pooled = (tensor) => {
  const mean = tf.mean(tensor, [1, 2]);
  return tf.div(mean, tf.norm(mean, 2, 1, true));
};

const records = {
  'object-heads': () =>
    graphOutputs(
      'centernet',
      { 'tower_0/images': picture(512) },
      { distances: 'tower_0/wh', scores: 'tower_0/keypoints' },
    ),
  'face-boxes': () =>
    graphOutputs(
      'blazeface',
      { input: signed(256) },
      { logits16: 'Identity', logits32: 'Identity_1', boxes16: 'Identity_2', boxes32: 'Identity_3' },
    ),
  'face-mesh': () =>
    graphOutputs('facemesh', { input_1: unit(192) }, { points: 'Identity_2', face: 'Identity_1' }),
  'face-traits': () => {
    const bgr = tf.sub(tf.reverse(picture(224), 3), tf.tensor1d([103.939, 116.779, 123.68]));
    return graphOutputs(
      'faceres',
      { input_1: bgr },
      { descriptor: 'global_pooling/Mean', age: 'age_pred/Softmax', gender: 'gender_pred/Sigmoid' },
    );
  },
  'face-expression': () => {
    const grey = tf.sum(tf.mul(picture(64), tf.tensor1d([0.2989, 0.587, 0.114])), 3, true);
    return graphOutputs('emotion', { input_1: tf.sub(tf.div(grey, 127.5), 1) }, { scores: 'Identity' });
  },
  'body-points': () =>
    graphOutputs('movenet-lightning', { input: tf.cast(picture(192), 'int32') }, { points: 'Identity' }),
  'moderation-scores': async () => ({ scores: (await layersModel()).predict(unit(224)) }),
  'general-features': async () => {
    const wide = await graphOutputs(
      'centernet',
      { 'tower_0/images': picture(224) },
      { tap: 'tower_0/MobilenetV3/expanded_conv_14/add' },
      224,
    );
    const block13 =
      'StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/model/block_13_expand_relu/Relu6';
    const body = await graphOutputs(
      'movenet-lightning',
      { input: tf.cast(picture(192), 'int32') },
      { tap: block13 },
    );
    return { features: tf.concat([pooled(wide.tap), pooled(body.tap)], 1) };
  },
};

function sampled(tensor) {
  const values = tensor.dataSync();
  // Odd, so that a stride never skips the same channels of an even-sized last axis.
  const step = Math.floor(values.length / samplesMax) | 1;
  const samples = [];
  for (let index = 0; index < values.length; index += step)
    samples.push(Number(values[index].toPrecision(7)));
  return { shape: tensor.shape, step, samples };
}

const wasm = path.dirname(load.resolve('@tensorflow/tfjs-backend-wasm'));
setWasmPaths(`${wasm}${path.sep}`);
tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
await tf.setBackend('wasm');
for (const [id, compute] of Object.entries(records)) {
  const outputs = await compute();
  const record = {
    computedBy: `TensorFlow.js ${tf.version_core}, wasm backend, one thread, by server/models/record-reference.mjs`,
    packages: { '@vladmandic/human': '3.3.6', nsfwjs: '4.4.0' },
    picture: 'referencePicture of convert.test.ts',
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, sampled(tensor)])),
  };
  writeFileSync(path.join(out, `${id}.json`), `${JSON.stringify(record)}\n`);
  console.log(
    id,
    Object.entries(record.outputs)
      .map(([name, { shape }]) => `${name} [${shape}]`)
      .join(', '),
  );
}
