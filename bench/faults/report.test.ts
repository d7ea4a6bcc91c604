import { expect, test } from 'vitest';
import { cellsOf, mergedRows, type Row, verdictOf } from './report.ts';
import { newOutcome } from './scenario.ts';

const lost = { lost: ['input 7'], stuck: [], other: [] };
const { found: clean } = newOutcome();

test.each([
  // control  found  absent         broken        verdict
  [false, clean, undefined, undefined, 'pass'],
  [false, lost, undefined, undefined, 'FAIL'],
  [true, lost, undefined, undefined, 'caught'],
  [true, clean, undefined, undefined, 'NOT CAUGHT'],
  [false, clean, 'no libfiu', undefined, 'absent'],
  [true, clean, 'no libfiu', undefined, 'absent'],
  [false, clean, undefined, 'no answer', 'BROKE'],
] as const)('control %s, found %j, absent %s, broken %s: %s', (isControl, found, absent, broken, verdict) => {
  const outcome = { found, ...(absent === undefined ? {} : { absent }) };
  expect(verdictOf({ isControl }, outcome, broken)).toBe(verdict);
});

const row = (id: string, seed: number, verdict: Row['verdict']): Row => ({
  ...newOutcome(),
  ...(verdict === 'absent' ? { absent: 'no libfiu' } : {}),
  id,
  name: id,
  seed,
  verdict,
  elapsedMs: 1,
  at: '2026-01-01',
});

test('what could not be run takes no place of what was, and is told where there was nothing', () => {
  const before = [row('R8', 1, 'pass'), row('R9', 1, 'pass')];
  const now = [row('R8', 2, 'absent'), row('R9', 2, 'FAIL'), row('R7', 2, 'absent')];
  const merged = mergedRows(before, now, ['R7', 'R8', 'R9']);
  expect(merged.map(({ id, seed, verdict }) => [id, seed, verdict])).toEqual([
    ['R7', 2, 'absent'],
    ['R8', 1, 'pass'],
    ['R9', 2, 'FAIL'],
  ]);
  expect(cellsOf(merged)[1]?.at(-1)).toBe('no libfiu');
});
