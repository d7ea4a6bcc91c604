import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import type { ModelRun, Prediction } from '../../server/src/engine/builtin/prediction.ts';
import { decodeForModel, decodeSquare, defaultImageLimits } from '../../server/src/engine/image.ts';
import type { Tensors } from '../../server/src/engine/inference/messages.ts';
import { reduceOutputs } from '../../server/src/engine/inference/reductions.ts';
import { modelPackages } from '../../server/src/engine/package.ts';
import { TextReader } from '../../server/src/engine/text-reading/index.ts';

/** Built-in models in a bare loop: their own preparation, sharp and ONNX Runtime, one picture after the other in one thread. */
export type BuiltinQuestion =
  /** `models`: the folder in which a server has made the networks. */
  { kind: 'open'; models: string } | { kind: 'run'; model: string; pictures: string[]; repeats: number };

/** The numbers of an answer, in an order that both sides give them. */
export interface Said {
  readonly concepts: readonly number[];
  readonly regions: readonly number[];
  readonly colors: readonly number[];
  readonly embedding: readonly number[];
}

export interface BareRun {
  readonly latenciesMs: readonly number[];
  readonly said: readonly Said[];
}

let folder = '';
const sessions = new Map<string, Promise<ort.InferenceSession>>();

function sessionOf(recipe: string): Promise<ort.InferenceSession> {
  const known = sessions.get(recipe);
  if (known) return known;
  const name = readdirSync(folder).find((one) => one.startsWith(`${recipe}-`) && one.endsWith('.onnx'));
  if (name === undefined) throw new Error(`the server has made no ${recipe}`);
  const opened = ort.InferenceSession.create(join(folder, name), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  sessions.set(recipe, opened);
  return opened;
}

async function outputsOf(recipe: string, feeds: Tensors): Promise<Tensors> {
  const session = await sessionOf(recipe);
  const given = Object.entries(feeds).map(([name, { type, dims, data }]) => [
    name,
    new ort.Tensor(type as 'float32', data as Float32Array, dims),
  ]);
  return (await session.run(Object.fromEntries(given))) as unknown as Tensors;
}

const texts = new TextReader({ threads: 1 });

async function predict(model: (typeof modelPackages)[number], bytes: Buffer): Promise<Prediction> {
  const picture = model.square
    ? await decodeSquare(bytes, model.square)
    : await decodeForModel(bytes, defaultImageLimits, model.edgeMax);
  const run: ModelRun = {
    picture,
    options: {},
    network: outputsOf,
    reduced: async (recipe, feeds, reduction) => reduceOutputs(await outputsOf(recipe, feeds), reduction),
    readText: () => texts.read(picture),
    once: (_key, make) => make(),
  };
  return model.predict(run);
}

const shownMax = 20;
const falling = (values: readonly number[]): number[] => [...values].sort((a, b) => b - a);

function said({ concepts = [], regions = [], colors = [], embedding }: Prediction): Said {
  return {
    concepts: falling(concepts.map(({ value }) => value)).slice(0, shownMax),
    regions: falling(regions.map(({ value }) => value)),
    colors: falling(colors.map(({ value }) => value)),
    embedding: [...(embedding ?? [])],
  };
}

async function run(id: string, pictures: readonly string[], repeats: number): Promise<BareRun> {
  const model = modelPackages.find((one) => one.id === id);
  if (!model) throw new Error(`there is no model ${id}`);
  const latenciesMs: number[] = [];
  const answers: Said[] = [];
  const all = pictures.map((path) => readFileSync(path));
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const bytes of all) {
      const began = performance.now();
      const prediction = await predict(model, bytes);
      latenciesMs.push(performance.now() - began);
      if (repeat === 0) answers.push(said(prediction));
    }
  }
  return { latenciesMs, said: answers };
}

process.on('message', (question: BuiltinQuestion) => {
  const work = async () => {
    if (question.kind === 'run') return run(question.model, question.pictures, question.repeats);
    folder = question.models;
    return {};
  };
  work().then(
    (reply) => process.send?.(reply),
    (error) => process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
