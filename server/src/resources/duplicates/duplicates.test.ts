import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { renderPicture } from '#engine/image.ts';
import { HashTable, likenessOf, printOf } from '#engine/prints/index.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { groupsOf } from './groups.ts';

const [width, height] = [320, 240];

/** A picture of soft blobs, the same for each seed. */
function blobs(seed: number): Promise<Buffer> {
  let state = seed * 7_919 + 1;
  const grid = Buffer.from(
    Array.from({ length: 9 * 7 * 3 }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    }),
  );
  return sharp(grid, { raw: { width: 9, height: 7, channels: 3 } })
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .jpeg({ quality: 92 })
    .toBuffer();
}

const scaled = (bytes: Buffer) => sharp(bytes).resize(150).jpeg({ quality: 80 }).toBuffer();
const coarse = (bytes: Buffer) => sharp(bytes).jpeg({ quality: 20 }).toBuffer();
const cut = (bytes: Buffer, share: number) =>
  sharp(bytes)
    .extract({
      left: Math.round(width * share * 0.5),
      top: Math.round(height * share * 0.5),
      width: Math.round(width * (1 - share)),
      height: Math.round(height * (1 - share)),
    })
    .jpeg()
    .toBuffer();
const plain = (background: string) =>
  sharp({ create: { width, height, channels: 3, background } })
    .jpeg()
    .toBuffer();
const slope = (from: number, to: number) =>
  sharp(Buffer.from([from, to]), { raw: { width: 2, height: 1, channels: 1 } })
    .resize(width, height, { fit: 'fill', kernel: 'linear' })
    .jpeg()
    .toBuffer();

describe('likeness', () => {
  const printed = async (bytes: Buffer) => (await renderPicture(bytes)).print;
  const likeness = async (a: Buffer, b: Buffer) =>
    likenessOf((await printed(a)).grey, (await printed(b)).grey);

  test('a picture is like what was printed of it before, which was its smallest rendition', async () => {
    for (const seed of [1, 2, 3]) {
      const { tiny, print } = await renderPicture(await blobs(seed));
      const { data, info } = await sharp(tiny).raw().toBuffer({ resolveWithObject: true });
      const before = await printOf({ width: info.width, height: info.height, pixels: data });
      expect(likenessOf(before.grey, print.grey)).toBeGreaterThan(0.99);
      const differing = (before.hash ^ print.hash).toString(2).replaceAll('0', '').length;
      expect(differing).toBeLessThanOrEqual(4);
    }
  });

  test('copies are alike, whatever became of them; other pictures are not', async () => {
    for (const seed of [1, 2, 3]) {
      const one = await blobs(seed);
      for (const copy of [await scaled(one), await coarse(one), await cut(one, 0.08), await cut(one, 0.2)]) {
        expect(await likeness(one, copy)).toBeGreaterThan(0.975);
        expect(await likeness(copy, one)).toBeGreaterThan(0.975);
      }
      expect(await likeness(one, await blobs(seed + 10))).toBeLessThan(0.9);
    }
  });

  test('flat pictures and even slopes are like nothing', async () => {
    for (const [a, b] of [
      [await plain('white'), await plain('black')],
      [await plain('white'), await plain('white')],
      [await slope(0, 200), await slope(30, 255)],
    ] as const)
      expect(await likeness(a, b)).toBe(0);
  });
});

test('hashes that differ in few bits are found, nearest first', () => {
  const hashes = Array.from({ length: 500 }, (_, i) =>
    BigInt.asUintN(64, BigInt(i + 1) * 0x9e3779b97f4a7c15n),
  );
  const table = new HashTable(
    hashes.map((_, i) => i),
    hashes,
  );
  for (const row of [0, 77, 499]) {
    const other = (hashes[row] as bigint) ^ (1n << 5n) ^ (1n << 30n) ^ (1n << 63n);
    expect(table.near(other, 5)[0]).toEqual({ key: row, distance: 3 });
    expect(table.near(hashes[row] as bigint, 5)[0]).toEqual({ key: row, distance: 0 });
  }
});

test('pairs make groups, named by their smallest member', () => {
  expect(
    [
      ...groupsOf([
        [9, 4],
        [1, 2],
        [4, 7],
        [2, 3],
        [9, 9],
      ]),
    ].sort(),
  ).toEqual([
    [1, [1, 2, 3]],
    [4, [4, 7, 9]],
  ]);
});

