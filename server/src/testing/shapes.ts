import { pngOf } from './png.ts';

/** Repeatable numbers in 0..1 for generated pictures. */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

export type ShapeKind = 'disc' | 'square' | 'cross';

/** A shape in a generated picture, in 0..1. */
export interface Shape {
  kind: ShapeKind;
  left: number;
  top: number;
  size: number;
  colour: readonly [number, number, number];
}

/** Whether a point, in 0..1 of the shape's own square, lies in it. */
export function isInside(kind: ShapeKind, x: number, y: number): boolean {
  if (x < 0 || y < 0 || x >= 1 || y >= 1) return false;
  if (kind === 'square') return true;
  if (kind === 'disc') return (x - 0.5) ** 2 + (y - 0.5) ** 2 <= 0.25;
  return Math.abs(x - 0.5) < 0.16 || Math.abs(y - 0.5) < 0.16;
}

const colours = [
  [220, 40, 40],
  [40, 160, 60],
  [50, 80, 220],
  [230, 180, 30],
] as const;

/** One to three shapes that do not touch, each of any kind, size and colour. */
export function randomShapes(
  random: () => number,
  kinds: readonly ShapeKind[] = ['disc', 'square', 'cross'],
): Shape[] {
  const wanted = 1 + Math.floor(random() * 3);
  const shapes: Shape[] = [];
  for (let tries = 0; tries < 50 && shapes.length < wanted; tries += 1) {
    const size = 0.15 + random() * 0.25;
    const shape: Shape = {
      kind: kinds[Math.floor(random() * kinds.length)] as ShapeKind,
      left: 0.02 + random() * (0.96 - size),
      top: 0.02 + random() * (0.96 - size),
      size,
      colour: colours[Math.floor(random() * colours.length)] as Shape['colour'],
    };
    const apart = (other: Shape) =>
      shape.left > other.left + other.size + 0.03 ||
      other.left > shape.left + size + 0.03 ||
      shape.top > other.top + other.size + 0.03 ||
      other.top > shape.top + size + 0.03;
    if (shapes.every(apart)) shapes.push(shape);
  }
  return shapes;
}

/** A picture of shapes on a grainy, sloping grey. */
export function shapesPng(shapes: readonly Shape[], random: () => number, edge = 160): Buffer {
  const grey = 90 + random() * 100;
  const slope = { x: (random() - 0.5) * 60, y: (random() - 0.5) * 60 };
  const rows = Array.from({ length: edge }, (_, y) => {
    const row = Buffer.alloc(1 + edge * 3);
    for (let x = 0; x < edge; x += 1) {
      const [u, v] = [(x + 0.5) / edge, (y + 0.5) / edge];
      const shape = shapes.find((one) =>
        isInside(one.kind, (u - one.left) / one.size, (v - one.top) / one.size),
      );
      const grain = (random() - 0.5) * 24;
      for (let channel = 0; channel < 3; channel += 1) {
        const base = shape ? (shape.colour[channel] as number) : grey + slope.x * u + slope.y * v;
        row[1 + x * 3 + channel] = Math.max(0, Math.min(255, Math.round(base + grain)));
      }
    }
    return row;
  });
  return pngOf(edge, edge, rows);
}
