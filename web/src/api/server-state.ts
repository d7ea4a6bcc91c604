import { useSyncExternalStore } from 'react';

// Whether the server answers. Calls report what they saw; while it does not answer, it is asked again and again.
let isLost = false;
const listeners = new Set<() => void>();
const retryMs = 1_500;

function set(lost: boolean): void {
  if (isLost === lost) return;
  isLost = lost;
  for (const listener of listeners) listener();
}

export const serverSeen = (): void => set(false);

export function serverLost(): void {
  if (isLost) return;
  set(true);
  void waitForIt();
}

async function waitForIt(): Promise<void> {
  while (isLost) {
    await new Promise((resolve) => setTimeout(resolve, retryMs));
    const response = await fetch('/healthz', { cache: 'no-store' }).catch(() => undefined);
    if (response) set(false);
  }
}

/** Calls back whenever the server is lost or found again; returns a function that ends it. */
export function onServerState(listener: (isLost: boolean) => void): () => void {
  const hear = () => listener(isLost);
  listeners.add(hear);
  return () => listeners.delete(hear);
}

export const useServerLost = (): boolean =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => isLost,
  );
