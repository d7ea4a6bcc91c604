import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { addGraphModel } from './graph-model.ts';
import { addLayersModel } from './layers-model.ts';
import { OnnxGraph } from './onnx-graph.ts';
import { readGraphModel, readLayersModel, type SourceId } from './sources.ts';

/**
 * Raised whenever a recipe or an operator changes what ends up in the ONNX bytes, or the preparation of pictures
 * changes what goes in: stored vectors are comparable only under one number.
 */
export const recipeVersion = 1;

/** The size, in numbers, of the projection that turns pooled features into an embedding. */
export const projectionShape = { features: 696, dims: 256 } as const;
export const projectionFile = 'general-embed-projection.f32';

/** How one ONNX file is made. Every picture input is uint8 [n, height, width, 3], RGB, 0..255. */
export interface Recipe {
  sources: readonly SourceId[];
  /** Files of the project's own models folder that end up inside. */
  assets: readonly string[];
  build(assetsDir: string): Promise<Uint8Array>;
}

const movenetBackbone =
  'StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/model/block_13_expand_relu/Relu6';
const centernetBackbone = 'tower_0/MobilenetV3/expanded_conv_14/add';

export const recipes = {
  /** Heads of a CenterNet on MobileNetV3: boxes as distances left, top, right, bottom in input pixels; scores. */
  'object-heads': graphRecipe('centernet', async (graph) => {
    const picture = floatPicture(graph, 'image', 1, 512);
    const [boxes, scores] = await addSource(graph, 'centernet', { 'tower_0/images': picture }, [
      'tower_0/wh',
      'tower_0/keypoints',
    ]);
    graph.output('distances', boxes, 'float32', [1, 128, 128, 4]);
    graph.output('scores', scores, 'float32', [1, 128, 128, 80]);
  }),

  /** BlazeFace: two grids of face logits, each with boxes and six points in input pixels. */
  'face-boxes': graphRecipe('blazeface', async (graph) => {
    const picture = scaled(graph, floatPicture(graph, 'image', 1, 256), 1 / 127.5, [-1]);
    const names = ['Identity', 'Identity_1', 'Identity_2', 'Identity_3'];
    const values: readonly string[] = await addSource(graph, 'blazeface', { input: picture }, names);
    const outputs = [
      ['logits16', 512, 1],
      ['logits32', 384, 1],
      ['boxes16', 512, 16],
      ['boxes32', 384, 16],
    ] as const;
    outputs.forEach(([name, count, width], index) => {
      graph.output(name, values[index] as string, 'float32', [1, count, width]);
    });
  }),

  /** Face mesh: 468 points x, y, z in input pixels, and the logit of there being a face. */
  'face-mesh': graphRecipe('facemesh', async (graph) => {
    const picture = scaled(graph, floatPicture(graph, 'image', 'n', 192), 1 / 255);
    const [points, face] = await addSource(graph, 'facemesh', { input_1: picture }, [
      'Identity_2',
      'Identity_1',
    ]);
    graph.output('points', points, 'float32', ['n', 1404]);
    graph.output('face', face, 'float32', ['n', 1]);
  }),

  /** Face descriptor, age distribution over 0..99 years, and the probability of "masculine". */
  'face-traits': graphRecipe('faceres', async (graph) => {
    const picture = floatPicture(graph, 'image', 'n', 224);
    // Trained on BGR minus the mean of its training pictures, in the manner of Caffe.
    const turned = graph.node('Gather', [picture, graph.int64s([2, 1, 0])], { axis: 3 });
    const centred = scaled(graph, turned, 1, [-103.939, -116.779, -123.68]);
    const [descriptor, age, gender] = await addSource(graph, 'faceres', { input_1: centred }, [
      'global_pooling/Mean',
      'age_pred/Softmax',
      'gender_pred/Sigmoid',
    ]);
    graph.output('descriptor', descriptor, 'float32', ['n', 1024]);
    graph.output('age', age, 'float32', ['n', 100]);
    graph.output('gender', gender, 'float32', ['n', 1]);
  }),

  /** Seven facial expressions. */
  'face-expression': graphRecipe('emotion', async (graph) => {
    const picture = floatPicture(graph, 'image', 'n', 64);
    const weighted = graph.node('Mul', [picture, graph.floats([0.2989, 0.587, 0.114], [3])]);
    const grey = graph.node('ReduceSum', [weighted, graph.int64s([3])], { keepdims: 1 });
    const [scores] = await addSource(graph, 'emotion', { input_1: scaled(graph, grey, 1 / 127.5, [-1]) }, [
      'Identity',
    ]);
    graph.output('scores', scores, 'float32', ['n', 7]);
  }),

  /** MoveNet Lightning: 17 body points as y, x (0..1 of the square) and score. */
  'body-points': graphRecipe('movenet', async (graph) => {
    const picture = integerPicture(graph, 'image', 192);
    const [points] = await addSource(graph, 'movenet', { input: picture }, ['Identity']);
    graph.output('points', points, 'float32', [1, 1, 17, 3]);
  }),

  /** Five moderation classes. */
  'moderation-scores': {
    sources: ['nsfw'],
    assets: [],
    async build() {
      const graph = new OnnxGraph();
      const picture = scaled(graph, floatPicture(graph, 'image', 'n', 224), 1 / 255);
      const { layers, weights } = await readLayersModel('nsfw');
      graph.output('scores', addLayersModel(graph, layers, weights, picture, 'dense_3'), 'float32', ['n', 5]);
      return graph.finish('moderation-scores');
    },
  },

  /**
   * Two backbones, each averaged over the picture and brought to length one: the features that the
   * projection of `general-embedding` is fitted on.
   */
  'general-features': {
    sources: ['centernet', 'movenet'],
    assets: [],
    async build() {
      const graph = new OnnxGraph();
      const features = await pooledFeatures(graph);
      graph.output('features', features, 'float32', [1, projectionShape.features]);
      return graph.finish('general-features');
    },
  },

  /** The same features, centred, whitened down to 256 numbers, and brought to length one. */
  'general-embedding': {
    sources: ['centernet', 'movenet'],
    assets: [projectionFile],
    async build(assetsDir) {
      const graph = new OnnxGraph();
      const { mean, whitening } = await readProjection(path.join(assetsDir, projectionFile));
      const centred = graph.node('Sub', [await pooledFeatures(graph), graph.floats(mean, [mean.length])]);
      const { features, dims } = projectionShape;
      const projected = graph.node('MatMul', [centred, graph.floats(whitening, [features, dims])]);
      graph.output('embedding', unitLength(graph, projected), 'float32', [1, dims]);
      return graph.finish('general-embedding');
    },
  },

  /**
   * Features of every cell of 8 x 8 pixels of a 320-pixel square: what the detector's own heads look at, averaged
   * from its finest map, with coarser maps for what is around. For finding things.
   */
  'cells-8': denseRecipe(async (graph, add) => {
    const [fine, middle, wide] = await add([
      'tower_0/CenternetHead/mul',
      'tower_0/CenternetHead/Relu_1',
      centernetBackbone,
    ]);
    return [halved(graph, fine), middle, enlarged(graph, wide, 4)];
  }, 8),

  /** Features of every cell of 4 x 4 pixels of a 320-pixel square: edges, parts and things. For saying what each pixel is. */
  'cells-4': denseRecipe(async (graph, add) => {
    const [edges, fine, middle] = await add([
      'tower_0/MobilenetV3/expanded_conv_2/add',
      'tower_0/CenternetHead/mul',
      'tower_0/CenternetHead/Relu_1',
    ]);
    return [edges, fine, enlarged(graph, middle, 2)];
  }, 4),

  /** Features of the backbone's middle for every cell of 8 x 8 pixels of a 320-pixel square, blurred a little. For what looks unusual. */
  patches: denseRecipe(async (graph, add) => {
    const [texture, part] = await add([
      'tower_0/MobilenetV3/expanded_conv_5/expand/Relu',
      'tower_0/MobilenetV3/expanded_conv_11/add',
    ]);
    return [blurred(graph, texture), enlarged(graph, blurred(graph, part), 2)];
  }, 8),
} satisfies Record<string, Recipe>;

