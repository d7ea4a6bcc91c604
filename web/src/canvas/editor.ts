import { type EditorState, firstState } from './editor-state.ts';
import { boxAround, copiesOf, marksInOrder, placeOfNew, reordered, withAdded, withChanged } from './edits.ts';
import { History } from './history.ts';
import { Betweens, withKeyframeToggled } from './keyframes.ts';
import { type Adjustments, shapeColor } from './painter.ts';
import { Pointer, type Surface, type Tool } from './pointer.ts';
import {
  boxBetween,
  type ConceptRef,
  type Drawing,
  type Geometry,
  grown,
  isSolid,
  type Mark,
  moved,
  newId,
  type Point,
  type Shape,
  snap,
} from './shapes.ts';
import { type OnStage, Stage } from './stage.ts';
import { rounded } from './tracks.ts';
import type { Size } from './view.ts';

/**
 * The drawing of one picture, or of one frame of a video, and everything that changes it. Knows nothing of the
 * server and nothing of React: panels subscribe, and whoever saves it is told of every change.
 */
export class Editor implements Surface {
  readonly size: Size;
  readonly stage: Stage;
  readonly pointer: Pointer;
  readonly #history: History;
  readonly #changed: (drawing: Drawing) => void;
  readonly #listeners = new Set<() => void>();
  #copied: readonly Shape[] = [];
  #lastTool: Tool = 'box';
  readonly #between = new Betweens();
  /** Told of the frame in which something changed by going back and forth. */
  onFrame: ((frame: number) => void) | undefined;
  /** Told of a place at which somebody asks a model what is there. */
  onPoint: ((at: Point, isAdding: boolean) => void) | undefined;
  #state: EditorState;

  /** @param changed told of every drawing that comes to be, by a change or by going back and forth */
  constructor(size: Size, first: Drawing, changed: (drawing: Drawing) => void, frame?: number) {
    this.size = size;
    this.stage = new Stage(
      size,
      () => this.#onStage(),
      (scale) => this.#set({ scale }),
    );
    this.pointer = new Pointer(this);
    this.#history = new History(first);
    this.#changed = changed;
    this.#state = firstState(size, first, frame);
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
    this.stage.redraw('shapes');
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
    return this.#between.find(drawing.shapes, frame);
  }

  /** The drawing with what is chosen between keyframes made into keyframes. */
  keyed(ids: ReadonlySet<string>): Drawing {
    const { drawing } = this.#state;
    const made = [...this.between.values()]
      .filter(({ id }) => ids.has(id))
      .map((shape) => ({ ...shape, geometry: rounded(shape.geometry) }));
    return made.length === 0 ? drawing : withAdded(drawing, made);
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
    this.pointer.cancelGesture();
    // While a polygon is drawn its last corner is the last thing that was done.
    if (this.pointer.dropVertex()) return;
    this.#travel(() => this.#history.undo());
  }

  redo(): void {
    this.#travel(() => this.#history.redo());
  }

  add(geometry: Geometry, concept = this.#state.concept): Shape | undefined {
    if (!isSolid(geometry)) return undefined;
    const { frame } = this.#state;
    const shape: Shape = { ...placeOfNew(frame), geometry, concept, isLocked: false };
    this.#addAll([shape]);
    return shape;
  }

