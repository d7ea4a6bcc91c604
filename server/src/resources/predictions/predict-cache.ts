import { createHash, webcrypto } from 'node:crypto';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Data, DataSchema } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { OutputSettings } from './output-config.ts';
import type { Runnable } from './runnable.ts';

/** Answers kept in memory for callers who ask for it with `use_predict_cache`. */
export interface PredictCache {
  /** The kept answer to this very question in this app, or what `predict` makes of it, which is then kept. */
  answer(question: Question, predict: () => Promise<Data>): Promise<Data>;
}

export interface Question {
  readonly grant: AppGrant;
  readonly runnable: Runnable;
  readonly media: {
    readonly kinds: readonly string[];
    image(): Promise<Buffer>;
    text(): Promise<string>;
  };
  readonly settings: OutputSettings;
  readonly params: Readonly<Record<string, unknown>>;
}

export interface PredictCacheLimits {
  /** All answers together, as they are on the wire. */
  readonly bytesMax: number;
  /** Larger answers are not kept. */
  readonly answerBytesMax: number;
}

const defaultLimits: PredictCacheLimits = { bytesMax: 64 * 2 ** 20, answerBytesMax: 2 ** 20 };

export function openPredictCache({ bytesMax, answerBytesMax } = defaultLimits): PredictCache {
  const kept = new Map<string, Uint8Array>();
  let bytes = 0;

  function keep(key: string, answer: Uint8Array): void {
    if (answer.length > answerBytesMax) return;
    bytes += answer.length - (kept.get(key)?.length ?? 0);
    kept.delete(key);
    kept.set(key, answer);
    // The first of the map is the one unused for longest.
    for (const [oldest, { length }] of kept) {
      if (bytes <= bytesMax) break;
      kept.delete(oldest);
      bytes -= length;
    }
  }

  return {
    async answer(question, predict) {
      const key = await keyOf(question);
      if (key === undefined) return predict();
      const found = kept.get(key);
      if (found) {
        kept.delete(key);
        kept.set(key, found);
        // A copy of its own for every caller: answers are completed in place.
        return fromBinary(DataSchema, found);
      }
      const made = await predict();
      keep(key, toBinary(DataSchema, made));
      return made;
    },
  };
}

/**
 * Everything that an answer depends on: the app, the version and how it stands now, the settings, and the bytes that
 * came or lie behind a URL. Operators have no network and draw lots or look things up; videos are long: both are
 * computed anew, as undefined says.
 */
async function keyOf({ grant, runnable, media, settings, params }: Question): Promise<string | undefined> {
  const { version, model } = runnable;
  const [kind, ...others] = media.kinds;
  if (!version.builtin || others.length > 0 || (kind !== 'image' && kind !== 'text')) return undefined;
  const content = kind === 'image' ? await media.image() : Buffer.from(await media.text());
  // In the pool of threads: pictures may have a hundred megabytes.
  const digest = Buffer.from(await webcrypto.subtle.digest('SHA-256', content)).toString('hex');
  return createHash('sha256')
    .update(
      JSON.stringify([
        grant.appKey,
        version.key,
        version.builtin,
        version.headSha?.toString('hex'),
        model.typeId,
        settings,
        params,
        kind,
        digest,
      ]),
    )
    .update(version.body)
    .digest('base64');
}