export type RecipeId = keyof typeof recipes;

/**
 * Reads the projection: 696 means, then a 696 x 256 matrix row by row, all float32 little endian.
 *
 * @throws when the file has another length
 */
export async function readProjection(file: string): Promise<{ mean: Float32Array; whitening: Float32Array }> {
  const { features, dims } = projectionShape;
  const bytes = await readFile(file);
  const wanted = features * (dims + 1) * 4;
  if (bytes.length !== wanted) throw new Error(`${file} has ${bytes.length} bytes, ${wanted} were expected`);
  const values = new Float32Array(Uint8Array.from(bytes).buffer);
  return { mean: values.slice(0, features), whitening: values.slice(features) };
}

function graphRecipe(source: SourceId, add: (graph: OnnxGraph) => Promise<void>): Recipe {
  return {
    sources: [source],
    assets: [],
    async build() {
      const graph = new OnnxGraph();
      await add(graph);
      return graph.finish(source);
    },
  };
}

/** Side in pixels of the square that dense features are made from. */
export const denseEdge = 320;

type Maps = readonly string[];

/**
 * Feature maps of the CenterNet, brought to one grid: output `cells`, float32 [1, cells, cells, features].
 *
 * @param choose names the nodes (each map turned to channels first), and brings their maps to the stride
 */
