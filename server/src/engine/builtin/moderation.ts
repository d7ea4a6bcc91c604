import { stretched } from '../model-pixels.ts';
import { moderationLabels } from './labels.ts';
import { floatsOf, imageFeed, type ModelRun, type Prediction, withValues } from './prediction.ts';

export const moderationEdge = 224;

/** Advisory: the network's drawing and neutral count as safe, its hentai and porn as explicit. */
export async function moderate(run: ModelRun): Promise<Prediction> {
  const pixels = await stretched(run.picture, moderationEdge);
  const made = await run.network('moderation-scores', imageFeed(pixels, moderationEdge));
  const [drawing = 0, hentai = 0, neutral = 0, porn = 0, sexy = 0] = floatsOf(made, 'scores');
  return { concepts: withValues(moderationLabels, [neutral + drawing, sexy, porn + hentai]) };
}
