import type { Mark } from '../../canvas/shapes.ts';

/** A stretch of a text in which the same marks hold; offsets are in characters as Unicode counts them. */
export interface Piece {
  readonly from: number;
  readonly text: string;
  readonly marks: readonly Mark[];
}

/** The text cut where marks begin and end. Marks may overlap. */
export function piecesOf(characters: readonly string[], marks: readonly Mark[]): Piece[] {
  const { length } = characters;
  const cuts = new Set([0, length]);
  for (const { from, to } of marks) {
    cuts.add(Math.min(length, Math.max(0, from)));
    cuts.add(Math.min(length, Math.max(0, to)));
  }
  const ordered = [...cuts].toSorted((a, b) => a - b);
  return ordered.slice(0, -1).map((from, i) => {
    const to = ordered[i + 1] as number;
    return {
      from,
      text: characters.slice(from, to).join(''),
      marks: marks.filter((mark) => mark.from < to && mark.to > from),
    };
  });
}

/** How many characters the first `units` UTF-16 units of a text are: browsers select by units. */
export const charactersIn = (text: string, units: number): number => [...text.slice(0, units)].length;
