import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

const refusal = (waiting: number) => new Error(`${waiting} wait`);

/** Work that ends when told. */
function held() {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { work: () => ended, end };
}

test('a party has so many turns, the others have theirs, and who waits comes in order', async () => {
  const turns = new Turns<string>(2, 2);
  const began: string[] = [];
  const ask = (key: string, name: string) => {
    const one = held();
    const done = turns.take(
      key,
      () => {
        began.push(name);
        return one.work();
      },
      refusal,
    );
    return { ...one, done };
  };
  const [a1, a2, a3, a4] = ['a1', 'a2', 'a3', 'a4'].map((name) => ask('a', name));
  const b1 = ask('b', 'b1');
  await Promise.resolve();
  expect(began).toEqual(['a1', 'a2', 'b1']);
  await expect(ask('a', 'a5').done).rejects.toThrow('2 wait');
  a2?.end();
  await a2?.done;
  expect(began).toEqual(['a1', 'a2', 'b1', 'a3']);
  for (const one of [a1, a3, a4, b1]) one?.end();
  await Promise.all([a1?.done, a3?.done, a4?.done, b1.done]);
  expect(began).toEqual(['a1', 'a2', 'b1', 'a3', 'a4']);
});

test('work that fails gives its turn back', async () => {
  const turns = new Turns<string>(1, 0);
  const failing = turns.take('a', () => Promise.reject(new Error('no')), refusal);
  await expect(failing).rejects.toThrow('no');
  expect(await turns.take('a', async () => 'yes', refusal)).toBe('yes');
});
