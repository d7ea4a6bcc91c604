import { expect, test } from 'vitest';
import { signedIn } from '#testing/people.ts';
import { dice, type Shape, shapesPng } from '#testing/shapes.ts';
import { processed, trainedVersion } from '#testing/training.ts';

const kinds = ['disc', 'square'] as const;

test('a segmenter is judged by outlines, pixel by pixel', async () => {
  const alice = await signedIn('alice');
  const random = dice(5);
  const pictures = Array.from({ length: 24 }, (_, i) => {
    const kind = kinds[i % 2] as Shape['kind'];
    const size = 0.4 + random() * 0.2;
    const colour = kind === 'disc' ? ([220, 40, 40] as const) : ([40, 40, 220] as const);
    const shape: Shape = { kind, left: 0.1 + random() * 0.3, top: 0.1 + random() * 0.3, size, colour };
    return { id: `p${i}`, shape, png: shapesPng([shape], random, 96) };
  });
  await alice.client.postInputs({
    inputs: pictures.map(({ id, png }) => ({ id, data: { image: { base64: png } } })),
  });
  await processed(alice, pictures.length);
  const posted = await alice.client.postAnnotations({
    annotations: pictures.map(({ id, shape: { kind, left, top, size } }) => ({
      inputId: id,
      data: {
        regions: [
          {
            regionInfo: {
              polygon: {
                points: Array.from({ length: 40 }, (_, n) => {
                  const [x, y] = [Math.cos((n * Math.PI) / 20), Math.sin((n * Math.PI) / 20)];
                  const reach = kind === 'disc' ? 1 : 1 / Math.max(Math.abs(x), Math.abs(y));
                  return {
                    col: left + (size * (1 + x * reach)) / 2,
                    row: top + (size * (1 + y * reach)) / 2,
                  };
                }),
              },
            },
            data: { concepts: [{ id: kind, value: 1 }] },
          },
        ],
      },
    })),
  });
  expect(posted.status?.code, posted.status?.details).toBe(10000);
  await alice.client.postModels({ models: [{ id: 'pixels', modelTypeId: 'visual-segmenter' }] });
  const { version } = await trainedVersion(alice, 'pixels', {
    trainInfo: { params: { template: 'MMSegmentation_SegFormer' } },
    outputInfo: { data: { concepts: kinds.map((id) => ({ id })) } },
  });
  expect(version?.status?.code, version?.status?.details).toBe(21100);
  const asked = await alice.client.postEvaluations({
    evalMetrics: [{ id: 'masks', model: { id: 'pixels' } }],
  });
  expect(asked.status?.code, asked.status?.details).toBe(10000);
  await expect
    .poll(
      async () => (await alice.client.getEvaluation({ evaluationId: 'masks' })).evalMetrics?.status?.code,
      { timeout: 60_000, interval: 50 },
    )
    .toBe(21300);
  const { evalMetrics } = await alice.client.getEvaluation({
    evaluationId: 'masks',
    fields: { metricsByClass: true },
  });
  expect(evalMetrics?.summary?.meanAvgPrecisionIou50).toBeGreaterThan(0.3);
  expect(evalMetrics?.metricsByClass.length).toBeGreaterThan(0);
  // A mask's value is its share of the picture, less than half here: the summary counts it all the same.
  const { macroAvgF1Score, macroAvgPrecision, macroAvgRecall } = evalMetrics?.summary ?? {};
  expect(macroAvgF1Score).toBeGreaterThan(0.3);
  expect(macroAvgRecall).toBeGreaterThan(0.3);
  expect(macroAvgPrecision).toBeGreaterThan(0.3);
  const path = `/v2/ext/fovea/users/${alice.userId}/apps/${alice.appId}/evaluations/masks/numbers`;
  const { json } = await alice.rest('GET', path);
  expect(json.numbers.pixel_iou.mean).toBeGreaterThan(0.4);
}, 240_000);
