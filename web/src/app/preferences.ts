import { useSyncExternalStore } from 'react';

// What somebody chose for this browser: theme and the like. Never anything that belongs to the account.
const prefix = 'fovea.';
const listeners = new Set<() => void>();

export function readPreference(name: string): string | undefined {
  try {
    return localStorage.getItem(prefix + name) ?? undefined;
  } catch {
    // Storage may be switched off; the choice then lasts as long as the page.
    return kept.get(name);
  }
}

const kept = new Map<string, string>();

export function setPreference(name: string, value: string): void {
  kept.set(name, value);
  try {
    localStorage.setItem(prefix + name, value);
  } catch {
    // As above.
  }
  for (const listener of listeners) listener();
}

export const usePreference = (name: string): string | undefined =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => readPreference(name),
  );

export type Theme = 'light' | 'dark' | 'system';

const media = (query: string) => (typeof matchMedia === 'function' ? matchMedia(query) : undefined);
const dark = media('(prefers-color-scheme: dark)');
/** As the styles have it. */
const narrow = media('(max-width: 760px)');

function useMedia(list: MediaQueryList | undefined): boolean {
  return useSyncExternalStore(
    (listener) => {
      list?.addEventListener('change', listener);
      return () => list?.removeEventListener('change', listener);
    },
    () => list?.matches ?? false,
  );
}

export const useIsNarrow = (): boolean => useMedia(narrow);

/** Whether the page is dark now: for what is drawn rather than styled. */
export const useIsDark = (): boolean => {
  const chosen = usePreference('theme') ?? 'system';
  const isSystemDark = useMedia(dark);
  return chosen === 'system' ? isSystemDark : chosen === 'dark';
};

export function applyTheme(): void {
  const theme = readPreference('theme') ?? 'system';
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}
