import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeConnection, writeConnection } from '#connection-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-connection-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const file = () => join(folder, 'connection.json');

test('the file says where the server is, to its owner only, and follows a new start', async () => {
  await writeConnection(folder, { url: 'http://127.0.0.1:1', userId: 'alice', pat: 'first' });
  await writeConnection(folder, { url: 'http://127.0.0.1:2', userId: 'alice', pat: 'second' });
  expect(JSON.parse(await readFile(file(), 'utf8'))).toEqual({
    url: 'http://127.0.0.1:2',
    user_id: 'alice',
    pat: 'second',
  });
  expect((await stat(file())).mode & 0o777).toBe(0o600);
});

test('a token that is not told is not there, and a stopped server leaves no file', async () => {
  await writeConnection(folder, { url: 'http://127.0.0.1:3', userId: 'alice' });
  expect(JSON.parse(await readFile(file(), 'utf8'))).not.toHaveProperty('pat');
  await removeConnection(folder);
  await removeConnection(folder);
  await expect(stat(file())).rejects.toThrow('ENOENT');
});
