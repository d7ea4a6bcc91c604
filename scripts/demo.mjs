import { parseArgs } from 'node:util';
import { findConnection } from './lib/connection.mjs';
import { connect } from './lib/demo-client.mjs';
import { imagesOfFolder, ownImages } from './lib/demo-images.mjs';
import { report } from './lib/demo-report.mjs';
import { demoSteps } from './lib/demo-steps.mjs';

const usage = `npm run demo -- [--images DIR] [--limit N] [--url URL] [--pat TOKEN] [--delete]

Drives the running server through the official Node client: upload, label, train, predict, search.

  --images DIR   one sub-folder of images per concept, or train/ and test/ with such sub-folders;
                 without it the demo draws a small set itself
  --limit N      most images per concept
  --url URL      the running server; else FOVEA_PUBLIC_URL, or the server that runs on the data folder
  --pat TOKEN    its token; else FOVEA_PAT, or that of the server that runs on the data folder
  --delete       delete the demo's app at the end`;

const neighbours = 3;

function readArguments() {
  const { values } = parseArgs({
    options: {
      images: { type: 'string' },
      limit: { type: 'string', default: '1000' },
      url: { type: 'string' },
      pat: { type: 'string' },
      delete: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const limit = Number(values.limit);
  if (!Number.isInteger(limit) || limit < 1)
    throw new Error(`--limit ${values.limit} is not a number of images`);
  return { ...values, limit };
}

/** @returns the images to learn from, those held out, and the concepts, as the folder or the demo's own set has them */
function chooseImages(folder, limit) {
  const images = folder === undefined ? ownImages(limit) : imagesOfFolder(folder, limit);
  const training = images.filter((image) => !image.heldOut);
  const heldOut = images.filter((image) => image.heldOut);
  const concepts = [...new Set(training.map((image) => image.concept))];
  if (concepts.length < 2 || heldOut.length === 0) {
    throw new Error(`${folder} needs at least two sub-folders with at least five images each`);
  }
  return { training, heldOut, concepts };
}

async function main() {
  const asked = readArguments();
  if (asked.help) return console.log(usage);
  const { training, heldOut, concepts } = chooseImages(asked.images, asked.limit);
  const { call, close } = connect(findConnection(asked));
  try {
    const { user } = await call('GetUser', { user_app_id: { user_id: 'me' } });
    const app = { user_id: user.id, app_id: `demo-${Date.now().toString(36)}` };
    console.log(
      `\n  ${training.length} images to learn from, ${heldOut.length} held out, ${concepts.length} concepts; app ${app.app_id} of ${user.id}\n`,
    );
    const demo = demoSteps(call, app);
    await demo.makeApp('General');
    const jobs = await demo.upload(training);
    const usable = await demo.process(jobs, training);
    await demo.label(usable, concepts);
    await demo.makeDataset(usable);
    const model = await demo.train(concepts);
    const answers = await demo.predict(model, heldOut);

    const [query] = heldOut;
    const byImage = { image: { base64: await query.bytes() } };
    const near = await demo.search('searching by image', byImage, neighbours);
    const byConcept = { concepts: [{ id: query.concept, value: 1 }] };
    const labelled = await demo.search('searching by concept', byConcept, neighbours);

    const conceptOf = new Map(usable.map(({ id, concept }) => [id, concept]));
    const withConcept = (hits) => hits.map((hit) => ({ ...hit, concept: conceptOf.get(hit.id) ?? '' }));
    const text = report({
      answers,
      query,
      near: withConcept(near),
      labelled: withConcept(labelled),
      timings: demo.timings,
    });
    console.log(`\n${text}\n`);
    if (asked.delete) await demo.removeApp();
  } finally {
    close();
  }
}

main().catch((error) => {
  console.error(`The demo stopped: ${error.message}`);
  process.exitCode = 1;
});
