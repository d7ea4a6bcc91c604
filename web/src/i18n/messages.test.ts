import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'oxc-parser';
import { expect, test } from 'vitest';

type Messages = { readonly [key: string]: string | Messages };

const here = fileURLToPath(new URL('.', import.meta.url));
const sourceDir = join(here, '..');
const languages = readdirSync(join(here, 'messages')).map((name) => name.replace('.json', ''));
const flatOf = (messages: Messages, before = ''): [string, string][] =>
  Object.entries(messages).flatMap(([key, value]): [string, string][] =>
    typeof value === 'string' ? [[before + key, value]] : flatOf(value, `${before}${key}.`),
  );
const read = (language: string): Map<string, string> =>
  new Map(flatOf(JSON.parse(readFileSync(join(here, 'messages', `${language}.json`), 'utf8'))));

const pluralEnd = /_(zero|one|two|few|many|other)$/;
const stem = (key: string): string => key.replace(pluralEnd, '');
const placeholdersOf = (words: string): string[] => (words.match(/{{\w+}}/g) ?? []).toSorted();
const english = read('en');
const plurals = new Set([...english.keys()].filter((key) => pluralEnd.test(key)).map(stem));

/** What one file lacks, or has too much of, measured by the English one. */
function faultsOf(language: string, messages: ReadonlyMap<string, string>): string[] {
  const faults: string[] = [];
  const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
  const wanted = new Set([
    ...[...english.keys()].filter((key) => !pluralEnd.test(key)),
    ...[...plurals].flatMap((key) => pluralCategories.map((category) => `${key}_${category}`)),
  ]);
  for (const key of wanted) if (!messages.has(key)) faults.push(`${key} is missing`);
  for (const [key, words] of messages) {
    if (!wanted.has(key)) faults.push(`${key} is not wanted`);
    if (words.trim() === '') faults.push(`${key} is empty`);
    const given = placeholdersOf(words);
    const expected = placeholdersOf(english.get(key) ?? english.get(`${stem(key)}_other`) ?? '');
    // A form for exactly one count may say it in a word.
    const isExact = /_(zero|one|two)$/.test(key);
    const fits = isExact
      ? given.every((one) => expected.includes(one)) &&
        expected.every((one) => given.includes(one) || /count|formatted/.test(one))
      : given.join() === expected.join();
    if (!fits) faults.push(`${key} has ${given.join(' ')} for ${expected.join(' ')}`);
  }
  return faults;
}

test.each(languages)(
  'the messages in %s are complete, with all forms of number and all placeholders',
  (language) => {
    expect(faultsOf(language, read(language))).toEqual([]);
  },
);

test('what is missing, too much, or of another shape is found', () => {
  const broken = new Map(read('ar'));
  broken.delete('home.inputs_few');
  broken.set('home.inputs_other', 'مدخل');
  broken.set('home.nonsense', 'x');
  expect(faultsOf('ar', broken)).toEqual([
    'home.inputs_few is missing',
    'home.inputs_other has  for {{formatted}}',
    'home.nonsense is not wanted',
  ]);
});

test('languages other than English are not English', () => {
  for (const language of languages.filter((one) => one !== 'en')) {
    const same = [...read(language)].filter(
      ([key, words]) => english.get(key) === words && /[a-z]{3} [a-z]+ [a-z]+ [a-z]/i.test(words),
    );
    expect(same, language).toEqual([]);
  }
});

type Node = { readonly type: string } & { readonly [key: string]: unknown };

function walk(node: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(node)) for (const item of node) walk(item, visit);
  else if (node !== null && typeof node === 'object') {
    if (typeof (node as Node).type === 'string') visit(node as Node);
    for (const value of Object.values(node)) if (typeof value === 'object') walk(value, visit);
  }
}

const groups = new Set([...english.keys()].map((key) => key.split('.')[0]));
const known = new Set([...english.keys()].map(stem));
/** Names and marks that are the same in every language. */
const nameless = /^(Fovea|curl|Python|TypeScript|YAML|F1|ROC AUC|[^\p{L}]*|×)$/u;
const spokenAttributes = new Set([
  'label',
  'title',
  'placeholder',
  'alt',
  'aria-label',
  'hint',
  'aria-description',
]);

/** Keys that a file uses, the beginnings and ends of keys that it makes, and words that no translator ever sees. */
function usesOf(path: string, source: string) {
  const keys: string[] = [];
  const made: RegExp[] = [];
  const words: string[] = [];
  walk(parseSync(path, source).program, (node) => {
    if (node.type === 'Literal' && typeof node['value'] === 'string') {
      const text = node['value'];
      if (/^[a-z]\w*(\.\w+)+$/.test(text) && groups.has(text.split('.')[0] as string)) keys.push(text);
    }
    if (node.type === 'TemplateLiteral') {
      const parts = (node['quasis'] as { value: { raw: string } }[]).map(({ value }) => value.raw);
      const isKey = parts.every((part) => /^[\w.]*$/.test(part)) && groups.has(parts[0]?.split('.')[0]);
      if (isKey && parts[0]?.includes('.'))
        made.push(new RegExp(`^${parts.map((part) => part.replaceAll('.', '\\.')).join('\\w+')}$`));
    }
    if (node.type === 'JSXText' && !nameless.test((node['value'] as string).trim()))
      words.push((node['value'] as string).trim());
    if (
      node.type === 'JSXAttribute' &&
      spokenAttributes.has(String((node['name'] as { name?: string }).name))
    ) {
      const value = node['value'] as { type?: string; value?: unknown } | null;
      if (value?.type === 'Literal' && typeof value.value === 'string' && !nameless.test(value.value))
        words.push(value.value);
    }
  });
  return { keys, made, words };
}

const sources = readdirSync(sourceDir, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path))
  .map((path) => ({ path, ...usesOf(path, readFileSync(join(sourceDir, path), 'utf8')) }));

test('every key that the page uses is in the messages', () => {
  const missing = sources.flatMap(({ path, keys, made }) => [
    ...keys.filter((key) => !known.has(key)).map((key) => `${path}: ${key}`),
    ...made
      .filter((pattern) => ![...known].some((key) => pattern.test(key)))
      .map((pattern) => `${path}: ${pattern}`),
  ]);
  expect(missing).toEqual([]);
});

test('every message is used', () => {
  const used = new Set(sources.flatMap(({ keys }) => keys));
  const patterns = sources.flatMap(({ made }) => made);
  expect(
    [...known].filter((key) => !used.has(key) && !patterns.some((pattern) => pattern.test(key))),
  ).toEqual([]);
});

test('no screen has words of its own', () => {
  expect(sources.flatMap(({ path, words }) => words.map((word) => `${path}: ${word}`))).toEqual([]);
  const broken = usesOf(
    'a.tsx',
    'const a = <p title="Hard words">{t("home.title")} hard words {t("home.gone")}</p>;',
  );
  expect(broken.words).toEqual(['Hard words', 'hard words']);
  expect(broken.keys).toEqual(['home.title', 'home.gone']);
});
