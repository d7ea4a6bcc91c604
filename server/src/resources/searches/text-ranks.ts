import type { AppGrant } from '#domain/grant.ts';
import { searchFault } from './faults.ts';
import { storedEmbedder } from './hit-store.ts';
import type { SearchParts } from './parts.ts';
import type { Rank, SearchTree, WordRank } from './query.ts';

/**
 * Ranks by text become ranks by likeness where the embedder puts texts and pictures into one space: the one that the
 * rank names, or else the app's own. Otherwise they stay what they are, and look for the words in texts.
 *
 * @throws Fault 40002 when a rank names an embedder that reads no text, or that made nothing in this app
 */
export async function resolveTextRanks(
  parts: Pick<SearchParts, 'db' | 'reads' | 'embeddersOf' | 'embedText'>,
  grant: AppGrant,
  tree: SearchTree,
): Promise<SearchTree> {
  if (!tree.ranks.some(({ kind }) => kind === 'words')) return tree;
  const ranks: Rank[] = [];
  for (const rank of tree.ranks)
    ranks.push(rank.kind === 'words' ? await resolved(parts, grant, rank) : rank);
  return { ...tree, ranks };
}

async function resolved(
  parts: Pick<SearchParts, 'db' | 'reads' | 'embeddersOf' | 'embedText'>,
  grant: AppGrant,
  rank: WordRank,
): Promise<Rank> {
  const { at, negate, words, modelVersionId } = rank;
  const embedder = modelVersionId
    ? await storedEmbedder(parts.reads, grant, modelVersionId)
    : (await parts.embeddersOf(parts.db, grant)).serving;
  if (modelVersionId && !embedder) throw searchFault.unknownEmbedder(modelVersionId);
  const vector = embedder && (await parts.embedText(embedder, words));
  if (vector) return { kind: 'similar', at, negate, modelVersionId, source: { kind: 'vector', vector } };
  if (modelVersionId) throw searchFault.textNeedsModel();
  return rank;
}
