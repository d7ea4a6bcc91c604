import { expect, test } from 'vitest';
import { isDatabaseAway } from './database-away.ts';

test.each<[object, boolean]>([
  [{ code: '57P01' }, true],
  [{ code: '57P03' }, true],
  [{ code: '08006' }, true],
  [{ code: '53300' }, true],
  [
    { code: '58030', message: 'could not fdatasync file "000000010000000000000001": Input/output error' },
    true,
  ],
  [{ code: 'ECONNREFUSED' }, true],
  [{ code: 'ENOENT', syscall: 'connect' }, true],
  [new Error('Connection terminated unexpectedly'), true],
  [{ code: 'ENOENT', syscall: 'open' }, false],
  [{ code: '23505' }, false],
  [{ code: '57014' }, false],
  [{ code: '53100' }, false],
  [{ code: 'EIO', syscall: 'fsync' }, false],
  [new Error('unexpected'), false],
])('%j: %s', (thrown, isAway) => {
  expect(isDatabaseAway(thrown)).toBe(isAway);
});
