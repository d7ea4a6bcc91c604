import { toBinary } from '@bufbuild/protobuf';
import { type Data, DataSchema, type Input, type Output, StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { enqueue } from '#jobs/index.ts';
import type { Deps } from '../common/deps.ts';
import { unpackCollector } from './handlers.ts';
import { collectKind } from './jobs.ts';
import { collectorsOf, insertItem } from './store.ts';

export interface Predicted {
  readonly callerUserKey: number;
  readonly modelVersionKey: number;
  /** Where inputs that are named by id alone lie. */
  readonly app: AppGrant;
  readonly inputs: readonly Input[];
  /** One for each input, in order. */
  readonly outputs: readonly Output[];
}

export interface CollectingParts extends Pick<Deps, 'db' | 'log'> {
  /** A stored picture or text with its bytes; undefined for what is too large to be queued. */
  readonly readStored: (grant: AppGrant, inputId: string, bytesMax: number) => Promise<Data | undefined>;
}

/** Calls whose inputs are on their way into the queue; more are let go, so that predictions never wait for it. */
const underWayMax = 32;
const inputBytesMax = 64 * 1024 * 1024;

/**
 * Told of every call of a model when its outputs are there. Returns at once and never throws: what a
 * collector wants is put into the queue beside the reply.
 */
export function openCollecting({ db, log, readStored }: CollectingParts): (predicted: Predicted) => void {
  let underWay = 0;

  async function queue({ callerUserKey, modelVersionKey, app, inputs, outputs }: Predicted): Promise<void> {
    for (const row of await collectorsOf(db, callerUserKey, modelVersionKey)) {
      const { preQueueRandomSample } = unpackCollector(row);
      for (const [i, output] of outputs.entries()) {
        if (!output.data || output.status?.code !== StatusCode.SUCCESS) continue;
        if (preQueueRandomSample > 0 && Math.random() >= preQueueRandomSample) continue;
        const asked = inputs[i];
        const data = asked?.data ?? (asked?.id ? await readStored(app, asked.id, inputBytesMax) : undefined);
        if (!data) continue;
        const input = Buffer.from(toBinary(DataSchema, data));
        if (input.length > inputBytesMax) continue;
        const item = { inputId: newId(), input, output: Buffer.from(toBinary(DataSchema, output.data)) };
        await db.transaction(async (tx) => {
          const itemKey = await insertItem(tx, row.key, item);
          if (itemKey === undefined) return;
          mayDie('collector-kept');
          await enqueue(tx, {
            kind: collectKind,
            key: String(itemKey),
            payload: { itemKey },
            appKey: row.appKey,
          });
        });
      }
    }
  }

  return (predicted) => {
    if (underWay >= underWayMax) {
      log.warn(
        { modelVersionKey: predicted.modelVersionKey },
        'too much to collect at once; a call is left out',
      );
      return;
    }
    underWay++;
    queue(predicted)
      .catch((error: unknown) => log.warn({ error }, 'a prediction could not be collected'))
      .finally(() => underWay--);
  };
}
