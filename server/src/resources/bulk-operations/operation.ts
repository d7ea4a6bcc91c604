import type { JsonObject } from '@bufbuild/protobuf';
import type { BulkOperation, Search } from '@fovea/contract';

export type OperationCase = Exclude<
  NonNullable<NonNullable<BulkOperation['operation']>['operation']>['case'],
  undefined
>;

export const operationStatus = {
  success: 25400,
  failed: 25401,
  pending: 25402,
  inProgress: 25403,
  cancelled: 25405,
  unexpected: 25406,
} as const;

export const isTerminated = (statusCode: number): boolean =>
  statusCode !== operationStatus.pending && statusCode !== operationStatus.inProgress;

/** What the keys of an operation's chunks are of. */
export type TargetKind = 'input' | 'annotation';

/** A search for regions, frames or segments means the annotations found; any other means whole inputs. */
export function targetKindOf(operation: BulkOperation): TargetKind {
  if (operation.annotationSource.case) return 'annotation';
  const { case: name, value: search } = operation.inputSource;
  const labels = ['addConcepts', 'deleteConcepts'].includes(operation.operation?.operation.case ?? '');
  return labels && name === 'search' && namesPlaces(search) ? 'annotation' : 'input';
}

const namesPlaces = (search: Search): boolean =>
  (search.query?.filters ?? []).some(({ annotation, negate }) => {
    const { regions = [], frames = [], timeSegments = [] } = annotation?.data ?? {};
    return !negate && regions.length + frames.length + timeSegments.length > 0;
  });

/** Keys that exist already get the new value, whatever stood there. */
export const withMetadata = (before: JsonObject | undefined, added: JsonObject): JsonObject => ({
  ...before,
  ...added,
});

/** Less the keys whose values equal the ones given; inside objects their members are compared. */
export function withoutMetadata(before: JsonObject, gone: JsonObject): JsonObject {
  const after: JsonObject = {};
  for (const [key, value] of Object.entries(before)) {
    const wanted = gone[key];
    if (wanted === undefined || !isSame(value, wanted)) {
      after[key] = isObject(value) && isObject(wanted) ? withoutMetadata(value, wanted) : value;
    }
  }
  return after;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, i) => isSame(item, b[i]));
  if (!isObject(a) || !isObject(b)) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && isSame(a[key], b[key]));
}

/** Inputs of one step, and where a split sends them. */
export interface Chunk {
  readonly datasetId: string;
  readonly keys: readonly number[];
}

/** Inputs or annotations per transaction: large enough to be quick, small enough that others get their turn. */
const chunkSize = 1000;

export function chunksOf(keys: readonly number[], datasetId = ''): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = 0; at < keys.length; at += chunkSize)
    chunks.push({ datasetId, keys: keys.slice(at, at + chunkSize) });
  return chunks;
}

/**
 * Deals inputs out by percentage, at random. Shares are exact: the whole part each, then one more to those with the
 * largest remainders, as long as all percentages together reach as far.
 *
 * @param random numbers in 0..1
 */
export function splitChunks(
  keys: readonly number[],
  splits: readonly { datasetId: string; percentage: number }[],
  random: () => number = Math.random,
): Chunk[] {
  const shuffled = [...keys];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j] as number, shuffled[i] as number];
  }
  const counts = sharesOf(
    keys.length,
    splits.map(({ percentage }) => percentage),
  );
  let at = 0;
  return splits.flatMap(({ datasetId }, i) => {
    const share = shuffled.slice(at, at + (counts[i] as number));
    at += share.length;
    return chunksOf(share, datasetId);
  });
}

export function sharesOf(n: number, percentages: readonly number[]): number[] {
  const exact = percentages.map((percentage) => (n * percentage) / 100);
  const shares = exact.map(Math.floor);
  const total = Math.round(exact.reduce((sum, share) => sum + share, 0));
  const byRemainder = exact.map((share, i) => ({ i, rest: share % 1 })).sort((a, b) => b.rest - a.rest);
  let left = total - shares.reduce((sum, share) => sum + share, 0);
  for (const { i } of byRemainder) if (left-- > 0) shares[i] = (shares[i] as number) + 1;
  return shares;
}
