import { History } from './history.ts';
import { bitsOf, emptyMask, type Mask, maskFrom, paint } from './mask.ts';
import { type Adjustments, cornersOf, paintPicture, paintShapes, plain, shapeColor } from './painter.ts';
import {
  anew,
  boxBetween,
  boxOf,
  type ConceptRef,
  type Drawing,
  distanceToLine,
  type Geometry,
  isSolid,
  type Mark,
  moved,
  type Point,
  type Shape,
  shapeAt,
  snap,
  withCorner,
} from './shapes.ts';
import { betweenAt, rounded, tracksOf } from './tracks.ts';
import { fit, pan, type Size, toPicture, toScreen, type View, zoom } from './view.ts';

export const tools = ['select', 'box', 'polygon', 'brush', 'eraser', 'point', 'pan'] as const;
export type Tool = (typeof tools)[number];

/** What the panels around the canvas show. Made anew whenever something in it changes. */
export interface EditorState {
  readonly drawing: Drawing;
  readonly selected: ReadonlySet<string>;
  readonly hidden: ReadonlySet<string>;
  readonly hovered: string | undefined;
  readonly suggestions: readonly Shape[];
  readonly tool: Tool;
  readonly concept: ConceptRef | undefined;
  readonly brushRadius: number;
  readonly adjustments: Adjustments;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  readonly scale: number;
  /** On videos: the frame that is shown, and the object that keys speak of, seen in this frame or not. */
  readonly frame: number | undefined;
  readonly track: string | undefined;
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
const newId = (): string => crypto.randomUUID().replaceAll('-', '');

/**
 * The drawing of one picture, or of one frame of a video, and everything that changes it. Knows nothing of the
 * server and nothing of React: panels subscribe, and whoever saves it is told of every change.
 */
export class Editor {
  readonly size: Size;
  readonly #history: History;
  readonly #changed: (drawing: Drawing) => void;
  readonly #listeners = new Set<() => void>();
  #picture: CanvasImageSource | undefined;
  #pictureContext: CanvasRenderingContext2D | undefined;
  #shapeContext: CanvasRenderingContext2D | undefined;
  #view: View = { scale: 1, left: 0, top: 0 };
  #screen: Size = { width: 1, height: 1 };
  /** Until somebody zooms or moves it, the picture fits into whatever there is of a window. */
  #isFitted = true;
  #drawing: 'none' | 'shapes' | 'all' = 'none';
  #gesture: Gesture | undefined;
  #draft: Geometry | undefined;
  #pointer: Point | undefined;
  #isSpaceDown = false;
  #copied: readonly Shape[] = [];
  #lastTool: Tool = 'box';
  #between: { shapes?: readonly Shape[]; frame?: number | undefined; found: ReadonlyMap<string, Shape> } = {
    found: new Map(),
  };
  readonly #idsToBe = new Map<string, string>();
  /** Told of the frame in which something changed by going back and forth. */
  onFrame: ((frame: number) => void) | undefined;
  #state: EditorState;

