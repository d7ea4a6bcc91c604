import { OnnxGraph } from '../../server/src/engine/convert/onnx-graph.ts';
import { openClient } from '../../server/src/testing/client.ts';
import { broughtModel, tarFile } from '../../server/src/testing/models.ts';
import type { Person } from '../../server/src/testing/people.ts';
import { auth, inApp } from '../harness/calls.ts';
import { type BenchServer, pat, userId } from '../harness/server.ts';

/** The bench's user, as the helpers of the tests know people. */
export function personIn(server: BenchServer, appId: string): Person {
  const { client } = openClient(new URL(server.url).host, auth, inApp(appId).userAppId);
  return { url: server.url, pat, userId, appId, client } as unknown as Person;
}

const edge = 8;
const width = 512;

/** A classifier of three classes that multiplies its way through so many layers before it answers, a batch of one. */
export function layeredNetwork(layers: number, producer = 'fovea bench'): Uint8Array {
  const graph = new OnnxGraph();
  const image = graph.input('pixel_values', 'float32', [1, 3, edge, edge]);
  const means = graph.node('Flatten', [graph.node('GlobalAveragePool', [image])], { axis: 1 });
  const weights = (rows: number, columns: number, value: number) =>
    graph.floats(new Float32Array(rows * columns).fill(value), [rows, columns]);
  let value = graph.node('MatMul', [means, weights(3, width, 1 / 3)]);
  const square = weights(width, width, 1 / width);
  for (let layer = 0; layer < layers; layer++) value = graph.node('MatMul', [value, square]);
  graph.output('logits', graph.node('MatMul', [value, weights(width, 3, 1 / width)]), 'float32', [1, 3]);
  return graph.finish(producer);
}

const manifest = JSON.stringify({
  task: 'image-classification',
  labels: ['red', 'green', 'blue'],
  decoder: 'given',
  preprocess: { do_normalize: false, size: { height: edge, width: edge } },
});

export const packageOf = (network: Uint8Array): Buffer =>
  tarFile({ 'fovea.json': manifest, 'model.onnx': network });

/** Brings a model of so many layers. @throws Error when it is refused */
export async function bringLayers(person: Person, modelId: string, layers: number): Promise<void> {
  const { version } = await broughtModel(
    person,
    modelId,
    'visual-classifier',
    packageOf(layeredNetwork(layers)),
  );
  if (version?.status?.code !== 21100)
    throw new Error(`${modelId} is refused: ${version?.status?.code} ${version?.status?.details}`);
}
