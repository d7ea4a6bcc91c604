import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './paths.mjs';
import { run } from './run.mjs';
import { contentDigestOf, readStamp, writeStamp } from './stamp.mjs';
import { step } from './steps.mjs';

const stampPath = join(root, 'node_modules', '.fovea-installed');
const lockPath = join(root, 'package-lock.json');

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

const manifestPaths = () =>
  readJson(join(root, 'package.json')).workspaces.map((folder) => `${folder}/package.json`);

function wantedStamp() {
  const manifests = manifestPaths();
  return contentDigestOf(
    ['package-lock.json', 'package.json', '.npmrc', ...manifests],
    `${process.platform} ${process.arch} ${process.versions.modules}`,
  );
}

/** Whether the packages that our manifests name are there: a cheap look, for what was deleted by hand. */
const directPackagesExist = () =>
  ['package.json', ...manifestPaths()].every((path) =>
    Object.keys(readJson(join(root, path)).dependencies ?? {}).every(
      (name) =>
        existsSync(join(root, 'node_modules', name)) ||
        existsSync(join(root, path, '..', 'node_modules', name)),
    ),
  );

/** Whether what npm last laid down is what the lock file asks for (optional packages aside). */
function matchesLock(dev) {
  const hidden = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(hidden) || !existsSync(lockPath)) return false;
  const have = readJson(hidden).packages;
  return Object.entries(readJson(lockPath).packages).every(([path, wanted]) => {
    if (!path.includes('node_modules/')) return true;
    if (wanted.optional || wanted.devOptional || (wanted.dev && !dev)) return true;
    return have[path]?.version === wanted.version && existsSync(join(root, path));
  });
}

function npm(args) {
  const env = { ...process.env, npm_config_update_notifier: 'false' };
  const own = process.env.npm_execpath;
  if (own?.endsWith('.js')) return run(process.execPath, [own, ...args], { env });
  return run('npm', args, { env, shell: process.platform === 'win32' });
}

/**
 * Installs what is missing from the package registry; does nothing when all is there.
 *
 * Development packages that are already there are kept up to date and never taken away.
 *
 * @param {{ dev: boolean }} options `dev`: the tools for tests and lint are needed too
 */
export async function ensureInstalled({ dev }) {
  const stamp = wantedStamp();
  const found = readStamp(stampPath);
  const full = `${stamp} dev`;
  if ((found === full || (!dev && found === stamp)) && directPackagesExist()) return;

  const withDev = dev || existsSync(join(root, 'node_modules', 'vitest'));
  if (!matchesLock(withDev)) {
    await step('installing packages', () => install(withDev));
  }
  writeStamp(stampPath, withDev ? full : stamp);
}

async function install(withDev) {
  const scope = withDev ? [] : ['--omit=dev'];
  // No install script is needed (docs/decisions/0001-pins.md), and one of them would fetch GPU libraries.
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // The lock file names the optional binaries of Linux only (docs/decisions/0001-pins.md); every version is
  // pinned exactly in the manifests, so other systems resolve the same packages without it.
  const tries =
    existsSync(lockPath) && process.platform === 'linux'
      ? [['ci'], ['install', '--no-save']]
      : [['install', '--no-package-lock']];
  let last = { code: 1, output: '' };
  for (const words of tries) {
    last = await npm([...words, ...scope, ...quiet]);
    if (last.code === 0) return;
  }
  throw new Error(`npm could not install the packages:\n${last.output.trim()}`);
}
