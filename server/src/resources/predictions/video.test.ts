import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ClipOptions, cutClip, ffmpegPath, made, numberedClip, numberIn } from '#testing/clips.ts';
import { type Json, type Person, signedIn } from '#testing/people.ts';

let alice: Person;
let clip: Buffer;
const films = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'video/mp4' }).end(clip);
});

beforeAll(async () => {
  await new Promise<void>((resolve) => films.listen(0, '127.0.0.1', resolve));
  alice = await signedIn('alice');
  if (ffmpegPath) clip = await numberedClip({ ending: 'mp4', frames: 60, fps: 10 });
  await alice.client.postModels({ models: [{ id: 'tiler', modelTypeId: 'image-tiler' }] });
  await alice.client.postModelVersions({ modelId: 'tiler', modelVersions: [{ outputInfo: { params: {} } }] });
});
afterAll(() => {
  films.close();
});

const withFfmpeg = test.skipIf(!ffmpegPath);
const withConfig = (outputConfig: object) => ({ model: { modelVersion: { outputInfo: { outputConfig } } } });

async function numberShown(picture: Uint8Array): Promise<number | undefined> {
  const { data, info } = await sharp(picture).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return numberIn({ width: info.width, height: info.height, pixels: data });
}

/** What a model is shown: a tiler hands on each frame as it came, as one tile without loss. */
async function framesShown(video: object, sampleMs: number) {
  const { outputs } = await alice.client.postModelOutputs({
    modelId: 'tiler',
    ...withConfig({ sampleMs }),
    inputs: [{ data: { video } }],
  });
  expect(outputs[0]?.status, outputs[0]?.status?.details).toMatchObject({ code: 10000 });
  return Promise.all(
    (outputs[0]?.data?.frames ?? []).map(async ({ frameInfo, data }) => ({
      index: frameInfo?.index,
      time: frameInfo?.time,
      number: frameInfo?.number,
      shown: await numberShown(data?.regions[0]?.data?.image?.base64 as Uint8Array),
    })),
  );
}

describe('frames that a model is shown', () => {
  withFfmpeg('lie in the middle of each window', async () => {
    const frames = await framesShown({ base64: clip }, 2000);
    expect(frames).toEqual([
      { index: 0, time: 1000, number: 10, shown: 10 },
      { index: 1, time: 3000, number: 30, shown: 30 },
      { index: 2, time: 5000, number: 50, shown: 50 },
    ]);
    expect((await framesShown({ base64: clip }, 500)).slice(0, 3).map(({ time }) => time)).toEqual([
      250, 750, 1250,
    ]);
  });

  const unevenMs = Array.from({ length: 30 }, (_, n) => n * 40 + (n % 3) * 7 + (n > 15 ? 600 : 0));
  const kinds: [string, ClipOptions][] = [
    ['a constant rate with B-frames', { ending: 'mp4', frames: 30 }],
    ['a variable rate', { ending: 'mp4', frames: 30, timesMs: unevenMs }],
    ['a quarter turn', { ending: 'mp4', frames: 30, turns: 1 }],
    ['VP9', { ending: 'webm', frames: 30 }],
    ['MPEG-4 in AVI', { ending: 'avi', frames: 30 }],
    [
      'an edit list',
      {
        ending: 'mp4',
        frames: 60,
        coding: ['-c:v', 'libx264', '-bf', '3', '-g', '25', '-pix_fmt', 'yuv420p'],
      },
    ],
  ];

  for (const [name, options] of kinds) {
    withFfmpeg(`are those that people see at that time: ${name}`, async () => {
      const whole = await numberedClip(options);
      const own = name === 'an edit list' ? await cutClip(whole, 1.2) : whole;
      const id = name.replaceAll(' ', '-').toLowerCase();
      await alice.client.postInputs({ inputs: [{ id, data: { video: { base64: own } } }] });
      await expect
        .poll(async () => (await alice.client.getInput({ inputId: id })).input?.status?.code, {
          timeout: 30_000,
        })
        .toBe(30000);
      const { input } = await alice.client.getInput({ inputId: id });
      const address = input?.data?.video?.thumbnailUrl as string;
      const seen = async (query: string) => {
        const response = await fetch(`${address}${query}`, {
          headers: { authorization: `Key ${alice.pat}` },
        });
        return numberShown(Buffer.from(await response.arrayBuffer()));
      };
      const frames = await framesShown({ base64: own }, 40);
      const first = frames[0]?.shown as number;
      expect(frames.length).toBeGreaterThan(20);
      for (const { number, shown } of frames) expect(shown).toBe(first + (number as number));
      for (const { number, shown, time } of frames.filter((_, at) => at % 10 === 0)) {
        expect(await seen(`?time=${time}`)).toBe(shown);
        expect(await seen(`?frame=${number}`)).toBe(shown);
      }
      const atOneSecond = frames.findLast(({ time }) => (time as number) <= 1020)?.shown;
      expect(await seen('')).toBe(atOneSecond);
    });
  }
});

