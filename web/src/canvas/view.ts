import type { Box, Point } from './shapes.ts';

/** Where the picture lies on the screen: `scale` screen pixels to one of its own, its corner at `left`, `top`. */
export interface View {
  readonly scale: number;
  readonly left: number;
  readonly top: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

const scaleLimits = { min: 0.02, max: 60 };
const margin = 24;

export const toPicture = ({ scale, left, top }: View, { x, y }: Point): Point => ({
  x: (x - left) / scale,
  y: (y - top) / scale,
});

export const toScreen = ({ scale, left, top }: View, { x, y }: Point): Point => ({
  x: x * scale + left,
  y: y * scale + top,
});

/** The whole of a box of the picture, as large as it fits, in the middle. */
export function fit(box: Box, screen: Size): View {
  const width = Math.max(1, box.right - box.left);
  const height = Math.max(1, box.bottom - box.top);
  const scale = clampScale(
    Math.min((screen.width - 2 * margin) / width, (screen.height - 2 * margin) / height),
  );
  return {
    scale,
    left: (screen.width - width * scale) / 2 - box.left * scale,
    top: (screen.height - height * scale) / 2 - box.top * scale,
  };
}

/** Closer or further, with the place under `at` staying where it is. */
export function zoom(view: View, factor: number, at: Point): View {
  const scale = clampScale(view.scale * factor);
  const fixed = toPicture(view, at);
  return { scale, left: at.x - fixed.x * scale, top: at.y - fixed.y * scale };
}

export const pan = (view: View, by: Point): View => ({
  ...view,
  left: view.left + by.x,
  top: view.top + by.y,
});

const clampScale = (scale: number): number => Math.min(scaleLimits.max, Math.max(scaleLimits.min, scale));
