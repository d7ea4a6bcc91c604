/** When frames are shown, as the server read it from the file: milliseconds by frame number. */
export class FrameClock {
  readonly times: readonly number[];
  readonly durationMs: number;

  constructor(times: readonly number[], durationMs: number) {
    this.times = times;
    this.durationMs = durationMs;
  }

  get count(): number {
    return this.times.length;
  }

  timeOf(frame: number): number {
    return this.times[Math.min(this.count - 1, Math.max(0, frame))] ?? 0;
  }

  /** When a frame gives way to the next one. */
  endOf(frame: number): number {
    return this.times[frame + 1] ?? this.durationMs;
  }

  /** The frame on the screen at a time: the last that has begun. */
  at(timeMs: number): number {
    let [from, to] = [0, this.count];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.times[middle] as number) <= timeMs) from = middle + 1;
      else to = middle;
    }
    return Math.max(0, from - 1);
  }
}

/** 1:02.480, or with hours where there are any. */
export function timecode(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  const [hours, minutes] = [Math.floor(whole / 3_600_000), Math.floor(whole / 60_000) % 60];
  const seconds = ((whole % 60_000) / 1000).toFixed(3).padStart(6, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`;
}

const bytesKept = 200_000_000;
const atOnce = 2;
const ahead = [1, 2, 3, -1, 4, -2] as const;

/**
 * Pictures of frames, each exactly the frame of its number: the server decodes it. Those near the present one are
 * fetched before they are asked for; those not looked at for longest are let go.
 */
export class FramePictures {
  readonly #pathOf: (frame: number) => string;
  readonly #count: number;
  readonly #kept = new Map<number, ImageBitmap>();
  readonly #running = new Map<number, Promise<ImageBitmap>>();
  readonly #keptMax: number;
  #wished: number[] = [];
  #isClosed = false;

  constructor(pathOf: (frame: number) => string, count: number, size: { width: number; height: number }) {
    this.#pathOf = pathOf;
    this.#count = count;
    this.#keptMax = Math.max(8, Math.min(400, Math.floor(bytesKept / (size.width * size.height * 4))));
  }

  get(frame: number): ImageBitmap | undefined {
    const found = this.#kept.get(frame);
    if (!found) return undefined;
    this.#kept.delete(frame);
    this.#kept.set(frame, found);
    return found;
  }

  want(frame: number): Promise<ImageBitmap> {
    const found = this.get(frame);
    if (found) return Promise.resolve(found);
    const running = this.#running.get(frame) ?? this.#fetch(frame);
    this.#running.set(frame, running);
    return running;
  }

  /** Fetches what somebody at this frame is likely to look at next. */
  prefetch(frame: number): void {
    this.#wished = ahead.map((by) => frame + by).filter((one) => one >= 0 && one < this.#count);
    this.#fetchWished();
  }

  #fetchWished(): void {
    while (!this.#isClosed && this.#running.size < atOnce) {
      const next = this.#wished.shift();
      if (next === undefined) return;
      if (!this.#kept.has(next) && !this.#running.has(next)) this.want(next).catch(() => undefined);
    }
  }

  async #fetch(frame: number): Promise<ImageBitmap> {
    try {
      const response = await fetch(this.#pathOf(frame));
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const picture = await createImageBitmap(await response.blob());
      this.#kept.set(frame, picture);
      for (const [old, bitmap] of this.#kept) {
        if (this.#kept.size <= this.#keptMax) break;
        this.#kept.delete(old);
        bitmap.close();
      }
      return picture;
    } finally {
      this.#running.delete(frame);
      this.#fetchWished();
    }
  }

  open(): void {
    this.#isClosed = false;
  }

  close(): void {
    this.#isClosed = true;
    this.#wished = [];
  }
}
