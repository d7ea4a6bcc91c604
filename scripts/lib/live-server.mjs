import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { root } from './paths.mjs';

/** A TCP port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * The built server as a process of its own, for scripts that stop and kill it.
 *
 * @param {{ port: number, dataDir: string, token: string, env?: NodeJS.ProcessEnv, main?: string }} settings
 * `main` names another build than the project's own.
 */
export function liveServer({
  port,
  dataDir,
  token,
  env = {},
  main = join(root, 'server', 'dist', 'main.js'),
}) {
  const url = `http://127.0.0.1:${port}`;
  let child;
  let said = '';
  let ended = Promise.resolve();

  const start = () => {
    said = '';
    child = spawn(process.execPath, ['--enable-source-maps', main], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        FOVEA_HOST: '127.0.0.1',
        FOVEA_PORT: String(port),
        FOVEA_DATA: dataDir,
        FOVEA_PAT: token,
        FOVEA_LOG_LEVEL: 'warn',
        ...env,
      },
    });
    const keep = (part) => {
      said = (said + part).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const own = child;
    ended = new Promise((resolve) => own.once('close', resolve));
  };

  /** Whether the process is there. */
  const isAlive = () => child !== undefined && child.exitCode === null && child.signalCode === null;

  /** Waits until `/readyz` says yes; starts the server anew where it has ended. */
  const ready = async (patienceMs = 60_000) => {
    for (const began = Date.now(); Date.now() - began < patienceMs; await sleep(50)) {
      if (!isAlive()) start();
      const reply = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) }).catch(
        () => undefined,
      );
      if (reply?.ok) return;
    }
    throw new Error(`the server is not ready after ${patienceMs / 1000} s; it said:\n${said}`);
  };

  return {
    url,
    isAlive,
    ready,
    words: () => said,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
    stop: async () => {
      if (!isAlive()) return;
      child.kill('SIGTERM');
      await ended;
    },
  };
}
