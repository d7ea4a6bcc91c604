import { type Sql, sql } from '#store/sql.ts';

/** PostgreSQL's dictionaries by language code; other languages are compared word by word as they are written. */
const configOf: ReadonlyMap<string, string> = new Map([
  ['ar', 'arabic'],
  ['da', 'danish'],
  ['de', 'german'],
  ['en', 'english'],
  ['es', 'spanish'],
  ['fi', 'finnish'],
  ['fr', 'french'],
  ['hi', 'hindi'],
  ['hu', 'hungarian'],
  ['it', 'italian'],
  ['nl', 'dutch'],
  ['no', 'norwegian'],
  ['pt', 'portuguese'],
  ['ru', 'russian'],
  ['sv', 'swedish'],
  ['tr', 'turkish'],
]);

/** What of a text is searched: its beginning, well below the megabyte that PostgreSQL's index entry holds. */
const indexedCharsMax = 200_000;

const wordless = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]{2,}/gu;

/** Scripts without spaces are cut into overlapping pairs, in texts and in queries alike: 東京都 is 東京 and 京都. */
export function withSpaces(text: string): string {
  return text.replace(wordless, (run) => {
    const signs = [...run];
    return ` ${signs
      .slice(1)
      .map((sign, i) => `${signs[i]}${sign}`)
      .join(' ')} `;
  });
}

/** PostgreSQL's dictionary for a language. */
export const dictionaryOf = (language: string) =>
  configOf.get(language.toLowerCase().slice(0, 2)) ?? 'simple';

/** Stands between the two, so that no phrase reaches from the last word to the first. No text makes it. */
const gap = sql`'''|'':1'::tsvector`;

/** How texts become comparable: words as they are, and their stems in the language. */
export const textVector = (language: string, text: Sql<unknown>): Sql<unknown> =>
  sql`(to_tsvector('simple', ${text}) || ${gap} || to_tsvector(${dictionaryOf(language)}::regconfig, ${text}))`;

/** A text as it is stored for `textVector`. NUL, which PostgreSQL's text cannot hold, is a space. */
export const textToIndex = (text: string): string =>
  withSpaces(text.slice(0, indexedCharsMax).replaceAll('\0', ' '));

/** A query as people type it: words (all of them), "phrases", OR, -without. Never an error. */
export function textQuery(language: string, typed: string): Sql<unknown> {
  const text = withSpaces(typed.replaceAll('\0', ' '));
  return sql`(websearch_to_tsquery('simple', ${text}) || websearch_to_tsquery(${dictionaryOf(language)}::regconfig, ${text}))`;
}