  #addAll(shapes: readonly Shape[]): void {
    this.#do(withAdded(this.#state.drawing, shapes), { selected: shapes.map(({ id }) => id) });
  }

  /** A box in the middle of what is in view: where the keyboard begins. */
  addByKeyboard(): void {
    const { middle } = this.stage;
    const half = Math.max(4, Math.round(Math.min(this.size.width, this.size.height) / 8));
    const a = snap({ x: middle.x - half, y: middle.y - half }, this.size);
    const b = snap({ x: middle.x + half, y: middle.y + half }, this.size);
    this.add({ kind: 'box', box: boxBetween(a, b) });
  }

  change(ids: ReadonlySet<string>, change: (shape: Shape) => Shape, merge?: string): void {
    this.#do(withChanged(this.keyed(ids), { ids }, change), merge === undefined ? {} : { merge });
  }

  /** As `change`, for what is true of an object in all frames. */
  #changeObjects(ids: ReadonlySet<string>, change: (shape: Shape) => Shape): void {
    const tracks = new Set(
      this.allHere.filter(({ id }) => ids.has(id)).flatMap(({ trackId }) => trackId ?? []),
    );
    this.#do(withChanged(this.#state.drawing, { ids, tracks }, change));
  }

  unlocked(): ReadonlySet<string> {
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
    const next = withKeyframeToggled(drawing, { track, frame }, [...this.between.values()]);
    if (next) this.#do(next.drawing, next.made ? { selected: [next.made.id] } : {});
  }

  /** Says that the chosen object is out of sight after this frame, or takes that back. */
  toggleOutside(): void {
    const { track } = this.#state;
    const here = this.allHere.find(({ trackId }) => track !== undefined && trackId === track);
    if (here && !here.isLocked)
      this.change(new Set([here.id]), (shape) => ({ ...shape, outsideAfter: !shape.outsideAfter }));
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
    this.#do({ ...this.#state.drawing, marks: marksInOrder(marks) });
  }

  /** The concept of what is selected, and of what is drawn next. */
  setConcept(concept: ConceptRef): void {
    this.#set({ concept });
    const ids = this.unlocked();
    if (ids.size > 0) this.#changeObjects(ids, (shape) => ({ ...shape, concept }));
  }

  setLabels(labels: readonly ConceptRef[]): void {
    this.#do({ ...this.#state.drawing, labels });
  }

  delete(): void {
    const ids = this.unlocked();
    const { drawing } = this.#state;
    const shapes = drawing.shapes.filter(({ id }) => !ids.has(id));
    if (shapes.length === drawing.shapes.length) return;
    this.#do({ ...drawing, shapes }, { selected: [] });
  }

  nudge(by: Point): void {
    this.change(
      this.unlocked(),
      (shape) => ({ ...shape, geometry: moved(shape.geometry, by, this.size) }),
      'nudge',
    );
  }

  /** Moves the bottom right corner of boxes. */
  grow(by: Point): void {
    this.change(
      this.unlocked(),
      (shape) => ({ ...shape, geometry: grown(shape.geometry, by, this.size) }),
      'grow',
    );
  }

  copy(): void {
    this.#copied = this.#selectedHere();
  }

  #selectedHere(): readonly Shape[] {
    return this.allHere.filter(({ id }) => this.#state.selected.has(id));
  }

  paste(): void {
    this.#addCopies(this.#copied, { x: 0, y: 0 });
  }

  duplicate(): void {
    const by = Math.max(2, Math.round(10 / this.stage.view.scale));
    this.#addCopies(this.#selectedHere(), { x: by, y: by });
  }

  #addCopies(shapes: readonly Shape[], by: Point): void {
    if (shapes.length > 0) this.#addAll(copiesOf(shapes, { by, size: this.size, frame: this.#state.frame }));
  }

  toggleLock(ids: ReadonlySet<string> = this.#state.selected): void {
    const lock = this.allHere.some(({ id, isLocked }) => ids.has(id) && !isLocked);
    this.#changeObjects(ids, (shape) => ({ ...shape, isLocked: lock }));
  }

  /** To the top (1) or to the bottom (-1) of the shapes. */
  order(direction: 1 | -1): void {
    const { drawing, selected } = this.#state;
    if (selected.size > 0) this.#do(reordered(drawing, selected, direction));
  }

  /** Takes suggestions over into the drawing, as if they had been drawn: one step for all of them. */
  accept(ids: ReadonlySet<string>): void {
    const taken = this.#state.suggestions.filter(({ id }) => ids.has(id));
    if (taken.length === 0) return;
    this.#set({ suggestions: this.#state.suggestions.filter(({ id }) => !ids.has(id)) });
    this.#addAll(taken.map((shape) => ({ ...shape, ...placeOfNew(this.#state.frame) })));
  }

  /** Puts something in place of the whole drawing, as one step. */
  replace(drawing: Drawing): void {
    this.#do(drawing);
  }

  // What is not part of the drawing

  setTool(tool: Tool): void {
    this.pointer.finish();
    if (tool !== 'select' && tool !== 'pan') this.#lastTool = tool;
    // What was offered was offered to that tool.
    this.#set({ tool, ...(this.#state.tool === 'segment' ? { suggestions: [] } : {}) });
    this.pointer.showCursor();
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
    this.stage.adjust(adjustments);
  }

  setFrame(frame: number | undefined, picture: CanvasImageSource): void {
    if (frame !== this.#state.frame) {
      this.pointer.cancelGesture();
      this.pointer.finish();
    }
    const { track } = this.#state;
    this.#state = { ...this.#state, frame };
    const ids = this.allHere.filter(({ trackId }) => track !== undefined && trackId === track);
    this.#set({ selected: new Set(ids.map(({ id }) => id)), hovered: undefined });
    this.stage.setPicture(picture);
  }

  fitSelected(): void {
    const box = boxAround(this.#selectedHere());
    if (box) this.stage.fitBox(box);
    else this.stage.fit();
  }

  attach(picture: HTMLCanvasElement, shapes: HTMLCanvasElement): void {
    this.stage.attach(picture, shapes);
    this.pointer.showCursor();
  }

  #onStage(): OnStage {
    const { selected, hovered, tool, brushRadius, concept, suggestions } = this.#state;
    const { at, draft, isDrawing } = this.pointer;
    const isBrush = tool === 'brush' || tool === 'eraser';
    const isAiming = (tool === 'box' || tool === 'polygon' || tool === 'point') && !isDrawing;
    return {
      shapes: this.shapesHere,
      dotted: new Set(this.between.keys()),
      suggestions,
      selected,
      hovered,
      draft,
      draftColor: shapeColor({ concept }),
      brush: isBrush && at ? { at, radius: brushRadius } : undefined,
      crosshair: isAiming ? at : undefined,
    };
  }

  // What the pointer does

  preview(drawing: Drawing): void {
    this.#set({ drawing });
  }

  commit(): void {
    this.#do(this.#state.drawing);
  }

  pointed(at: Point, isAdding: boolean): void {
    this.onPoint?.(at, isAdding);
  }

  /** Ends what is being drawn, or takes what is offered: a polygon is kept if it has three corners. */
  finish(): void {
    this.pointer.finish();
    const { tool, suggestions } = this.#state;
    if (tool === 'segment') this.accept(new Set(suggestions.map(({ id }) => id)));
  }

  /** Gives up what is being drawn or offered, or else what is selected, or else the tool. @returns whether there was any */
  cancel(): boolean {
    if (this.pointer.cancel()) return true;
    const { tool, suggestions, selected } = this.#state;
    if (tool === 'segment' && suggestions.length > 0) this.suggest([]);
    else if (selected.size > 0) this.select([]);
    else if (tool !== 'select') this.setTool('select');
    else return false;
    return true;
  }
}
