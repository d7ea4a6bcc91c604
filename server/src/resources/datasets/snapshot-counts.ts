import { create, toBinary } from '@bufbuild/protobuf';
import { DatasetVersionMetricsSchema, DatasetVersionSchema, type Region } from '@fovea/contract';

/** Counters of DatasetVersionMetrics, in the order in which tallies keep them: never reorder, chunks are stored so. */
const counters = [
  'inputsCount',
  'unlabeledInputsCount',
  'inputsWithMetadataCount',
  'inputsWithGeoCount',
  'regionsCount',
  'boundingBoxesCount',
  'polygonsCount',
  'pointsCount',
  'masksCount',
  'regionInputsCount',
  'regionFramesCount',
  'framesCount',
  'frameInputsCount',
  'embeddingsCount',
  'positiveInputTagsCount',
  'positiveRegionTagsCount',
  'positiveFrameTagsCount',
] as const;

export type Counter = (typeof counters)[number];

/** Rows and columns of the matrix that says where regions lie. */
export const matrixSide = 10;

/** DatasetVersionMetricsGroupType; `all` is the sum over everything, which is no group of the contract. */
export const groupType = {
  all: 0,
  inputType: 2,
  conceptId: 10,
  conceptsCount: 11,
  boundingBoxesCount: 20,
  polygonsCount: 21,
  pointsCount: 22,
  masksCount: 23,
  pixelsCount: 30,
  aspectRatio: 31,
} as const;

const pixelsPerBin = 10_000;
const ratioPerBin = 0.1;

/** What one input of a version contributes. */
export interface InputFacts {
  readonly kind: string;
  readonly split: string;
  /** Of pictures and videos; 0 where unknown. */
  readonly width: number;
  readonly height: number;
  /** Ids of concepts that are said to be there, each once. */
  readonly concepts: readonly string[];
  readonly counts: Readonly<Partial<Record<Counter, number>>>;
  /** Cells that its regions touch, one entry per region and cell. */
  readonly cells: readonly number[];
}

/** A group with its counts, as chunks keep it: split, type, value, then pairs of position and count. */
export type KeptGroup = [split: string, type: number, value: string | number, ...pairs: number[]];

export interface CountedGroup {
  readonly split: string;
  readonly type: number;
  readonly value: string | number;
  readonly sums: ReadonlyMap<number, number>;
}

/** Sums by split and group. The sums of chunks are those of their version. */
export class Tally {
  readonly #groups = new Map<
    string,
    { name: [string, number, string | number]; sums: Map<number, number> }
  >();

  addInput(facts: InputFacts): void {
    for (const split of facts.split === '' ? [''] : ['', facts.split]) {
      for (const [type, value] of groupsOf(facts)) {
        const sums = this.#sums(split, type, value);
        for (const [at, name] of counters.entries()) bump(sums, at, facts.counts[name] ?? 0);
        for (const cell of facts.cells) bump(sums, counters.length + cell, 1);
      }
    }
  }

  addKept(kept: readonly KeptGroup[]): void {
    for (const [split, type, value, ...pairs] of kept) {
      const sums = this.#sums(split, type, value);
      for (let at = 0; at < pairs.length; at += 2) bump(sums, pairs[at] as number, pairs[at + 1] as number);
    }
  }

