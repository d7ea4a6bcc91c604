import { until } from '../harness/api.ts';
import type { Ground } from './arena.ts';
import { trap } from './browser.ts';
import { keyHeader, type Owner, say, settle } from './cast.ts';
import { payloads, svgFile } from './payloads.ts';
import type { Json } from './wire.ts';

/** An app whose every free text is a payload, and what is in it. */
export interface Poisoned {
  readonly userId: string;
  readonly appId: string;
  /** Writes that were taken, and those that were refused, by their RPC. */
  readonly taken: number;
  readonly refused: readonly string[];
  /** Paths of files that were sent. */
  readonly media: readonly string[];
  readonly hasClips: boolean;
  readonly words: () => string;
}

/** Concepts that the model knows: what it says is their names. Each has as many pictures as judging it asks for. */
const learned = 6;

/** Writes as one person into one app; those that the server may refuse are counted, others must be taken. */
function writer({ wire, cast }: Ground, user_app_id: Json) {
  const me = keyHeader(cast.attacker.pat);
  const refused: string[] = [];
  let taken = 0;
  const must = async (rpc: string, json: Json): Promise<Json> => {
    const reply = await say(wire, me, rpc, { user_app_id, ...json });
    taken += 1;
    return reply;
  };
  return {
    must,
    /** A name that the server refuses can do nothing. */
    may: (rpc: string, json: Json) => must(rpc, json).catch(() => void refused.push(rpc)),
    ask: (rpc: string, json: Json) => say(wire, me, rpc, { user_app_id, ...json }),
    counts: () => ({ taken, refused }),
  };
}
type Writer = ReturnType<typeof writer>;

/** Puts payloads into every free text that the contract has a place for and the page shows. */
export async function poison(ground: Ground, offset: number): Promise<Poisoned> {
  const { attacker } = ground.cast;
  const { user_id } = attacker.userAppId as { user_id: string };
  let next = offset;
  const words = (): string => payloads[next++ % payloads.length] as string;
  const app_id = `poison-${offset}-${Date.now().toString(36)}`;
  const write = writer(ground, { user_id, app_id });
  await write.must('PostApps', {
    user_app_id: { user_id },
    apps: [
      {
        id: app_id,
        name: words(),
        description: words(),
        metadata: { note: words() },
        default_workflow: { id: 'General', app_id: 'main', user_id: 'clarifai' },
      },
    ],
  });
  const hasClips = await poisonInputs(ground, write, { user_id, app_id }, words);
  await poisonModels(write, { user_id, app_id }, words);
  await poisonRest(ground, write, { user_id, app_id }, words);
  const inputs = await settle(ground.wire, keyHeader(attacker.pat), { user_id, app_id });
  const media = inputs.flatMap((input: Json) => {
    const url = input.data?.image?.url ?? input.data?.text?.url;
    return typeof url === 'string' && url !== '' ? [new URL(url).pathname] : [];
  });
  return {
    userId: user_id,
    appId: app_id,
    ...write.counts(),
    media: media.slice(0, 12),
    hasClips,
    words,
  };
}

