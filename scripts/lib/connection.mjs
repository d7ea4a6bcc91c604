import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { root } from './paths.mjs';

/**
 * Where the running server is and with which token: from the arguments, the environment, or the file that the
 * server keeps in its data folder while it runs.
 *
 * @param {{ url?: string, pat?: string }} given
 * @returns {{ url: string, token: string }}
 * @throws Error in one line, saying what to do
 */
export function findConnection({ url, pat }, env = process.env) {
  const file = join(resolve(root, env.FOVEA_DATA || 'data'), 'connection.json');
  const kept = readConnection(file);
  const token = pat || env.FOVEA_PAT || kept.pat;
  const address = url || env.FOVEA_PUBLIC_URL || kept.url || 'http://127.0.0.1:8080';
  if (!URL.canParse(address)) throw new Error(`"${address}" is not a URL such as http://127.0.0.1:8080`);
  if (!token) {
    throw new Error(
      `no server is running on ${file.replace(/connection\.json$/, '')} and no token is given: run npm start in another terminal, or pass --url and --pat`,
    );
  }
  return { url: address, token };
}

function readConnection(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}