  /** @param changed told of every drawing that comes to be, by a change or by going back and forth */
  constructor(size: Size, first: Drawing, changed: (drawing: Drawing) => void, frame?: number) {
    this.size = size;
    this.#history = new History(first);
    this.#changed = changed;
    this.#state = {
      drawing: first,
      selected: new Set(),
      hidden: new Set(),
      hovered: undefined,
      suggestions: [],
      tool: 'select',
      concept: undefined,
      brushRadius: Math.max(2, Math.round(Math.min(size.width, size.height) / 40)),
      adjustments: plain,
      canUndo: false,
      canRedo: false,
      scale: 1,
      frame,
      track: undefined,
    };
  }

  // What the panels need

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly snapshot = (): EditorState => this.#state;

  #set(changes: Partial<EditorState>): void {
    this.#state = { ...this.#state, ...changes };
    for (const listener of this.#listeners) listener();
    this.#redraw('shapes');
  }

  /** Shapes that can be seen and reached now: on a video, those of the present frame. */
  get shapesHere(): readonly Shape[] {
    return this.allHere.filter((shape) => !this.isHidden(shape));
  }

  /** As `shapesHere`, with those that are hidden. */
  get allHere(): readonly Shape[] {
    const { drawing, frame } = this.#state;
    return [...drawing.shapes.filter((shape) => shape.frame === frame), ...this.between.values()];
  }

  isHidden({ id, trackId }: Shape): boolean {
    return this.#state.hidden.has(trackId ?? id);
  }

  /**
   * What tracks are in the present frame where they have no keyframe, by the id that a keyframe here would have: a
   * change makes it one.
   */
  get between(): ReadonlyMap<string, Shape> {
    const { drawing, frame } = this.#state;
    const known = this.#between;
    if (known.shapes === drawing.shapes && known.frame === frame) return known.found;
    const found = new Map<string, Shape>();
    for (const track of frame === undefined ? [] : tracksOf(drawing.shapes)) {
      const one = betweenAt(track, frame as number);
      if (!one) continue;
      const place = `${track.id} ${frame}`;
      const id = this.#idsToBe.get(place) ?? newId();
      this.#idsToBe.set(place, id);
      found.set(id, anew(one.shape, { id, frame, outsideAfter: false }));
    }
    this.#between = { shapes: drawing.shapes, frame, found };
    return found;
  }

  /** The drawing with what is chosen between keyframes made into keyframes. */
  #keyed(ids: ReadonlySet<string>): Drawing {
    const { drawing } = this.#state;
    const made = [...this.between.values()]
      .filter(({ id }) => ids.has(id))
      .map((shape) => ({ ...shape, geometry: rounded(shape.geometry) }));
    return made.length === 0 ? drawing : { ...drawing, shapes: [...drawing.shapes, ...made] };
  }

  // Changes of the drawing: each is one step of the history

  #do(drawing: Drawing, options: { merge?: string; selected?: Iterable<string> } = {}): void {
    this.#history.do(drawing, options.merge);
    this.#show(options.selected);
  }

  #show(selected: Iterable<string> = this.#state.selected): void {
    const { now, canUndo, canRedo } = this.#history;
    this.#state = { ...this.#state, drawing: now };
    const ids = new Set([...now.shapes, ...this.between.values()].map(({ id }) => id));
    const kept = new Set([...selected].filter((id) => ids.has(id)));
    this.#set({ selected: kept, canUndo, canRedo, track: this.#trackOf(kept) ?? this.#state.track });
    this.#changed(now);
  }

  #trackOf(ids: ReadonlySet<string>): string | undefined {
    return this.allHere.find(({ id }) => ids.has(id))?.trackId;
  }

  /** Back or forward, and to the frame where that changed something. */
  #travel(go: () => void): void {
    const before = this.#history.now;
    go();
    this.#show();
    const [was, is] = [new Set(before.shapes), new Set(this.#history.now.shapes)];
    const changed = [
      ...before.shapes.filter((shape) => !is.has(shape)),
      ...this.#history.now.shapes.filter((shape) => !was.has(shape)),
    ].map(({ frame }) => frame);
    const [first] = changed;
    if (first !== undefined && !changed.includes(this.#state.frame)) this.onFrame?.(first);
  }

  undo(): void {
    this.#cancelGesture();
    if (this.#draft?.kind === 'polygon') {
      this.#dropVertex();
      return;
    }
    this.#travel(() => this.#history.undo());
  }

  redo(): void {
    this.#travel(() => this.#history.redo());
  }

  add(geometry: Geometry, concept = this.#state.concept): Shape | undefined {
    if (!isSolid(geometry)) return undefined;
    const shape: Shape = {
      id: newId(),
      geometry,
      concept,
      isLocked: false,
      frame: this.#state.frame,
      trackId: this.#newTrack(),
    };
    const { drawing } = this.#state;
    this.#do({ ...drawing, shapes: [...drawing.shapes, shape] }, { selected: [shape.id] });
    return shape;
  }

  /** Everything drawn on a video is an object of its own, which may get more keyframes. */
  #newTrack(): string | undefined {
    return this.#state.frame === undefined ? undefined : newId();
  }

  /** A box in the middle of what is in view: where the keyboard begins. */
  addByKeyboard(): void {
    const middle = toPicture(this.#view, { x: this.#screen.width / 2, y: this.#screen.height / 2 });
    const half = Math.max(4, Math.round(Math.min(this.size.width, this.size.height) / 8));
    const a = snap({ x: middle.x - half, y: middle.y - half }, this.size);
    const b = snap({ x: middle.x + half, y: middle.y + half }, this.size);
    this.add({ kind: 'box', box: boxBetween(a, b) });
  }

  #change(ids: ReadonlySet<string>, change: (shape: Shape) => Shape, merge?: string): void {
    const drawing = this.#keyed(ids);
    const shapes = drawing.shapes.map((shape) => (ids.has(shape.id) ? change(shape) : shape));
    this.#do({ ...drawing, shapes }, merge === undefined ? {} : { merge });
  }

  /** As `#change`, for what is true of an object in all frames. */
  #changeObjects(ids: ReadonlySet<string>, change: (shape: Shape) => Shape): void {
    const { drawing } = this.#state;
    const tracks = new Set(
      this.allHere.filter(({ id }) => ids.has(id)).flatMap(({ trackId }) => trackId ?? []),
    );
    const shapes = drawing.shapes.map((shape) =>
      ids.has(shape.id) || tracks.has(shape.trackId ?? '') ? change(shape) : shape,
    );
    this.#do({ ...drawing, shapes });
  }

  #unlocked(): ReadonlySet<string> {
    const { drawing, selected } = this.#state;
    return new Set(
      [...drawing.shapes, ...this.between.values()]
        .filter(({ id, isLocked }) => selected.has(id) && !isLocked)
        .map(({ id }) => id),
    );
  }

  // Keyframes of videos

  /** Makes the present frame a keyframe of the chosen object, or no keyframe any more. */
  toggleKeyframe(): void {
    const { drawing, track, frame } = this.#state;
    if (track === undefined || frame === undefined) return;
    const own = drawing.shapes.filter((shape) => shape.trackId === track);
    const here = own.find((shape) => shape.frame === frame);
    if (own.some(({ isLocked }) => isLocked)) return;
    if (here) {
      this.#do({ ...drawing, shapes: drawing.shapes.filter((shape) => shape !== here) });
      return;
    }
    const between = [...this.between.values()].find(({ trackId }) => trackId === track);
    const nearest = own.toSorted(
      (a, b) => Math.abs((a.frame ?? 0) - frame) - Math.abs((b.frame ?? 0) - frame),
    )[0];
    const from = between ?? (nearest && anew(nearest, { id: newId(), frame, outsideAfter: false }));
    if (!from) return;
    const made = { ...from, geometry: rounded(from.geometry) };
    this.#do({ ...drawing, shapes: [...drawing.shapes, made] }, { selected: [made.id] });
  }

  /** Says that the chosen object is out of sight after this frame, or takes that back. */
  toggleOutside(): void {
    const { track } = this.#state;
    const here = this.allHere.find(({ trackId }) => track !== undefined && trackId === track);
    if (here && !here.isLocked)
      this.#change(new Set([here.id]), (shape) => ({ ...shape, outsideAfter: !shape.outsideAfter }));
  }

  chooseTrack(track: string | undefined): void {
    this.#history.endStep();
    const ids = this.allHere.filter(({ trackId }) => track !== undefined && trackId === track);
    this.#set({ track, selected: new Set(ids.map(({ id }) => id)) });
  }

  deleteTrack(track: string): void {
    const { drawing } = this.#state;
    if (drawing.shapes.some(({ trackId, isLocked }) => trackId === track && isLocked)) return;
    this.#state = { ...this.#state, track: undefined };
    this.#do({ ...drawing, shapes: drawing.shapes.filter(({ trackId }) => trackId !== track) });
  }

  // Labelled stretches of time or text

  mark(kind: Mark['kind'], from: number, to: number, concept = this.#state.concept): void {
    if (!concept || to <= from) return;
    const { drawing } = this.#state;
    this.setMarks([...(drawing.marks ?? []), { id: newId(), kind, from, to, concept }]);
  }

  setMarks(marks: readonly Mark[]): void {
    const ordered = marks.toSorted((a, b) => a.from - b.from || a.to - b.to);
    this.#do({ ...this.#state.drawing, marks: ordered });
  }

  /** The concept of what is selected, and of what is drawn next. */
  setConcept(concept: ConceptRef): void {
    this.#set({ concept });
    const ids = this.#unlocked();
    if (ids.size > 0) this.#changeObjects(ids, (shape) => ({ ...shape, concept }));
  }

  setLabels(labels: readonly ConceptRef[]): void {
    this.#do({ ...this.#state.drawing, labels });
  }

  delete(): void {
    const ids = this.#unlocked();
    const { drawing } = this.#state;
    const shapes = drawing.shapes.filter(({ id }) => !ids.has(id));
    if (shapes.length === drawing.shapes.length) return;
    this.#do({ ...drawing, shapes }, { selected: [] });
  }

  nudge(by: Point): void {
    this.#change(
      this.#unlocked(),
      (shape) => ({ ...shape, geometry: moved(shape.geometry, by, this.size) }),
      'nudge',
    );
  }

  /** Moves the bottom right corner of boxes. */
  grow(by: Point): void {
    this.#change(
      this.#unlocked(),
      (shape) => {
        if (shape.geometry.kind !== 'box') return shape;
        const { left, top, right, bottom } = shape.geometry.box;
        const corner = snap({ x: right + by.x, y: bottom + by.y }, this.size);
        const box = { left, top, right: Math.max(left + 1, corner.x), bottom: Math.max(top + 1, corner.y) };
        return { ...shape, geometry: { kind: 'box', box } };
      },
      'grow',
    );
  }

  copy(): void {
    this.#copied = this.allHere.filter(({ id }) => this.#state.selected.has(id));
  }

  paste(): void {
    this.#addCopies(this.#copied, { x: 0, y: 0 });
  }

  duplicate(): void {
    const by = Math.max(2, Math.round(10 / this.#view.scale));
    this.#addCopies(
      this.allHere.filter(({ id }) => this.#state.selected.has(id)),
      { x: by, y: by },
    );
  }

  #addCopies(shapes: readonly Shape[], by: Point): void {
    if (shapes.length === 0) return;
    const copies = shapes.map((shape) =>
      anew(shape, {
        id: newId(),
        isLocked: false,
        frame: this.#state.frame,
        trackId: this.#newTrack(),
        outsideAfter: false,
        geometry: moved(shape.geometry, by, this.size),
      }),
    );
    const { drawing } = this.#state;
    this.#do(
      { ...drawing, shapes: [...drawing.shapes, ...copies] },
      { selected: copies.map(({ id }) => id) },
    );
  }

  toggleLock(ids: ReadonlySet<string> = this.#state.selected): void {
    const lock = this.allHere.some(({ id, isLocked }) => ids.has(id) && !isLocked);
    this.#changeObjects(ids, (shape) => ({ ...shape, isLocked: lock }));
  }

  /** To the top (1) or to the bottom (-1) of the shapes. */
  order(direction: 1 | -1): void {
    const { drawing, selected } = this.#state;
    const chosen = drawing.shapes.filter(({ id }) => selected.has(id));
    const others = drawing.shapes.filter(({ id }) => !selected.has(id));
    this.#do({ ...drawing, shapes: direction === 1 ? [...others, ...chosen] : [...chosen, ...others] });
  }

  /** Takes suggestions over into the drawing, as if they had been drawn: one step for all of them. */
  accept(ids: ReadonlySet<string>): void {
    const taken = this.#state.suggestions.filter(({ id }) => ids.has(id));
    if (taken.length === 0) return;
    const { drawing } = this.#state;
    const shapes = taken.map((shape) => ({
      ...shape,
      id: newId(),
      frame: this.#state.frame,
      trackId: this.#newTrack(),
    }));
    this.#set({ suggestions: this.#state.suggestions.filter(({ id }) => !ids.has(id)) });
    this.#do(
      { ...drawing, shapes: [...drawing.shapes, ...shapes] },
      { selected: shapes.map(({ id }) => id) },
    );
  }

  /** Puts something in place of the whole drawing, as one step. */
  replace(drawing: Drawing): void {
    this.#do(drawing);
  }

  // What is not part of the drawing

  setTool(tool: Tool): void {
    this.#finishPolygon();
    if (tool !== 'select' && tool !== 'pan') this.#lastTool = tool;
    this.#set({ tool });
    this.#showCursor();
  }

  takeLastTool(): void {
    this.setTool(this.#lastTool);
  }

  select(ids: Iterable<string>): void {
    this.#history.endStep();
    const selected = new Set(ids);
    this.#set({ selected, track: this.#trackOf(selected) });
  }

  hover(id: string | undefined): void {
    if (id !== this.#state.hovered) this.#set({ hovered: id });
  }

  toggleHidden(ids: ReadonlySet<string> = this.#state.selected): void {
    const hidden = new Set(this.#state.hidden);
    // An object of a video is hidden in all of its frames.
    const names = [...ids].map((id) => this.allHere.find((shape) => shape.id === id)?.trackId ?? id);
    const hide = names.some((id) => !hidden.has(id));
    for (const id of names) {
      if (hide) hidden.add(id);
      else hidden.delete(id);
    }
    this.#set({ hidden });
  }

  suggest(suggestions: readonly Shape[]): void {
    this.#set({ suggestions });
  }

  setBrushRadius(radius: number): void {
    this.#set({ brushRadius: Math.min(500, Math.max(1, radius)) });
  }

  setAdjustments(adjustments: Adjustments): void {
    this.#set({ adjustments });
    this.#redraw('all');
  }

  setFrame(frame: number | undefined, picture: CanvasImageSource): void {
    if (frame !== this.#state.frame) {
      this.#cancelGesture();
      this.#finishPolygon();
    }
    this.#picture = picture;
    const { track } = this.#state;
    this.#state = { ...this.#state, frame };
    const ids = this.allHere.filter(({ trackId }) => track !== undefined && trackId === track);
    this.#set({ selected: new Set(ids.map(({ id }) => id)), hovered: undefined });
    this.#redraw('all');
  }

  fit(): void {
    this.#setView(fit({ left: 0, top: 0, right: this.size.width, bottom: this.size.height }, this.#screen));
    this.#isFitted = true;
  }

  fitSelected(): void {
    const boxes = this.allHere
      .filter(({ id }) => this.#state.selected.has(id))
      .map(({ geometry }) => boxOf(geometry));
    if (boxes.length === 0) {
      this.fit();
      return;
    }
    this.#setView(
      fit(
        {
          left: Math.min(...boxes.map(({ left }) => left)),
          top: Math.min(...boxes.map(({ top }) => top)),
          right: Math.max(...boxes.map(({ right }) => right)),
          bottom: Math.max(...boxes.map(({ bottom }) => bottom)),
        },
        this.#screen,
      ),
    );
  }

  zoomBy(factor: number, at: Point = { x: this.#screen.width / 2, y: this.#screen.height / 2 }): void {
    this.#setView(zoom(this.#view, factor, at));
  }

  /** One pixel of the picture on one of the screen. */
  zoomToFull(): void {
    this.zoomBy(1 / this.#view.scale);
  }

  panBy(by: Point): void {
    this.#setView(pan(this.#view, by));
  }

  #setView(view: View): void {
    this.#isFitted = false;
    this.#view = view;
    // Moving alone changes nothing that is said beside the canvas.
    if (view.scale !== this.#state.scale) this.#set({ scale: view.scale });
    this.#redraw('all');
  }

  // Drawing

  attach(picture: HTMLCanvasElement, shapes: HTMLCanvasElement): void {
    this.#pictureContext = picture.getContext('2d') ?? undefined;
    this.#shapeContext = shapes.getContext('2d') ?? undefined;
    this.#showCursor();
  }

  get picture(): CanvasImageSource | undefined {
    return this.#picture;
  }

  setPicture(picture: CanvasImageSource): void {
    this.#picture = picture;
    this.#redraw('all');
  }

  resize(screen: Size): void {
    this.#screen = screen;
    for (const context of [this.#pictureContext, this.#shapeContext]) {
      if (!context) continue;
      context.canvas.width = Math.round(screen.width * devicePixelRatio);
      context.canvas.height = Math.round(screen.height * devicePixelRatio);
    }
    if (this.#isFitted && screen.width > 1) this.fit();
    this.#redraw('all');
  }

  #redraw(what: 'shapes' | 'all'): void {
    const isDue = this.#drawing !== 'none';
    if (this.#drawing !== 'all') this.#drawing = what;
    if (!isDue) requestAnimationFrame(() => this.#paint());
  }

  #paint(): void {
    const what = this.#drawing;
    this.#drawing = 'none';
    if (what === 'all' && this.#pictureContext && this.#picture)
      paintPicture(this.#pictureContext, this.#picture, this.size, this.#view, this.#state.adjustments);
    if (!this.#shapeContext) return;
    const { selected, hovered, tool, brushRadius, concept, suggestions } = this.#state;
    const isBrush = tool === 'brush' || tool === 'eraser';
    const isAiming = (tool === 'box' || tool === 'polygon' || tool === 'point') && !this.#gesture;
    paintShapes(this.#shapeContext, {
      view: this.#view,
      shapes: this.shapesHere,
      dotted: new Set(this.between.keys()),
      suggestions,
      selected,
      hovered,
      draft: this.#draft,
      draftColor: shapeColor({ concept }),
      brush: isBrush && this.#pointer ? { at: this.#pointer, radius: brushRadius } : undefined,
      crosshair: isAiming ? this.#pointer : undefined,
    });
  }

  #showCursor(): void {
    const canvas = this.#shapeContext?.canvas;
    if (!canvas) return;
    const { tool } = this.#state;
    canvas.style.cursor =
      this.#isSpaceDown || tool === 'pan'
        ? 'grab'
        : tool === 'select'
          ? 'default'
          : tool === 'brush' || tool === 'eraser'
            ? 'none'
            : 'crosshair';
  }

  // The pointer

  setSpace(isDown: boolean): void {
    this.#isSpaceDown = isDown;
    this.#showCursor();
  }

  down(at: Point, event: { button: number; shiftKey: boolean }): void {
    this.#pointer = at;
    const { tool } = this.#state;
    const here = toPicture(this.#view, at);
    if (event.button === 1 || this.#isSpaceDown || tool === 'pan') {
      this.#gesture = { kind: 'pan', from: at, view: this.#view };
      return;
    }
    if (event.button !== 0) return;
    if (tool === 'select') this.#downToSelect(at, here, event.shiftKey);
    else if (tool === 'box') this.#gesture = { kind: 'box', from: snap(here, this.size) };
    else if (tool === 'point') this.add({ kind: 'point', point: snap(here, this.size) });
    else if (tool === 'polygon') this.#addVertex(at, here);
    else this.#startStroke(here, tool === 'brush');
  }

  #downToSelect(at: Point, here: Point, isAdding: boolean): void {
    const { drawing, selected } = this.#state;
    for (const shape of this.shapesHere) {
      if (!selected.has(shape.id) || shape.isLocked) continue;
      const corner = cornersOf(shape.geometry).findIndex((point) => {
        const { x, y } = toScreen(this.#view, point);
        return Math.hypot(x - at.x, y - at.y) <= slackOnScreen + 3;
      });
      if (corner < 0) continue;
      this.#gesture = {
        kind: 'corner',
        shape: { ...shape, geometry: rounded(shape.geometry) },
        corner,
        before: drawing,
        base: this.#keyed(new Set([shape.id])),
      };
      return;
    }
    const found = shapeAt(this.shapesHere, here, slackOnScreen / this.#view.scale);
    if (!found) {
      if (!isAdding) this.select([]);
      this.#gesture = { kind: 'pan', from: at, view: this.#view };
      return;
    }
    if (isAdding) {
      const ids = new Set(selected);
      if (!ids.delete(found.id)) ids.add(found.id);
      this.select(ids);
    } else if (!selected.has(found.id)) this.select([found.id]);
    if (!found.isLocked)
      this.#gesture = { kind: 'move', from: here, before: drawing, base: this.#keyed(this.#unlocked()) };
  }

  move(at: Point): void {
    this.#pointer = at;
    const here = toPicture(this.#view, at);
    const gesture = this.#gesture;
    switch (gesture?.kind) {
      case undefined:
        if (this.#state.tool === 'select')
          this.hover(shapeAt(this.shapesHere, here, slackOnScreen / this.#view.scale)?.id);
        if (this.#draft?.kind === 'polygon') this.#draft = { ...this.#draft };
        break;
      case 'pan':
        this.#setView(pan(gesture.view, { x: at.x - gesture.from.x, y: at.y - gesture.from.y }));
        return;
      case 'box':
        this.#draft = { kind: 'box', box: boxBetween(gesture.from, snap(here, this.size)) };
        break;
      case 'move': {
        const by = { x: here.x - gesture.from.x, y: here.y - gesture.from.y };
        const ids = this.#unlocked();
        const shapes = gesture.base.shapes.map((shape) =>
          ids.has(shape.id) ? { ...shape, geometry: moved(shape.geometry, by, this.size) } : shape,
        );
        this.#set({ drawing: { ...gesture.base, shapes } });
        return;
      }
      case 'corner': {
        const to = snap(here, this.size);
        const geometry = cornerMoved(gesture.shape.geometry, gesture.corner, to);
        const shapes = gesture.base.shapes.map((shape) =>
          shape.id === gesture.shape.id ? { ...shape, geometry } : shape,
        );
        this.#set({ drawing: { ...gesture.base, shapes } });
        return;
      }
      case 'paint':
        this.#paintTo(gesture, here);
        break;
    }
    this.#redraw('shapes');
  }

  up(): void {
    const gesture = this.#gesture;
    this.#gesture = undefined;
    switch (gesture?.kind) {
      case 'box': {
        const draft = this.#draft;
        this.#draft = undefined;
        if (draft) this.add(draft);
        break;
      }
      case 'move':
      case 'corner':
        if (this.#state.drawing !== gesture.before) this.#do(this.#state.drawing);
        break;
      case 'paint':
        this.#endStroke(gesture);
        break;
      default:
        break;
    }
    this.#redraw('shapes');
  }

  leave(): void {
    this.#pointer = undefined;
    this.#redraw('shapes');
  }

  /** A double click ends a polygon, or takes away or adds a vertex of a selected one. */
  doubleClick(at: Point): void {
    if (this.#state.tool === 'polygon') this.#finishPolygon();
    if (this.#state.tool !== 'select') return;
    const here = toPicture(this.#view, at);
    const slack = (slackOnScreen + 3) / this.#view.scale;
    for (const shape of this.shapesHere) {
      if (!this.#state.selected.has(shape.id) || shape.isLocked || shape.geometry.kind !== 'polygon')
        continue;
      const points = vertexToggled(shape.geometry.points, here, slack, this.size);
      if (!points) continue;
      this.#change(new Set([shape.id]), (one) => ({ ...one, geometry: { kind: 'polygon', points } }));
      return;
    }
  }

  /** Ends what is being drawn: a polygon is kept if it has three corners. */
  finish(): void {
    this.#finishPolygon();
  }

  /** Gives up what is being drawn, or else what is selected, or else the tool. @returns whether there was something */
  cancel(): boolean {
    if (this.#draft || this.#gesture) {
      this.#cancelGesture();
      this.#draft = undefined;
      this.#redraw('shapes');
      return true;
    }
    if (this.#state.selected.size > 0) {
      this.select([]);
      return true;
    }
    if (this.#state.tool !== 'select') {
      this.setTool('select');
      return true;
    }
    return false;
  }

  #cancelGesture(): void {
    const gesture = this.#gesture;
    this.#gesture = undefined;
    if (gesture?.kind === 'move' || gesture?.kind === 'corner') this.#set({ drawing: gesture.before });
    if (gesture) this.#draft = undefined;
  }

  #addVertex(at: Point, here: Point): void {
    const points = this.#draft?.kind === 'polygon' ? this.#draft.points : [];
    const [first] = points;
    if (first && points.length >= 3) {
      const { x, y } = toScreen(this.#view, first);
      if (Math.hypot(x - at.x, y - at.y) <= slackOnScreen + 4) {
        this.#finishPolygon();
        return;
      }
    }
    const point = snap(here, this.size);
    const last = points.at(-1);
    if (last && last.x === point.x && last.y === point.y) return;
    this.#draft = { kind: 'polygon', points: [...points, point] };
    this.#redraw('shapes');
  }

  /** Undo while a polygon is drawn takes back its last corner. */
  #dropVertex(): void {
    if (this.#draft?.kind !== 'polygon') return;
    const points = this.#draft.points.slice(0, -1);
    this.#draft = points.length > 0 ? { kind: 'polygon', points } : undefined;
    this.#redraw('shapes');
  }

  #finishPolygon(): void {
    if (this.#draft?.kind !== 'polygon') return;
    const draft = this.#draft;
    this.#draft = undefined;
    this.add(draft);
    this.#redraw('shapes');
  }

  #startStroke(here: Point, on: boolean): void {
    const { selected, concept } = this.#state;
    const shape = this.allHere.find(
      ({ id, geometry, isLocked }) => selected.has(id) && geometry.kind === 'mask' && !isLocked,
    );
    if (!shape && !on) return;
    const mask =
      shape?.geometry.kind === 'mask' ? shape.geometry.mask : emptyMask(this.size.width, this.size.height);
    // Another concept chosen meanwhile means another mask.
    const isOther = shape && on && concept && shape.concept?.id !== concept.id;
    const target = isOther ? undefined : shape;
    const bits = bitsOf(target ? mask : emptyMask(this.size.width, this.size.height));
    const gesture: Gesture = { kind: 'paint', shape: target, bits, last: here, on };
    this.#gesture = gesture;
    this.#paintTo(gesture, here);
  }

  #paintTo(gesture: Extract<Gesture, { kind: 'paint' }>, here: Point): void {
    const { width, height } = this.size;
    const stroke = { from: gesture.last, to: here, radius: this.#state.brushRadius, on: gesture.on };
    paint(gesture.bits, width, height, stroke);
    gesture.last = here;
    this.#draft = { kind: 'mask', mask: maskFrom(gesture.bits, width, height) };
    this.#redraw('shapes');
  }

  #endStroke({ shape, bits }: Extract<Gesture, { kind: 'paint' }>): void {
    this.#draft = undefined;
    const mask: Mask = maskFrom(bits, this.size.width, this.size.height);
    const geometry: Geometry = { kind: 'mask', mask };
    if (!shape) this.add(geometry);
    else if (isSolid(geometry)) this.#change(new Set([shape.id]), (one) => ({ ...one, geometry }));
    else this.delete();
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
