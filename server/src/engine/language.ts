import { eld } from 'eld/small';

export interface FoundLanguage {
  /** ISO 639-1. */
  code: string;
  /** In English. */
  name: string;
  /** How well the text's letter groups fit the language, 0..1; the values of all languages do not add up to 1. */
  value: number;
}

/** More of a text than this does not make the answer better. */
const lettersMax = 10_000;
const names = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'code' });

/** Which languages a text may be in, likeliest first; none for a text without letters. Knows sixty languages. */
export function identifyLanguages(text: string): FoundLanguage[] {
  return Object.entries(eld.detect(text.slice(0, lettersMax)).getScores())
    .map(([code, value]) => ({ code, name: names.of(code) ?? code, value: Math.min(1, value) }))
    .sort((a, b) => b.value - a.value);
}
