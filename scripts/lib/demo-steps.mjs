import { randomUUID } from 'node:crypto';
import { step } from './steps.mjs';

/** @typedef {import('./demo-images.mjs').DemoImage} DemoImage */

const batchSize = 64;
const batchBytesMax = 24 * 2 ** 20;
const waitMs = 300;
const patienceMs = 10 * 60_000;
const datasetId = 'training-set';
const modelId = 'demo-classifier';
// Statuses of the contract (status_code.proto).
const trained = 21100;
const onTheWay = new Set([21101, 21102, 21103]);
const good = new Set([10000, 24150, 24151, 30000, 30001, 30003, 64100, 64101]);
const processed = 30000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const bar = (done, all) => `${'█'.repeat(Math.round((20 * done) / all)).padEnd(20, '░')} ${done}/${all}`;
const wordsOf = ({ code, description, details }) => `${code} ${description} ${details}`.trim();

function* batchesOf(items) {
  for (let i = 0; i < items.length; i += batchSize) yield items.slice(i, i + batchSize);
}

/** Images with their bytes, in batches that fit into one request. */
async function* loaded(images) {
  let batch = [];
  let size = 0;
  for (const image of images) {
    const bytes = await image.bytes();
    if (batch.length > 0 && (batch.length === batchSize || size + bytes.length > batchBytesMax)) {
      yield batch;
      [batch, size] = [[], 0];
    }
    batch.push({ ...image, bytes });
    size += bytes.length;
  }
  if (batch.length > 0) yield batch;
}

/** Asks until the answer is there; gives up after ten minutes without any change. */
async function until(ask, note) {
  let last = '';
  for (let changed = Date.now(); Date.now() - changed < patienceMs; await sleep(waitMs)) {
    const { done, words } = await ask();
    note(words);
    if (done) return;
    if (words !== last) {
      changed = Date.now();
      last = words;
    }
  }
  throw new Error(`nothing has changed for ten minutes: ${last}`);
}

/** Ends the demo with the server's words where an item of a batch was refused. */
function refuse(items, what) {
  const [first, ...more] = items.filter((item) => !good.has(item.status.code)).map((item) => item.status);
  if (first !== undefined) throw new Error(`${more.length + 1} ${what} refused: ${wordsOf(first)}`);
}

/**
 * The steps of the main job, each shown while it runs and timed.
 *
 * @param {(rpc: string, request: object) => Promise<object>} call the official client
 * @param {{ user_id: string, app_id: string }} app
 */
