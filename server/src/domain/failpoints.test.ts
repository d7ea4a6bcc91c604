import { afterEach, expect, test, vi } from 'vitest';
import { armFailpoints, isArmed, isFailpoint, mayDie } from './failpoints.ts';

afterEach(() => {
  armFailpoints([]);
  vi.restoreAllMocks();
});

test.each([
  ['skip-scope-check', true],
  ['commit-done', true],
  ['commit-done@12', true],
  ['commit-done@0', false],
  ['commit-done@', false],
  ['commit-done@1@2', false],
  ['skip-scope-check@2', false],
  ['nowhere', false],
])('%s can be armed: %s', (word, can) => {
  expect(isFailpoint(word)).toBe(can);
});

test('the process dies at the passage asked for, and at no other place', () => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  armFailpoints(['commit-done@2']);
  mayDie('commit-due');
  mayDie('commit-done');
  expect(kill).not.toHaveBeenCalled();
  mayDie('commit-done');
  expect(kill).toHaveBeenCalledExactlyOnceWith(process.pid, 'SIGKILL');
});

test('nothing is armed unless the configuration says so', () => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  mayDie('commit-done');
  expect(kill).not.toHaveBeenCalled();
  expect(isArmed('finish-without-fence')).toBe(false);
});
