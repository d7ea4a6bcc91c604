/** Lets at most `n` pieces of work run at once; the others wait in line. */
export function openSlots(n: number) {
  const line: (() => void)[] = [];
  let free = n;
  return async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => line.push(resolve));
    try {
      return await work();
    } finally {
      const next = line.shift();
      if (next) next();
      else free += 1;
    }
  };
}

/**
 * Commits items in groups: while one group commits, those that come meanwhile form the next. An item's promise
 * settles with its group.
 */
export function openGroups<Item>(commit: (items: Item[]) => Promise<void>) {
  let waiting: { item: Item; resolve: () => void; reject: (error: unknown) => void }[] = [];
  let isDraining = false;
  const drain = async () => {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      try {
        await commit(group.map(({ item }) => item));
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    isDraining = false;
  };
  return (item: Item): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (isDraining) return;
      isDraining = true;
      void Promise.resolve().then(drain);
    });
}
