import { expect, test } from 'vitest';
import { candidatesMax, type Facts, fewMax, planSearch } from './plan.ts';

const million = 1_000_000;
const facts: Facts = {
  isFiltered: true,
  ranks: 'vectors',
  exact: false,
  size: million,
  matches: million,
  known: 'counted',
  wanted: 20,
};

test.each<[string, Partial<Facts>, string, number]>([
  ['without ranks the matches come in order', { ranks: 'none' }, 'in_order', 0],
  ['all there is comes in order too', { ranks: 'none', isFiltered: false, matches: 9 }, 'in_order', 0],
  ['few are read and put in order', { ranks: 'none', matches: 3_000, wanted: 100 }, 'read_then_order', 0],
  ['also where there are none', { ranks: 'none', matches: 0 }, 'read_then_order', 0],
  ['many matches are soon walked to', { ranks: 'none', matches: 20_001, wanted: 9_000 }, 'in_order', 0],
  ['as are some of a small app', { ranks: 'none', matches: 9_000, size: 20_000 }, 'in_order', 0],
  ['labels and words are scored by the database', { ranks: 'said' }, 'score_in_database', 0],
  ['an empty index has nothing', { size: 0, matches: 0 }, 'nothing', 0],
  ['without filters the nearest are the hits', { isFiltered: false }, 'nearest', 32],
  [
    'some more than are wanted, for those that belong to a nearer one',
    { isFiltered: false, wanted: 100 },
    'nearest',
    150,
  ],
  ['unless all are to be looked at', { isFiltered: false, exact: true }, 'scan', 0],
  ['no matches are read at once', { matches: 0 }, 'filter_then_score', 0],
  ['few matches are read', { matches: fewMax }, 'filter_then_score', 0],
  ['more are read where a look would find too few', { matches: fewMax + 1 }, 'filter_then_score', 0],
  ['a guess is no reason not to read', { matches: million / 2, known: 'guessed' }, 'filter_then_score', 0],
  ['keys at hand are scored where they are few', { matches: 8_000, known: 'keys' }, 'filter_then_score', 0],
  ['of many at hand the nearest are tried first', { matches: 700_000, known: 'keys' }, 'walk_and_filter', 64],
  ['where every second matches, a look is enough', { matches: million / 2 }, 'walk_and_filter', 256],
  ['a deeper page takes a longer look', { matches: million / 2, wanted: 400 }, 'walk_and_filter', 1_600],
  ['one in fifty is looked for so long', { matches: million / 50 }, 'walk_and_filter', 2_000],
  ['a little less is read', { matches: million / 50 - 1 }, 'filter_then_score', 0],
  [
    'too many to be read are walked to, whatever the page',
    { matches: candidatesMax + 1, wanted: 5_000 },
    'walk_and_filter',
    2_000,
  ],
  ['exactly, many matches are read', { matches: candidatesMax, exact: true }, 'filter_then_score', 0],
  ['exactly, too many are scanned', { matches: candidatesMax + 1, exact: true }, 'scan', 0],
  ['two signals score all matches', { ranks: 'both', matches: candidatesMax }, 'filter_then_score', 0],
  ['two signals and too many matches', { ranks: 'both' }, 'scan', 0],
])('%s', (_, some, way, look) => {
  expect(planSearch({ ...facts, ...some })).toEqual({ way, look });
});
