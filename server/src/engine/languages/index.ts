import { AskedThreads } from '../asked-threads.ts';

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

/**
 * What is known of sixty languages takes 46 MB in 90,000 pieces: in the memory of the thread that answers everybody, each
 * of its collections would walk them. So they are read when first asked for, elsewhere, and dropped when nobody asks any more.
 */
const threads = new AskedThreads<string, FoundLanguage[]>({
  entry: 'language-worker',
  here: import.meta.url,
  label: 'language identification',
  threadsMax: 1,
  msMax: 30_000,
  idleMs: 5 * 60_000,
});

/** Which languages a text may be in, likeliest first; none for a text without letters. Knows sixty languages. */
export function identifyLanguages(text: string, signal?: AbortSignal): Promise<FoundLanguage[]> {
  return threads.ask(text.slice(0, lettersMax), signal);
}
