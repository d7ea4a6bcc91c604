import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface TestServer {
  readonly url: string;
  readonly pat: string;
  readonly userId: string;
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** Everything the server printed so far. */
  output(): string;
  /** Stops it as SIGTERM does and waits; `keep` leaves the data folder for another start. */
  stop(options?: { keep?: boolean }): Promise<void>;
}

export const testPat = 'f0'.repeat(16);
const readyWithinMs = 120_000;
const built = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/**
 * Starts the real server, as built, as a process of its own on a free port with a data folder of its own.
 * `env` adds settings; `dataDir` starts again on a folder that an earlier server left.
 */
export async function startServer(
  options: { env?: NodeJS.ProcessEnv; dataDir?: string; main?: string } = {},
): Promise<TestServer> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'fovea-test-')));
  const child = spawn(process.execPath, [options.main ?? process.env.FOVEA_TEST_MAIN ?? built], {
    env: {
      ...process.env,
      FOVEA_PORT: '0',
      FOVEA_HOST: '127.0.0.1',
      FOVEA_DATA: dataDir,
      FOVEA_PAT: testPat,
      FOVEA_USER: 'admin',
      FOVEA_FETCH_ALLOW: '127.0.0.0/8',
      FOVEA_LOG_LEVEL: 'warn',
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`the server is not ready after ${readyWithinMs} ms:\n${output}`)),
      readyWithinMs,
    );
    const hear = (chunk: Buffer) => {
      output += chunk.toString();
      const found = /Web page\s+(https?:\/\/[^/\s]+)\//.exec(output)?.[1];
      if (!found) return;
      clearTimeout(late);
      resolve(found.replace('localhost', '127.0.0.1'));
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
  });
  return {
    url,
    pat: testPat,
    userId: 'admin',
    dataDir,
    process: child,
    output: () => output,
    async stop({ keep = false } = {}) {
      child.kill('SIGTERM');
      await ended;
      if (!keep) await rm(dataDir, { recursive: true, force: true });
    },
  };
}
