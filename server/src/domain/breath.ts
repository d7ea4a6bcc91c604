/**
 * For long work on the thread that answers everybody: awaited between its pieces, it lets others in once the work has
 * held the thread for `heldMsMax` milliseconds since it last did.
 */
export function breathing(heldMsMax = 4): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < heldMsMax) return undefined;
    return new Promise((resolve) =>
      setImmediate(() => {
        since = performance.now();
        resolve();
      }),
    );
  };
}
