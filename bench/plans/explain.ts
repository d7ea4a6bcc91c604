import type pg from 'pg';

/** One node of a plan, as EXPLAIN (ANALYZE, FORMAT JSON) gives it. */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly PlanNode[];
}

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** What a statement did, added up over its plan. */
export interface PlanFacts {
  readonly indexes: readonly string[];
  /** Rows taken out of tables, those that a filter then dropped included. */
  readonly rowsRead: number;
  readonly rowsReturned: number;
  /** Largest number of rows that one scan of a whole table looked at, and that one sort took. */
  readonly rowsScannedMost: number;
  readonly rowsSortedMost: number;
}

/**
 * Runs a statement and tells what its plan did. Writes are rolled back.
 *
 * @param mode `custom` plans for these values, as the first runs of a prepared statement do; `generic` for any
 * @param before statements that change what the planner knows; rolled back, too
 */
export async function explained(
  client: pg.ClientBase,
  statement: Statement,
  mode: 'custom' | 'generic',
  before: readonly string[] = [],
): Promise<PlanFacts> {
  await client.query('begin');
  try {
    for (const text of before) await client.query(text);
    await client.query(`set local plan_cache_mode = force_${mode}_plan`);
    await client.query(`prepare looked_at as ${statement.text}`);
    const values = statement.values.map((value) => literal(client, value)).join(', ');
    const { rows } = await client.query(
      `explain (analyze, timing off, format json) execute looked_at${values === '' ? '' : `(${values})`}`,
    );
    const [{ Plan: plan }] = (rows[0] as { 'QUERY PLAN': [{ Plan: PlanNode }] })['QUERY PLAN'];
    return factsOf(plan);
  } finally {
    await client.query('rollback');
    await client.query('deallocate all');
  }
}

function literal(client: pg.ClientBase, value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Buffer.isBuffer(value)) return client.escapeLiteral(`\\x${value.toString('hex')}`);
  if (Array.isArray(value))
    return client.escapeLiteral(`{${value.map((one) => JSON.stringify(one)).join(',')}}`);
  return client.escapeLiteral(value instanceof Date ? value.toISOString() : String(value));
}

const isTableScan = (node: PlanNode): boolean =>
  node['Relation Name'] !== undefined && / Scan$/.test(node['Node Type']);

export function factsOf(root: PlanNode): PlanFacts {
  const nodes = flatten(root);
  const looked = (node: PlanNode) =>
    node['Actual Loops'] *
    (node['Actual Rows'] +
      (node['Rows Removed by Filter'] ?? 0) +
      (node['Rows Removed by Index Recheck'] ?? 0));
  const most = (found: readonly PlanNode[], count: (node: PlanNode) => number) =>
    Math.max(0, ...found.map(count));
  const written = root['Node Type'] === 'ModifyTable';
  return {
    indexes: nodes.flatMap((node) => node['Index Name'] ?? []),
    rowsRead: nodes.filter(isTableScan).reduce((sum, node) => sum + looked(node), 0),
    rowsReturned: root['Actual Rows'] * (written ? 1 : root['Actual Loops']),
    rowsScannedMost: most(
      nodes.filter((node) => node['Node Type'] === 'Seq Scan'),
      looked,
    ),
    rowsSortedMost: most(
      nodes.filter((node) => /Sort$/.test(node['Node Type'])),
      (node) => Math.max(0, ...(node.Plans ?? []).map((from) => from['Actual Rows'] * from['Actual Loops'])),
    ),
  };
}

const flatten = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(flatten)];
