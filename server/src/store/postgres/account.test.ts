import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { socketFolderFor } from './account.ts';

const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, borrowed: false };
const stranger = { uid: 65_533, gid: 65_533, borrowed: true };

let folder = '';
beforeEach(() => {
  // Mode 0700, as the data folders below it are reached through it.
  folder = mkdtempSync(join(tmpdir(), 'fovea-account-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const homeIn = (...names: string[]) => {
  const home = join(folder, ...names);
  mkdirSync(home, { recursive: true });
  return home;
};

test('the socket lies in the data folder where the account can walk to it', () => {
  const home = homeIn('data');
  expect(socketFolderFor(own, home)).toBe(join(home, 'socket'));
});

test('a path too long for a socket sends it to the temp folder', () => {
  expect(dirname(socketFolderFor(own, homeIn('a'.repeat(90))))).toBe(tmpdir());
});

test('a borrowed account that cannot walk to the data folder gets it in the temp folder', () => {
  expect(dirname(socketFolderFor(stranger, homeIn('data')))).toBe(tmpdir());
});

test('a temp folder that only its owner may enter is of no use to a borrowed account', () => {
  vi.stubEnv('TMPDIR', homeIn('temp'));
  expect(dirname(socketFolderFor(stranger, homeIn('data')))).toBe('/tmp');
});