function denseRecipe(
  choose: (
    graph: OnnxGraph,
    add: <const Names extends readonly string[]>(names: Names) => Promise<{ [Index in keyof Names]: string }>,
  ) => Promise<Maps>,
  stride: number,
): Recipe {
  return {
    sources: ['centernet'],
    assets: [],
    async build() {
      const graph = new OnnxGraph();
      const picture = floatPicture(graph, 'image', 1, denseEdge);
      const { nodes, weights } = await readGraphModel('centernet');
      // The neck enlarges its maps to fixed sizes, which are those of a 512-pixel square.
      const resized = [...weights].map(([name, weight]) => {
        if (!/\/up_sampling2d(_\d)?\/mul$/.test(name)) return [name, weight] as const;
        const data = Int32Array.from(weight.data, (size) => (size * denseEdge) / 512);
        return [name, { ...weight, data }] as const;
      });
      const model = { nodes, weights: new Map(resized) };
      const maps = await choose(graph, async (names) => {
        const values = addGraphModel(graph, model, { 'tower_0/images': picture }, names);
        return values.map((value) => graph.node('Transpose', [value], { perm: [0, 3, 1, 2] })) as {
          [Index in keyof typeof names]: string;
        };
      });
      const joined = graph.node('Concat', maps, { axis: 1 });
      const cells = denseEdge / stride;
      const turned = graph.node('Transpose', [joined], { perm: [0, 2, 3, 1] });
      graph.output('cells', turned, 'float32', [1, cells, cells, 'features']);
      return graph.finish('dense');
    },
  };
}

const halved = (graph: OnnxGraph, map: string): string =>
  graph.node('AveragePool', [map], { kernel_shape: [2, 2], strides: [2, 2] });

const blurred = (graph: OnnxGraph, map: string): string =>
  graph.node('AveragePool', [map], { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] });

const enlarged = (graph: OnnxGraph, map: string, factor: number): string =>
  graph.node('Resize', [map, '', graph.floats([1, 1, factor, factor], [4])], {
    mode: 'linear',
    coordinate_transformation_mode: 'half_pixel',
  });

async function addSource<const Names extends readonly string[]>(
  graph: OnnxGraph,
  source: SourceId,
  feeds: Record<string, string>,
  wanted: Names,
): Promise<{ [Index in keyof Names]: string }> {
  const values = addGraphModel(graph, await readGraphModel(source), feeds, wanted);
  return values as { [Index in keyof Names]: string };
}

async function pooledFeatures(graph: OnnxGraph): Promise<string> {
  const [wide] = await addSource(
    graph,
    'centernet',
    { 'tower_0/images': floatPicture(graph, 'image224', 1, 224) },
    [centernetBackbone],
  );
  const [body] = await addSource(graph, 'movenet', { input: integerPicture(graph, 'image192', 192) }, [
    movenetBackbone,
  ]);
  const pooled = [wide, body].map((value) =>
    unitLength(graph, graph.node('ReduceMean', [value], { axes: [1, 2], keepdims: 0 })),
  );
  return graph.node('Concat', pooled, { axis: 1 });
}

function unitLength(graph: OnnxGraph, value: string): string {
  const length = graph.node('ReduceL2', [value], { axes: [1], keepdims: 1 });
  return graph.node('Div', [value, graph.node('Max', [length, graph.floats([1e-12], [])])]);
}

function floatPicture(graph: OnnxGraph, name: string, batch: number | string, edge: number): string {
  return graph.node('Cast', [graph.input(name, 'uint8', [batch, edge, edge, 3])], { to: 1 });
}

function integerPicture(graph: OnnxGraph, name: string, edge: number): string {
  return graph.node('Cast', [graph.input(name, 'uint8', [1, edge, edge, 3])], { to: 6 });
}

/** value * factor + shift, with one shift for all channels or one for each. */
function scaled(graph: OnnxGraph, value: string, factor: number, shift?: readonly number[]): string {
  const product = factor === 1 ? value : graph.node('Mul', [value, graph.floats([factor], [])]);
  return shift ? graph.node('Add', [product, graph.floats(shift, [shift.length])]) : product;
}
