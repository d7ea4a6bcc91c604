import { expect, test } from 'vitest';
import { type PlanFacts, planSearch } from './plan.ts';

const facts: PlanFacts = { size: 100_000, k: 10, flatMax: 50_000, graphShare: 1 };

test.each<[string, Partial<PlanFacts>, string]>([
  ['nothing left by the filter', { candidates: 0 }, 'nothing'],
  ['an empty scope', { size: 0 }, 'nothing'],
  ['no filter, no graph', { graphShare: 0 }, 'exact all'],
  ['no filter, a graph', {}, 'graph 30'],
  ['no filter, a graph that misses a third', { graphShare: 0.66 }, 'exact all'],
  ['a small scope with a graph left over', { size: 4000 }, 'exact all'],
  ['8,000 candidates', { candidates: 8_000 }, 'exact candidates'],
  ['a tenth of the scope', { candidates: 10_000 }, 'graph 220'],
  ['1 % of the scope', { candidates: 1000 }, 'exact candidates'],
  ['4 % of a very large scope', { size: 1_000_000, candidates: 40_000 }, 'exact candidates'],
  ['half of the scope', { candidates: 50_000 }, 'graph 60'],
  ['half of the scope, no graph', { candidates: 50_000, graphShare: 0 }, 'exact candidates'],
  ['many results from a thin filter', { size: 1_000_000, candidates: 60_000, k: 100 }, 'exact candidates'],
  ['very many results', { k: 1000 }, 'exact all'],
  ['a lower limit set by configuration', { size: 9000, flatMax: 2000, candidates: 3000 }, 'graph 80'],
])('%s', (_, change, expected) => {
  const plan = planSearch({ ...facts, ...change });
  const shown =
    plan.way === 'exact' ? `exact ${plan.of}` : plan.way === 'graph' ? `graph ${plan.fetch}` : plan.way;
  expect(shown).toBe(expected);
});
