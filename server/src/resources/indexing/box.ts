import type { Data } from '@fovea/contract';

/** A box in 0..1 of the upright picture. */
export interface BoxInFraction {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** The part of the picture that an annotation is about: its box, or the box around its polygon; else undefined. */
export function boxOf(data: Data): BoxInFraction | undefined {
  const info = data.regions[0]?.regionInfo;
  const box = info?.boundingBox;
  if (box) return { top: box.topRow, left: box.leftCol, bottom: box.bottomRow, right: box.rightCol };
  const points = info?.polygon?.points ?? [];
  if (points.length === 0) return undefined;
  const rows = points.map(({ row }) => row);
  const cols = points.map(({ col }) => col);
  return {
    top: Math.min(...rows),
    left: Math.min(...cols),
    bottom: Math.max(...rows),
    right: Math.max(...cols),
  };
}
