/** Things that hang together by pairs: every group of two and more, named by its smallest member. */
export function groupsOf(pairs: Iterable<readonly [number, number]>): Map<number, number[]> {
  const parents = new Map<number, number>();
  const rootOf = (key: number): number => {
    let root = key;
    for (let up = parents.get(root); up !== undefined && up !== root; up = parents.get(root)) root = up;
    for (let at = key; at !== root; ) {
      const up = parents.get(at) as number;
      parents.set(at, root);
      at = up;
    }
    return root;
  };
  for (const [one, other] of pairs) {
    for (const key of [one, other]) if (!parents.has(key)) parents.set(key, key);
    const [a, b] = [rootOf(one), rootOf(other)];
    // The smaller key stays on top, whatever the order of the pairs.
    parents.set(Math.max(a, b), Math.min(a, b));
  }
  const groups = new Map<number, number[]>();
  for (const key of [...parents.keys()].sort((a, b) => a - b)) {
    const root = rootOf(key);
    const group = groups.get(root);
    if (group) group.push(key);
    else groups.set(root, [key]);
  }
  for (const [root, group] of groups) if (group.length < 2) groups.delete(root);
  return groups;
}