  kept(): KeptGroup[] {
    return [...this.#groups.values()].map(({ name, sums }) => [...name, ...[...sums].flat()]);
  }

  /** In an order that stays: by split, type and value. */
  groups(): CountedGroup[] {
    return [...this.#groups.values()]
      .map(({ name: [split, type, value], sums }) => ({ split, type, value, sums }))
      .sort((a, b) => compare(a.split, b.split) || a.type - b.type || compare(a.value, b.value));
  }

  #sums(split: string, type: number, value: string | number): Map<number, number> {
    const key = JSON.stringify([split, type, value]);
    let group = this.#groups.get(key);
    if (!group) {
      group = { name: [split, type, value], sums: new Map() };
      this.#groups.set(key, group);
    }
    return group.sums;
  }
}

function bump(sums: Map<number, number>, at: number, by: number): void {
  if (by !== 0) sums.set(at, (sums.get(at) ?? 0) + by);
}

const compare = (a: string | number, b: string | number): number => (a < b ? -1 : a > b ? 1 : 0);

function groupsOf(facts: InputFacts): [number, string | number][] {
  const { counts, width, height } = facts;
  const groups: [number, string | number][] = [
    [groupType.all, ''],
    [groupType.inputType, facts.kind],
    [groupType.conceptsCount, facts.concepts.length],
    [groupType.boundingBoxesCount, counts.boundingBoxesCount ?? 0],
    [groupType.polygonsCount, counts.polygonsCount ?? 0],
    [groupType.pointsCount, counts.pointsCount ?? 0],
    [groupType.masksCount, counts.masksCount ?? 0],
    ...facts.concepts.map((id): [number, string] => [groupType.conceptId, id]),
  ];
  if (width > 0 && height > 0) {
    groups.push([groupType.pixelsCount, binOf(width * height, pixelsPerBin)]);
    groups.push([groupType.aspectRatio, binOf(width / height, ratioPerBin)]);
  }
  return groups;
}

/** The lower end of the bin that a number falls into, to a tenth. */
function binOf(value: number, size: number): number {
  // 0.7 / 0.1 is a hair below 7: what is at an edge belongs to the bin that begins there.
  return Math.round(Math.floor(value / size + 1e-9) * size * 10) / 10;
}

const cellOf = (share: number): number =>
  Math.min(matrixSide - 1, Math.max(0, Math.floor(share * matrixSide)));

/** Cells of the matrix that a region touches, as row * side + column; masks and regions without a place touch none. */
export function cellsOf(region: Region): number[] {
  const box = extentOf(region);
  if (!box) return [];
  const cells: number[] = [];
  for (let row = cellOf(box.top); row <= cellOf(box.bottom); row++)
    for (let col = cellOf(box.left); col <= cellOf(box.right); col++) cells.push(row * matrixSide + col);
  return cells;
}

function extentOf({ regionInfo }: Region) {
  const box = regionInfo?.boundingBox;
  if (box) return { top: box.topRow, left: box.leftCol, bottom: box.bottomRow, right: box.rightCol };
  const points = regionInfo?.polygon?.points ?? (regionInfo?.point ? [regionInfo.point] : []);
  const known = points.length > 0 ? points : (regionInfo?.keypointLocations ?? []);
  if (known.length === 0) return undefined;
  const rows = known.map(({ row }) => row);
  const cols = known.map(({ col }) => col);
  return {
    top: Math.min(...rows),
    left: Math.min(...cols),
    bottom: Math.max(...rows),
    right: Math.max(...cols),
  };
}

/** Every counter is present, zeros too: readers tell "none" from "not counted". */
function metricsOf(sums: ReadonlyMap<number, number>) {
  const data = Array.from({ length: matrixSide ** 2 }, (_, cell) =>
    BigInt(sums.get(counters.length + cell) ?? 0),
  );
  return create(DatasetVersionMetricsSchema, {
    ...Object.fromEntries(counters.map((name, at) => [name, BigInt(sums.get(at) ?? 0)])),
    regionLocationMatrix: { nCols: BigInt(matrixSide), data },
  });
}

export const packMetrics = (sums: ReadonlyMap<number, number>): Buffer =>
  Buffer.from(toBinary(DatasetVersionMetricsSchema, metricsOf(sums)));

/** The metrics of a version by split, '' for all of it. */
export function packAllMetrics(groups: readonly CountedGroup[]): Buffer {
  const all = groups.filter(({ type }) => type === groupType.all);
  const metrics = Object.fromEntries(all.map(({ split, sums }) => [split, metricsOf(sums)]));
  metrics[''] ??= metricsOf(new Map());
  return Buffer.from(toBinary(DatasetVersionSchema, create(DatasetVersionSchema, { metrics })));
}
