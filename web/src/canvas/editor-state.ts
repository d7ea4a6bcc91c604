import { type Adjustments, plain } from './painter.ts';
import type { Tool } from './pointer.ts';
import type { ConceptRef, Drawing, Shape } from './shapes.ts';
import type { Size } from './view.ts';

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

export const firstState = (size: Size, drawing: Drawing, frame: number | undefined): EditorState => ({
  drawing,
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
});
