import { rmSync } from 'node:fs';

const calls = new Set<() => void>();

/** Called when the run ends, however it ends, unless it is taken back; what was asked for last comes first. @returns how to take it back */
export function atExit(call: () => void): () => void {
  calls.add(call);
  return () => void calls.delete(call);
}

process.on('exit', () => {
  for (const call of [...calls].reverse()) {
    try {
      call();
    } catch (error) {
      // The others still have to be called.
      console.error(`  not tidied up: ${error instanceof Error ? error.message : error}`);
    }
  }
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

const patienceMs = 5_000;

/** Removes a folder in which processes that were killed just now may still be writing. */
export function removeFolder(folder: string): void {
  for (const began = Date.now(); ; ) {
    try {
      rmSync(folder, { recursive: true, force: true });
      return;
    } catch (error) {
      if (Date.now() - began > patienceMs) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
  }
}
