import { AppSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { type Db, first, sql } from '#store/sql.ts';
import { unpackBody } from '../common/translate.ts';

/** Milliseconds of video that one frame stands for where nobody says otherwise. */
export const sampleMsDefault = 1000;

/** How far apart the frames are that are looked at in the videos of an app. */
export async function sampleMsOf(db: Db, grant: AppGrant): Promise<number> {
  const app = await first<{ body: Buffer }>(db, sql`select body from apps where key = ${grant.appKey}`);
  return (app && unpackBody(AppSchema, app.body).sampleMs) || sampleMsDefault;
}
