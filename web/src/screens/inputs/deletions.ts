import i18next from 'i18next';
import { rpc } from '../../api/client.ts';
import { type AppName, refresh } from '../../api/queries.ts';
import { Trouble } from '../../api/trouble.ts';
import { readPreference, setPreference, usePreference } from '../../app/preferences.ts';
import { say, sayTrouble } from '../../ui/notices.tsx';
import { chunks } from './labelling.ts';
import { readInputs } from './sources.ts';

// Inputs that somebody deleted go a few seconds later, so that one press keeps everything that hangs on them: labels,
// shapes, places in datasets. Nothing the server could make anew would be all of it.

/** Inputs on their way out. */
interface Deletion {
  readonly key: string;
  /** Who deleted them: nobody else in this browser carries it out. */
  readonly by: string;
  readonly app: AppName;
  /** When the time to change one's mind is over, in milliseconds since 1970. */
  readonly dueMs: number;
  /** Each with when it was made: an input of the same id that came later is another one, and stays. */
  readonly inputs: readonly (readonly [id: string, createdAt: string])[];
}

const waitMs = 10_000;
/** How long a deletion of another tab is left to that tab after it is due. */
const othersMs = 5_000;
const kept = 'deletions';
/** Deletions that this page waits for, with what ends their wait. */
const waiting = new Map<string, { deletion: Deletion; timer: ReturnType<typeof setTimeout> }>();

function all(): Deletion[] {
  try {
    return JSON.parse(readPreference(kept) ?? '[]') as Deletion[];
  } catch {
    return [];
  }
}
const keep = (deletion: Deletion): void => setPreference(kept, JSON.stringify([...all(), deletion]));
const forget = ({ key }: Deletion): void =>
  setPreference(kept, JSON.stringify(all().filter((one) => one.key !== key)));

/** Ids of an app that are on their way out. */
export function useGoing({ user_id, app_id }: AppName): ReadonlySet<string> {
  // Read for its changes; the list itself is small, and there is one of it.
  usePreference(kept);
  return new Set(
    all()
      .filter(({ app }) => app.user_id === user_id && app.app_id === app_id)
      .flatMap(({ inputs }) => inputs.map(([id]) => id)),
  );
}

/** Deletes inputs in a moment, unless somebody takes it back. */
export async function deleteSoon(by: string, app: AppName, ids: readonly string[]): Promise<void> {
  const inputs = (await readInputs(app, ids)).map(
    ({ id = '', created_at = '' }) => [id, created_at] as const,
  );
  const deletion: Deletion = { key: crypto.randomUUID(), by, app, inputs, dueMs: Date.now() + waitMs };
  keep(deletion);
  waitFor(deletion, waitMs);
  const takeBack = () => {
    clearTimeout(waiting.get(deletion.key)?.timer);
    waiting.delete(deletion.key);
    forget(deletion);
  };
  const words = i18next.t('selection.going', { count: inputs.length });
  say(words, { label: i18next.t('common.undo'), act: takeBack }, waitMs - 500);
}

function waitFor(deletion: Deletion, ms: number): void {
  const timer = setTimeout(() => void carryOut(deletion), ms);
  waiting.set(deletion.key, { deletion, timer });
}

async function carryOut(deletion: Deletion): Promise<void> {
  const { app, inputs, key } = deletion;
  waiting.delete(key);
  // Another tab took it back, or carried it out.
  if (!all().some((one) => one.key === key)) return;
  try {
    const made = new Map(inputs);
    // What somebody deleted and brought again meanwhile is not what was meant.
    const there = await readInputs(app, [...made.keys()]);
    const ids = there.flatMap(({ id = '', created_at }) => (made.get(id) === created_at ? [id] : []));
    for (const some of chunks(ids)) await rpc('DeleteInputs', { user_app_id: app, ids: some });
    forget(deletion);
    if (ids.length > 0) say(i18next.t('selection.deleted', { count: ids.length }));
    await refresh('GetInputCount', 'GetResourceCounts', 'GetConceptCounts', 'PostInputsSearches');
    window.dispatchEvent(new Event('fovea:inputs'));
  } catch (thrown) {
    // The server is away: once more later, here or when the page is next opened.
    if (thrown instanceof Trouble && thrown.isKey) return waitFor(deletion, waitMs);
    forget(deletion);
    sayTrouble(thrown);
  }
}

/** Ends every wait now: before a session ends, nothing could be deleted after it. */
export async function deleteNow(): Promise<void> {
  const some = [...waiting.values()];
  for (const { timer } of some) clearTimeout(timer);
  await Promise.all(some.map(({ deletion }) => carryOut(deletion)));
}

/** A page that closes ends the wait: what the browser still lets out goes now, the rest when it is next opened. */
function sendAtTheEnd(): void {
  for (const { deletion, timer } of waiting.values()) {
    clearTimeout(timer);
    for (const some of chunks(deletion.inputs.map(([id]) => id)))
      void rpc(
        'DeleteInputs',
        { user_app_id: deletion.app, ids: some },
        { quiet: true, outlivesPage: true },
      ).catch(() => undefined);
  }
}

/** Carries out what an earlier page of this browser could not, for the person who is signed in. */
export function resumeDeletions(by: string): () => void {
  for (const deletion of all())
    if (deletion.by === by && !waiting.has(deletion.key))
      waitFor(deletion, Math.max(0, deletion.dueMs + othersMs - Date.now()));
  const back = (event: PageTransitionEvent) => {
    if (event.persisted) for (const { deletion } of [...waiting.values()]) waitFor(deletion, 0);
  };
  window.addEventListener('pagehide', sendAtTheEnd);
  window.addEventListener('pageshow', back);
  return () => {
    window.removeEventListener('pagehide', sendAtTheEnd);
    window.removeEventListener('pageshow', back);
  };
}