describe('a video as the input of a prediction', () => {
  withFfmpeg('comes as bytes, as a URL or as an input of the app, and is answered alike', async () => {
    await alice.client.postInputs({ inputs: [{ id: 'film', data: { video: { base64: clip } } }] });
    const url = `http://127.0.0.1:${(films.address() as AddressInfo).port}/film.mp4`;
    const { status, outputs } = await alice.client.postModelOutputs({
      modelId: 'general-image-embedding',
      inputs: [{ data: { video: { base64: clip } } }, { data: { video: { url } } }, { id: 'film' }],
    });
    expect(status?.code, status?.details).toBe(10000);
    const [bytes, fetched, stored] = outputs.map(({ data }) =>
      data?.frames.map(({ frameInfo, data: said }) => [frameInfo?.time, said?.embeddings[0]?.numDimensions]),
    );
    expect(bytes).toEqual([500, 1500, 2500, 3500, 4500, 5500].map((time) => [time, 256]));
    expect(fetched).toEqual(bytes);
    expect(stored).toEqual(bytes);
    expect(Buffer.from(outputs[0]?.input?.data?.video?.base64 ?? []).toString()).toBe('true');
  });

  withFfmpeg(
    'is judged frame by frame by classifiers and detectors, within the limits that were asked for',
    async () => {
      for (const modelId of ['general-image-recognition', 'color-recognition', 'general-image-detection']) {
        const { outputs } = await alice.client.postModelOutputs({
          modelId,
          ...withConfig({ sampleMs: 3000, maxConcepts: 3 }),
          inputs: [{ data: { video: { base64: clip } } }],
        });
        const frames = outputs[0]?.data?.frames ?? [];
        expect(frames.map(({ frameInfo }) => frameInfo?.time)).toEqual([1500, 4500]);
        expect(outputs[0]?.data?.concepts).toEqual([]);
        const concepts = modelId === 'general-image-recognition' ? 3 : 0;
        for (const { data } of frames) expect(data?.concepts).toHaveLength(concepts);
      }
    },
  );

  withFfmpeg('is sampled as the app says where the request says nothing', async () => {
    const bob = await signedIn('bob');
    await bob.client.patchApp({ action: 'overwrite', app: { id: bob.appId, sampleMs: 1500 } });
    const { outputs } = await bob.client.postModelOutputs({
      modelId: 'color-recognition',
      inputs: [{ data: { video: { base64: clip } } }],
    });
    expect(outputs[0]?.data?.frames.map(({ frameInfo }) => frameInfo?.time)).toEqual([750, 2250, 3750, 5250]);
  });

  withFfmpeg('that is none fails by itself', async () => {
    const { status, outputs } = await alice.client.postModelOutputs({
      modelId: 'color-recognition',
      inputs: [
        { data: { video: { base64: Buffer.from('no film') } } },
        { data: { video: { base64: clip } } },
      ],
    });
    expect(status?.code).toBe(10010);
    expect(outputs.map((one) => one.status?.code)).toEqual([30101, 10000]);
  });

  withFfmpeg('is answered over REST and by GenerateModelOutputs', async () => {
    const body = { inputs: [{ data: { video: { base64: clip.toString('base64') } } }] };
    const { json } = await alice.rest('POST', 'models/color-recognition/outputs', body);
    expect(json.outputs[0].data.frames[1].frame_info).toEqual({ index: 1, time: 1500, number: 15 });
    const generated = await alice.rest('POST', 'models/color-recognition/outputs/generate', body);
    const first = (
      typeof generated.json === 'string'
        ? JSON.parse(generated.json.split('\n')[0] as string)
        : generated.json
    ) as Json;
    expect((first.result ?? first).outputs[0].data.frames).toHaveLength(6);
  });
});

