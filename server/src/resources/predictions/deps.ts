import type { Readable } from 'node:stream';
import type { Input, Output } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { Engine } from '#engine/index.ts';
import type { MediaDecoder } from '#engine/media/index.ts';
import type { Fetcher } from '#store/fetcher/index.ts';
import type { ObjectStore } from '#store/objects/index.ts';
import type { Deps } from '../common/deps.ts';
import type { Heads } from './heads.ts';
import type { PredictCache } from './predict-cache.ts';

/** An input of an app with its original bytes: what predictions on existing inputs need. */
export interface StoredInput {
  readonly input: Input;
  readonly kind: 'image' | 'text' | 'video' | 'audio';
  /** @throws Fault when the bytes are not there (yet) */
  bytes(): Promise<Buffer>;
  /** The same as a stream, for videos. */
  stream(): Promise<Readable>;
}

/** A text of the app that a search found. */
export interface FoundText {
  readonly text: string;
  /** 0..1, as searches score. */
  readonly score: number;
}

export interface PredictDeps extends Deps {
  readonly engine: Pick<Engine, 'predict' | 'embed' | 'embedText' | 'dense' | 'readBarcodes'>;
  readonly objects: ObjectStore;
  readonly fetcher: Fetcher;
  readonly media: MediaDecoder;
  /** The largest video that is fetched. */
  readonly limits?: { readonly videoUrlBytesMax?: number };
  /** From the inputs family; undefined when the app has no such input. */
  findStoredInput(grant: AppGrant, id: string): Promise<StoredInput | undefined>;
  /** From the inputs family: a medium of the app by the URL that this server hosts it under; undefined for all others. */
  readonly readHosted?: (
    grant: AppGrant,
    kind: 'image' | 'text' | 'video',
    url: string,
  ) => Promise<Buffer | undefined>;
  /** Concepts that the app calls synonyms of these, by id; from the concepts family. */
  readonly synonymsOf?: (
    grant: AppGrant,
    conceptIds: readonly string[],
    knowledgeGraphId: string,
  ) => Promise<ReadonlyMap<string, readonly { id: string; name: string }[]>>;
  /** Texts of the app that say something like this one, the best first; from the searches family. */
  readonly findTexts?: (
    grant: AppGrant,
    text: string,
    limits: { scoreMin: number; hitsMax: number; signal: AbortSignal | undefined },
  ) => Promise<readonly FoundText[]>;
}

export interface RunDeps extends PredictDeps {
  /** Reaches services behind models; more patient than `fetcher`, because they may think for a while. */
  readonly backendFetcher?: Fetcher;
  readonly heads: Heads;
  /** Used where a request asks for it. */
  readonly predictCache: PredictCache;
  /** Told what a model was asked and answered outside workflows, for those who collect it. Returns at once and never throws. */
  readonly onPredicted?: (predicted: {
    callerUserKey: number;
    modelVersionKey: number;
    /** Where inputs that are named by id alone lie. */
    app: AppGrant;
    inputs: readonly Input[];
    outputs: readonly Output[];
  }) => void;
}
