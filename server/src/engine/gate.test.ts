import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
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

test('who would wait too long is turned away at once; background work and what was let in before are not', async () => {
  const gate = new Gate(1, 1_000, 200);
  for (let n = 0; n < 40; n++) await gate.pass(() => sleep(10));
  const held = heldTask([], 'first');
  const first = gate.pass(held.task);
  const waiting: Promise<unknown>[] = [];
  const refused = async () => {
    for (let n = 0; n < 100; n++) {
      const one = gate.pass(async () => n);
      const settled = await Promise.race([one.then(undefined, (fault) => fault), nextTurn('waits')]);
      if (settled !== 'waits') return settled;
      waiting.push(one);
    }
    return undefined;
  };
  expect(await refused()).toMatchObject({ kind: 'busy', code: 21351 });
  expect(waiting.length).toBeGreaterThan(5);
  expect(waiting.length).toBeLessThan(40);
  waiting.push(gate.pass(async () => 'later', { background: true }));
  waiting.push(gate.pass(async () => 'the rest of a request', { isAdmitted: true }));
  held.end();
  await Promise.all([first, ...waiting]);
  expect(await gate.pass(async () => 'welcome')).toBe('welcome');
});

test('a crowd that waits for one thing does not keep others from another', async () => {
  const gate = new Gate(2, 1_000);
  const began: string[] = [];
  const crowd = Array.from({ length: 10 }, (_, n) => heldTask(began, `slow ${n}`));
  const slow = crowd.map(({ task }) => gate.pass(task, { key: 'slow' }));
  const quick = ['quick 0', 'quick 1'].map((name) => heldTask(began, name));
  const answered = quick.map(({ task }) => gate.pass(task, { key: 'quick' }));
  await nextTurn();
  expect(began).toEqual(['slow 0', 'slow 1', 'quick 0']);
  quick[0]?.end();
  await nextTurn();
  expect(began.slice(3)).toEqual(['quick 1']);
  for (const { end } of [...quick, ...crowd]) end();
  await Promise.all([...slow, ...answered]);
  expect(began).toHaveLength(12);
});