/** Concepts, and inputs of every kind with marks of every kind. @returns whether there are videos and sounds */
async function poisonInputs(
  { wire, cast }: Ground,
  write: Writer,
  user_app_id: Json,
  words: () => string,
): Promise<boolean> {
  const { tinyPng } = await import('../../server/src/testing/inputs.ts');
  const { ffmpegPath, numberedClip, toneClip } = await import('../../server/src/testing/clips.ts');
  const concepts = payloads.map((name, i) => ({ id: `c-${i}`, name }));
  for (let from = 0; from < concepts.length; from += 15)
    await write.must('PostConcepts', { concepts: concepts.slice(from, from + 15) });
  await write.may('PostConcepts', { concepts: [{ id: words(), name: words() }] });
  await write.may('PostConceptLanguages', {
    concept_id: 'c-1',
    concept_languages: [{ id: 'de', name: words(), definition: words() }],
  });
  const png = (shade: number): string => Buffer.from(tinyPng(shade, 32)).toString('base64');
  await write.must('PostInputs', {
    inputs: payloads.map((payload, i) => ({
      id: `i-${i}`,
      data: {
        ...(i % 9 === 0 ? { text: { raw: payload } } : { image: { base64: png(i * 5) } }),
        concepts: [...new Set([i, 1 + (i % learned)])].map((at) => ({
          id: `c-${at}`,
          name: payloads[at] as string,
          value: 1,
        })),
        metadata: { filename: payload, [payload]: payload, split: payload },
        ...(i % 5 === 1 ? { geo: { geo_point: { latitude: i, longitude: i } } } : {}),
      },
    })),
  });
  for (const [i, payload] of payloads.slice(0, 6).entries())
    await write.may('PostInputs', {
      inputs: [
        {
          id: `svg-${i}`,
          data: {
            image: { base64: Buffer.from(svgFile(payload)).toString('base64') },
            metadata: { filename: 'x.svg' },
          },
        },
      ],
    });
  await write.must('PostInputs', {
    inputs: [
      {
        id: 'html',
        data: {
          text: { raw: `<html><script>${trap}(60)</script></html>` },
          metadata: { filename: 'x.html' },
        },
      },
      // Nobody may fetch this; what is said about it names it.
      {
        id: 'broken',
        data: { image: { url: `http://127.0.0.1/${words()}` }, metadata: { filename: words() } },
      },
    ],
  });
  if (ffmpegPath)
    await write.must('PostInputs', {
      inputs: [
        {
          id: 'clip',
          data: {
            video: { base64: (await numberedClip({ ending: 'mp4', frames: 20 })).toString('base64') },
            metadata: { filename: words() },
          },
        },
        {
          id: 'tone',
          data: {
            audio: { base64: (await toneClip('wav', 2)).toString('base64') },
            metadata: { filename: words() },
          },
        },
      ],
    });
  await settle(wire, keyHeader(cast.attacker.pat), user_app_id);
  const concept = (i: number) => [{ id: `c-${i}`, name: payloads[i] as string, value: 1 }];
  const bounding_box = { top_row: 0.1, left_col: 0.1, bottom_row: 0.5, right_col: 0.4 };
  await write.must('PostAnnotations', {
    annotations: payloads.slice(0, 12).map((payload, i) => ({
      input_id: 'i-1',
      data: {
        regions: [
          {
            region_info: { bounding_box: { ...bounding_box, right_col: 0.4 + i / 40 } },
            data: { concepts: concept(i), text: { raw: payload } },
          },
        ],
        metadata: { note: payload },
      },
    })),
  });
  await write.must('PostAnnotations', {
    annotations: [
      {
        input_id: 'i-0',
        data: {
          regions: [
            { region_info: { span: { char_start: 0, char_end: 8 } }, data: { concepts: concept(1) } },
          ],
        },
      },
    ],
  });
  if (!ffmpegPath) return false;
  await write.must('PostAnnotationTracks', {
    input_id: 'clip',
    annotation_tracks: [{ id: 'track', concept: { id: 'c-3' }, start_frame_nr: 0, end_frame_nr: 10 }],
  });
  const time_info = { begin_time: 100, end_time: 600 };
  await write.must('PostAnnotations', {
    annotations: [
      { input_id: 'tone', data: { time_segments: [{ time_info, data: { concepts: concept(4) } }] } },
      { input_id: 'clip', data: { time_segments: [{ time_info, data: { concepts: concept(5) } }] } },
      {
        input_id: 'clip',
        data: {
          frames: [
            {
              frame_info: { number: 0, time: 0 },
              data: {
                regions: [
                  { track_id: 'track', region_info: { bounding_box }, data: { concepts: concept(3) } },
                ],
              },
            },
          ],
        },
      },
    ],
  });
  return true;
}

/** @throws Error where it went wrong: what is not there cannot be attacked */
function isDone(status: Json, done: number, going: readonly number[]): boolean {
  if (status?.code === done) return true;
  if (going.includes(status?.code)) return false;
  throw new Error(`it ended with ${status?.code}: ${status?.description} ${status?.details}`);
}

