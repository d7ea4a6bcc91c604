import type { AppGrant } from '#domain/grant.ts';
import type { VectorCollection } from '#domain/vector-store.ts';
import { type Db, first, run, sql } from '#store/sql.ts';
import { type Calibration, calibrate } from './calibration.ts';
import { scoresOfPairs } from './sample.ts';

export interface CalibrationRow extends Calibration {
  readonly vectors: number;
  readonly sampleSize: number;
  readonly computedAt: Date;
}

export const findCalibration = (
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
): Promise<CalibrationRow | undefined> =>
  first<CalibrationRow>(
    db,
    sql`select vectors, sample_size as "sampleSize", median, spread, cutoff, computed_at as "computedAt"
        from search_calibrations where app_key = ${grant.appKey} and model_version_key = ${modelVersionKey}`,
  );

export const putCalibration = (
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  { vectors, sampleSize, median, spread, cutoff }: Omit<CalibrationRow, 'computedAt'>,
): Promise<void> =>
  run(
    db,
    sql`insert into search_calibrations as c (app_key, model_version_key, vectors, sample_size, median, spread, cutoff)
        values (${grant.appKey}, ${modelVersionKey}, ${vectors}, ${sampleSize}, ${median}, ${spread}, ${cutoff})
        on conflict (app_key, model_version_key) do update set vectors = excluded.vectors,
          sample_size = excluded.sample_size, median = excluded.median, spread = excluded.spread,
          cutoff = excluded.cutoff, computed_at = now()`,
  );

/** Compares a sample of the vectors with itself, and keeps what that says. */
export async function takeCalibration(
  db: Db,
  grant: AppGrant,
  modelVersionKey: number,
  index: VectorCollection,
  sizeMax: number,
  signal?: AbortSignal,
): Promise<void> {
  const { scores, sampleSize } = await scoresOfPairs(index, sizeMax, signal);
  if (scores.length === 0) return;
  await putCalibration(db, grant, modelVersionKey, { ...calibrate(scores), sampleSize, vectors: index.size });
}

/** The id of the model version that vectors are of. */
export async function versionIdOf(db: Db, modelVersionKey: number): Promise<string> {
  const row = await first<{ id: string }>(
    db,
    sql`select id from model_versions where key = ${modelVersionKey}`,
  );
  return row?.id ?? '';
}
