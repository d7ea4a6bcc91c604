/** How well clusters agree with what things truly are. All 0..1, but the adjusted index, which may be below 0. */
export interface ClusteringMetrics {
  /** Share of rows that have their cluster's commonest class. */
  purity: number;
  homogeneity: number;
  completeness: number;
  vMeasure: number;
  /** Mutual information over the arithmetic mean of both entropies. */
  normalizedMutualInfo: number;
  adjustedRandIndex: number;
  fowlkesMallows: number;
  clusters: number;
  classes: number;
}

/** @param truth class per row · @param clusters cluster per row; any whole numbers. @throws RangeError */
export function evaluateClustering(truth: ArrayLike<number>, clusters: ArrayLike<number>): ClusteringMetrics {
  const rows = truth.length;
  if (clusters.length !== rows)
    throw new RangeError(`${rows} classes do not match ${clusters.length} clusters.`);
  const classCounts = new Map<number, number>();
  const clusterCounts = new Map<number, number>();
  const both = new Map<number, Map<number, number>>();
  for (let row = 0; row < rows; row += 1) {
    const [own, cluster] = [truth[row] as number, clusters[row] as number];
    classCounts.set(own, (classCounts.get(own) ?? 0) + 1);
    clusterCounts.set(cluster, (clusterCounts.get(cluster) ?? 0) + 1);
    const inside = both.get(cluster) ?? new Map<number, number>();
    both.set(cluster, inside);
    inside.set(own, (inside.get(own) ?? 0) + 1);
  }
  const cells = [...both].flatMap(([cluster, inside]) =>
    [...inside].map(([own, n]) => ({
      n,
      of: (classCounts.get(own) ?? 0) * (clusterCounts.get(cluster) ?? 0),
    })),
  );
  const information = Math.max(
    0,
    cells.reduce((sum, { n, of }) => sum + (n / rows) * Math.log((n * rows) / of), 0),
  );
  const [classEntropy, clusterEntropy] = [entropy(classCounts, rows), entropy(clusterCounts, rows)];
  const homogeneity = classEntropy === 0 ? 1 : information / classEntropy;
  const completeness = clusterEntropy === 0 ? 1 : information / clusterEntropy;
  const total = homogeneity + completeness;
  const oneEach = classCounts.size === clusterCounts.size && classCounts.size <= 1;
  return {
    purity:
      rows === 0
        ? 0
        : [...both.values()].reduce((sum, inside) => sum + Math.max(...inside.values()), 0) / rows,
    homogeneity,
    completeness,
    vMeasure: total === 0 ? 0 : (2 * homogeneity * completeness) / total,
    normalizedMutualInfo: oneEach
      ? 1
      : information <= Number.EPSILON
        ? 0
        : information / ((classEntropy + clusterEntropy) / 2),
    ...pairFigures(cells, classCounts, clusterCounts, rows),
    clusters: clusterCounts.size,
    classes: classCounts.size,
  };
}

function entropy(counts: Map<number, number>, rows: number): number {
  if (counts.size <= 1) return 0;
  return -[...counts.values()].reduce((sum, n) => sum + (n / rows) * Math.log(n / rows), 0);
}

/** Figures over pairs of rows: together in both, in one, or in neither. */
function pairFigures(
  cells: readonly { n: number }[],
  classCounts: Map<number, number>,
  clusterCounts: Map<number, number>,
  rows: number,
) {
  const squares = (counts: Iterable<number>) => [...counts].reduce((sum, n) => sum + n * n, 0);
  const joint = squares(cells.map(({ n }) => n));
  const ofClasses = squares(classCounts.values());
  const ofClusters = squares(clusterCounts.values());
  const together = joint - rows;
  const onlyClass = ofClasses - joint;
  const onlyCluster = ofClusters - joint;
  const apart = rows * rows - onlyClass - onlyCluster - joint;
  const adjustedRandIndex =
    onlyClass === 0 && onlyCluster === 0
      ? 1
      : (2 * (together * apart - onlyClass * onlyCluster)) /
        ((together + onlyClass) * (onlyClass + apart) + (together + onlyCluster) * (onlyCluster + apart));
  const fowlkesMallows =
    together === 0 ? 0 : Math.sqrt(together / (ofClusters - rows)) * Math.sqrt(together / (ofClasses - rows));
  return { adjustedRandIndex, fowlkesMallows };
}
