import type { Picture } from './image.ts';

/**
 * Decodes an image once, although the models of a workflow ask for it one after another. Images are told apart
 * by their Buffer object. Only the latest few pictures are held; older ones are kept as long as somebody uses them.
 */
export class PictureCache {
  readonly #decode: (bytes: Buffer) => Promise<Picture>;
  readonly #heldMax: number;
  readonly #running = new WeakMap<Buffer, Promise<Picture>>();
  readonly #decoded = new WeakMap<Buffer, WeakRef<Picture>>();
  readonly #findings = new WeakMap<Picture, Map<string, Promise<unknown>>>();
  #held: Picture[] = [];

  constructor(heldMax: number, decode: (bytes: Buffer) => Promise<Picture>) {
    this.#heldMax = heldMax;
    this.#decode = decode;
  }

  async picture(bytes: Buffer): Promise<Picture> {
    const known = this.#decoded.get(bytes)?.deref() ?? this.#running.get(bytes);
    if (known) return known;
    const running = this.#decode(bytes);
    this.#running.set(bytes, running);
    try {
      const picture = await running;
      this.#decoded.set(bytes, new WeakRef(picture));
      this.#held = [picture, ...this.#held].slice(0, this.#heldMax);
      return picture;
    } finally {
      this.#running.delete(bytes);
    }
  }

  /** Does something once for each picture; a failure is not remembered. */
  once<T>(picture: Picture, key: string, make: () => Promise<T>): Promise<T> {
    const known = this.#findings.get(picture) ?? new Map<string, Promise<unknown>>();
    this.#findings.set(picture, known);
    const found = (known.get(key) as Promise<T> | undefined) ?? make();
    known.set(key, found);
    found.catch(() => known.delete(key));
    return found;
  }
}
