import { expect, test } from 'vitest';
import { History } from './history.ts';
import type { Drawing } from './shapes.ts';

const state = (name: string): Drawing => ({ shapes: [], labels: [{ id: name, name }] });
const nameOf = (history: History): string => history.now.labels[0]?.id ?? '';

test('every step is undone and redone, one by one', () => {
  const history = new History(state('0'));
  for (const name of ['1', '2', '3']) history.do(state(name));
  for (const expected of ['2', '1', '0', '0']) {
    history.undo();
    expect(nameOf(history)).toBe(expected);
  }
  for (const expected of ['1', '2', '3', '3']) {
    history.redo();
    expect(nameOf(history)).toBe(expected);
  }
});

test('a change after going back drops what was ahead', () => {
  const history = new History(state('0'));
  history.do(state('1'));
  history.undo();
  history.do(state('other'));
  expect(history.canRedo).toBe(false);
  history.undo();
  expect(nameOf(history)).toBe('0');
});

test('changes under one name in a row are one step, until it ends', () => {
  const history = new History(state('0'));
  for (const name of ['1', '2', '3']) history.do(state(name), 'nudge');
  history.endStep();
  history.do(state('4'), 'nudge');
  history.undo();
  expect(nameOf(history)).toBe('3');
  history.undo();
  expect(nameOf(history)).toBe('0');
});
