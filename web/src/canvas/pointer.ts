import { bitsOf, emptyMask, type Mask, maskFrom, paint } from './mask.ts';
import { cornersOf } from './painter.ts';
import {
  boxBetween,
  type ConceptRef,
  type Drawing,
  distanceToLine,
  type Geometry,
  isSolid,
  moved,
  type Point,
  type Shape,
  shapeAt,
  snap,
  withCorner,
} from './shapes.ts';
import type { Stage } from './stage.ts';
import { rounded } from './tracks.ts';
import { pan, type Size, type View } from './view.ts';

export const tools = ['select', 'box', 'polygon', 'brush', 'eraser', 'point', 'segment', 'pan'] as const;
export type Tool = (typeof tools)[number];

/** What the pointer works on. */
export interface Surface {
  readonly stage: Stage;
  /** Shapes that can be seen and reached now, and those that are hidden too. */
  readonly shapesHere: readonly Shape[];
  readonly allHere: readonly Shape[];
  snapshot(): {
    readonly drawing: Drawing;
    readonly selected: ReadonlySet<string>;
    readonly tool: Tool;
    readonly concept: ConceptRef | undefined;
    readonly brushRadius: number;
  };
  select(ids: Iterable<string>): void;
  hover(id: string | undefined): void;
  add(geometry: Geometry): unknown;
  delete(): void;
  setTool(tool: Tool): void;
  /** Those selected that may be changed. */
  unlocked(): ReadonlySet<string>;
  /** The drawing with what is chosen between keyframes made into keyframes. */
  keyed(ids: ReadonlySet<string>): Drawing;
  change(ids: ReadonlySet<string>, change: (shape: Shape) => Shape): void;
  /** Shows a drawing while it is still under the hand. */
  preview(drawing: Drawing): void;
  /** Makes what is shown a step of the history. */
  commit(): void;
  /** A place was pressed with the tool that asks a model. */
  pointed(at: Point, isAdding: boolean): void;
}

type Gesture =
  | { readonly kind: 'pan'; readonly from: Point; readonly view: View }
  | { readonly kind: 'box'; readonly from: Point }
  | { readonly kind: 'move'; readonly from: Point; readonly before: Drawing; readonly base: Drawing }
  | {
      readonly kind: 'corner';
      readonly shape: Shape;
      readonly corner: number;
      readonly before: Drawing;
      /** As before, with what is moved made into a keyframe. */
      readonly base: Drawing;
    }
  | {
      readonly kind: 'paint';
      readonly shape: Shape | undefined;
      bits: Uint8Array;
      last: Point;
      readonly on: boolean;
    };

const slackOnScreen = 6;

/** What a mouse, a pen or a finger does on the canvas, and what is half drawn by it. */
export class Pointer {
  readonly #surface: Surface;
  #gesture: Gesture | undefined;
  #draft: Geometry | undefined;
  #at: Point | undefined;
  #isSpaceDown = false;

  constructor(surface: Surface) {
    this.#surface = surface;
  }

  get draft(): Geometry | undefined {
    return this.#draft;
  }

  get isDrawing(): boolean {
    return this.#gesture !== undefined;
  }

  /** Where it is in the window; undefined outside of it. */
  get at(): Point | undefined {
    return this.#at;
  }

