import { availableParallelism } from 'node:os';
import { mayDie } from '#domain/failpoints.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { enqueue, type Job, type JobContext, type JobHandler } from '#jobs/index.ts';
import type { Tx } from '#store/postgres/index.ts';
import { putInputTexts } from '../annotations/index.ts';
import { type Shift, shiftCounts } from './add-jobs-store.ts';
import type { InputDeps } from './deps.ts';
import { openDigester } from './digest.ts';
import type { Digest } from './digested.ts';
import { openGroups } from './group.ts';
import { type InputKind, inputStatus, isOpenStatus } from './input.ts';
import { checkKept, holdMedia, keepMedium } from './media.ts';
import { putPrints } from './prints-store.ts';
import type { InputRow } from './rows.ts';
import { inputRows, type LockedInput, lockInputs, type Outcome, settleInputs } from './store.ts';

export const processKind = 'inputs.process';
/** Videos and sounds take long; they stand in a line of their own, so that pictures do not wait for them. */
export const processMediumKind = 'inputs.processMedium';

export const processKindOf = (kind: InputKind): string =>
  kind === 'video' || kind === 'audio' ? processMediumKind : processKind;

export interface ProcessPayload {
  readonly inputKeys: readonly number[];
}

/** What one input came to: processed, or the fault it ends with. */
interface Result {
  readonly key: number;
  readonly digest?: Digest;
  readonly fault?: Fault;
}

/** After this many deaths of the process with a job of one input running, that input is taken for their cause. */
const crashesSuspicious = 4;

/**
 * Processes inputs. Run twice, it finds them settled and does nothing; run late, it notices that they were
 * deleted or cancelled. Status, counters and embeddings of an input commit together.
 */
