import fc from 'fast-check';
import { expect, test } from 'vitest';
import { detectFormat, formats } from './all.ts';
import { inspect, writeDataset } from './convert.ts';
import { concat, type FileTree, memoryFiles } from './files.ts';
import type { Format } from './format.ts';
import { fit, type Loss } from './holds.ts';
import { listTree } from './listing.ts';
import { type Problem, problemLog } from './problems.ts';
import type { Dataset, ImageRecord } from './record.ts';
import { all, datasets } from './testing.ts';

async function written(dataset: Dataset, format: Format) {
  const files = memoryFiles();
  const log = problemLog();
  const result = await writeDataset(dataset, format, files, { report: log.report });
  return { files, problems: log.kept, ...result };
}

async function read(tree: FileTree, format: Format) {
  const log = problemLog();
  const listing = await listTree(tree, log.report);
  const dataset = await format.read(listing, { report: log.report });
  const records = await all(dataset.records());
  return { listing, dataset, records, problems: log.kept as Problem[] };
}

// Rounding to a millionth leaves two that lie at either side of a half a millionth apart.
expect.addEqualityTesters([
  (a, b) => (typeof a === 'number' && typeof b === 'number' ? Math.abs(a - b) < 1.5e-6 : undefined),
]);

/** To compare: coordinates to a millionth of a pixel, no order among the annotations of a picture. */
function plain(record: ImageRecord, hoped: ImageRecord, format: Format) {
  const { bytes, annotations, ...rest } = record;
  const shown = annotations.map((one) => rounded(one));
  shown.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  // Sides are read from the file where a format does not say them, and names may be made ids.
  const sides = format.holds['image-size'] ? {} : { width: undefined, height: undefined };
  const id = hoped.id === undefined ? { id: undefined } : {};
  return JSON.parse(JSON.stringify(sorted({ ...rest, ...sides, ...id, annotations: shown })));
}

const rounded = (value: unknown): unknown => {
  if (typeof value === 'number') return Math.round(value * 1e6) / 1e6 + 0;
  if (Array.isArray(value)) return value.map(rounded);
  return typeof value === 'object' && value !== null
    ? sorted(Object.fromEntries(Object.entries(value).map(([key, one]) => [key, rounded(one)])))
    : value;
};

const sorted = (fields: object) =>
  Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));

const nameOf = (record: ImageRecord) => `${record.split ?? ''}/${record.path}`;

test.each(formats.map((format) => [format.id, format] as const))(
  '%s gives back everything that it can hold, and the original bytes',
  async (_, format) => {
    await fc.assert(
      fc.asyncProperty(datasets, async (dataset) => {
        const original = await all(dataset.records());
        const hoped = original
          .map((record) => fit(record, format.holds, () => {}))
          .filter((record) => record !== undefined);
        const { files, problems } = await written(dataset, format);
        expect(problems).toEqual([]);
        const back = await read(files, format);
        expect(back.problems).toEqual([]);
        const hopedByName = new Map(hoped.map((record) => [nameOf(record), record]));
        expect(back.records.map(nameOf).sort()).toEqual([...hopedByName.keys()].sort());
        for (const record of back.records) {
          const wanted = hopedByName.get(nameOf(record)) as ImageRecord;
          expect(plain(record, wanted, format)).toEqual(plain(wanted, wanted, format));
          expect(await contentOf(record)).toEqual(await contentOf(wanted));
        }
      }),
      { numRuns: 50 },
    );
  },
);

test('a look through a set counts every loss, also of boxes that are alike', async () => {
  await fc.assert(
    fc.asyncProperty(datasets, fc.integer({ min: 1, max: 3 }), async (dataset, times) => {
      const records = (await all(dataset.records())).map((record) => ({
        ...record,
        annotations: Array.from({ length: times }, () => record.annotations).flat(),
      }));
      const repeated: Dataset = {
        classes: dataset.classes,
        async *records() {
          yield* records;
        },
      };
      const { losses } = await inspect(repeated);
      for (const { id, holds } of formats) {
        const each: Partial<Record<Loss, number>> = {};
        const count = (loss: Loss) => {
          each[loss] = (each[loss] ?? 0) + 1;
        };
        for (const record of records) fit(record, holds, count);
        expect(losses[id]).toEqual(each);
      }
    }),
    { numRuns: 100 },
  );
});

const contentOf = async (record: ImageRecord) => concat(await all(record.bytes?.() ?? none()));
async function* none() {}

test.each(formats.map((format) => [format.id, format] as const))(
  '%s is the same files when what was read is written again, and is told from the others',
  async (_, format) => {
    await fc.assert(
      fc.asyncProperty(datasets, async (dataset) => {
        const once = await written(dataset, format);
        const { listing, dataset: again, records } = await read(once.files, format);
        if (records.some((record) => record.annotations.length > 0)) {
          const found = await detectFormat(listing);
          const family = (id: string | undefined) =>
            id === 'yolo-classify' ? 'image' : id === 'yolo-obb' ? 'yolo-obb' : id?.split('-')[0];
          expect(family(found?.id)).toBe(family(format.id));
        }
        // The first reading settles an order; from then on nothing changes.
        const twice = await written(again, format);
        const thrice = await written((await read(twice.files, format)).dataset, format);
        expect(textsOf(thrice.files.files)).toEqual(textsOf(twice.files.files));
      }),
      { numRuns: 15 },
    );
  },
);

const textsOf = (files: ReadonlyMap<string, Uint8Array>) =>
  Object.fromEntries(
    [...files]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, bytes]) => [path, new TextDecoder().decode(bytes)]),
  );
