import { create } from '@bufbuild/protobuf';
import { type Data, DataSchema } from '@fovea/contract';
import { canonicalTypeId } from '../../models/index.ts';
import type { RunDeps } from '../deps.ts';
import type { Media } from '../media.ts';
import type { RunModelOptions, Runnable } from '../runnable.ts';
import { showEmbedding } from '../show-prediction.ts';
import { askBackend, type BackendAnswer } from './ask-backend.ts';
import { backendFault, backendOf } from './backend.ts';

/** What the service behind a model says of an input, piece by piece. @throws Fault as `askBackend` */
export async function* answersOf(
  deps: RunDeps,
  { model, version }: Runnable,
  media: Media,
  { signal, params = {} }: Pick<RunModelOptions, 'signal' | 'params'>,
): AsyncGenerator<BackendAnswer> {
  const backend = await backendOf(deps.db, version.key);
  if (!backend) throw backendFault.down('it is not known any more.');
  yield* askBackend(deps.backendFetcher ?? deps.fetcher, backend, {
    wants: canonicalTypeId(model.typeId).endsWith('embedder') ? 'embed' : 'generate',
    text: media.kinds.includes('text') ? await media.text() : '',
    image: media.kinds.includes('image') ? await media.image() : undefined,
    params,
    signal,
    key: backend.sealedKey ? deps.sealer.unseal(backend.sealedKey) : undefined,
  });
}

/** All that it says, put together. */
export async function backendData(
  deps: RunDeps,
  runnable: Runnable,
  media: Media,
  options: RunModelOptions,
): Promise<Data> {
  let text: string | undefined;
  let vector: Float32Array | undefined;
  let [promptTokens, completionTokens] = [0, 0];
  for await (const answer of answersOf(deps, runnable, media, options)) {
    if (answer.text !== undefined) text = (text ?? '') + answer.text;
    vector = answer.vector ?? vector;
    promptTokens = answer.promptTokens || promptTokens;
    completionTokens = answer.completionTokens || completionTokens;
  }
  options.onUsage?.(promptTokens, completionTokens);
  return dataOf({ ...(text === undefined ? {} : { text }), ...(vector ? { vector } : {}) });
}

export const dataOf = ({ text, vector }: BackendAnswer): Data =>
  create(DataSchema, {
    ...(text === undefined ? {} : { text: { raw: text } }),
    embeddings: showEmbedding(vector),
  });
