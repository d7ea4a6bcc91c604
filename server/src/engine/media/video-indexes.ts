import type { VideoIndex } from './video.ts';

/**
 * What videos are and when their frames are shown, by the hash of their bytes. Reading it takes two runs of ffprobe,
 * as long as decoding a frame does; somebody who steps through a video asks for frames of the same one again and
 * again. Videos not asked for for longest are let go when all of them have too many frames.
 */
export class VideoIndexes {
  readonly #framesMax: number;
  readonly #known = new Map<string, VideoIndex>();
  #frames = 0;

  /** @param framesMax of all videos together; a longer video is not remembered */
  constructor(framesMax: number) {
    this.#framesMax = framesMax;
  }

  get(hash: Uint8Array | undefined): VideoIndex | undefined {
    const found = hash && this.#known.get(nameOf(hash));
    if (found) this.set(hash, found);
    return found;
  }

  set(hash: Uint8Array | undefined, found: VideoIndex): void {
    if (!hash || found.index.count > this.#framesMax) return;
    const name = nameOf(hash);
    this.#drop(name);
    this.#known.set(name, found);
    this.#frames += found.index.count;
    for (const oldest of this.#known.keys()) {
      if (this.#frames <= this.#framesMax) return;
      this.#drop(oldest);
    }
  }

  #drop(name: string): void {
    this.#frames -= this.#known.get(name)?.index.count ?? 0;
    this.#known.delete(name);
  }
}

const nameOf = (hash: Uint8Array): string => Buffer.from(hash).toString('base64');
