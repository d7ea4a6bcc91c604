/** A version of a model that makes embeddings, and the word by which the engine knows it (embedder-name.ts). */
export interface Embedder {
  readonly modelVersionKey: number;
  readonly builtin: string;
}

/** The embedders of an app: more than one only while the one of its base workflow is being changed. */
export interface AppEmbedders {
  /** The one that the base workflow names. */
  readonly base: Embedder | undefined;
  /** The one whose vectors are complete: searches look into these. */
  readonly serving: Embedder | undefined;
  /** What is new gets a vector of each of these, so that neither set has a gap. */
  readonly making: readonly Embedder[];
  /** Which one serves was written down, so that the next change is noticed. */
  readonly isKept: boolean;
  /** The walk that gives everything vectors of the new one has to begin. */
  readonly isDue: boolean;
}

/**
 * @param base of the base workflow; undefined where it makes no embeddings
 * @param kept the one that served last; undefined where nothing was embedded yet
 * @param comingKey for which a walk is under way
 */
export function appEmbedders(
  base: Embedder | undefined,
  kept: Embedder | undefined,
  comingKey: number | undefined,
): AppEmbedders {
  const isKept = kept !== undefined;
  if (!base) return { base, serving: undefined, making: [], isKept, isDue: false };
  if (!kept || kept.modelVersionKey === base.modelVersionKey)
    return { base, serving: base, making: [base], isKept, isDue: comingKey !== undefined };
  return {
    base,
    serving: kept,
    making: [base, kept],
    isKept,
    isDue: comingKey !== base.modelVersionKey,
  };
}
