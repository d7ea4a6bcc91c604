import { describe, expect, test } from 'vitest';
import { guessedHeight, heightOfRows, layRows, PageHeights } from './layout.ts';

const rules = { width: 1000, rowHeight: 200, gap: 4 };
const aspectsOf = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => 0.5 + (((i + seed) * 7919) % 1000) / 500);

describe('rows of a justified grid', () => {
  test('hold every picture once, in order, and fill the width', () => {
    for (let seed = 0; seed < 50; seed++) {
      const aspects = aspectsOf(128, seed);
      const rows = layRows(aspects, rules, false);
      expect(rows[0]?.from).toBe(0);
      expect(rows.at(-1)?.to).toBe(128);
      for (const [i, row] of rows.entries()) {
        expect(row.from).toBe(i === 0 ? 0 : rows[i - 1]?.to);
        const pictures = aspects
          .slice(row.from, row.to)
          .reduce((sum, aspect) => sum + aspect * row.height, 0);
        expect(pictures + rules.gap * (row.to - row.from - 1)).toBeCloseTo(rules.width, 6);
        expect(row.height).toBeGreaterThan(rules.rowHeight * 0.6);
        expect(row.height).toBeLessThan(rules.rowHeight * 1.6);
      }
    }
  });

  test('the last row of all is not blown up to fill the width', () => {
    expect(layRows([1, 1], rules, true)).toEqual([{ from: 0, to: 2, top: 0, height: 200 }]);
  });

  test('one very wide picture is a row of its own, and nothing is no row', () => {
    expect(layRows([40], rules, true)).toHaveLength(1);
    expect(layRows([], rules, true)).toEqual([]);
  });

  test('a guess is near what usual pictures need', () => {
    const rows = layRows(Array<number>(128).fill(4 / 3), rules, false);
    const height = heightOfRows(rows, rules.gap);
    expect(guessedHeight(128, rules) / height).toBeGreaterThan(0.8);
    expect(guessedHeight(128, rules) / height).toBeLessThan(1.25);
  });
});

describe('heights of pages', () => {
  test('answer like sums made from nothing, whatever was changed', () => {
    const heights = Array.from({ length: 300 }, (_, i) => 50 + ((i * 37) % 90));
    const pages = new PageHeights(300, (page) => heights[page] as number);
    for (let round = 0; round < 200; round++) {
      const page = (round * 89) % 300;
      const height = 20 + ((round * 53) % 200);
      expect(pages.set(page, height)).toBe(height - (heights[page] as number));
      heights[page] = height;
      const asked = (round * 131) % 300;
      const top = heights.slice(0, asked).reduce((sum, value) => sum + value, 0);
      expect(pages.topOf(asked)).toBe(top);
      expect(pages.pageAt(top)).toBe(asked);
      expect(pages.pageAt(top + (heights[asked] as number) - 1)).toBe(asked);
    }
    expect(pages.total).toBe(heights.reduce((sum, value) => sum + value, 0));
  });
});