/** A model trained on the poisoned concepts, judged twice, with versions; and one whose training goes wrong. */
async function poisonModels(write: Writer, user_app_id: Json, words: () => string): Promise<void> {
  await write.must('PostDatasets', {
    datasets: [{ id: 'd', description: words(), notes: words(), metadata: { note: words() } }],
  });
  await write.must('PostDatasetInputs', {
    dataset_id: 'd',
    dataset_inputs: payloads.flatMap((_, i) => (i % 9 === 0 ? [] : [{ input: { id: `i-${i}` } }])),
  });
  for (let version = 0; version < 2; version++)
    await write.must('PostDatasetVersions', {
      dataset_id: 'd',
      dataset_versions: [{ description: words(), metadata: { note: words() } }],
    });
  for (const id of ['m', 'bad'])
    await write.must('PostModels', {
      models: [
        {
          id,
          name: words(),
          description: words(),
          notes: words(),
          model_type_id: 'embedding-classifier',
          metadata: { note: words() },
        },
      ],
    });
  const concepts = Array.from({ length: learned }, (_, i) => ({ id: `c-${i + 1}` }));
  const version = async (model_id: string, dataset: Json, some: Json[]): Promise<Json> =>
    write.must('PostModelVersions', {
      model_id,
      model_versions: [
        {
          description: words(),
          metadata: { note: words() },
          output_info: { data: { concepts: some }, output_config: { concepts_mutually_exclusive: true } },
          train_info: { dataset },
        },
      ],
    });
  const made = await version('m', { id: 'd', ...user_app_id }, concepts);
  await version('bad', { id: 'd', ...user_app_id }, [{ id: 'c-0' }, { id: 'c-9' }]).catch(() => {});
  const version_id = made.model.modelVersion.id as string;
  await until('the poisoned model is trained', async () => {
    const { modelVersion } = await write.ask('GetModelVersion', { model_id: 'm', version_id });
    return isDone(modelVersion.status, 21100, [21101, 21103]);
  });
  for (const id of ['judged', 'again']) {
    await write.must('PostEvaluations', {
      eval_metrics: [
        {
          id,
          model: { id: 'm', ...user_app_id, model_version: { id: version_id } },
          ground_truth_dataset: { id: 'd', ...user_app_id },
        },
      ],
    });
    await until('the poisoned model is judged', async () => {
      const { evalMetrics } = await write.ask('GetEvaluation', { evaluation_id: id });
      return isDone(evalMetrics.status, 21300, [21301, 21303]);
    });
  }
}

/** Workflows, searches, tokens, people, and jobs. */
async function poisonRest(
  { cast }: Ground,
  write: Writer,
  { user_id, app_id }: Json,
  words: () => string,
): Promise<void> {
  const workflow = (id: string, nodeId: string) => ({
    workflows: [
      {
        id,
        description: words(),
        notes: words(),
        metadata: { note: words() },
        nodes: [
          {
            id: nodeId,
            model: { id: 'general-image-embedding', user_id: 'clarifai', app_id: 'main' },
          },
          { id: 'name', model: { id: 'm' }, node_inputs: [{ node_id: nodeId }] },
        ],
      },
    ],
  });
  await write.must('PostWorkflows', workflow('w', 'n'));
  await write.may('PostWorkflows', workflow('w-2', words()));
  await write.may('PostWorkflows', workflow(words(), 'n'));
  await write.must('PostInputsSearches', {
    searches: [
      {
        id: 's',
        name: words(),
        save: true,
        query: { filters: [{ annotation: { data: { concepts: [{ id: 'c-1', value: 1 }] } } }] },
      },
    ],
  });
  const helper = cast.helper as Owner;
  await write.may('PatchUser', {
    user_app_id: { user_id },
    action: 'merge',
    user: { id: user_id, first_name: words(), last_name: words(), full_name: words() },
  });
  await write.must('PostCollaborators', {
    collaborators: [{ user: { id: helper.userId }, scopes: ['Apps_Get'] }],
  });
  await write.must('PostKeys', {
    user_app_id: { user_id },
    keys: [{ description: words(), type: 'personal_access_token', scopes: ['All'] }],
  });
  await write.must('PostKeys', {
    user_app_id: { user_id },
    keys: [{ description: words(), scopes: ['All'], apps: [{ user_id, id: app_id }] }],
  });
  await write.may('PostInputsUploads', {
    inputs_uploads: [
      {
        upload: { content_name: `${words()}.zip`, content_length: 100 },
        input_template: { data: { metadata: { note: words() } } },
      },
    ],
  });
  await write.may('PostBulkOperations', {
    bulk_operations: [
      {
        input_ids: { input_ids: ['i-1'] },
        operation: { add_metadata: { metadata: { [words()]: words() } } },
      },
    ],
  });
}
