import { anew, type Box, boxOf, type Drawing, moved, newId, type Point, type Shape } from './shapes.ts';
import type { Size } from './view.ts';

// What a command makes of a drawing: rules without a state of their own.

/** Changes shapes by id, and everything of the objects whose tracks are named. */
export const withChanged = (
  drawing: Drawing,
  { ids, tracks = new Set() }: { ids: ReadonlySet<string>; tracks?: ReadonlySet<string> },
  change: (shape: Shape) => Shape,
): Drawing => ({
  ...drawing,
  shapes: drawing.shapes.map((shape) =>
    ids.has(shape.id) || (shape.trackId !== undefined && tracks.has(shape.trackId)) ? change(shape) : shape,
  ),
});

export const withAdded = (drawing: Drawing, added: readonly Shape[]): Drawing => ({
  ...drawing,
  shapes: [...drawing.shapes, ...added],
});

/** To the top (1) or to the bottom (-1) of the shapes, in the order in which they were. */
export function reordered(drawing: Drawing, ids: ReadonlySet<string>, direction: 1 | -1): Drawing {
  const chosen = drawing.shapes.filter(({ id }) => ids.has(id));
  const others = drawing.shapes.filter(({ id }) => !ids.has(id));
  return { ...drawing, shapes: direction === 1 ? [...others, ...chosen] : [...chosen, ...others] };
}

/** Where shapes that come to be now belong: a frame of a video, in which each is an object of its own, or a picture. */
export const placeOfNew = (frame: number | undefined): Pick<Shape, 'id' | 'frame' | 'trackId'> => ({
  id: newId(),
  frame,
  trackId: frame === undefined ? undefined : newId(),
});

/** The same shapes once more, moved, free to be changed. */
export const copiesOf = (
  shapes: readonly Shape[],
  { by, size, frame }: { by: Point; size: Size; frame: number | undefined },
): Shape[] =>
  shapes.map((shape) =>
    anew(shape, {
      ...placeOfNew(frame),
      isLocked: false,
      outsideAfter: false,
      geometry: moved(shape.geometry, by, size),
    }),
  );

/** @returns undefined where there is nothing to go round */
export function boxAround(shapes: readonly Shape[]): Box | undefined {
  if (shapes.length === 0) return undefined;
  const boxes = shapes.map(({ geometry }) => boxOf(geometry));
  return {
    left: Math.min(...boxes.map(({ left }) => left)),
    top: Math.min(...boxes.map(({ top }) => top)),
    right: Math.max(...boxes.map(({ right }) => right)),
    bottom: Math.max(...boxes.map(({ bottom }) => bottom)),
  };
}

/** Marks in the order in which they begin, those that begin together by their end. */
export const marksInOrder = (marks: NonNullable<Drawing['marks']>): NonNullable<Drawing['marks']> =>
  marks.toSorted((a, b) => a.from - b.from || a.to - b.to);
