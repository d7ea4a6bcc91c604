import { parseArgs } from 'node:util';
import { connect } from './lib/demo-client.mjs';
import { imagesOfFolder, ownImages } from './lib/demo-images.mjs';
import { report } from './lib/demo-report.mjs';
import { step } from './lib/steps.mjs';

const usage = `npm run demo -- [--images DIR] [--limit N] [--url URL] [--token TOKEN] [--delete]

  --images DIR    one sub-folder of images per concept; without it the demo draws a small set itself
  --limit N       most images per concept
  --url URL       the running server; FOVEA_PUBLIC_URL, or http://127.0.0.1:8080
  --token TOKEN   the token that npm start printed; FOVEA_PAT
  --delete        delete the demo's app at the end`;

const batchSize = 32;
const waitMs = 500;
const patienceMs = 10 * 60_000;
// Statuses of the contract (status_code.proto).
const trained = 21100;
const onTheWay = new Set([21101, 21103]);
const accepted = new Set([10000, 24150, 24151, 30000, 30001, 30003]);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function* batchesOf(items) {
  for (let i = 0; i < items.length; i += batchSize) yield items.slice(i, i + batchSize);
}

const timings = [];

/** A step whose time goes into the closing table. */
async function timed(name, items, work) {
  const began = performance.now();
  const result = await step(name, work);
  timings.push({ name, ms: performance.now() - began, items });
  return result;
}

/** Asks until the answer is there; gives up after ten minutes without any change. */
async function until(ask, note) {
  let last = '';
  for (let changed = Date.now(); Date.now() - changed < patienceMs; await sleep(waitMs)) {
    const { done, words } = await ask();
    if (done) return;
    if (words !== last) {
      changed = Date.now();
      last = words;
    }
    note(words);
  }
  throw new Error(`nothing has changed for ten minutes: ${last}`);
}

const bar = (done, all) => `${'█'.repeat(Math.round((20 * done) / all)).padEnd(20, '░')} ${done}/${all}`;

/** Ends the demo with the server's words where an item of a batch was refused. */
function refuse(items, what) {
  const [first, ...more] = items.filter((item) => !accepted.has(item.status.code)).map((item) => item.status);
  if (first === undefined) return;
  throw new Error(
    `${more.length + 1} ${what} refused: ${first.code} ${first.description} ${first.details}`.trim(),
  );
}

async function upload(call, app, images) {
  await timed('uploading', images.length, async (note) => {
    let done = 0;
    for (const batch of batchesOf(images)) {
      const inputs = await Promise.all(
        batch.map(async ({ id, bytes }) => ({ id, data: { image: { base64: await bytes() } } })),
      );
      const reply = await call('PostInputs', { user_app_id: app, inputs });
      refuse(reply.inputs, 'images');
      done += batch.length;
      note(bar(done, images.length));
    }
  });
}

async function indexed(call, app, images) {
  await timed('indexing in the background', images.length, (note) =>
    until(async () => {
      const { counts } = await call('GetInputCount', { user_app_id: app });
      const { processed, errors } = counts;
      return { done: processed + errors >= images.length, words: bar(processed + errors, images.length) };
    }, note),
  );
}

async function label(call, app, images, concepts) {
  await timed('labelling', images.length, async (note) => {
    await call('PostConcepts', { user_app_id: app, concepts: concepts.map((id) => ({ id, name: id })) });
    let done = 0;
    for (const batch of batchesOf(images)) {
      const reply = await call('PostAnnotations', {
        user_app_id: app,
        annotations: batch.map(({ id, concept }) => ({
          input_id: id,
          data: { concepts: [{ id: concept, value: 1 }] },
        })),
      });
      refuse(
        reply.annotations.filter((one) => one.status.code !== 24150),
        'labels',
      );
      done += batch.length;
      note(bar(done, images.length));
    }
  });
}

async function makeDataset(call, app, images) {
  await timed('making a dataset', images.length, async () => {
    await call('PostDatasets', { user_app_id: app, datasets: [{ id: 'training-set' }] });
    for (const batch of batchesOf(images)) {
      const dataset_inputs = batch.map(({ id }) => ({ input: { id } }));
      await call('PostDatasetInputs', { user_app_id: app, dataset_id: 'training-set', dataset_inputs });
    }
  });
}

