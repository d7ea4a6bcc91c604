import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { tinyPng } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { trainedVersion } from '#testing/training.ts';

let alice: Person;
const everything = {
  confusionMatrix: true,
  cooccurrenceMatrix: true,
  labelCounts: true,
  binaryMetrics: true,
  testSet: true,
  metricsByArea: true,
  metricsByClass: true,
};

/** Squares of one shade each; `flip` labels the n-th one wrongly. */
async function uploadShades(person: Person, flip: readonly number[] = []) {
  const inputs = Array.from({ length: 24 }, (_, i) => {
    const isDark = i % 2 === 0;
    return {
      id: `${isDark ? 'dark' : 'bright'}-${i}`,
      data: {
        image: { base64: tinyPng(isDark ? i * 3 : 255 - i * 3, 64) },
        concepts: [{ id: isDark !== flip.includes(i) ? 'dark' : 'bright', value: 1 }],
      },
    };
  });
  await person.client.postInputs({ inputs });
  for (let tries = 0; tries < 600; tries++) {
    const found = await person.client.listInputs({ perPage: 100, status: { code: 30000 } });
    if (found.inputs.length === inputs.length) return;
    await sleep(50);
  }
  throw new Error('the pictures were not processed');
}

async function trained(person: Person, modelId: string, conceptIds = ['dark', 'bright']): Promise<string> {
  await person.client.postModels({ models: [{ id: modelId }] });
  const posted = await person.client.postModelVersions({
    modelId,
    modelVersions: [
      {
        outputInfo: {
          data: { concepts: conceptIds.map((id) => ({ id })) },
          outputConfig: { conceptsMutuallyExclusive: true },
        },
      },
    ],
  });
  const versionId = posted.model?.modelVersion?.id ?? '';
  for (let tries = 0; tries < 600; tries++) {
    const { modelVersion } = await person.client.getModelVersion({ modelId, versionId });
    if (modelVersion?.status?.code === 21100) return versionId;
    await sleep(20);
  }
  throw new Error('the model was not trained');
}

/** Waits until an evaluation has ended. @returns it with everything, and every status seen on the way */
async function ended(person: Person, evaluationId: string) {
  const seen: number[] = [];
  for (let tries = 0; tries < 900; tries++) {
    const { evalMetrics } = await person.client.getEvaluation({ evaluationId, fields: everything });
    const code = evalMetrics?.status?.code ?? 0;
    if (seen.at(-1) !== code) seen.push(code);
    if (code !== 21303 && code !== 21301) return { seen, metrics: evalMetrics };
    await sleep(20);
  }
  throw new Error('the evaluation did not end');
}

let versionId: string;

beforeAll(async () => {
  alice = await signedIn('alice', { workflow: 'General' });
  await uploadShades(alice, [4]);
  versionId = await trained(alice, 'shades');
  await alice.client.postDatasets({ datasets: [{ id: 'all' }] });
  const { inputs } = await alice.client.listInputs({ perPage: 100 });
  await alice.client.postDatasetInputs({
    datasetId: 'all',
    datasetInputs: inputs.map(({ id }) => ({ input: { id } })),
  });
});

