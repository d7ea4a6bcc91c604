/**
 * Eleven colours that stay apart for people with the usual kinds of colour blindness, those furthest from each other
 * first, and a grey; after Okabe and Ito 2008 and Paul Tol's bright scheme.
 */
export const palette = [
  '#0072b2',
  '#e69f00',
  '#009e73',
  '#d55e00',
  '#cc79a7',
  '#56b4e9',
  '#f0e442',
  '#aa3377',
  '#228833',
  '#ee6677',
  '#4477aa',
  '#bbbbbb',
] as const;

const hues = palette.length - 1;
let places: ReadonlyMap<string, number> = new Map();

/**
 * Says in which order the concepts of the app came to be, oldest first. The first eleven differ from each other, and
 * one keeps its colour while others are added.
 */
export function orderConcepts(ids: readonly string[]): void {
  places = new Map(ids.map((id, place) => [id, place]));
}

/** The colour of a concept by its place in the app; of one from elsewhere by its id alone. */
export function colorOf(conceptId: string): string {
  return palette[(places.get(conceptId) ?? hashOf(conceptId)) % hues] as string;
}

function hashOf(text: string): number {
  let hash = 2166136261;
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) as number), 16777619);
  return hash >>> 0;
}
