import { create } from '@bufbuild/protobuf';
import { type Data, DataSchema, StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { type Db, first, run, sql } from '#store/sql.ts';
import { actingAs } from '../common/acting.ts';
import { insertAnnotations } from './store.ts';

/**
 * Writes what a model says of an input as annotations of its own: untrusted, one for the whole input and one for
 * each region. What the same model version said before is replaced, so that saying it twice changes nothing.
 * Locks the input; an input that is gone meanwhile is left alone.
 */
export async function replaceModelAnnotations(
  tx: Db,
  grant: AppGrant,
  inputKey: number,
  modelVersionKey: number,
  data: Data,
): Promise<void> {
  const input = await first<{ id: string }>(
    tx,
    sql`select id from inputs where app_key = ${grant.appKey} and key = ${inputKey} for no key update`,
  );
  if (!input) return;
  await run(
    tx,
    sql`delete from annotations
        where input_key = ${inputKey} and worker_model_version_key = ${modelVersionKey} and not trusted and ${actingAs(grant)}`,
  );
  await insertAnnotations(
    tx,
    grant,
    partsOf(data).map((part) => ({
      id: newId(),
      inputKey,
      inputId: input.id,
      inputLevel: false,
      trusted: false,
      statusCode: StatusCode.ANNOTATION_SUCCESS,
      worker: { modelVersionKey },
      taskId: '',
      annotationInfo: undefined,
      consensusInfo: undefined,
      data: part,
    })),
  );
}

/** An annotation holds at most one region; embeddings are kept elsewhere, and media are the input's. */
function partsOf({ concepts, colors, clusters, regions }: Data): Data[] {
  const isWhole = concepts.length + colors.length + clusters.length > 0;
  const whole = isWhole ? [create(DataSchema, { concepts, colors, clusters })] : [];
  return [...whole, ...regions.map((region) => create(DataSchema, { regions: [region] }))];
}
