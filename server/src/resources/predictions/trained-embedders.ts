import { readEmbedderName } from '#domain/embedder-name.ts';
import type { Engine } from '#engine/index.ts';
import { type MetricFit, project } from '#engine/training/index.ts';
import { predictionFault } from './faults.ts';
import type { Heads } from './heads.ts';

/** The engine, whose `embed` knows embedders that were trained here as well, by the names that `embedderName` gives. */
export function withTrainedEmbedders(engine: Engine, heads: Heads): Engine {
  const embed: Engine['embed'] = async (name, image, options) => {
    const { network, partSha } = readEmbedderName(name);
    if (partSha === undefined) return engine.embed(name, image, options);
    const { arrays } = await heads.part(name, Buffer.from(partSha, 'hex'), 'embedder');
    const map = arrays as unknown as MetricFit;
    const given = await embed(network, image, options);
    if (given.length !== map.mean.length) throw predictionFault.wrongLength(map.mean.length, given.length);
    return project(map, given);
  };
  return { ...engine, embed };
}
