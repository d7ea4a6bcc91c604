/**
 * Twelve colours that stay apart for people with the usual kinds of colour blindness; after Okabe and Ito 2008 and
 * Paul Tol's bright scheme. A concept keeps its colour: it hangs on its id alone.
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

export function colorOf(conceptId: string): string {
  let hash = 2166136261;
  for (const letter of conceptId) hash = Math.imul(hash ^ (letter.codePointAt(0) as number), 16777619);
  return palette[(hash >>> 0) % (palette.length - 1)] as string;
}
