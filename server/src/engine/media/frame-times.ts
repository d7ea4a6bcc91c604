export interface Rational {
  readonly num: number;
  readonly den: number;
}

/** One frame of a stream as its container or decoder tells it, in ticks of the stream's time base. */
export interface FrameMark {
  readonly pts: number;
  /** Where decoding may begin. */
  readonly isKey: boolean;
  /** When a key frame has to be in the decoder; reading begins there. */
  readonly readAt: number;
}

/** When each frame of a video is shown. Frames are numbered from 0 in the order in which they are shown. */
export interface FrameTimes {
  readonly count: number;
  /** Milliseconds from the start, whole, rounded down. @throws RangeError for a number that there is not */
  timeMsOf(number: number): number;
  /** The frame that is on the screen at a time: the last that has begun; before the first, the first. */
  numberAt(timeMs: number): number;
  /** From the start to the end of the last frame. */
  readonly durationMs: number;
}

/** The marks of all frames with what is needed to read them again. */
export class FrameIndex implements FrameTimes {
  readonly #marks: readonly FrameMark[];
  readonly #timeBase: Rational;
  readonly #originTicks: number;
  readonly #lastTicks: number;

  /**
   * @param marks       of the frames that are shown, in any order
   * @param originTicks what the time 0 is in ticks
   * @param lastTicks   how long the last frame is shown
   */
  constructor(marks: readonly FrameMark[], timeBase: Rational, originTicks: number, lastTicks: number) {
    this.#marks = [...marks].sort((a, b) => a.pts - b.pts);
    this.#timeBase = timeBase;
    this.#originTicks = originTicks;
    this.#lastTicks = lastTicks;
  }

  get count(): number {
    return this.#marks.length;
  }

  get durationMs(): number {
    const last = this.#marks.at(-1);
    return last ? this.#exactMs(last.pts + this.#lastTicks) : 0;
  }

  markOf(number: number): FrameMark {
    const mark = this.#marks[number];
    if (!mark) throw new RangeError(`There is no frame ${number}.`);
    return mark;
  }

  timeMsOf(number: number): number {
    return this.#wholeMs(this.markOf(number).pts);
  }

  numberAt(timeMs: number): number {
    let from = 0;
    let to = this.#marks.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#wholeMs((this.#marks[middle] as FrameMark).pts) <= timeMs) from = middle + 1;
      else to = middle;
    }
    return Math.max(0, from - 1);
  }

  /** Seconds on the container's clock from which reading must begin for this frame to be decoded. */
  readFromSeconds(number: number): number | undefined {
    for (let at = number; at > 0; at--) {
      const mark = this.#marks[at] as FrameMark;
      if (mark.isKey) return (mark.readAt * this.#timeBase.num) / this.#timeBase.den;
    }
    return undefined;
  }

  #exactMs(pts: number): number {
    const { num, den } = this.#timeBase;
    return ((pts - this.#originTicks) * num * 1000) / den;
  }

  /** A time that is whole but for the last bits of a double is that whole number. */
  #wholeMs(pts: number): number {
    return Math.max(0, Math.floor(this.#exactMs(pts) + 1e-6));
  }
}

export interface SampledTime {
  /** Order of the windows, from 0. */
  readonly index: number;
  /** The middle of the window in milliseconds, rounded down. */
  readonly timeMs: number;
  /** The frame that is on the screen then. */
  readonly number: number;
}

/**
 * One time for each window of `sampleMs`, in its middle. The last window counts when its middle lies within the
 * video; a video shorter than half a window has one, in the middle of the video.
 */
export function windowsOf(times: FrameTimes, sampleMs: number): SampledTime[] {
  const { durationMs } = times;
  const sampled: SampledTime[] = [];
  for (let index = 0; ; index++) {
    const timeMs = Math.floor(index * sampleMs + sampleMs / 2);
    if (timeMs >= durationMs) break;
    sampled.push({ index, timeMs, number: times.numberAt(timeMs) });
  }
  if (sampled.length > 0) return sampled;
  const timeMs = Math.floor(durationMs / 2);
  return [{ index: 0, timeMs, number: times.numberAt(timeMs) }];
}