describe('through the front door', () => {
  let dora: Person;
  const path = (tail: string) => `/v2/ext/fovea/users/${dora.userId}/apps/${dora.appId}/duplicates${tail}`;

  async function found(body: object = {}) {
    const posted = await dora.rest('POST', path(''), body);
    expect(posted.json.status).toMatchObject({ code: 10000 });
    const deadline = Date.now() + 60_000;
    for (;;) {
      const { search } = (await dora.rest('GET', path(`/${posted.json.search.id}`))).json;
      if (![64000, 64001].includes(search.status.code) || Date.now() > deadline) return search;
      await sleep(50);
    }
  }
  const groups = async (id: string, query = '') =>
    (await dora.rest('GET', path(`/${id}/groups${query}`))).json as {
      groups: { input_ids: string[] }[];
      next_after?: number;
    };

  async function upload(person: Person, pictures: Record<string, Buffer>) {
    const ids = Object.keys(pictures);
    await person.client.postInputs({
      inputs: ids.map((id) => ({ id, data: { image: { base64: pictures[id] as Buffer } } })),
    });
    const deadline = Date.now() + 60_000;
    for (;;) {
      const { inputs } = await person.client.listInputs({ ids, perPage: 100, status: { code: 30000 } });
      if (inputs.length === ids.length) return;
      if (Date.now() > deadline) throw new Error(`${ids.length - inputs.length} inputs were not processed`);
      await sleep(30);
    }
  }

  beforeAll(async () => {
    dora = await signedIn('dora', { workflow: 'General' });
    const [one, two, three] = [await blobs(1), await blobs(2), await blobs(3)];
    await upload(dora, {
      one,
      'one-small': await scaled(one),
      'one-coarse': await coarse(one),
      'one-cut': await cut(one, 0.1),
      two,
      'two-cut': await cut(two, 0.18),
      three,
      white: await plain('white'),
      grey: await plain('#777777'),
    });
  });

  test('copies of one picture form a group; flat ones and others stand alone', async () => {
    const search = await found();
    expect(search).toMatchObject({
      status: { code: 64002 },
      progress: { done: 9, total: 9 },
      same_groups: 2,
    });
    const { groups: all } = await groups(search.id);
    expect(all.map(({ input_ids }) => [...input_ids].sort())).toEqual([
      ['one', 'one-coarse', 'one-cut', 'one-small'],
      ['two', 'two-cut'],
    ]);
    const first = await groups(search.id, '?per_page=1');
    expect(first.groups).toEqual([all[0]]);
    expect((await groups(search.id, `?per_page=1&after=${first.next_after}`)).groups).toEqual([all[1]]);
    const alike = (await groups(search.id, '?tier=similar')).groups.flatMap(({ input_ids }) => input_ids);
    for (const id of ['one', 'one-cut', 'two', 'two-cut']) expect(alike).toContain(id);
  });

  test('a dataset is looked at alone, without an embedder too, and what was deleted is not shown', async () => {
    const plainApp = await signedIn('dana');
    const one = await blobs(4);
    await upload(plainApp, { a: one, b: await cut(one, 0.1), c: await scaled(one), d: await blobs(5) });
    await plainApp.client.postDatasets({ datasets: [{ id: 'd' }] });
    await plainApp.client.postDatasetInputs({
      datasetId: 'd',
      datasetInputs: ['a', 'b', 'd'].map((id) => ({ input: { id } })),
    });
    const before = dora;
    dora = plainApp;
    try {
      const whole = await found();
      expect((await groups(whole.id)).groups).toEqual([{ input_ids: ['a', 'b', 'c'] }]);
      const search = await found({ dataset_id: 'd' });
      expect(search).toMatchObject({ dataset_id: 'd', progress: { total: 3 }, same_groups: 1 });
      expect((await groups(search.id)).groups).toEqual([{ input_ids: ['a', 'b'] }]);
      await plainApp.client.deleteInputs({ ids: ['b'] });
      expect((await groups(search.id)).groups).toEqual([]);
      expect((await groups(whole.id)).groups).toEqual([{ input_ids: ['a', 'c'] }]);
    } finally {
      dora = before;
    }
  });

  test('strangers see nothing, and what makes no sense is refused', async () => {
    const eve = await signedIn('eva');
    expect((await eve.rest('POST', path(''), {})).http).toBeGreaterThanOrEqual(400);
    expect((await dora.rest('POST', path(''), { score_min: 2 })).http).toBe(400);
    expect((await dora.rest('POST', path(''), { dataset_id: 'none' })).http).toBe(404);
    expect((await dora.rest('GET', path('/none'))).http).toBe(404);
    const { id } = await found();
    expect((await dora.rest('GET', path(`/${id}/groups?tier=x`))).http).toBe(400);
    expect((await dora.rest('GET', path(`/${id}/groups?after=x`))).http).toBe(400);
  });
});
