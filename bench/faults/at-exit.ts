const calls = new Set<() => void>();

/** Called when the run ends, however it ends, unless it is taken back. @returns how to take it back */
export function atExit(call: () => void): () => void {
  calls.add(call);
  return () => void calls.delete(call);
}

process.on('exit', () => {
  for (const call of calls) call();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));
