import type { Editor } from '../../canvas/editor.ts';
import { type FrameClock, FramePictures } from '../../canvas/frames.ts';
import type { Range } from './timeline.tsx';

export interface PlayerState {
  readonly frame: number;
  readonly isPlaying: boolean;
  /** Times the usual speed; below zero it runs backwards. */
  readonly speed: number;
  readonly range: Range | undefined;
  readonly isLooping: boolean;
  /** The exact picture of the frame is on its way. */
  readonly isWaiting: boolean;
  readonly trouble: unknown;
}

const speeds = [1, 2, 4, 8];

/**
 * Shows a video on the canvas of an editor. Standing still it shows exactly the frame of a number, as the server
 * decodes it. Playing, it draws what the browser's own player shows, and stops on a frame of the server's again;
 * where the browser cannot play a file, or backwards, the server's frames follow each other.
 */
export class Player {
  readonly #editor: Editor;
  readonly #clock: FrameClock;
  readonly #pictures: FramePictures;
  readonly #video: HTMLVideoElement;
  readonly #path: string | undefined;
  readonly #listeners = new Set<() => void>();
  #canPlay: boolean;
  #round = 0;
  #state: PlayerState;

  constructor(
    editor: Editor,
    clock: FrameClock,
    paths: { video: string | undefined; frame: (frame: number) => string },
    first = 0,
  ) {
    this.#editor = editor;
    this.#clock = clock;
    this.#pictures = new FramePictures(paths.frame, clock.count, editor.size);
    this.#state = {
      frame: first,
      isPlaying: false,
      speed: 1,
      range: undefined,
      isLooping: false,
      isWaiting: true,
      trouble: undefined,
    };
    this.#video = document.createElement('video');
    this.#video.preload = 'auto';
    this.#video.playsInline = true;
    this.#video.addEventListener('error', () => {
      if (!this.#video.src) return;
      this.#canPlay = false;
      if (this.#state.isPlaying) void this.#playFrames();
    });
    this.#video.addEventListener('ended', () => this.#reachedEnd());
    this.#path = paths.video;
    this.#canPlay = paths.video !== undefined;
  }

  /** Begins to show frames; may be called again after `close`. */
  open(frame: number): void {
    if (this.#path) this.#video.src = this.#path;
    this.#pictures.open();
    this.#editor.onFrame = (to) => this.seek(to);
    this.seek(frame);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly snapshot = (): PlayerState => this.#state;

  #set(changes: Partial<PlayerState>): void {
    this.#state = { ...this.#state, ...changes };
    for (const listener of this.#listeners) listener();
  }

  setRange(range: Range | undefined): void {
    this.#set({ range, isLooping: this.#state.isLooping && range !== undefined });
  }

  setLooping(isLooping: boolean): void {
    this.#set({ isLooping });
  }

  /** Stands still on a frame. */
  seek(to: number): void {
    this.#video.pause();
    this.#round++;
    this.#set({ isPlaying: false });
    void this.#show(Math.min(this.#clock.count - 1, Math.max(0, Math.round(to))));
  }

  step(by: number): void {
    this.seek(this.#state.frame + by);
  }

  /** The number changes at once; the drawing follows with its picture, so that it never lies on another frame. */
  async #show(frame: number): Promise<void> {
    const round = this.#round;
    this.#set({ frame, isWaiting: this.#pictures.get(frame) === undefined });
    try {
      const picture = await this.#pictures.want(frame);
      if (round !== this.#round) return;
      this.#editor.setFrame(frame, picture);
      this.#set({ isWaiting: false, trouble: undefined });
      this.#pictures.prefetch(frame);
    } catch (trouble) {
      if (round === this.#round) this.#set({ trouble, isWaiting: false });
    }
  }

  toggle(): void {
    if (this.#state.isPlaying) this.seek(this.#state.frame);
    else this.play(1);
  }

  /** J and L: again in the same direction is faster. */
  shuttle(direction: 1 | -1): void {
    const { isPlaying, speed } = this.#state;
    const isSame = isPlaying && Math.sign(speed) === direction;
    const faster = speeds[speeds.indexOf(Math.abs(speed)) + 1] ?? Math.abs(speed);
    this.play(direction * (isSame ? faster : 1));
  }

  play(speed: number): void {
    const { range, frame } = this.#state;
    const [first, last] = this.#bounds();
    const isOutside = range !== undefined && (frame < first || frame > last);
    const isAtEnd = speed > 0 ? frame >= last : frame <= first;
    this.#round++;
    this.#set({
      isPlaying: true,
      speed,
      ...(isOutside || isAtEnd ? { frame: speed > 0 ? first : last } : {}),
    });
    if (this.#canPlay && speed > 0) void this.#playVideo();
    else void this.#playFrames();
  }

  #bounds(): readonly [number, number] {
    const { range, isLooping } = this.#state;
    return isLooping && range ? [range.from, range.to - 1] : [0, this.#clock.count - 1];
  }

  async #playVideo(): Promise<void> {
    const round = this.#round;
    const { frame, speed } = this.#state;
    this.#video.playbackRate = speed;
    this.#video.currentTime = (this.#clock.timeOf(frame) + 0.5) / 1000;
    try {
      await this.#video.play();
    } catch {
      // A pause that came first is no failure; a file that the browser cannot play is shown frame by frame.
      if (round !== this.#round) return;
      this.#canPlay = false;
      void this.#playFrames();
      return;
    }
    const next = (_now: number, { mediaTime }: { mediaTime: number }) => {
      if (round !== this.#round) return;
      const shown = this.#clock.at(mediaTime * 1000 + 0.5);
      const [first, last] = this.#bounds();
      if (this.#state.isLooping && shown > last) {
        this.#video.currentTime = (this.#clock.timeOf(first) + 0.5) / 1000;
      } else {
        this.#editor.setFrame(shown, this.#video);
        this.#set({ frame: shown, isWaiting: false });
      }
      this.#video.requestVideoFrameCallback(next);
    };
    this.#video.requestVideoFrameCallback(next);
  }

  #reachedEnd(): void {
    if (!this.#state.isPlaying) return;
    if (this.#state.isLooping) this.play(this.#state.speed);
    else this.seek(this.#clock.count - 1);
  }

  /** The server's frames one after the other, never faster than they are shown, and as slow as they come. */
  async #playFrames(): Promise<void> {
    const round = ++this.#round;
    const direction = this.#state.speed > 0 ? 1 : -1;
    const pace = Math.abs(this.#state.speed);
    while (round === this.#round) {
      const { frame } = this.#state;
      const began = performance.now();
      try {
        const picture = await this.#pictures.want(frame);
        if (round !== this.#round) return;
        this.#editor.setFrame(frame, picture);
        this.#pictures.prefetch(frame + (direction < 0 ? -4 : 0));
      } catch (trouble) {
        this.#set({ trouble, isPlaying: false });
        return;
      }
      const [first, last] = this.#bounds();
      const isOver = direction > 0 ? frame >= last : frame <= first;
      if (isOver && !this.#state.isLooping) {
        this.seek(frame);
        return;
      }
      const shownMs = (this.#clock.endOf(frame) - this.#clock.timeOf(frame)) / pace;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, shownMs - (performance.now() - began))));
      if (round !== this.#round) return;
      this.#set({ frame: isOver ? (direction > 0 ? first : last) : frame + direction, isWaiting: false });
    }
  }

  close(): void {
    this.#round++;
    this.#video.pause();
    this.#video.removeAttribute('src');
    this.#video.load();
    this.#pictures.close();
    this.#editor.onFrame = undefined;
  }
}
