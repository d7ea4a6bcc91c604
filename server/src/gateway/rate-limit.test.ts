import { expect, test } from 'vitest';
import type { Caller } from '#domain/grant.ts';
import { openRateLimiter } from './rate-limit.ts';

const caller = (credentialKey: number) => ({ credential: 'pat', credentialKey }) as Caller;

test('a credential gets its share at once and then as time goes by; others are not touched', () => {
  let now = 0;
  const limiter = openRateLimiter({ requests: 3, windowMs: 1000 }, () => now);
  for (let i = 0; i < 3; i++) limiter.take(caller(1));
  expect(() => limiter.take(caller(1))).toThrow('3 requests per second');
  limiter.take(caller(2));
  now = 334;
  limiter.take(caller(1));
  expect(() => limiter.take(caller(1))).toThrow('3 requests per second');
});
