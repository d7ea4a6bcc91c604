import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tarOf, uploadIdOf } from './parts.ts';

test.each([0, 1, 512, 70_000])('tar reads back a file of %d bytes', async (size) => {
  const bytes = Buffer.alloc(size, 'abc');
  const folder = mkdtempSync(join(tmpdir(), 'fovea-tar-'));
  try {
    writeFileSync(
      join(folder, 'a.tar'),
      Buffer.from(await tarOf('clip.mp4', new Blob([bytes])).arrayBuffer()),
    );
    const done = spawnSync('tar', ['-xf', 'a.tar'], { cwd: folder, encoding: 'utf8' });
    expect(done.stderr).toBe('');
    expect(readFileSync(join(folder, 'clip.mp4')).equals(bytes)).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('an upload is named by its file: the same one goes on, a changed one begins anew', () => {
  const file = (name: string, lastModified: number) => new File(['x'], name, { lastModified });
  expect(uploadIdOf(file('a.mp4', 1))).toBe(uploadIdOf(file('a.mp4', 1)));
  expect(uploadIdOf(file('a.mp4', 1))).not.toBe(uploadIdOf(file('a.mp4', 2)));
  expect(uploadIdOf(file('ä b.mp4', 1))).toMatch(/^[\w-]+$/);
});