withFfmpeg('a workflow looks at every frame, and a tracker at all of them', async () => {
  const node = (id: string, modelId: string, from?: string) => ({
    id,
    model: { id: modelId, appId: 'main', userId: 'clarifai' },
    ...(from ? { nodeInputs: [{ nodeId: from }] } : {}),
  });
  await alice.client.postModels({ models: [{ id: 'tracker', modelTypeId: 'byte-tracker' }] });
  await alice.client.postModelVersions({
    modelId: 'tracker',
    modelVersions: [{ outputInfo: { params: {} } }],
  });
  const made = await alice.client.postWorkflows({
    workflows: [
      {
        id: 'watch',
        nodes: [
          node('find', 'general-image-detection'),
          node('colors', 'color-recognition'),
          { id: 'track', model: { id: 'tracker' }, nodeInputs: [{ nodeId: 'find' }] },
        ],
      },
    ],
  });
  expect(made.status?.code, made.status?.details).toBe(10000);
  const { results, status } = await alice.client.postWorkflowResults({
    workflowId: 'watch',
    inputs: [{ data: { video: { base64: clip } } }],
    outputConfig: { sampleMs: 2000 },
  });
  expect(status?.code, status?.details).toBe(10000);
  const times = results[0]?.outputs.map(({ data }) => data?.frames.map(({ frameInfo }) => frameInfo?.time));
  expect(times).toEqual([
    [1000, 3000, 5000],
    [1000, 3000, 5000],
    [1000, 3000, 5000],
  ]);
  expect(results[0]?.outputs[1]?.data?.frames[0]?.data?.colors.length).toBeGreaterThan(0);
});

withFfmpeg('frames of a video are found by what is seen in them', async () => {
  const carol = await signedIn('carol', { workflow: 'General' });
  const film = await made('mp4', Buffer.alloc(0), [
    ...[
      '-f',
      'lavfi',
      '-i',
      'color=c=red:s=320x240:r=10:d=3',
      '-f',
      'lavfi',
      '-i',
      'testsrc2=s=320x240:r=10:d=3',
    ],
    ...['-filter_complex', '[0:v][1:v]concat=n=2', '-c:v', 'libx264', '-pix_fmt', 'yuv420p'],
  ]);
  await carol.client.postInputs({ inputs: [{ id: 'film', data: { video: { base64: film } } }] });
  await expect
    .poll(async () => (await carol.client.getInput({ inputId: 'film' })).input?.status?.code, {
      timeout: 60_000,
    })
    .toBe(30000);
  const { input } = await carol.client.getInput({ inputId: 'film' });
  const picture = await fetch(`${input?.data?.video?.thumbnailUrl}?time=4500`, {
    headers: { authorization: `Key ${carol.pat}` },
  });
  const base64 = Buffer.from(await picture.arrayBuffer());
  const rank = { annotation: { data: { image: { base64 } } } };
  const { hits, status } = await carol.client.postAnnotationsSearches({
    searches: [{ query: { ranks: [rank] } }],
  });
  expect(status?.code, status?.details).toBe(10000);
  const best = hits[0];
  expect(best?.score).toBeGreaterThan(0.99);
  expect(best?.annotation?.data?.frames[0]?.frameInfo?.time).toBe(4500);
  expect(best?.annotation?.trusted).toBe(false);
  const whole = await carol.client.postInputsSearches({ searches: [{ query: { ranks: [rank] } }] });
  expect(whole.hits.map((hit) => hit.input?.id)).toEqual(['film']);
  expect(whole.hits[0]?.score).toBeGreaterThan(0.99);
});
