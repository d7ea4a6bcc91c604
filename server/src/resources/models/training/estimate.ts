import type { ModelVersion } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, rows, sql } from '#store/sql.ts';
import { canonicalTypeId } from '../catalogue/index.ts';
import { datasetOf } from './settings.ts';

/** Inputs that a version would be trained on, as far as can be told without reading labels. */
export async function countToTrainOn(db: Db, grant: AppGrant, version: ModelVersion): Promise<number> {
  const { id } = datasetOf(version);
  const row =
    id === ''
      ? await first<{ n: number }>(
          db,
          sql`select coalesce(sum(n), 0)::float8 as n from input_tallies
              where app_key = ${grant.appKey} and bucket = -1 and status_code = 30000`,
        )
      : await first<{ n: number }>(
          db,
          sql`select count(*)::float8 as n from dataset_inputs m join datasets d on d.key = m.dataset_key
              where d.app_key = ${grant.appKey} and d.id = ${id}`,
        );
  return row?.n ?? 0;
}

interface Pace {
  /** Milliseconds whatever the number of inputs, and for each input. */
  readonly baseMs: number;
  readonly perInputMs: number;
}

/** Measured on two cores of a server of 2026, with embeddings still to be made; only until there are trainings to go by. */
const paces: Readonly<Record<string, Pace>> = {
  'visual-detector': { baseMs: 4_000, perInputMs: 45 },
  'visual-segmenter': { baseMs: 8_000, perInputMs: 60 },
  'visual-anomaly-heatmap': { baseMs: 5_000, perInputMs: 60 },
  'visual-embedder': { baseMs: 6_000, perInputMs: 35 },
  'text-classifier': { baseMs: 2_000, perInputMs: 10 },
};
const paceUsual: Pace = { baseMs: 1_000, perInputMs: 35 };
const remembered = 20;

/**
 * How long a training should take, in whole milliseconds: by the latest trainings of the type on this server, whoever
 * they were for, scaled by the number of inputs. Nothing of them is told but the time.
 */
export async function estimateTraining(db: Db, typeId: string, inputs: number): Promise<number> {
  const { baseMs, perInputMs } = paces[canonicalTypeId(typeId)] ?? paceUsual;
  const guessMs = (count: number) => baseMs + perInputMs * count;
  const past = await rows<{ inputs: number; ms: number }>(
    db,
    sql`select v.input_count as inputs, v.training_ms::float8 as ms from model_versions v
        join models m on m.key = v.model_key
        where m.type_id = ${typeId} and v.training_ms is not null order by v.key desc limit ${remembered}`,
  );
  const ratios = past.map(({ inputs: count, ms }) => ms / guessMs(count)).sort((a, b) => a - b);
  const ratio = ratios[ratios.length >> 1] ?? 1;
  return Math.max(1, Math.round(guessMs(inputs) * ratio));
}