export function processHandler(deps: InputDeps): JobHandler<ProcessPayload> {
  // Twice the cores: while one picture waits for the disk or the network of a model, another is decoded.
  const digest = openDigester(deps, 2 * availableParallelism());

  async function run(jobs: Job<ProcessPayload>[], context: JobContext): Promise<void> {
    const appKeys = [...new Set(jobs.map(({ appKey }) => appKey))];
    await Promise.all(
      appKeys.map(async (appKey) => {
        const grant = appKey === null ? undefined : await deps.jobGrant(appKey);
        // The app is gone, and its inputs with it.
        if (!grant) return;
        const own = jobs.filter((job) => job.appKey === appKey);
        for (const job of own.filter(({ crashes }) => crashes > 0)) await runCarefully(grant, job, context);
        await runTogether(
          grant,
          own.filter(({ crashes }) => crashes === 0),
          context,
        );
      }),
    );
  }

  async function runTogether(
    grant: AppGrant,
    jobs: Job<ProcessPayload>[],
    context: JobContext,
  ): Promise<void> {
    const settle = openGroups<Result>((results) => commit(grant, results));
    const open = new Map(
      (
        await begin(
          grant,
          jobs.flatMap(({ payload }) => payload.inputKeys),
        )
      ).map((row) => [row.key, row]),
    );
    await Promise.all(
      jobs.flatMap((job) =>
        job.payload.inputKeys.map(async (key) => {
          const row = open.get(key);
          if (!row || context.signal.aborted) return;
          try {
            await settle(await resultOf(grant, row, context.signal));
          } catch (error) {
            context.fail(job, error);
          }
        }),
      ),
    );
    context.signal.throwIfAborted();
  }

  /** A crash may have been this job's doing: one input for each job from now on, so that its crashes tell which. */
  async function runCarefully(grant: AppGrant, job: Job<ProcessPayload>, context: JobContext): Promise<void> {
    if (job.payload.inputKeys.length > 1) return part(grant, job, context);
    const suspects = await putBack(grant, job.payload.inputKeys, job.crashes >= crashesSuspicious);
    await commit(
      grant,
      suspects.map((key) => ({
        key,
        fault: new Fault(
          'internal',
          inputStatus.failed,
          'The server crashed each time it processed this input.',
        ),
      })),
    );
    const [row] = await begin(grant, job.payload.inputKeys);
    context.signal.throwIfAborted();
    if (row) await commit(grant, [await resultOf(grant, row, context.signal)]);
  }

  /**
   * Gives each open input of a job a job of its own. A server that is killed for other reasons hits a whole job
   * soon, and the same single input hardly ever.
   */
  function part(grant: AppGrant, job: Job<ProcessPayload>, context: JobContext): Promise<void> {
    return deps.db.transaction(async (tx) => {
      const open = (await lockInputs(tx, grant, job.payload.inputKeys)).filter(({ statusCode }) =>
        isOpenStatus(statusCode),
      );
      const begun = open.filter(({ statusCode }) => statusCode === inputStatus.inProgress);
      await move(tx, grant, begun, () => ({ statusCode: inputStatus.pending, details: '' }));
      await enqueue(
        tx,
        open.map(({ key }) => ({
          kind: job.kind,
          payload: { inputKeys: [key] } satisfies ProcessPayload,
          appKey: grant.appKey,
          maxAttempts: job.maxAttempts,
        })),
      );
      await context.complete(tx, [job]);
    });
  }

  async function resultOf(grant: AppGrant, row: InputRow, signal: AbortSignal): Promise<Result> {
    try {
      return { key: row.key, digest: await digest(grant, row, signal) };
    } catch (thrown) {
      if (thrown instanceof Fault && ['bad_request', 'too_large'].includes(thrown.kind)) {
        return { key: row.key, fault: thrown };
      }
      // Deleted while it was worked on, and its bytes with it: nothing is left to settle.
      if ((await inputRows(deps.db, grant, [row.key])).length === 0) return { key: row.key };
      throw thrown;
    }
  }

  /** Marks pending inputs as in progress. @returns all that are to be worked on, those of an earlier run included */
  async function begin(grant: AppGrant, keys: readonly number[]): Promise<InputRow[]> {
    const open = await deps.db.transaction(async (tx) => {
      const locked = await lockInputs(tx, grant, keys);
      await move(
        tx,
        grant,
        locked.filter(({ statusCode }) => statusCode === inputStatus.pending),
        () => ({
          statusCode: inputStatus.inProgress,
          details: '',
        }),
      );
      return locked.filter(({ statusCode }) => isOpenStatus(statusCode)).map(({ key }) => key);
    });
    mayDie('inputs-begun');
    return open.length === 0 ? [] : inputRows(deps.db, grant, open);
  }

  /** Makes inputs that a crash left in progress pending again, unless they are suspect. @returns the suspects */
  function putBack(grant: AppGrant, keys: readonly number[], areSuspect: boolean): Promise<number[]> {
    return deps.db.transaction(async (tx) => {
      const left = (await lockInputs(tx, grant, keys)).filter(
        ({ statusCode }) => statusCode === inputStatus.inProgress,
      );
      if (areSuspect) return left.map(({ key }) => key);
      await move(tx, grant, left, () => ({ statusCode: inputStatus.pending, details: '' }));
      return [];
    });
  }

  function commit(grant: AppGrant, results: readonly Result[]): Promise<void> {
    if (results.length === 0) return Promise.resolve();
    const byKey = new Map(results.map((result) => [result.key, result]));
    const digests = results.flatMap(({ digest: one }) => one ?? []);
    mayDie('inputs-digested');
    return deps.db.transaction(async (tx) => {
      await holdMedia(
        tx,
        digests.map(({ sha }) => sha),
      );
      await Promise.all(
        digests.flatMap(({ sha, kept }) =>
          kept.map(({ size, bytes }) =>
            typeof bytes === 'number'
              ? checkKept(deps.objects, size, sha, bytes)
              : keepMedium(deps.objects, size, sha, bytes),
          ),
        ),
      );
      mayDie('inputs-renditions-kept');
      const open = (await lockInputs(tx, grant, [...byKey.keys()])).filter(({ statusCode }) =>
        isOpenStatus(statusCode),
      );
      await move(tx, grant, open, ({ key }) => outcomeOf(byKey.get(key) as Result));
      const indexed = open.flatMap(({ key }) => {
        const found = byKey.get(key)?.digest?.indexed;
        return found === undefined ? [] : [{ inputKey: key, indexed: found }];
      });
      if (indexed.length > 0) await deps.indexer?.store(tx, grant, indexed);
      await putPrints(
        tx,
        grant,
        open.flatMap(({ key }) => {
          const print = byKey.get(key)?.digest?.print;
          return print === undefined ? [] : [{ inputKey: key, print }];
        }),
      );
      await putInputTexts(
        tx,
        grant,
        open.flatMap(({ key }) => {
          const text = byKey.get(key)?.digest?.text;
          return text === undefined ? [] : [{ inputKey: key, text }];
        }),
      );
      mayDie('inputs-settled');
    });
  }

  /** Gives up: what is still open ends as failed. */
  async function onDead(job: Job<ProcessPayload>, error: string, tx: Tx): Promise<void> {
    const grant = job.appKey === null ? undefined : await deps.jobGrant(job.appKey);
    if (!grant) return;
    const open = (await lockInputs(tx, grant, job.payload.inputKeys)).filter(({ statusCode }) =>
      isOpenStatus(statusCode),
    );
    deps.log.error({ kind: job.kind, inputs: open.length, error }, 'inputs could not be processed');
    await move(tx, grant, open, () => ({
      statusCode: inputStatus.failed,
      details: 'The server could not process this input after several tries; its log says why.',
    }));
  }

  return { batch: 4, concurrency: 2, run, onDead };
}

