import { afterEach, expect, test } from 'vitest';
import { AskedThreads } from './asked-threads.ts';

const here = new URL('./testdata/x.ts', import.meta.url).href;
const open = (threadsMax = 1) =>
  new AskedThreads<unknown, number>({
    entry: 'hanging-thread',
    here,
    label: 'the doubler',
    threadsMax,
    msMax: 1500,
  });
let threads: AskedThreads<unknown, number>;
afterEach(() => threads.close());

test('a question that hangs fails at its deadline, and those behind it are answered by a new thread', async () => {
  threads = open();
  const hung = threads.ask('hang');
  const behind = [threads.ask(1), threads.ask(2)];
  await expect(hung).rejects.toMatchObject({ code: 21313, details: expect.stringContaining('the doubler') });
  expect(await Promise.all(behind)).toEqual([2, 4]);
});

test('a thread that dies, or says no, fails only its own question', async () => {
  threads = open(2);
  const settled = await Promise.allSettled([
    threads.ask(1),
    threads.ask('die'),
    threads.ask('what?'),
    threads.ask(4),
  ]);
  expect(settled.map((one) => (one.status === 'fulfilled' ? one.value : one.reason.code))).toEqual([
    2, 21313, 21313, 8,
  ]);
});

test('a caller who leaves takes a waiting question along; after closing nothing is taken', async () => {
  threads = open();
  const hung = threads.ask('hang');
  const leave = new AbortController();
  const left = threads.ask(7, leave.signal);
  leave.abort();
  await expect(left).rejects.toMatchObject({ details: 'The prediction was cancelled.' });
  const refused = expect(hung).rejects.toMatchObject({ kind: 'unavailable' });
  await threads.close();
  await refused;
  await expect(threads.ask(1)).rejects.toMatchObject({ kind: 'unavailable' });
});