export function demoSteps(call, app) {
  const scope = { user_app_id: app };
  const timings = [];

  /** A step whose time goes into the closing table; `items` is what one time is divided by. */
  async function timed(name, items, work) {
    const began = performance.now();
    const result = await step(name, work);
    timings.push({ name, ms: performance.now() - began, items });
    return result;
  }

  async function makeApp(workflow) {
    const default_workflow = { id: workflow, app_id: 'main', user_id: 'clarifai' };
    await call('PostApps', {
      user_app_id: { user_id: app.user_id },
      apps: [{ id: app.app_id, default_workflow }],
    });
  }

  /** @returns {Promise<string[]>} ids of the add jobs, one for each batch */
  const upload = (images) =>
    timed('uploading', images.length, async (note) => {
      const jobs = [];
      let done = 0;
      for await (const batch of loaded(images)) {
        const inputs_add_job_id = randomUUID();
        const inputs = batch.map(({ id, bytes }) => ({ id, data: { image: { base64: bytes } } }));
        const reply = await call('PostInputs', { ...scope, inputs, inputs_add_job_id });
        refuse(reply.inputs, 'images');
        jobs.push(inputs_add_job_id);
        done += batch.length;
        note(bar(done, images.length));
      }
      return jobs;
    });

  /** Waits for the add jobs. @returns {Promise<DemoImage[]>} the images that could be processed */
  async function process(jobs, images) {
    await timed('processing and indexing', images.length, async (note) => {
      const open = new Map(jobs.map((id) => [id, 0]));
      let ended = 0;
      await until(async () => {
        for (const id of open.keys()) {
          const { progress } = (await call('GetInputsAddJob', { ...scope, id })).inputs_add_job;
          const over = Number(progress.success_count) + Number(progress.failed_count);
          open.set(id, over);
          if (Number(progress.pending_count) + Number(progress.in_progress_count) > 0) continue;
          ended += over;
          open.delete(id);
        }
        const over = ended + [...open.values()].reduce((sum, one) => sum + one, 0);
        return { done: open.size === 0, words: bar(over, images.length) };
      }, note);
    });
    const failed = new Set();
    for (const batch of batchesOf(images)) {
      const ids = batch.map(({ id }) => id);
      const { inputs } = await call('ListInputs', { ...scope, ids, per_page: ids.length });
      for (const { id, status } of inputs.filter((input) => input.status.code !== processed)) {
        failed.add(id);
        console.log(`  ! ${id}: ${wordsOf(status)}`);
      }
    }
    return images.filter(({ id }) => !failed.has(id));
  }

  const label = (images, concepts) =>
    timed('labelling', images.length, async (note) => {
      await call('PostConcepts', { ...scope, concepts: concepts.map((id) => ({ id, name: id })) });
      let done = 0;
      for (const batch of batchesOf(images)) {
        const annotations = batch.map(({ id, concept }) => ({
          input_id: id,
          data: { concepts: [{ id: concept, value: 1 }] },
        }));
        const reply = await call('PostAnnotations', { ...scope, annotations });
        refuse(reply.annotations, 'labels');
        done += batch.length;
        note(bar(done, images.length));
      }
    });

  const makeDataset = (images) =>
    timed('making a dataset', images.length, async () => {
      await call('PostDatasets', { ...scope, datasets: [{ id: datasetId }] });
      for (const batch of batchesOf(images)) {
        const dataset_inputs = batch.map(({ id }) => ({ input: { id } }));
        const reply = await call('PostDatasetInputs', { ...scope, dataset_id: datasetId, dataset_inputs });
        refuse(
          reply.dataset_inputs.map(({ input }) => input),
          'members of the dataset',
        );
      }
    });

  /** @returns {Promise<{ model_id: string, version_id: string }>} the trained version */
  const train = (concepts) =>
    timed('training', 0, async (note) => {
      await call('PostModels', {
        ...scope,
        models: [{ id: modelId, model_type_id: 'embedding-classifier' }],
      });
      const version = {
        train_info: { params: { fields: { dataset_id: { stringValue: datasetId } } } },
        output_info: {
          data: { concepts: concepts.map((id) => ({ id })) },
          output_config: { concepts_mutually_exclusive: true },
        },
      };
      const { model } = await call('PostModelVersions', {
        ...scope,
        model_id: modelId,
        model_versions: [version],
      });
      const address = { model_id: modelId, version_id: model.model_version.id };
      await until(async () => {
        const { status } = (await call('GetModelVersion', { ...scope, ...address })).model_version;
        if (status.code !== trained && !onTheWay.has(status.code)) {
          throw new Error(`training failed: ${wordsOf(status)}`);
        }
        return { done: status.code === trained, words: status.description };
      }, note);
      return address;
    });

  /** @returns {Promise<{ truth: string, told: string }[]>} of each image its concept and the surest prediction */
  const predict = (model, images) =>
    timed('predicting held-out images', images.length, async (note) => {
      const answers = [];
      let done = 0;
      for await (const batch of loaded(images)) {
        const inputs = batch.map(({ bytes }) => ({ data: { image: { base64: bytes } } }));
        const { outputs } = await call('PostModelOutputs', { ...scope, ...model, inputs });
        for (const [i, output] of outputs.entries()) {
          if (output.status.code !== 10000) {
            console.log(`  ! ${batch[i].id}: ${wordsOf(output.status)}`);
            continue;
          }
          const surest = [...output.data.concepts].sort((a, b) => b.value - a.value)[0];
          answers.push({ truth: batch[i].concept, told: surest?.id ?? '(nothing)' });
        }
        done += batch.length;
        note(bar(done, images.length));
      }
      return answers;
    });

  /** @returns {Promise<{ id: string, score: number }[]>} the nearest inputs, nearest first */
  const search = (name, rank, per_page) =>
    timed(name, 0, async () => {
      const { hits } = await call('PostInputsSearches', {
        ...scope,
        searches: [{ query: { ranks: [{ annotation: { data: rank } }] } }],
        pagination: { page: 1, per_page },
      });
      return hits.map(({ input, score }) => ({ id: input.id, score }));
    });

  const removeApp = () => call('DeleteApp', scope);

  return { timings, makeApp, upload, process, label, makeDataset, train, predict, search, removeApp };
}
