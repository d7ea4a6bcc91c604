import type { Hit } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { rows, sql } from '#store/sql.ts';
import { showAnnotations, userKeys } from '../annotations/index.ts';
import type { InputDeps } from './deps.ts';
import { inputFault } from './faults.ts';
import { showInputs } from './show.ts';

/** Of each labeler. */
const samplesMax = 10;
const labelersMax = 100;

interface Sample {
  readonly key: number;
  readonly inputKey: number;
}

/**
 * What labelers of a task did last: up to ten annotations each with their inputs, the newest first.
 *
 * @param userIds labelers; all of the task where there are none
 * @throws Fault 11101 for a task that nobody labeled for, or a user that there is not
 */
export async function inputSamples(
  deps: InputDeps,
  grant: AppGrant,
  taskId: string,
  userIds: readonly string[],
): Promise<Omit<Hit, '$typeName' | '$unknown'>[]> {
  if (taskId === '') throw inputFault.invalidRequest('task_id is empty.');
  const known = await userKeys(deps.db, userIds);
  const strange = userIds.find((id) => !known.has(id));
  if (strange !== undefined) throw inputFault.noSuchLabeler(strange);
  const labelers = await labelersOf(deps, grant, taskId);
  if (labelers.length === 0) throw inputFault.noSuchTask(taskId);
  const asked = userIds.length === 0 ? labelers : labelers.filter((key) => [...known.values()].includes(key));
  const samples = await samplesOf(deps, grant, taskId, asked);
  const [annotations, inputs] = await Promise.all([
    showAnnotations(
      deps.db,
      grant,
      samples.map(({ key }) => key),
    ),
    showInputs(
      deps,
      grant,
      samples.map(({ inputKey }) => inputKey),
    ),
  ]);
  const inputOf = new Map(inputs.map((input) => [input.id, input]));
  return annotations.flatMap((annotation) => {
    const input = inputOf.get(annotation.inputId);
    return input ? [{ score: 1, input, annotation, userId: grant.userId, appId: grant.appId }] : [];
  });
}

/** Who has annotated for a task. */
async function labelersOf({ db }: InputDeps, grant: AppGrant, taskId: string): Promise<number[]> {
  const found = await rows<{ key: number }>(
    db,
    sql`select distinct worker_user_key as key from annotations
        where app_key = ${grant.appKey} and task_id = ${taskId} and task_id <> '' and worker_user_key is not null
        order by 1 limit ${labelersMax}`,
  );
  return found.map(({ key }) => key);
}

function samplesOf({ db }: InputDeps, grant: AppGrant, taskId: string, labelers: readonly number[]) {
  return rows<Sample>(
    db,
    sql`select s.key, s.input_key as "inputKey" from unnest(${[...labelers]}::bigint[]) as l(user_key), lateral (
          select a.key, a.input_key from annotations a
          where a.app_key = ${grant.appKey} and a.task_id = ${taskId} and a.task_id <> ''
            and a.worker_user_key = l.user_key
          order by a.key desc limit ${samplesMax}
        ) s order by l.user_key, s.key desc`,
  );
}