function outcomeOf({ digest, fault }: Result): Omit<Outcome, 'key'> {
  if (fault || !digest)
    return { statusCode: fault?.code ?? inputStatus.failed, details: fault?.details ?? '' };
  return {
    statusCode: inputStatus.processed,
    details: digest.note,
    media: digest.media,
    mediaSha: digest.sha,
    mediaSize: digest.sizeBytes,
  };
}

/** Gives locked inputs a new status, and their add jobs the counts that go with it. */
export async function move(
  tx: Tx,
  grant: AppGrant,
  inputs: readonly LockedInput[],
  outcomeFor: (input: LockedInput) => Omit<Outcome, 'key'>,
): Promise<void> {
  const outcomes = inputs.map((input) => ({ ...outcomeFor(input), key: input.key }));
  await shiftCounts(
    tx,
    grant,
    shiftsOf(inputs.map((input, i) => ({ ...input, to: (outcomes[i] as Outcome).statusCode }))),
  );
  await settleInputs(tx, grant, outcomes);
}

/** Changes of counts, per add job, when inputs go from one status to another; `to` undefined: they are deleted. */
export function shiftsOf(
  moves: readonly { addJobKey: number | null; statusCode: number; to: number | undefined }[],
): Shift[] {
  const byJob = new Map<number, { pending: number; inProgress: number; success: number; failed: number }>();
  for (const { addJobKey, statusCode, to } of moves) {
    if (addJobKey === null || to === statusCode) continue;
    const shift = byJob.get(addJobKey) ?? { pending: 0, inProgress: 0, success: 0, failed: 0 };
    // An input that is deleted after its end stays counted where it ended; one deleted before counts as failed.
    if (to === undefined && !isOpenStatus(statusCode)) continue;
    shift[countOf(statusCode)] -= 1;
    shift[countOf(to ?? inputStatus.failed)] += 1;
    byJob.set(addJobKey, shift);
  }
  return [...byJob].map(([addJobKey, shift]) => ({ addJobKey, ...shift }));
}

function countOf(statusCode: number): 'pending' | 'inProgress' | 'success' | 'failed' {
  if (statusCode === inputStatus.pending) return 'pending';
  if (statusCode === inputStatus.inProgress) return 'inProgress';
  return statusCode === inputStatus.processed ? 'success' : 'failed';
}
