import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { deriveManifest, type PackageFiles } from './derive-manifest.ts';
import { type GuestNetworks, openNetworks } from './guest-network.ts';
import { type Manifest, manifestName, PackageRefused } from './manifest.ts';
import type { GuestAnswer, GuestItem, GuestReply, GuestRequest, PackageReport } from './messages.ts';
import { type DeclaredPort, elementNames, type OnnxFacts, OnnxRefused, readOnnxFacts } from './onnx-facts.ts';

// A process of its own for one package: whatever its networks do, they do it here. Texts and numbers come in and go
// out by messages; it is ended from outside when it takes too long or too much memory.

let networks: GuestNetworks | undefined;
let last = Promise.resolve();
process.on('message', (request: GuestRequest) => {
  last = last.then(() => answer(request));
});
// Without its parent nobody would end it.
process.on('disconnect', () => process.exit(0));

async function answer(request: GuestRequest): Promise<void> {
  const { id } = request;
  try {
    if (request.kind === 'inspect') reply({ kind: 'inspected', id, ...(await inspect(request)) });
    else if (request.kind === 'open') {
      const manifest = JSON.parse(readFileSync(join(request.folder, manifestName), 'utf8')) as Manifest;
      networks = await openNetworks(request.folder, manifest);
      reply({ kind: 'opened', id, canBatch: networks.canBatch });
    } else {
      if (!networks) throw new Error('nothing is open');
      reply({ kind: 'ran', id, answers: await networks.run(request.items) });
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const isOwners = error instanceof PackageRefused || error instanceof OnnxRefused;
    reply({ kind: isOwners ? 'refused' : 'failed', id, reason });
  }
}

const reply = (message: GuestReply): void => {
  process.send?.(message);
};

const jsonBytesMax = 64 * 2 ** 20;

type InspectRequest = Extract<GuestRequest, { kind: 'inspect' }>;

/** Looks through the files of a package, loads its networks, and runs each once on something blank. */
async function inspect({ folder, hint, weightBytesMax }: InspectRequest) {
  const known = new Map<string, OnnxFacts>();
  const factsOf = (name: string): OnnxFacts => {
    const found = known.get(name) ?? readFacts(folder, name);
    known.set(name, found);
    return found;
  };
  const files: PackageFiles = {
    names: readdirSync(folder),
    json: (name) => readJson(join(folder, name), name),
    text: (name) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : undefined),
    facts: factsOf,
  };
  const manifest = deriveManifest(files, hint);
  const used = [...new Set([manifest.image?.file, manifest.text?.file])].filter((name) => name !== undefined);
  const weightBytes = used.reduce((sum, name) => sum + factsOf(name).weightBytes, 0);
  if (weightBytes > weightBytesMax)
    throw new PackageRefused(
      `the weights take ${weightBytes} bytes; at most ${weightBytesMax} fit into the memory that a model may have here`,
    );
  for (const name of used) checkPorts(name, factsOf(name));
  const opened = await openNetworks(folder, manifest).catch((error: unknown) => {
    if (error instanceof PackageRefused) throw error;
    throw new PackageRefused(
      `the network cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
  const trials = new Map<string, number>();
  for (const [file, item] of trialItems(manifest)) {
    const beganAtMs = performance.now();
    const [result] = await opened.run([item]);
    if (!result?.ok) throw new PackageRefused(`a trial run failed: ${result?.reason ?? 'no answer'}`);
    trials.set(file, Math.round(performance.now() - beganAtMs));
    settle(manifest, result.answer);
  }
  const report: PackageReport = {
    networks: used.map((file) => {
      const { opset, producer, nodeCount, weightBytes: bytes, inputs, outputs } = factsOf(file);
      return {
        file,
        opset,
        producer,
        operators: nodeCount,
        weightBytes: bytes,
        inputs: inputs.map(showPort),
        outputs: outputs.map(showPort),
        trialMs: trials.get(file) ?? 0,
      };
    }),
    labels: manifest.labels,
  };
  const keep = [
    ...used,
    ...used.flatMap((name) => factsOf(name).externalFiles),
    ...(manifest.text ? [manifest.text.tokenizer, manifest.text.tokenizerConfig] : []),
  ].filter((name) => name !== undefined);
  return { manifest, report, keep: [...new Set(keep)] };
}

function readFacts(folder: string, name: string): OnnxFacts {
  try {
    return readOnnxFacts(join(folder, name));
  } catch (error) {
    if (error instanceof OnnxRefused) throw new OnnxRefused(`${name}: ${error.message}`);
    throw error;
  }
}

function readJson(path: string, name: string): Record<string, unknown> | undefined {
  if (!existsSync(path)) return undefined;
  if (statSync(path).size > jsonBytesMax)
    throw new PackageRefused(`${name} is larger than ${jsonBytesMax} bytes`);
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new PackageRefused(`${name} is not a JSON object`);
}

const elementsMax = 2 ** 26;

function checkPorts(file: string, { inputs, outputs }: OnnxFacts): void {
  if (inputs.length === 0 || outputs.length === 0)
    throw new PackageRefused(`${file} has no inputs or no outputs`);
  for (const port of inputs) {
    if (port.elementType === 8)
      throw new PackageRefused(
        `${file}: the input '${port.name}' takes strings; send what comes after the tokenizer`,
      );
    const elements = port.dims.reduce((product, size) => product * Math.max(1, size), 1);
    if (!(elements <= elementsMax))
      throw new PackageRefused(`${file}: the input '${port.name}' is too large (${port.dims.join(' x ')})`);
  }
}

const showPort = ({ name, elementType, dims }: DeclaredPort): string =>
  `${name}: ${elementNames[elementType] ?? `type ${elementType}`} [${dims.map((size) => (size < 0 ? '?' : size)).join(', ')}]`;

/** Something blank for each network. */
function trialItems({ image, text }: Manifest): [file: string, item: GuestItem][] {
  const items: [string, GuestItem][] = [];
  if (image) {
    const { width, height } = image.pixels;
    const pixels = new Uint8Array(width * height * 3).fill(127);
    const frame = { left: 0, top: 0, width, height };
    items.push([image.file, { kind: 'picture', width, height, pixels, frame, confidenceMin: 0.01 }]);
  }
  if (text) items.push([text.file, { kind: 'text', text: 'a photograph' }]);
  return items;
}

/** Completes the manifest with what only a run shows. @throws PackageRefused when labels and outputs do not fit */
function settle(manifest: Manifest, answer: GuestAnswer): void {
  if (answer.kind === 'scores') {
    const { labels } = manifest;
    if (labels.length === 0)
      manifest.labels = Array.from(answer.scores, (_, at) => ({ id: `class-${at}`, name: `class ${at}` }));
    else if (labels.length !== answer.scores.length)
      throw new PackageRefused(
        `the network gives ${answer.scores.length} scores, and there are ${labels.length} labels`,
      );
  }
  if (answer.kind === 'vector') {
    if (manifest.dims !== undefined && manifest.dims !== answer.vector.length)
      throw new PackageRefused(
        `pictures become ${manifest.dims} numbers and texts ${answer.vector.length}; they must share one space`,
      );
    manifest.dims = answer.vector.length;
  }
}
