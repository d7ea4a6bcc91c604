import { type Adjustments, paintPicture, paintShapes, plain, type Scene } from './painter.ts';
import type { Box, Point } from './shapes.ts';
import { fit, pan, type Size, toPicture, toScreen, type View, zoom } from './view.ts';

/** What is on the stage besides the picture. */
export type OnStage = Omit<Scene, 'view'>;

/**
 * Two canvases with a picture and what is drawn on it, and the part of them that a window shows. Draws at most once a
 * frame, the picture only when it has moved or changed.
 */
export class Stage {
  readonly size: Size;
  readonly #scene: () => OnStage;
  readonly #scaled: (scale: number) => void;
  #picture: CanvasImageSource | undefined;
  #pictureContext: CanvasRenderingContext2D | undefined;
  #shapeContext: CanvasRenderingContext2D | undefined;
  #view: View = { scale: 1, left: 0, top: 0 };
  #screen: Size = { width: 1, height: 1 };
  #adjustments: Adjustments = plain;
  /** Until somebody zooms or moves it, the picture fits into whatever there is of a window. */
  #isFitted = true;
  #due: 'none' | 'shapes' | 'all' = 'none';

  /** @param scaled told of every scale that comes to be */
  constructor(size: Size, scene: () => OnStage, scaled: (scale: number) => void) {
    this.size = size;
    this.#scene = scene;
    this.#scaled = scaled;
  }

  get view(): View {
    return this.#view;
  }

  get picture(): CanvasImageSource | undefined {
    return this.#picture;
  }

  /** A place of the window as one of the picture. */
  toPicture(at: Point): Point {
    return toPicture(this.#view, at);
  }

  toScreen(at: Point): Point {
    return toScreen(this.#view, at);
  }

  /** The middle of what is in view, in pixels of the picture. */
  get middle(): Point {
    return this.toPicture({ x: this.#screen.width / 2, y: this.#screen.height / 2 });
  }

  attach(picture: HTMLCanvasElement, shapes: HTMLCanvasElement): void {
    this.#pictureContext = picture.getContext('2d') ?? undefined;
    this.#shapeContext = shapes.getContext('2d') ?? undefined;
  }

  setPicture(picture: CanvasImageSource): void {
    this.#picture = picture;
    this.redraw('all');
  }

  adjust(adjustments: Adjustments): void {
    this.#adjustments = adjustments;
    this.redraw('all');
  }

  setCursor(cursor: string): void {
    if (this.#shapeContext) this.#shapeContext.canvas.style.cursor = cursor;
  }

  resize(screen: Size): void {
    this.#screen = screen;
    for (const context of [this.#pictureContext, this.#shapeContext]) {
      if (!context) continue;
      context.canvas.width = Math.round(screen.width * devicePixelRatio);
      context.canvas.height = Math.round(screen.height * devicePixelRatio);
    }
    if (this.#isFitted && screen.width > 1) this.fit();
    this.redraw('all');
  }

  fit(): void {
    this.fitBox({ left: 0, top: 0, right: this.size.width, bottom: this.size.height });
    this.#isFitted = true;
  }

  fitBox(box: Box): void {
    this.setView(fit(box, this.#screen));
  }

  zoomBy(factor: number, at: Point = { x: this.#screen.width / 2, y: this.#screen.height / 2 }): void {
    this.setView(zoom(this.#view, factor, at));
  }

  /** One pixel of the picture on one of the screen. */
  zoomToFull(): void {
    this.zoomBy(1 / this.#view.scale);
  }

  panBy(by: Point): void {
    this.setView(pan(this.#view, by));
  }

  setView(view: View): void {
    this.#isFitted = false;
    const { scale } = this.#view;
    this.#view = view;
    // Moving alone changes nothing that is said beside the canvas.
    if (view.scale !== scale) this.#scaled(view.scale);
    this.redraw('all');
  }

  redraw(what: 'shapes' | 'all'): void {
    const isDue = this.#due !== 'none';
    if (this.#due !== 'all') this.#due = what;
    if (!isDue) requestAnimationFrame(() => this.#paint());
  }

  #paint(): void {
    const what = this.#due;
    this.#due = 'none';
    if (what === 'all' && this.#pictureContext && this.#picture)
      paintPicture(this.#pictureContext, this.#picture, this.size, this.#view, this.#adjustments);
    if (this.#shapeContext) paintShapes(this.#shapeContext, { ...this.#scene(), view: this.#view });
  }
}
