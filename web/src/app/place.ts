import { useSyncExternalStore } from 'react';

/**
 * Where somebody is stands in the address, whole: paths are those of the hosted service
 * (`/{user}/{app}/models/{id}`), so that an address copied from here is one that the official SDKs read, and what
 * narrows a screen (query, filters, the open tab) is in the query string.
 */
export interface Place {
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly hash: string;
}

const listeners = new Set<() => void>();
let current: Place =
  typeof location === 'undefined' ? { path: [], query: new URLSearchParams(), hash: '' } : read();

function read(): Place {
  return {
    path: location.pathname.split('/').filter(Boolean).map(decodeURIComponent),
    query: new URLSearchParams(location.search),
    hash: location.hash.slice(1),
  };
}

function changed(): void {
  current = read();
  for (const listener of listeners) listener();
}

if (typeof window !== 'undefined') window.addEventListener('popstate', changed);

export const place = (): Place => current;

export const usePlace = (): Place =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );

/** Path of the parts given, each encoded. */
export const pathTo = (...parts: readonly string[]): string => `/${parts.map(encodeURIComponent).join('/')}`;

export interface GoOptions {
  /** The step back leads past the present place: for changes of a filter, a page, a selection. */
  readonly replace?: boolean;
}

/** Goes to another address of the page. */
export function go(address: string, { replace = false }: GoOptions = {}): void {
  if (address === location.pathname + location.search + location.hash) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', address);
  changed();
}

/** Changes the query string where one is; undefined and the empty string take a name away. */
export function setQuery(
  changes: Readonly<Record<string, string | readonly string[] | undefined>>,
  options: GoOptions = { replace: true },
): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const item of [value ?? []].flat()) if (item !== '') query.append(name, item);
  }
  const text = query.toString();
  go(location.pathname + (text ? `?${text}` : ''), options);
}