async function train(call, app, concepts) {
  const model_id = 'demo-classifier';
  return timed('training', 0, async (note) => {
    await call('PostModels', {
      user_app_id: app,
      models: [{ id: model_id, model_type_id: 'embedding-classifier' }],
    });
    const { model } = await call('PostModelVersions', {
      user_app_id: app,
      model_id,
      model_versions: [
        {
          train_info: { dataset: { id: 'training-set' } },
          output_info: {
            data: { concepts: concepts.map((id) => ({ id })) },
            output_config: { concepts_mutually_exclusive: true },
          },
        },
      ],
    });
    const version_id = model.model_version.id;
    await until(async () => {
      const reply = await call('GetModelVersion', { user_app_id: app, model_id, version_id });
      const { code, description, details } = reply.model_version.status;
      if (code !== trained && !onTheWay.has(code))
        throw new Error(`training failed: ${code} ${description} ${details}`);
      return { done: code === trained, words: description };
    }, note);
    return { model_id, version_id };
  });
}

async function predict(call, app, model, images) {
  return timed('predicting on held-out images', images.length, async (note) => {
    const answers = [];
    for (const batch of batchesOf(images)) {
      const inputs = await Promise.all(
        batch.map(async ({ bytes }) => ({ data: { image: { base64: await bytes() } } })),
      );
      const { outputs } = await call('PostModelOutputs', { user_app_id: app, ...model, inputs });
      outputs.forEach((output, i) => {
        const surest = [...output.data.concepts].sort((a, b) => b.value - a.value)[0];
        answers.push({ truth: batch[i].concept, told: surest?.id ?? '' });
      });
      note(bar(answers.length, images.length));
    }
    return answers;
  });
}

async function search(call, app, name, rank, per_page) {
  const { hits } = await timed(name, 0, () =>
    call('PostInputsSearches', {
      user_app_id: app,
      searches: [{ query: { ranks: [{ annotation: { data: rank } }] } }],
      pagination: { page: 1, per_page },
    }),
  );
  return hits.map(({ input, score }) => ({ id: input.id, score }));
}

async function main() {
  const { values } = parseArgs({
    options: {
      images: { type: 'string' },
      limit: { type: 'string', default: '1000' },
      url: { type: 'string', default: process.env.FOVEA_PUBLIC_URL || 'http://127.0.0.1:8080' },
      token: { type: 'string', default: process.env.FOVEA_PAT },
      delete: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || !values.token) {
    console.log(values.help ? usage : `The demo needs the token that npm start printed.\n\n${usage}`);
    process.exitCode = values.help ? 0 : 1;
    return;
  }
  const limit = Number(values.limit);
  const images = values.images ? imagesOfFolder(values.images, limit) : ownImages(limit);
  const training = images.filter((image) => !image.heldOut);
  const heldOut = images.filter((image) => image.heldOut);
  const concepts = [...new Set(training.map((image) => image.concept))];
  if (concepts.length < 2 || heldOut.length === 0) {
    throw new Error('the folder needs at least two sub-folders with at least five images each');
  }

  const { call, close } = connect({ url: values.url, token: values.token });
  try {
    const { user } = await call('GetUser', { user_app_id: { user_id: 'me' } });
    const app = { user_id: user.id, app_id: `demo-${Date.now().toString(36)}` };
    console.log(
      `\n  ${training.length} images to learn from, ${heldOut.length} held out, ${concepts.length} concepts; app ${app.app_id} of ${user.id}\n`,
    );
    const default_workflow = { id: 'General', app_id: 'main', user_id: 'clarifai' };
    await call('PostApps', {
      user_app_id: { user_id: user.id },
      apps: [{ id: app.app_id, default_workflow }],
    });

    await upload(call, app, training);
    await indexed(call, app, training);
    await label(call, app, training, concepts);
    await makeDataset(call, app, training);
    const model = await train(call, app, concepts);
    const answers = await predict(call, app, model, heldOut);
    const query = heldOut[0];
    const near = await search(call, app, 'searching by image', { image: { base64: await query.bytes() } }, 3);
    const concept = concepts[0];
    const labelled = await search(
      call,
      app,
      'searching by concept',
      { concepts: [{ id: concept, value: 1 }] },
      3,
    );
    console.log(
      `\n${report({ answers, neighbours: { query: query.id, hits: near }, byConcept: { concept, hits: labelled }, timings })}\n`,
    );
    if (values.delete) await call('DeleteApp', { user_app_id: app });
  } finally {
    close();
  }
}

main().catch((error) => {
  console.error(`\nThe demo stopped: ${error.message}`);
  process.exitCode = 1;
});
