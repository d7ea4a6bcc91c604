import { beforeAll, describe, expect, test } from 'vitest';
import { type Person, signedIn } from '#testing/people.ts';
import { dice, isInside, randomShapes, type Shape, shapesPng } from '#testing/shapes.ts';
import { processed, trainedVersion } from '#testing/training.ts';

let alice: Person;
const kinds = ['disc', 'square', 'cross'] as const;
const trainCount = 80;
const testCount = 30;

interface Picture {
  shapes: Shape[];
  png: Buffer;
}

function pictures(seed: number, count: number): Picture[] {
  const random = dice(seed);
  return Array.from({ length: count }, () => {
    const shapes = randomShapes(random);
    return { shapes, png: shapesPng(shapes, random) };
  });
}

const boxOf = ({ left, top, size }: Shape) => ({
  leftCol: left,
  topRow: top,
  rightCol: left + size,
  bottomRow: top + size,
});

/** The outline of a shape as a polygon. */
function outline({ kind, left, top, size }: Shape) {
  const at = (x: number, y: number) => ({ row: top + y * size, col: left + x * size });
  if (kind === 'square') return [at(0, 0), at(1, 0), at(1, 1), at(0, 1)];
  if (kind === 'disc')
    return Array.from({ length: 32 }, (_, i) =>
      at(0.5 + 0.5 * Math.cos((i * Math.PI) / 16), 0.5 + 0.5 * Math.sin((i * Math.PI) / 16)),
    );
  const [a, b] = [0.34, 0.66];
  return [
    at(a, 0),
    at(b, 0),
    at(b, a),
    at(1, a),
    at(1, b),
    at(b, b),
    at(b, 1),
    at(a, 1),
    at(a, b),
    at(0, b),
    at(0, a),
    at(a, a),
  ];
}

async function upload(person: Person, all: Picture[], regionOf: (shape: Shape) => object) {
  for (let at = 0; at < all.length; at += 20) {
    const { status } = await person.client.postInputs({
      inputs: all
        .slice(at, at + 20)
        .map(({ png }, i) => ({ id: `p${at + i}`, data: { image: { base64: png } } })),
    });
    expect(status?.code).toBe(10000);
  }
  await processed(person, all.length);
  for (let at = 0; at < all.length; at += 20) {
    const { status } = await person.client.postAnnotations({
      annotations: all.slice(at, at + 20).flatMap(({ shapes }, i) =>
        shapes.map((shape) => ({
          inputId: `p${at + i}`,
          data: {
            regions: [{ regionInfo: regionOf(shape), data: { concepts: [{ id: shape.kind, value: 1 }] } }],
          },
        })),
      ),
    });
    expect(status?.code, status?.details).toBe(10000);
  }
}

/** Shared area over joint area. */
function iou(a: ReturnType<typeof boxOf>, b: ReturnType<typeof boxOf>): number {
  const width = Math.min(a.rightCol, b.rightCol) - Math.max(a.leftCol, b.leftCol);
  const height = Math.min(a.bottomRow, b.bottomRow) - Math.max(a.topRow, b.topRow);
  if (width <= 0 || height <= 0) return 0;
  const area = (box: typeof a) => (box.rightCol - box.leftCol) * (box.bottomRow - box.topRow);
  return (width * height) / (area(a) + area(b) - width * height);
}

/** Average precision of one class at one overlap: the area under the curve of precision made monotone. */
function averagePrecision(found: { value: number; hit: boolean }[], wanted: number): number {
  const sorted = [...found].sort((a, b) => b.value - a.value);
  let hits = 0;
  const curve = sorted.map(({ hit }, index) => {
    hits += hit ? 1 : 0;
    return { recall: hits / wanted, precision: hits / (index + 1) };
  });
  let area = 0;
  let recall = 0;
  curve.forEach((point, index) => {
    const best = Math.max(...curve.slice(index).map((one) => one.precision));
    area += (point.recall - recall) * best;
    recall = point.recall;
  });
  return area;
}

