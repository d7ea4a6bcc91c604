/** What is asked of a join of two rankings of the same hits: by nearness, best first, and by what is said of them. */
export interface RankJoin<Hit> {
  /** Hits that are wanted, and the least score of use. */
  readonly wanted: number;
  readonly minScore: number;
  readonly keyOf: (hit: Hit) => number;
  /** The score of both together; never falls where one of them rises. */
  readonly together: (near: number, said: number) => number;
  /** Those of which most is said, and the most that is said of any other. */
  readonly saidFirst: readonly Joined<Hit>[];
  readonly saidElsewhere: number;
  /** The next hits, nearest first; all that come later are at most as near as `floor`, undefined after the last. */
  readonly nextNear: () => Promise<{ hits: readonly Omit<Joined<Hit>, 'said'>[]; floor: number | undefined }>;
  /** By key; hits that are missing are none. */
  readonly saidOf: (hits: readonly Hit[]) => Promise<ReadonlyMap<number, number>>;
}

export interface Joined<Hit> {
  readonly hit: Hit;
  readonly near: number;
  readonly said: number;
}

/**
 * The best hits by both signals together, exactly, without scoring all of them (the threshold algorithm of Fagin, Lotem
 * and Naor, 2001): it goes down the ranking by nearness until nothing that comes later can reach the worst hit kept.
 *
 * @returns best first, equal ones by key
 */
export async function rankJoin<Hit>(join: RankJoin<Hit>): Promise<{ hit: Hit; score: number }[]> {
  const { wanted, minScore, keyOf, together } = join;
  const seen = new Set<number>();
  let best: { hit: Hit; score: number }[] = [];
  const prune = () => {
    best.sort((a, b) => b.score - a.score || keyOf(a.hit) - keyOf(b.hit));
    best = best.slice(0, wanted);
  };
  const offer = ({ hit, near, said }: Joined<Hit>) => {
    const score = together(near, said);
    if (score >= minScore) best.push({ hit, score });
  };
  for (const one of join.saidFirst) {
    seen.add(keyOf(one.hit));
    offer(one);
  }
  for (;;) {
    const { hits, floor } = await join.nextNear();
    const fresh = hits.filter(({ hit }) => {
      const key = keyOf(hit);
      return !seen.has(key) && seen.add(key);
    });
    const said = await join.saidOf(fresh.map(({ hit }) => hit));
    for (const one of fresh) {
      const words = said.get(keyOf(one.hit));
      if (words !== undefined) offer({ ...one, said: words });
    }
    prune();
    if (floor === undefined) return best;
    const reach = together(floor, join.saidElsewhere);
    if (reach < minScore) return best;
    if (best.length === wanted && reach < (best.at(-1)?.score ?? 0)) return best;
  }
}
