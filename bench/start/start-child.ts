import { spawn } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { accountFor } from '../../server/src/store/postgres/account.ts';
import { findBinaries } from '../../server/src/store/postgres/binaries.ts';

// What a first start cannot do without: a database folder, a database, and Node with the same packages.

const packages = [
  '@grpc/grpc-js',
  '@bufbuild/protobuf',
  'pg',
  'kysely',
  'sharp',
  'pino',
  'undici',
  'zod',
  'prom-client',
];

const exit = (child: ReturnType<typeof spawn>) =>
  new Promise<number | null>((resolve) => child.once('close', resolve));

async function parts(folder: string): Promise<{ seconds: number }> {
  const account = accountFor(folder);
  const [cluster, socket] = [join(folder, 'cluster'), mkdtempSync(join(tmpdir(), 'fovea-bench-socket-'))];
  mkdirSync(cluster, { mode: 0o700 });
  for (const path of [cluster, socket]) if (account.borrowed) chownSync(path, account.uid, account.gid);
  const { folder: programs } = findBinaries(account, undefined, [join(socket, 'programs')]);
  const identity = account.borrowed ? { uid: account.uid, gid: account.gid } : {};
  // By this name the account needs no rights on the folders above.
  const options = { ...identity, cwd: cluster, stdio: 'ignore' as const };
  const began = performance.now();
  const made = spawn(
    join(programs, 'initdb'),
    [
      '-D',
      '/proc/self/cwd',
      '-U',
      'fovea',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '-k',
      '--locale=C',
      '--no-instructions',
    ],
    options,
  );
  if ((await exit(made)) !== 0) throw new Error('initdb failed');
  const database = spawn(
    join(programs, 'postgres'),
    ['-D', '/proc/self/cwd', '-k', socket, '-h', ''],
    options,
  );
  await answers(socket);
  const imports = packages.map((name) => `import('${name}')`).join(', ');
  const node = spawn(process.execPath, ['--input-type=module', '-e', `await Promise.all([${imports}])`], {
    stdio: 'inherit',
  });
  if ((await exit(node)) !== 0) throw new Error('Node failed');
  const seconds = (performance.now() - began) / 1000;
  database.kill('SIGINT');
  await exit(database);
  rmSync(socket, { recursive: true, force: true });
  return { seconds };
}

async function answers(socket: string): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    const client = new pg.Client({ host: socket, user: 'fovea', database: 'postgres' });
    try {
      await client.connect();
      await client.query('select 1');
      return await client.end();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  throw new Error('PostgreSQL does not answer');
}

process.on('message', ({ folder }: { folder: string }) => {
  parts(folder).then(
    (found) => process.send?.(found),
    (error) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
