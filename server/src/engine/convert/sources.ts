import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { GraphModel, GraphNode } from './graph-node.ts';
import type { Layer } from './layers-model.ts';
import { readWeights, type Weight, type WeightSpec } from './tfjs-weights.ts';

/** A file inside an npm package that carries a network, and what it must contain. */
export interface SourceFile {
  package: string;
  file: string;
  sha256: string;
}

const human = (file: string, sha256: string): SourceFile => ({
  package: '@vladmandic/human',
  file: `models/${file}`,
  sha256,
});

const nsfw = (file: string, sha256: string): SourceFile => ({
  package: 'nsfwjs',
  file: `dist/models/mobilenet_v2/${file}`,
  sha256,
});

/** The networks that the pinned npm packages carry: topology first, weights second. */
export const sources = {
  centernet: [
    human('centernet.json', 'bfb942eaacc5becf738d536663bc4580a0ae9e560722306e6d4dd7fe4a09de05'),
    human('centernet.bin', '1b635a15009071f506f9f2b3519b31c072c534888989f30d269ffd44734ef7ef'),
  ],
  blazeface: [
    human('blazeface.json', 'cd7bbfc078270572beb39f9e5ae67aadbd50b5e67cff37e6d4f6b3ea39312e5f'),
    human('blazeface.bin', 'dc9a97fdc50bc43216554bdd69aa3e7b9361a519ee7bdd996a2f69a98a6f9b72'),
  ],
  facemesh: [
    human('facemesh.json', 'b60ca26f404724f43bd2b1575761d8265180e1f053cc0731caa68462927309e7'),
    human('facemesh.bin', '3826da640b0a3021161605369ee6af293f75d518040355b960ec71a3390c1c0b'),
  ],
  faceres: [
    human('faceres.json', '5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df'),
    human('faceres.bin', '2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b'),
  ],
  emotion: [
    human('emotion.json', '56f7e557eb0c863a8b9ab04ac7ccba756e93bf2c27dce135ef0e8712b80b7ad2'),
    human('emotion.bin', '927ac8224f356ab1e68c2bcfbfa07b0c8567047d1bcf817388ba6e38214c4987'),
  ],
  movenet: [
    human('movenet-lightning.json', 'df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9'),
    human('movenet-lightning.bin', 'bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34'),
  ],
  nsfw: [
    nsfw('model.min.js', 'c32f104fd562b08cdff5ed69dfe1209643afa47e792fb12751d2949aa61a397a'),
    nsfw('group1-shard1of1.min.js', 'ef2e0a63f7d2c4960b37b024b669313f65d3c45cd59e9042636c55b39de53517'),
  ],
} as const satisfies Record<string, readonly [SourceFile, SourceFile]>;

export type SourceId = keyof typeof sources;

/** Reads a TensorFlow.js graph model from its package. */
export async function readGraphModel(id: SourceId): Promise<GraphModel> {
  const [topologyFile, weightsFile] = sources[id];
  const topology = JSON.parse((await readSource(topologyFile)).toString('utf8')) as {
    modelTopology: { node: GraphNode[] };
    weightsManifest: { weights: WeightSpec[] }[];
  };
  const specs = topology.weightsManifest.flatMap((group) => group.weights);
  return { nodes: topology.modelTopology.node, weights: readWeights(specs, await readSource(weightsFile)) };
}

/**
 * Reads a Keras model whose two files are JavaScript modules, the weights as one base64 string. They are run
 * only after their checksum was found right, and by path, because importing them through the package's own
 * entry copies megabytes of text character by character.
 */
export async function readLayersModel(
  id: SourceId,
): Promise<{ layers: Layer[]; weights: Map<string, Weight> }> {
  const [topologyFile, weightsFile] = sources[id];
  await Promise.all([readSource(topologyFile), readSource(weightsFile)]);
  const load = createRequire(import.meta.url);
  const topology = load(sourcePath(topologyFile)) as {
    modelTopology: { model_config: { config: { layers: Layer[] } } };
    weightsManifest: { weights: WeightSpec[] }[];
  };
  const bytes = Buffer.from(load(sourcePath(weightsFile)) as string, 'base64');
  const specs = topology.weightsManifest.flatMap((group) => group.weights);
  return { layers: topology.modelTopology.model_config.config.layers, weights: readWeights(specs, bytes) };
}

/**
 * @throws when the package is absent or the file is not the one that this release was checked against: the
 * layout of those packages is no API, and a silently different network would make stored vectors wrong
 */
export async function readSource(source: SourceFile): Promise<Buffer> {
  const bytes = await readFile(sourcePath(source)).catch((cause: unknown) => {
    throw new Error(`${source.package} has no file ${source.file}; reinstall the packages with "npm ci"`, {
      cause,
    });
  });
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== source.sha256) {
    throw new Error(
      `${source.file} of ${source.package} is not the version this release was made for: ` +
        `its SHA-256 starts with ${found.slice(0, 16)}, ${source.sha256.slice(0, 16)} was expected`,
    );
  }
  return bytes;
}

/** Both packages hide their model files from `exports`, so the folder is found from the main entry. */
function sourcePath(source: SourceFile): string {
  const parts = path.join('node_modules', ...source.package.split('/'));
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(source.package);
  } catch (cause) {
    throw new Error(`the package ${source.package} is not installed; run "npm ci"`, { cause });
  }
  const at = entry.lastIndexOf(parts + path.sep);
  if (at < 0) throw new Error(`the package ${source.package} lies in an unexpected folder: ${entry}`);
  return path.join(entry.slice(0, at), parts, source.file);
}
