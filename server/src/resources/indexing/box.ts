import type { Data } from '@fovea/contract';

/** A box in 0..1 of the upright picture. */
export interface BoxInFraction {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** The moment of a video that an annotation is about: by its time, or by its number where it says only that. */
export function momentOf(data: Data): { timeMs: number } | { number: number } | undefined {
  const info = data.frames[0]?.frameInfo;
  if (!info) return undefined;
  return info.time === 0 && info.number > 0 ? { number: info.number } : { timeMs: info.time };
}

/** The part of the picture or frame that an annotation is about: its box, or that around its polygon; else undefined. */
export function boxOf(whole: Data): BoxInFraction | undefined {
  const data = whole.frames[0]?.data ?? whole;
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
