import { useEffect, useRef } from 'react';
import { isTyping } from './is-typing.ts';
import { go, pathTo } from './place.ts';

/** The letter after G, and the word of the screen in the address. */
const letters: Readonly<Record<string, string>> = {
  o: '',
  i: 'inputs',
  d: 'datasets',
  m: 'models',
  w: 'workflows',
  j: 'jobs',
  s: 'settings',
};

/** How long the letter after G is waited for. */
const letterWaitMs = 1_200;

/**
 * Keys that work on every screen: `?` for help, `/` for the search, G and a letter for another screen. Where one
 * input is open the letters belong to its tools.
 */
export function useShortcuts(
  app: { readonly user_id: string; readonly app_id: string } | undefined,
  isInputOpen: boolean,
  showHelp: () => void,
): void {
  const begunAt = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const isBusy =
        isTyping(event.target) ||
        (event.target as Element).closest?.('[role=dialog], [role=menu], [role=listbox]');
      if (isBusy || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const key = event.key.toLowerCase();
      const word = event.timeStamp - begunAt.current < letterWaitMs ? letters[key] : undefined;
      begunAt.current = Number.NEGATIVE_INFINITY;
      if (app && word !== undefined) {
        // The screen that was left must not take the letter for one of its own.
        event.stopImmediatePropagation();
        go(pathTo(...[app.user_id, app.app_id, word].filter(Boolean)));
      } else if (key === '?') showHelp();
      else if (app && key === '/' && !isInputOpen) search(app);
      else if (app && key === 'g' && !isInputOpen) {
        begunAt.current = event.timeStamp;
        return;
      } else return;
      event.preventDefault();
    };
    // Before what is inside, so that the letter after G reaches no screen.
    document.addEventListener('keydown', press, true);
    return () => document.removeEventListener('keydown', press, true);
  }, [app, isInputOpen, showHelp]);
}

const searchField = (): HTMLInputElement | null => document.querySelector('.search-box input.bare');

/** Puts the cursor into the search, going to the gallery first where another screen is open. */
function search(app: { readonly user_id: string; readonly app_id: string }): void {
  const field = searchField();
  field?.focus();
  if (field) return;
  go(pathTo(app.user_id, app.app_id, 'inputs'));
  const observer = new MutationObserver(() => {
    const found = searchField();
    if (!found) return;
    observer.disconnect();
    found.focus();
  });
  observer.observe(document.body, { childList: true, subtree: true });
  setTimeout(() => observer.disconnect(), 5_000);
}