describe('a classifier on a dataset', () => {
  let id: string;

  test('is queued, judged, and shown with every figure; the dataset is frozen and the predictions kept', async () => {
    const before = await alice.client.listModelVersionEvaluations({
      modelId: 'shades',
      modelVersionId: versionId,
    });
    expect(before.evalMetrics).toEqual([]);
    const posted = await alice.client.postEvaluations({
      evalMetrics: [
        {
          model: { id: 'shades', modelVersion: { id: versionId } },
          groundTruthDataset: { id: 'all' },
          evalInfo: { params: { use_kfold: false } },
          extendedMetrics: { userMetrics: { mine: 7 } },
        },
      ],
    });
    expect(posted.status?.code, posted.status?.details).toBe(10000);
    expect(posted.evalMetrics[0]?.status?.code).toBe(21303);
    id = posted.evalMetrics[0]?.id ?? '';
    const { seen, metrics } = await ended(alice, id);
    expect(seen.at(-1), metrics?.status?.details).toBe(21300);
    expect(metrics).toMatchObject({
      appId: alice.appId,
      userId: alice.userId,
      model: { id: 'shades', modelVersion: { id: versionId } },
      groundTruthDataset: { id: 'all', appId: alice.appId },
      extendedMetrics: { userMetrics: { mine: 7 } },
    });
    // 12 of each, but one dark picture is called bright: 11 and 13.
    expect(
      metrics?.labelCounts?.positiveLabelCounts.map(({ concept, count }) => [concept?.id, count]),
    ).toEqual([
      ['dark', 11],
      ['bright', 13],
    ]);
    expect(metrics?.testSet).toHaveLength(24);
    expect(metrics?.binaryMetrics).toHaveLength(2);
    expect(metrics?.binaryMetrics[0]?.rocCurve?.thresholds).toHaveLength(101);
    const sums = new Map<string, number>();
    for (const { actual, value } of metrics?.confusionMatrix?.matrix ?? [])
      sums.set(actual, (sums.get(actual) ?? 0) + value);
    expect([...sums.values()].every((sum) => Math.abs(sum - 1) < 1e-5)).toBe(true);
    for (const [dataset, origin] of [
      [metrics?.groundTruthDataset, 3],
      [metrics?.predictionsDataset, 4],
    ] as const) {
      const { datasetVersion } = await alice.client.getDatasetVersion({
        datasetId: 'all',
        datasetVersionId: dataset?.version?.id ?? '',
      });
      expect(datasetVersion).toMatchObject({ requestOrigin: origin, status: { code: 64015 } });
    }
  });

  test('figures can be worked out again from the test set', async () => {
    const { metrics } = await ended(alice, id);
    const rows = (metrics?.testSet ?? []).map((entry) => ({
      truth: entry.groundTruthConcepts[0]?.id,
      dark: entry.predictedConcepts.find((concept) => concept.id === 'dark')?.value ?? Number.NaN,
    }));
    const [yes, no] = [
      rows.filter(({ truth }) => truth === 'dark'),
      rows.filter(({ truth }) => truth !== 'dark'),
    ];
    let wins = 0;
    for (const a of yes) for (const b of no) wins += a.dark > b.dark ? 1 : a.dark === b.dark ? 0.5 : 0;
    const dark = metrics?.binaryMetrics.find(({ concept }) => concept?.id === 'dark');
    expect(dark?.rocAuc).toBeCloseTo(wins / (yes.length * no.length), 6);
  });

  test('only the summary is shown unless more is asked for', async () => {
    const { evalMetrics } = await alice.client.getEvaluation({ evaluationId: id });
    expect(evalMetrics?.summary?.macroAvgRocAuc).toBeGreaterThan(0.5);
    expect(evalMetrics?.confusionMatrix).toBeUndefined();
    expect(evalMetrics?.testSet).toEqual([]);
    const part = await alice.client.getEvaluation({ evaluationId: id, fields: { confusionMatrix: true } });
    expect(part.evalMetrics?.confusionMatrix?.conceptIds).toHaveLength(2);
    expect(part.evalMetrics?.binaryMetrics).toEqual([]);
  });

  test('is found under its model version and in the app’s list, by every filter and key', async () => {
    const listed = await alice.client.listModelVersionEvaluations({
      modelId: 'shades',
      modelVersionId: versionId,
    });
    expect(listed.evalMetrics.map((one) => one.id)).toEqual([id]);
    const one = await alice.client.getModelVersionEvaluation({
      modelId: 'shades',
      modelVersionId: versionId,
      evaluationId: id,
    });
    expect(one.evalMetrics?.summary?.macroAvgF1Score).toBeGreaterThan(0.5);
    const all = await alice.client.listEvaluations({});
    expect(all.evalMetrics.map((metrics) => metrics.id)).toContain(id);
    expect(all.evalMetrics.every((metrics) => metrics.foveaCreatedAt === undefined)).toBe(true);
    const { evalMetrics: dated } = await alice.client.listEvaluations({ foveaTimes: true });
    const agoMs = dated.map(({ foveaCreatedAt }) => Date.now() - 1000 * Number(foveaCreatedAt?.seconds));
    expect(agoMs.every((ms) => ms > 0 && ms < 3_600_000)).toBe(true);
    const filtered = async (filter: object) =>
      (await alice.client.listEvaluations(filter)).evalMetrics.map((metrics) => metrics.id);
    expect(await filtered({ evalDatasetIds: ['all'] })).toEqual([id]);
    expect(await filtered({ evalDatasetIds: ['none'] })).toEqual([]);
    expect(await filtered({ conceptIds: ['dark'] })).toContain(id);
    expect(await filtered({ conceptIds: ['cat'] })).toEqual([]);
    expect(await filtered({ modelTypeId: 'visual-detector' })).toEqual([]);
    for (const key of [
      'sortByAppId',
      'sortByRocAuc',
      'sortByF1',
      'sortByCreatedAt',
      'sortByMeanAvgPrecision',
      'sortByPrecision',
      'sortByRecall',
      'sortByModelId',
      'sortByEvalDatasetId',
      'sortByTrainDatasetId',
    ] as const) {
      const sorted = await alice.client.listEvaluations({ sortBy: { case: key, value: true } });
      expect(sorted.status?.code, key).toBe(10000);
      expect(
        sorted.evalMetrics.map((metrics) => metrics.id),
        key,
      ).toContain(id);
    }
  });

  test('the inputs behind a cell and behind a point of a curve can be listed, page by page', async () => {
    const { metrics } = await ended(alice, id);
    const behind = async (query: string) => (await alice.rest('GET', ask(query))).json;
    const ask = (query: string) =>
      `/v2/ext/fovea/users/${alice.userId}/apps/${alice.appId}/evaluations/${id}/${query}`;
    const cell = metrics?.confusionMatrix?.matrix.find(
      (one) => one.actual === 'dark' && one.predicted === 'bright',
    );
    const { inputs } = await behind('inputs?actual=dark&predicted=bright');
    expect(inputs).toHaveLength(11);
    const mean = inputs.reduce((sum: number, one: { share: number }) => sum + one.share, 0) / inputs.length;
    expect(mean).toBeCloseTo(cell?.value ?? Number.NaN, 5);
    const bright = metrics?.binaryMetrics.find(({ concept }) => concept?.id === 'bright');
    const found = (await behind('inputs?concept=bright&threshold=0.5&outcome=tp')).inputs;
    const missed = (await behind('inputs?concept=bright&threshold=0.5&outcome=fn')).inputs;
    expect(found.length + missed.length).toBe(13);
    expect(found.length / 13).toBeCloseTo(bright?.precisionRecallCurve?.recall[50] ?? Number.NaN, 6);
    const first = await behind('inputs?per_page=20');
    const second = await behind(`inputs?per_page=20&from=${first.next_from}`);
    expect([first.inputs.length, second.inputs.length, second.next_from]).toEqual([20, 4, undefined]);
    expect(first.inputs[0].url).toContain('http');
    expect((await behind('numbers')).numbers).toMatchObject({ inputs: 24, inputs_failed: 0 });
    expect((await alice.rest('GET', ask('inputs?concept=cat'))).http).toBe(400);
    const mallory = await signedIn('mallory');
    expect((await mallory.rest('GET', ask('inputs'))).http).toBeGreaterThanOrEqual(400);
  });

  test('the same id twice is refused, and a stranger sees nothing', async () => {
    const again = await alice.client.postEvaluations({ evalMetrics: [{ id, model: { id: 'shades' } }] });
    expect(again.status?.code).toBe(40010);
    const mallory = await signedIn('mallory');
    const peek = await mallory
      .as({ userId: alice.userId, appId: alice.appId })
      .getEvaluation({ evaluationId: id });
    expect(peek.status?.code).not.toBe(10000);
  });
});

