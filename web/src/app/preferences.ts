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

const dark = typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : undefined;

/** Whether the page is dark now: for what is drawn rather than styled. */
export const useIsDark = (): boolean => {
  const chosen = usePreference('theme') ?? 'system';
  const isSystemDark = useSyncExternalStore(
    (listener) => {
      dark?.addEventListener('change', listener);
      return () => dark?.removeEventListener('change', listener);
    },
    () => dark?.matches ?? false,
  );
  return chosen === 'system' ? isSystemDark : chosen === 'dark';
};

export function applyTheme(): void {
  const theme = readPreference('theme') ?? 'system';
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}
