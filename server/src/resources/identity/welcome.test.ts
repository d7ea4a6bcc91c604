import { expect, test } from 'vitest';
import { openWelcome } from './welcome.ts';

test('the code of a start works once', () => {
  const welcome = openWelcome();
  expect(welcome.take('something else')).toBe(false);
  expect(welcome.take(welcome.code)).toBe(true);
  expect(welcome.take(welcome.code)).toBe(false);
});

test('the code of a start works for an hour', () => {
  let nowMs = 0;
  const welcome = openWelcome(() => nowMs);
  nowMs = 60 * 60 * 1000;
  expect(welcome.take(welcome.code)).toBe(false);
});

test('two starts have two codes', () => {
  expect(openWelcome().take(openWelcome().code)).toBe(false);
});
