import { OnnxCache } from '../convert/onnx-cache.ts';
import { decodeForModel, type Picture } from '../image.ts';
import type { Tensors } from '../inference/messages.ts';
import { InferencePool } from '../inference/pool.ts';
import { stretched } from '../model-pixels.ts';

/** The two stretched squares that the general embedding reads. */
export async function embeddingFeeds(picture: Picture): Promise<Tensors> {
  const [wide, body] = await Promise.all([stretched(picture, 224), stretched(picture, 192)]);
  return {
    image224: { type: 'uint8', dims: [1, 224, 224, 3], data: wide },
    image192: { type: 'uint8', dims: [1, 192, 192, 3], data: body },
  };
}

/** For fitting the projection: pooled features before projection, float32 [696]. */
export async function openFeatures(dataDir: string, assetsDir: string) {
  const pool = new InferencePool();
  const file = await new OnnxCache(dataDir, assetsDir).file('general-features');
  return {
    async features(bytes: Buffer): Promise<Float32Array> {
      const made = await pool.run('features', file, await embeddingFeeds(await decodeForModel(bytes)));
      return made['features']?.data as Float32Array;
    },
    close: () => pool.close(),
  };
}