describe('the deprecated calls', () => {
  test('PostModelVersionMetrics judges on the app’s labels, fold by fold, and GetModelVersionMetrics shows it', async () => {
    const posted = await alice.client.postModelVersionMetrics({ modelId: 'shades', versionId });
    expect(posted.status?.code, posted.status?.details).toBe(10000);
    const id = posted.modelVersion?.metrics?.id ?? '';
    const { metrics } = await ended(alice, id);
    expect(metrics?.status?.code, metrics?.status?.details).toBe(21300);
    expect(metrics?.testSet).toHaveLength(24);
    // Nobody learnt from the picture that is called wrongly, so nobody can call it so.
    const wrong = metrics?.testSet.find(({ input }) => input?.id === 'dark-4');
    expect(wrong?.groundTruthConcepts.map((concept) => concept.id)).toEqual(['bright']);
    expect(wrong?.predictedConcepts.find((concept) => concept.id === 'dark')?.value).toBeGreaterThan(0.5);
    const shown = await alice.client.getModelVersionMetrics({
      modelId: 'shades',
      versionId,
      fields: { labelCounts: true },
    });
    expect(shown.modelVersion?.metrics?.id).toBe(id);
    expect(shown.modelVersion?.metrics?.labelCounts?.positiveLabelCounts).toHaveLength(2);
  });

  test('PostModelVersionEvaluations takes the model from its path, and a search narrows what is judged', async () => {
    const posted = await alice.client.postModelVersionEvaluations({
      modelId: 'shades',
      modelVersionId: versionId,
      evalMetrics: [{ id: 'by-path', evalInfo: { params: { use_kfold: true, num_folds: 3 } } }],
    });
    expect(posted.evalMetrics[0]?.id).toBe('by-path');
    expect((await ended(alice, 'by-path')).metrics?.status?.code).toBe(21300);
    const narrow = await alice.client.postModelVersionMetrics({
      modelId: 'shades',
      versionId,
      testSearch: {
        query: { filters: [{ annotation: { data: { concepts: [{ id: 'dark', value: 1 }] } } }] },
      },
    });
    const { metrics } = await ended(alice, narrow.modelVersion?.metrics?.id ?? '');
    expect(metrics?.status?.code).toBe(21315);
  });
});

