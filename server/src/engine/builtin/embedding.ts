import { embeddingFeeds } from './features.ts';
import { floatsOf, type ModelRun, type Prediction } from './prediction.ts';

export async function embedPicture(run: ModelRun): Promise<Prediction> {
  const made = await run.network('general-embedding', await embeddingFeeds(run.picture));
  return { embedding: floatsOf(made, 'embedding') };
}
