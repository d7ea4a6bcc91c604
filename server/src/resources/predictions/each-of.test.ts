import { expect, test } from 'vitest';
import { eachOf } from './each-of.ts';

test('results come in the order of the items, and no more run at a time than allowed', async () => {
  let [running, most] = [0, 0];
  const results = await eachOf([30, 10, 20, 0], 2, async (ms, at) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, ms));
    running -= 1;
    return `${at}:${ms}`;
  });
  expect(results).toEqual(['0:30', '1:10', '2:20', '3:0']);
  expect(most).toBe(2);
});

test('after one that throws, no other is begun', async () => {
  const begun: number[] = [];
  const work = async (item: number) => {
    begun.push(item);
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (item === 1) throw new Error('one is enough');
  };
  await expect(eachOf([0, 1, 2, 3, 4, 5], 2, work)).rejects.toThrow('one is enough');
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(begun).toEqual([0, 1, 2]);
});