test('a training that brings eval_info is evaluated when it has ended, on what it learnt from', async () => {
  await alice.client.postModels({ models: [{ id: 'judged-after' }] });
  const version = {
    trainInfo: { params: { dataset_id: 'all' } },
    outputInfo: { data: { concepts: [{ id: 'dark' }, { id: 'bright' }] } },
  };
  const refused = await alice.client.postModelVersions({
    modelId: 'judged-after',
    modelVersions: [version],
    evalInfo: { params: { num_folds: 0 } },
  });
  expect(refused.status?.code).toBe(11102);
  const posted = await alice.client.postModelVersions({
    modelId: 'judged-after',
    modelVersions: [version],
    evalInfo: { params: { num_folds: 3 } },
  });
  const made = posted.model?.modelVersion?.id ?? '';
  for (let tries = 0; ; tries++) {
    const { evalMetrics } = await alice.client.listModelVersionEvaluations({
      modelId: 'judged-after',
      modelVersionId: made,
    });
    if (evalMetrics[0]?.status?.code === 21300) {
      expect(evalMetrics[0]).toMatchObject({
        groundTruthDataset: { id: 'all' },
        evalInfo: { params: { num_folds: 3, use_kfold: true } },
      });
      break;
    }
    expect(tries).toBeLessThan(900);
    await sleep(50);
  }
});

describe('what cannot be judged', () => {
  test('one concept is too few, and four pictures of one are too few', async () => {
    const bob = await signedIn('bob', { workflow: 'General' });
    await uploadShades(bob);
    await trained(bob, 'm');
    await bob.client.postDatasets({ datasets: [{ id: 'one' }, { id: 'few' }] });
    const add = (datasetId: string, ids: string[]) =>
      bob.client.postDatasetInputs({ datasetId, datasetInputs: ids.map((id) => ({ input: { id } })) });
    const dark = Array.from({ length: 6 }, (_, i) => `dark-${i * 2}`);
    await add('one', dark);
    await add('few', [...dark, 'bright-1', 'bright-3', 'bright-5', 'bright-7']);
    const judge = async (dataset: string) => {
      const posted = await bob.client.postEvaluations({
        evalMetrics: [{ model: { id: 'm' }, groundTruthDataset: { id: dataset } }],
      });
      return (await ended(bob, posted.evalMetrics[0]?.id ?? '')).metrics?.status;
    };
    expect(await judge('one')).toMatchObject({ code: 21315 });
    const few = await judge('few');
    expect(few).toMatchObject({ code: 21316 });
    expect(few?.details).toContain("'bright' has 4");
    const hidden = await bob.client.listEvaluations({});
    expect(hidden.evalMetrics).toEqual([]);
    const shown = await bob.client.listEvaluations({ showFailedMetrics: true });
    expect(shown.evalMetrics).toHaveLength(2);
  });

  test('an untrained model, a missing one, a missing dataset and settings that cannot be are refused at once', async () => {
    await alice.client.postModels({ models: [{ id: 'green' }] });
    const post = async (item: object) =>
      (await alice.client.postEvaluations({ evalMetrics: [item] })).status?.code;
    expect(await post({ model: { id: 'green' } })).toBe(21102);
    expect(await post({ model: { id: 'nobody' } })).toBe(21200);
    expect(await post({})).toBe(11102);
    expect(await post({ model: { id: 'shades' }, groundTruthDataset: { id: 'no' } })).toBe(11101);
    expect(await post({ model: { id: 'shades' }, evalInfo: { params: { num_folds: 1 } } })).toBe(11102);
    expect(await post({ model: { id: 'general-image-embedding' } })).toBe(21203);
    expect((await alice.client.getEvaluation({ evaluationId: 'no' })).status?.code).toBe(11101);
    const unasked = await alice.client.getModelVersionMetrics({ modelId: 'green', versionId: '' });
    expect(unasked.modelVersion?.metrics?.status?.code).toBe(21302);
  });
});

