import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Gate } from './gate.ts';

/** A task that ends when told to, and says when it began. */
function heldTask(began: string[], name: string) {
  let end: (value: string) => void = () => {};
  const done = new Promise<string>((resolve) => {
    end = resolve;
  });
  const task = () => {
    began.push(name);
    return done;
  };
  return { task, end: () => end(name) };
}

test('no more tasks run than allowed; people go before background work', async () => {
  const gate = new Gate(2, 10);
  const began: string[] = [];
  const tasks = ['a', 'b', 'index', 'c'].map((name) => ({ name, ...heldTask(began, name) }));
  const results = tasks.map(({ name, task }) => gate.pass(task, { background: name === 'index' }));
  await nextTurn();
  expect(began).toEqual(['a', 'b']);
  tasks[0]?.end();
  await nextTurn();
  expect(began).toEqual(['a', 'b', 'c']);
  for (const { end } of tasks) end();
  expect(await Promise.all(results)).toEqual(['a', 'b', 'index', 'c']);
});

test('a failing task frees its place', async () => {
  const gate = new Gate(1, 10);
  await expect(gate.pass(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await gate.pass(async () => 'next')).toBe('next');
});

test('too many waiting tasks are refused as busy, and one that is given up leaves its place in the queue', async () => {
  const gate = new Gate(1, 1);
  const held = heldTask([], 'first');
  const stop = new AbortController();
  const first = gate.pass(held.task);
  const waiting = gate.pass(async () => 'never', { signal: stop.signal });
  await expect(gate.pass(async () => 'refused')).rejects.toMatchObject({ kind: 'busy', code: 21351 });
  stop.abort();
  await expect(waiting).rejects.toMatchObject({ details: 'The prediction was cancelled.' });
  const later = gate.pass(async () => 'later');
  held.end();
  expect(await Promise.all([first, later])).toEqual(['first', 'later']);
});
