import { call, currentApp, inApp } from './api.ts';
import type { Concept, ConceptCount } from './wire.ts';

export interface CountedConcept {
  readonly id: string;
  readonly name: string;
  /** Pictures labelled with it. */
  readonly positive: number;
  readonly negative: number;
}

const perPage = 1000;
const pagesMax = 10;

let loadedFor = '';
let loaded: readonly CountedConcept[] = [];
let loading: Promise<readonly CountedConcept[]> | undefined;

export const conceptsNow = (): readonly CountedConcept[] => (loadedFor === currentApp() ? loaded : []);

/** The app's concepts with the number of their labels, the most used first. Up to 10,000. */
export function loadConcepts(): Promise<readonly CountedConcept[]> {
  loading ??= readAll().finally(() => {
    loading = undefined;
  });
  return loading;
}

async function readAll(): Promise<readonly CountedConcept[]> {
  const app = currentApp();
  const [concepts, counts] = await Promise.all([
    pages<{ concepts?: Concept[] }, Concept>('concepts', (reply) => reply.concepts ?? []),
    pages<{ concept_counts?: ConceptCount[] }, ConceptCount>(
      'concepts/status',
      (reply) => reply.concept_counts ?? [],
    ),
  ]);
  const typeCounts = new Map(counts.map(({ id, concept_type_count: types }) => [id, types]));
  const all = concepts.map(({ id, name }) => ({
    id,
    name: name || id,
    positive: typeCounts.get(id)?.positive ?? 0,
    negative: typeCounts.get(id)?.negative ?? 0,
  }));
  all.sort((a, b) => b.positive - a.positive || a.name.localeCompare(b.name));
  if (app === currentApp()) {
    loadedFor = app;
    loaded = all;
    window.dispatchEvent(new Event('concepts'));
  }
  return all;
}

async function pages<Reply extends object, Item>(
  path: string,
  pick: (reply: Reply) => Item[],
): Promise<Item[]> {
  const all: Item[] = [];
  for (let page = 1; page <= pagesMax; page++) {
    const reply = await call<Reply>('GET', inApp(`${path}?page=${page}&per_page=${perPage}`), undefined, {
      quiet: true,
      what: 'The concepts could not be listed.',
    });
    const items = pick(reply);
    all.push(...items);
    if (items.length < perPage) break;
  }
  return all;
}

/** The concept that words name: by name or id, whatever the case. */
export function findConcept(words: string): CountedConcept | undefined {
  const wanted = words.trim().toLocaleLowerCase();
  const all = conceptsNow();
  return (
    all.find(({ id }) => id === words.trim()) ??
    all.find(({ name, id }) => name.toLocaleLowerCase() === wanted || id.toLocaleLowerCase() === wanted)
  );
}

/** An existing concept, or a new one whose id is made from its name: letters and digits of any script, with dashes. */
export function conceptFor(words: string): { id: string; name: string } {
  const name = words.trim();
  const known = findConcept(name);
  if (known) return { id: known.id, name: known.name };
  const id = name
    .normalize('NFC')
    .toLocaleLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 48);
  return { id: id || `concept-${Date.now().toString(36)}`, name };
}