test('a clusterer is judged by how well its groups agree with labels', async () => {
  await alice.client.postModels({ models: [{ id: 'groups', modelTypeId: 'clusterer' }] });
  const { version: made } = await trainedVersion(alice, 'groups', {
    trainInfo: { params: { coarse_clusters: 2, dataset_id: 'all' } },
  });
  expect(made?.status?.code, made?.status?.details).toBe(21100);
  const posted = await alice.client.postEvaluations({
    evalMetrics: [{ id: 'grouped', model: { id: 'groups' }, groundTruthDataset: { id: 'all' } }],
  });
  expect(posted.status?.code, posted.status?.details).toBe(10000);
  const { metrics } = await ended(alice, 'grouped');
  expect(metrics?.status?.code, metrics?.status?.details).toBe(21300);
  const { json } = await alice.rest('GET', numbersOf('grouped'));
  expect(json.numbers).toMatchObject({ inputs: 24, coarse: { classes: 2 } });
  expect(json.numbers.coarse.purity).toBeGreaterThan(0.5);
  const folds = await alice.client.postEvaluations({
    evalMetrics: [{ model: { id: 'groups' }, evalInfo: { params: { use_kfold: true } } }],
  });
  expect(folds.status?.code).toBe(11102);
});

const numbersOf = (id: string) =>
  `/v2/ext/fovea/users/${alice.userId}/apps/${alice.appId}/evaluations/${id}/numbers`;

describe('a detector', () => {
  test('is judged by the boxes that people drew, size by size and class by class', async () => {
    const regions = [
      { regionInfo: { boundingBox: { topRow: 0.125, leftCol: 0.125, bottomRow: 0.625, rightCol: 0.625 } } },
    ];
    const cara = await signedIn('cara');
    await cara.client.postInputs({
      inputs: [
        { id: 'a', data: { image: { base64: tinyPng(10, 300) } } },
        { id: 'b', data: { image: { base64: tinyPng(200, 300) } } },
      ],
    });
    for (let tries = 0; tries < 600; tries++) {
      const { inputs } = await cara.client.listInputs({ status: { code: 30000 } });
      if (inputs.length === 2) break;
      await sleep(20);
    }
    const posted = await cara.client.postAnnotations({
      annotations: [
        {
          inputId: 'a',
          data: {
            regions: regions.map((region) => ({
              ...region,
              data: { concepts: [{ id: 'person', value: 1 }] },
            })),
          },
        },
      ],
    });
    expect(posted.status?.code, posted.status?.details).toBe(10000);
    const asked = await cara.client.postEvaluations({
      evalMetrics: [
        { model: { id: 'general-image-detection', appId: 'main', userId: 'clarifai' }, id: 'boxes' },
      ],
    });
    expect(asked.status?.code, asked.status?.details).toBe(10000);
    const { metrics } = await ended(cara, 'boxes');
    expect(metrics?.status?.code, metrics?.status?.details).toBe(21300);
    // Nobody is in a grey square: what was drawn is missed.
    const large = metrics?.metricsByClass.find(({ areaName, iou }) => areaName === 'large' && iou === 0.5);
    expect(large).toMatchObject({ numPos: 1, avgPrecision: 0, concept: { name: 'person' } });
    expect(large?.precisionRecallCurve?.thresholds).toHaveLength(101);
    expect(metrics?.summary?.meanAvgPrecisionIou50).toBe(0);
    expect(metrics?.testSet[0]?.groundTruthAnnotation?.data?.regions).toHaveLength(1);
    const base = `/v2/ext/fovea/users/${cara.userId}/apps/${cara.appId}/evaluations/boxes`;
    const missed = await cara.rest('GET', `${base}/inputs?concept=${large?.concept?.id}&outcome=fn`);
    expect(missed.json.inputs).toMatchObject([
      { id: 'a', matches: [{ outcome: 'fn', box: [37.5, 37.5, 150, 150] }] },
    ]);
    const { numbers } = (await cara.rest('GET', `${base}/numbers`)).json;
    expect(numbers.coco).toMatchObject({ ap: 0, ap_large: 0, ap_small: -1 });
  });
});