  get #size(): Size {
    return this.#surface.stage.size;
  }

  #redraw(): void {
    this.#surface.stage.redraw('shapes');
  }

  setSpace(isDown: boolean): void {
    this.#isSpaceDown = isDown;
    this.showCursor();
  }

  showCursor(): void {
    const { tool } = this.#surface.snapshot();
    const isMoving = this.#isSpaceDown || tool === 'pan';
    const isBrush = tool === 'brush' || tool === 'eraser';
    this.#surface.stage.setCursor(
      isMoving ? 'grab' : tool === 'select' ? 'default' : isBrush ? 'none' : 'crosshair',
    );
  }

  down(at: Point, event: { button: number; shiftKey: boolean }): void {
    this.#at = at;
    const { stage } = this.#surface;
    const { tool } = this.#surface.snapshot();
    const here = stage.toPicture(at);
    if (event.button === 1 || this.#isSpaceDown || tool === 'pan') {
      this.#gesture = { kind: 'pan', from: at, view: stage.view };
      return;
    }
    if (event.button !== 0) return;
    if (tool === 'select') this.#downToSelect(at, here, event.shiftKey);
    else if (tool === 'box') this.#gesture = { kind: 'box', from: snap(here, this.#size) };
    else if (tool === 'point') this.#surface.add({ kind: 'point', point: snap(here, this.#size) });
    else if (tool === 'polygon') this.#addVertex(at, here);
    else if (tool === 'segment') this.#surface.pointed(here, event.shiftKey);
    else this.#startStroke(here, tool === 'brush');
  }

  #downToSelect(at: Point, here: Point, isAdding: boolean): void {
    const { stage, shapesHere } = this.#surface;
    const { drawing, selected } = this.#surface.snapshot();
    for (const shape of shapesHere) {
      if (!selected.has(shape.id) || shape.isLocked) continue;
      const corner = cornersOf(shape.geometry).findIndex((point) => {
        const { x, y } = stage.toScreen(point);
        return Math.hypot(x - at.x, y - at.y) <= slackOnScreen + 3;
      });
      if (corner < 0) continue;
      this.#gesture = {
        kind: 'corner',
        shape: { ...shape, geometry: rounded(shape.geometry) },
        corner,
        before: drawing,
        base: this.#surface.keyed(new Set([shape.id])),
      };
      return;
    }
    const found = shapeAt(shapesHere, here, slackOnScreen / stage.view.scale);
    if (!found) {
      if (!isAdding) this.#surface.select([]);
      this.#gesture = { kind: 'pan', from: at, view: stage.view };
      return;
    }
    if (isAdding) {
      const ids = new Set(selected);
      if (!ids.delete(found.id)) ids.add(found.id);
      this.#surface.select(ids);
    } else if (!selected.has(found.id)) this.#surface.select([found.id]);
    if (!found.isLocked)
      this.#gesture = {
        kind: 'move',
        from: here,
        before: drawing,
        base: this.#surface.keyed(this.#surface.unlocked()),
      };
  }

  move(at: Point): void {
    this.#at = at;
    const { stage } = this.#surface;
    const here = stage.toPicture(at);
    const gesture = this.#gesture;
    switch (gesture?.kind) {
      case undefined:
        if (this.#surface.snapshot().tool === 'select')
          this.#surface.hover(shapeAt(this.#surface.shapesHere, here, slackOnScreen / stage.view.scale)?.id);
        break;
      case 'pan':
        stage.setView(pan(gesture.view, { x: at.x - gesture.from.x, y: at.y - gesture.from.y }));
        return;
      case 'box':
        this.#draft = { kind: 'box', box: boxBetween(gesture.from, snap(here, this.#size)) };
        break;
      case 'move': {
        const by = { x: here.x - gesture.from.x, y: here.y - gesture.from.y };
        const ids = this.#surface.unlocked();
        const shapes = gesture.base.shapes.map((shape) =>
          ids.has(shape.id) ? { ...shape, geometry: moved(shape.geometry, by, this.#size) } : shape,
        );
        this.#surface.preview({ ...gesture.base, shapes });
        return;
      }
      case 'corner': {
        const geometry = cornerMoved(gesture.shape.geometry, gesture.corner, snap(here, this.#size));
        const shapes = gesture.base.shapes.map((shape) =>
          shape.id === gesture.shape.id ? { ...shape, geometry } : shape,
        );
        this.#surface.preview({ ...gesture.base, shapes });
        return;
      }
      case 'paint':
        this.#paintTo(gesture, here);
        break;
    }
    this.#redraw();
  }

  up(): void {
    const gesture = this.#gesture;
    this.#gesture = undefined;
    switch (gesture?.kind) {
      case 'box': {
        const draft = this.#draft;
        this.#draft = undefined;
        if (draft) this.#surface.add(draft);
        break;
      }
      case 'move':
      case 'corner':
        if (this.#surface.snapshot().drawing !== gesture.before) this.#surface.commit();
        break;
      case 'paint':
        this.#endStroke(gesture);
        break;
      default:
        break;
    }
    this.#redraw();
  }

  leave(): void {
    this.#at = undefined;
    this.#redraw();
  }

  /** A double click ends a polygon, or takes away or adds a vertex of a selected one. */
  doubleClick(at: Point): void {
    const { tool, selected } = this.#surface.snapshot();
    if (tool === 'polygon') this.finish();
    if (tool !== 'select') return;
    const { stage } = this.#surface;
    const here = stage.toPicture(at);
    const slack = (slackOnScreen + 3) / stage.view.scale;
    for (const shape of this.#surface.shapesHere) {
      if (!selected.has(shape.id) || shape.isLocked || shape.geometry.kind !== 'polygon') continue;
      const points = vertexToggled(shape.geometry.points, here, slack, this.#size);
      if (!points) continue;
      this.#surface.change(new Set([shape.id]), (one) => ({
        ...one,
        geometry: { kind: 'polygon', points },
      }));
      return;
    }
  }

  /** Gives up what is being drawn. @returns whether there was something */
  cancel(): boolean {
    if (!this.#draft && !this.#gesture) return false;
    this.cancelGesture();
    this.#draft = undefined;
    this.#redraw();
    return true;
  }

  /** Gives up what the hand is about, and leaves a polygon that is being drawn. */
  cancelGesture(): void {
    const gesture = this.#gesture;
    this.#gesture = undefined;
    if (gesture?.kind === 'move' || gesture?.kind === 'corner') this.#surface.preview(gesture.before);
    if (gesture) this.#draft = undefined;
  }

  #addVertex(at: Point, here: Point): void {
    const points = this.#draft?.kind === 'polygon' ? this.#draft.points : [];
    const [first] = points;
    if (first && points.length >= 3) {
      const { x, y } = this.#surface.stage.toScreen(first);
      if (Math.hypot(x - at.x, y - at.y) <= slackOnScreen + 4) {
        this.finish();
        return;
      }
    }
    const point = snap(here, this.#size);
    const last = points.at(-1);
    if (last && last.x === point.x && last.y === point.y) return;
    this.#draft = { kind: 'polygon', points: [...points, point] };
    this.#redraw();
  }

  /** Takes back the last corner of a polygon that is being drawn. @returns whether there is one */
  dropVertex(): boolean {
    if (this.#draft?.kind !== 'polygon') return false;
    const points = this.#draft.points.slice(0, -1);
    this.#draft = points.length > 0 ? { kind: 'polygon', points } : undefined;
    this.#redraw();
    return true;
  }

  /** Ends a polygon, which is kept if it has three corners. */
  finish(): void {
    if (this.#draft?.kind !== 'polygon') return;
    const draft = this.#draft;
    this.#draft = undefined;
    this.#surface.add(draft);
    this.#redraw();
  }

  #startStroke(here: Point, on: boolean): void {
    const { selected, concept } = this.#surface.snapshot();
    const { width, height } = this.#size;
    const shape = this.#surface.allHere.find(
      ({ id, geometry, isLocked }) => selected.has(id) && geometry.kind === 'mask' && !isLocked,
    );
    if (!shape && !on) return;
    const mask = shape?.geometry.kind === 'mask' ? shape.geometry.mask : emptyMask(width, height);
    // Another concept chosen meanwhile means another mask.
    const isOther = shape && on && concept && shape.concept?.id !== concept.id;
    const target = isOther ? undefined : shape;
    const bits = bitsOf(target ? mask : emptyMask(width, height));
    const gesture: Gesture = { kind: 'paint', shape: target, bits, last: here, on };
    this.#gesture = gesture;
    this.#paintTo(gesture, here);
  }

  #paintTo(gesture: Extract<Gesture, { kind: 'paint' }>, here: Point): void {
    const { width, height } = this.#size;
    const radius = this.#surface.snapshot().brushRadius;
    paint(gesture.bits, width, height, { from: gesture.last, to: here, radius, on: gesture.on });
    gesture.last = here;
    this.#draft = { kind: 'mask', mask: maskFrom(gesture.bits, width, height) };
    this.#redraw();
  }

  #endStroke({ shape, bits }: Extract<Gesture, { kind: 'paint' }>): void {
    this.#draft = undefined;
    const mask: Mask = maskFrom(bits, this.#size.width, this.#size.height);
    const geometry: Geometry = { kind: 'mask', mask };
    if (!shape) this.#surface.add(geometry);
    else if (isSolid(geometry)) this.#surface.change(new Set([shape.id]), (one) => ({ ...one, geometry }));
    else this.#surface.delete();
  }
}

function cornerMoved(geometry: Geometry, corner: number, to: Point): Geometry {
  if (geometry.kind === 'box') {
    const box = withCorner(geometry.box, corner, to);
    return box.right > box.left && box.bottom > box.top ? { kind: 'box', box } : geometry;
  }
  if (geometry.kind !== 'polygon') return geometry;
  return { kind: 'polygon', points: geometry.points.map((point, i) => (i === corner ? to : point)) };
}

/** A polygon without the corner at a place, or with a new one on the edge there; undefined where neither is. */
function vertexToggled(
  points: readonly Point[],
  at: Point,
  slack: number,
  size: Size,
): readonly Point[] | undefined {
  const corner = points.findIndex(({ x, y }) => Math.hypot(x - at.x, y - at.y) <= slack);
  if (corner >= 0) return points.length > 3 ? points.filter((_, i) => i !== corner) : undefined;
  const edge = points.findIndex(
    (a, i) => distanceToLine(a, points[(i + 1) % points.length] as Point, at) <= slack,
  );
  return edge < 0 ? undefined : points.toSpliced(edge + 1, 0, snap(at, size));
}
