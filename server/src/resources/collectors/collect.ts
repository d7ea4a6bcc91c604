import { toBinary } from '@bufbuild/protobuf';
import { DataSchema, type Input, type Output, StatusCode } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import { newId } from '#domain/ids.ts';
import { enqueue } from '#jobs/index.ts';
import type { Deps } from '../common/deps.ts';
import { unpackCollector } from './handlers.ts';
import { collectKind } from './jobs.ts';
import { collectorsOf, insertItem } from './store.ts';

export interface Predicted {
  readonly callerUserKey: number;
  readonly modelVersionKey: number;
  readonly inputs: readonly Input[];
  /** One for each input, in order. */
  readonly outputs: readonly Output[];
}

/** Calls whose inputs are on their way into the queue; more are let go, so that predictions never wait for it. */
const underWayMax = 32;
const inputBytesMax = 64 * 1024 * 1024;

/**
 * Told of every call of PostModelOutputs when its outputs are there. Returns at once and never throws: what a
 * collector wants is put into the queue beside the reply.
 */
export function openCollecting({ db, log }: Pick<Deps, 'db' | 'log'>): (predicted: Predicted) => void {
  let underWay = 0;

  async function queue({ callerUserKey, modelVersionKey, inputs, outputs }: Predicted): Promise<void> {
    for (const row of await collectorsOf(db, callerUserKey, modelVersionKey)) {
      const { preQueueRandomSample } = unpackCollector(row);
      for (const [i, output] of outputs.entries()) {
        const data = inputs[i]?.data;
        if (!data || !output.data || output.status?.code !== StatusCode.SUCCESS) continue;
        if (preQueueRandomSample > 0 && Math.random() >= preQueueRandomSample) continue;
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
