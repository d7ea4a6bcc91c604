import type { Annotation } from '@fovea/contract/rest';
import { describe, expect, test } from 'vitest';
import { type Home, isEmptied, isPlain, withoutParts, withPart } from './homes.ts';

const boxAt = (left: number) => ({
  bounding_box: { left_col: left, top_row: 0, right_col: 1, bottom_row: 1 },
});
const cat = { id: 'cat', name: 'cat', value: 1 };
const dog = { id: 'dog', name: 'dog', value: 1 };
const noFox = { id: 'fox', name: 'fox', value: 0 };
const region = (concepts: object[] = [], more: object = {}) => ({
  id: 'r',
  region_info: boxAt(0),
  data: { concepts, ...more },
});
const segment = (id: string, from: number, concept = cat) => ({
  id,
  time_info: { begin_time: from, end_time: from + 10 },
  data: { concepts: [concept] },
});

describe('what the canvas would write itself', () => {
  test.each<[string, Annotation, boolean]>([
    ['a box with a concept', { data: { regions: [region([cat])] } }, true],
    ['a box without one', { data: { regions: [region()], metadata: {} } }, true],
    ['a box of which two things are said', { data: { regions: [region([cat, dog])] } }, false],
    ['a box of which something is denied', { data: { regions: [region([noFox])] } }, false],
    ['a box with a text', { data: { regions: [region([], { text: { raw: 'EXIT' } })] } }, false],
    ['a box, and something said of the whole', { data: { regions: [region()], concepts: [cat] } }, false],
    ['one stretch of time', { data: { time_segments: [segment('a', 0)] } }, true],
    ['two stretches of time', { data: { time_segments: [segment('a', 0), segment('b', 9)] } }, false],
    ['a box in a frame', { data: { frames: [{ data: { regions: [region([cat])] } }] } }, true],
    [
      'a box in a frame, of which more is said',
      { data: { frames: [{ data: { regions: [region()], concepts: [cat] } }] } },
      false,
    ],
    [
      'what the canvas notes beside it',
      { data: { regions: [region()] }, annotation_info: { fovea: { locked: true, order: 3 } } },
      true,
    ],
    ['what another program notes', { data: { regions: [region()] }, annotation_info: { tool: 'x' } }, false],
    [
      'what the canvas does not know',
      { data: { regions: [region()] }, annotation_info: { fovea: { interpolated: true } } },
      false,
    ],
  ])('%s', (_name, annotation, expected) => {
    expect(isPlain(annotation)).toBe(expected);
  });
});

describe('one part is changed, and all else stays', () => {
  const read: Annotation = {
    id: 'a',
    data: {
      concepts: [dog],
      metadata: { by: 'other' },
      regions: [{ ...region([cat, dog, noFox], { text: { raw: 'EXIT' } }), value: 0.5 }],
    },
    annotation_info: { tool: 'x', fovea: { locked: true } },
  };
  const home: Home = { annotation: read, part: { list: 'regions', region: 'r' } };
  const drawn = (concept: object | undefined, left = 0.5): Annotation => ({
    data: {
      regions: [{ id: 'a r', region_info: boxAt(left), data: { concepts: concept ? [concept] : [] } }],
    },
    annotation_info: { fovea: { locked: false } },
  });

  test('a box is moved', () => {
    expect(withPart(read, home, drawn(cat))).toEqual({
      ...read,
      data: { ...read.data, regions: [{ ...read.data?.regions?.[0], region_info: boxAt(0.5) }] },
      annotation_info: { tool: 'x', fovea: { locked: false } },
    });
  });

  test.each([
    ['another concept takes the place of the one shown', { id: 'owl', value: 1 }, ['owl', 'dog', 'fox']],
    ['one that is said too is not said twice', dog, ['dog', 'fox']],
    ['what was denied is said', { ...noFox, value: 1 }, ['fox', 'dog']],
    ['the one shown goes', undefined, ['dog', 'fox']],
  ])('%s', (_name, concept, expected) => {
    const [after] = withPart(read, home, drawn(concept)).data?.regions ?? [];
    expect(after?.data?.concepts?.map(({ id }) => id)).toEqual(expected);
    expect(after?.data?.text).toEqual({ raw: 'EXIT' });
  });

  test('a part that is taken out and put back is what it was', () => {
    const without = withPart(read, home, undefined);
    expect(without.data?.regions).toEqual([]);
    expect(without.data?.concepts).toEqual([dog]);
    expect(isEmptied(without)).toBe(false);
    expect(withPart(without, home, drawn(cat, 0)).data).toEqual(read.data);
    expect(withPart(withoutParts(read), home, drawn(cat, 0)).data).toEqual({
      ...read.data,
      frames: [],
      time_segments: [],
    });
  });

  test('of several stretches each is changed alone; without any nothing is left', () => {
    const both: Annotation = { id: 's', data: { time_segments: [segment('a', 0), segment('b', 20)] } };
    const homeOf = (id: string): Home => ({ annotation: both, part: { list: 'time_segments', segment: id } });
    const moved = withPart(both, homeOf('b'), { data: { time_segments: [segment('s b', 25, dog)] } });
    expect(moved.data?.time_segments).toEqual([segment('a', 0), segment('b', 25, dog)]);
    const one = withPart(both, homeOf('a'), undefined);
    expect(one.data?.time_segments).toEqual([segment('b', 20)]);
    expect(isEmptied(withPart(one, homeOf('b'), undefined))).toBe(true);
  });

  test('a box in a frame leaves what is said of the frame', () => {
    const frame = { frame_info: { number: 3 }, data: { regions: [region([cat])], concepts: [dog] } };
    const framed: Annotation = { id: 'f', data: { frames: [frame] } };
    const at: Home = { annotation: framed, part: { list: 'frames', region: 'r' } };
    const moved = withPart(framed, at, {
      data: { frames: [{ data: { regions: [{ region_info: boxAt(0.5), data: { concepts: [cat] } }] } }] },
    });
    expect(moved.data?.frames).toEqual([
      { ...frame, data: { ...frame.data, regions: [{ ...region([cat]), region_info: boxAt(0.5) }] } },
    ]);
    expect(withPart(framed, at, undefined).data?.frames).toEqual([
      { ...frame, data: { ...frame.data, regions: [] } },
    ]);
  });
});