describe('a detector trained on eighty pictures with boxes', () => {
  const tests = pictures(99, testCount);

  beforeAll(async () => {
    alice = await signedIn('alice');
    await upload(alice, pictures(1, trainCount), (shape) => ({ boundingBox: boxOf(shape) }));
    await alice.client.postModels({ models: [{ id: 'shapes', modelTypeId: 'visual-detector' }] });
  }, 120_000);

  test('finds things in pictures that it has never seen', async () => {
    const { version, log } = await trainedVersion(alice, 'shapes', {
      trainInfo: { params: { template: 'MMDetection_YoloF' } },
      outputInfo: { data: { concepts: kinds.map((id) => ({ id })) } },
    });
    expect(version?.status?.code, version?.status?.details).toBe(21100);
    expect(version).toMatchObject({ totalInputCount: trainCount, activeConceptCount: 3 });
    expect(JSON.stringify(version?.metadata)).toContain('frozen');
    expect(log).toContain('inside of things');
    const found = new Map(kinds.map((kind) => [kind as string, [] as { value: number; hit: boolean }[]]));
    for (const { png, shapes } of tests) {
      const { outputs } = await alice.client.postModelOutputs({
        modelId: 'shapes',
        inputs: [{ data: { image: { base64: png } } }],
        model: { modelVersion: { outputInfo: { outputConfig: { minValue: 0.05 } } } },
      });
      const taken = new Set<Shape>();
      for (const region of outputs[0]?.data?.regions ?? []) {
        const kind = region.data?.concepts[0]?.id ?? '';
        const box = region.regionInfo?.boundingBox as ReturnType<typeof boxOf>;
        const shape = shapes.find(
          (one) => one.kind === kind && !taken.has(one) && iou(boxOf(one), box) >= 0.5,
        );
        if (shape) taken.add(shape);
        found.get(kind)?.push({ value: region.value, hit: shape !== undefined });
      }
    }
    const precisions = kinds.map((kind) =>
      averagePrecision(
        found.get(kind) ?? [],
        tests.flatMap(({ shapes }) => shapes).filter((one) => one.kind === kind).length,
      ),
    );
    expect(precisions.reduce((sum, one) => sum + one, 0) / kinds.length).toBeGreaterThan(0.6);
  }, 240_000);

  test('the same data make the same detector', async () => {
    await trainedVersion(alice, 'shapes', {});
    const { modelVersions } = await alice.client.listModelVersions({ modelId: 'shapes', trainedOnly: true });
    const image = { base64: tests[0]?.png as Buffer };
    const ask = async (versionId: string) => {
      const { outputs } = await alice.client.postModelOutputs({
        modelId: 'shapes',
        versionId,
        inputs: [{ data: { image } }],
      });
      return outputs[0]?.data?.regions.map((one) => [one.value, one.regionInfo?.boundingBox?.leftCol]);
    };
    expect(await ask(modelVersions[0]?.id as string)).toEqual(await ask(modelVersions[1]?.id as string));
  }, 240_000);

  test('without a box there is nothing to learn', async () => {
    await alice.client.postModels({ models: [{ id: 'none', modelTypeId: 'visual-detector' }] });
    const { version } = await trainedVersion(alice, 'none', {
      outputInfo: { data: { concepts: [{ id: 'unseen' }] } },
    });
    expect(version?.status?.code).toBe(21110);
  });
});

describe('a segmenter trained on eighty pictures with polygons', () => {
  test('says of the pixels of new pictures what they are', async () => {
    const bob = await signedIn('bob');
    await upload(bob, pictures(2, trainCount), (shape) => ({ polygon: { points: outline(shape) } }));
    await bob.client.postModels({ models: [{ id: 'pixels', modelTypeId: 'visual-segmenter' }] });
    const { version } = await trainedVersion(bob, 'pixels', {
      trainInfo: { params: { template: 'MMSegmentation_SegFormer' } },
      outputInfo: { data: { concepts: kinds.map((id) => ({ id })) } },
    });
    expect(version?.status?.code, version?.status?.details).toBe(21100);
    const counts = new Map(kinds.map((kind) => [kind as string, { both: 0, either: 0 }]));
    const sharp = (await import('sharp')).default;
    const edge = 160;
    for (const { png, shapes } of pictures(77, testCount)) {
      const { outputs } = await bob.client.postModelOutputs({
        modelId: 'pixels',
        inputs: [{ data: { image: { base64: png } } }],
      });
      const masks = new Map<string, Buffer>();
      for (const region of outputs[0]?.data?.regions ?? []) {
        const mask = Buffer.from(region.regionInfo?.mask?.image?.base64 ?? []);
        const { data, info } = await sharp(mask).greyscale().raw().toBuffer({ resolveWithObject: true });
        expect([info.width, info.height]).toEqual([edge, edge]);
        masks.set(region.data?.concepts[0]?.id ?? '', data);
        const share = data.filter((value) => value > 127).length / data.length;
        expect(region.data?.concepts[0]?.value).toBeCloseTo(share, 3);
      }
      for (let pixel = 0; pixel < edge * edge; pixel += 1) {
        const [u, v] = [((pixel % edge) + 0.5) / edge, (Math.floor(pixel / edge) + 0.5) / edge];
        const truth = shapes.find((one) =>
          isInside(one.kind, (u - one.left) / one.size, (v - one.top) / one.size),
        )?.kind;
        for (const kind of kinds) {
          const said = (masks.get(kind)?.[pixel] ?? 0) > 127;
          const count = counts.get(kind) as { both: number; either: number };
          if (said && truth === kind) count.both += 1;
          if (said || truth === kind) count.either += 1;
        }
      }
    }
    const overlaps = kinds.map((kind) => (counts.get(kind)?.both ?? 0) / (counts.get(kind)?.either ?? 1));
    expect(overlaps.reduce((sum, one) => sum + one, 0) / kinds.length).toBeGreaterThan(0.55);
  }, 240_000);
});
