import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../server/src/testing/people.ts';
import { concepts, type Picture } from './pictures.ts';

/** One RPC over some wire: the contract's JSON with snake_case names in and out. */
export type Call = (rpc: string, request: object) => Promise<Json>;

const success = 10000;
const processed = 30000;
const trained = 21100;
const stillTraining = [21101, 21103];
const datasetId = 'training-set';
const modelId = 'kinds';
const patienceMs = 120_000;
const waitMs = 100;

export interface MainJob {
  /** Of each held-out picture its concept and the surest prediction. */
  readonly predictions: readonly { truth: string; told: string }[];
  /** Ids of the inputs nearest to the first picture of training, nearest first, with their scores. */
  readonly nearest: readonly { id: string; score: number }[];
  /** Ids of the inputs that are surest to show the first concept, surest first. */
  readonly surest: readonly string[];
}

/**
 * What the platform is for, from upload to search, over whatever wire `call` speaks.
 *
 * @throws Error naming the RPC and the server's words where a step is refused
 */
export async function mainJob(call: Call, pictures: readonly Picture[]): Promise<MainJob> {
  const ask: Call = async (rpc, request) => {
    const reply = await call(rpc, request);
    if (reply.status?.code !== success) throw new Error(`${rpc}: ${JSON.stringify(reply.status)}`);
    return reply;
  };
  const training = pictures.filter((picture) => !picture.heldOut);
  await upload(ask, training);
  await ask('PostAnnotations', {
    annotations: training.map(({ id, concept }) => ({
      input_id: id,
      data: { concepts: [{ id: concept, value: 1 }] },
    })),
  });
  await ask('PostDatasets', { datasets: [{ id: datasetId }] });
  await ask('PostDatasetInputs', {
    dataset_id: datasetId,
    dataset_inputs: training.map(({ id }) => ({ input: { id } })),
  });
  const version_id = await train(ask);
  return {
    predictions: await predict(ask, version_id, pictures),
    nearest: await search(ask, { image: { base64: base64Of(training[0] as Picture) } }),
    surest: (await search(ask, { concepts: [{ id: concepts[0], value: 1 }] })).map(({ id }) => id),
  };
}

const base64Of = (picture: Picture) => picture.bytes.toString('base64');

async function upload(ask: Call, pictures: readonly Picture[]): Promise<void> {
  const id = randomUUID();
  const ids = pictures.map((picture) => picture.id);
  await ask('PostInputs', {
    inputs_add_job_id: id,
    inputs: pictures.map((picture) => ({ id: picture.id, data: { image: { base64: base64Of(picture) } } })),
  });
  await until(async () => {
    const { progress } = (await ask('GetInputsAddJob', { id })).inputs_add_job;
    return Number(progress.pending_count ?? 0) + Number(progress.in_progress_count ?? 0) === 0;
  });
  const { inputs } = await ask('ListInputs', { ids, per_page: ids.length, status: { code: processed } });
  if (inputs.length !== ids.length) throw new Error(`${inputs.length} of ${ids.length} inputs are processed`);
}

async function train(ask: Call): Promise<string> {
  await ask('PostModels', { models: [{ id: modelId, model_type_id: 'embedding-classifier' }] });
  const { model } = await ask('PostModelVersions', {
    model_id: modelId,
    model_versions: [
      {
        train_info: { dataset: { id: datasetId } },
        output_info: {
          data: { concepts: concepts.map((id) => ({ id })) },
          output_config: { concepts_mutually_exclusive: true },
        },
      },
    ],
  });
  const version_id: string = model.model_version.id;
  await until(async () => {
    const reply = await ask('GetModelVersion', { model_id: modelId, version_id });
    const { status } = reply.model_version;
    if (status.code !== trained && !stillTraining.includes(status.code)) {
      throw new Error(`training ended with ${JSON.stringify(status)}`);
    }
    return status.code === trained;
  });
  return version_id;
}

async function predict(ask: Call, version_id: string, pictures: readonly Picture[]) {
  const heldOut = pictures.filter((picture) => picture.heldOut);
  const { outputs } = await ask('PostModelOutputs', {
    model_id: modelId,
    version_id,
    inputs: heldOut.map((picture) => ({ data: { image: { base64: base64Of(picture) } } })),
  });
  return heldOut.map(({ concept }, i) => ({
    truth: concept,
    told: outputs[i].data.concepts[0].id as string,
  }));
}

async function search(ask: Call, data: object): Promise<{ id: string; score: number }[]> {
  const { hits } = await ask('PostInputsSearches', {
    searches: [{ query: { ranks: [{ annotation: { data } }] } }],
    pagination: { page: 1, per_page: 3 },
  });
  return hits.map((hit: Json) => ({ id: hit.input.id, score: hit.score }));
}

/** Asks again and again until the answer is yes. */
export async function until(ask: () => Promise<boolean>): Promise<void> {
  for (const began = Date.now(); Date.now() - began < patienceMs; await sleep(waitMs)) {
    if (await ask()) return;
  }
  throw new Error(`not done after ${patienceMs / 1000} s`);
}
