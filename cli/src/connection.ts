import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type Call, textOption } from './command.ts';
import { CliFault, exitCode } from './faults.ts';

export interface Connection {
  readonly url: string;
  readonly pat: string;
  /** Which of the places the address came from. */
  readonly from: string;
}

export interface Contexts {
  readonly current: string;
  readonly contexts: Readonly<Record<string, { readonly url: string; readonly pat: string }>>;
}

const contextsPath = (env: NodeJS.ProcessEnv): string =>
  join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'fovea', 'contexts.json');

export function readContexts(env = process.env): Contexts {
  const kept = readJson(contextsPath(env)) as Partial<Contexts> | undefined;
  return { current: kept?.current ?? '', contexts: kept?.contexts ?? {} };
}

/** Readable by its owner only, since tokens are in it; written whole or not at all. */
export function writeContexts(contexts: Contexts, env = process.env): void {
  const path = contextsPath(env);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(contexts, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, path);
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Options, then the environment, then a kept login, then a server that runs on this machine. @throws CliFault */
export function findConnection(call: Call, env = process.env): Connection {
  const asked = textOption(call, 'context') ?? env.FOVEA_CONTEXT;
  const { current, contexts } = readContexts(env);
  if (asked && !contexts[asked]) {
    throw new CliFault(`There is no login called '${asked}'; see \`fovea context list\`.`, exitCode.usage);
  }
  const name = asked || current;
  const kept = contexts[name];
  const running = readJson(join(resolve(call.root, env.FOVEA_DATA || 'data'), 'connection.json')) as
    | { url?: string; pat?: string }
    | undefined;
  const places: [string, string | undefined, string | undefined][] = [
    ['--url', textOption(call, 'url'), undefined],
    ['the environment', env.FOVEA_URL || env.FOVEA_PUBLIC_URL || env.CLARIFAI_API_BASE, undefined],
    [`the login '${name}'`, kept?.url, kept?.pat],
    ['the server running here', running?.url, running?.pat],
  ];
  const place = places.find(([, url]) => url);
  if (!place) {
    throw new CliFault(
      'No server is known: start one with `npm start`, or name one with --url, FOVEA_URL or `fovea login URL`.',
      exitCode.unreachable,
    );
  }
  const [from, url = '', ownPat] = place;
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new CliFault(
      `'${url}' (from ${from}) is no address such as http://127.0.0.1:8080.`,
      exitCode.usage,
    );
  }
  // A token goes only to the server it belongs to.
  const pat =
    textOption(call, 'pat') || tokenIn(env) || ownPat || (running?.url === url ? running.pat : undefined);
  if (!pat)
    throw new CliFault(
      `No token for ${url}: pass --pat, set FOVEA_PAT, or use \`fovea login\`.`,
      exitCode.denied,
    );
  return { url: url.replace(/\/+$/, ''), pat, from };
}

export function tokenIn(env: NodeJS.ProcessEnv): string | undefined {
  if (env.FOVEA_PAT) return env.FOVEA_PAT;
  if (env.FOVEA_PAT_FILE) {
    try {
      return readFileSync(env.FOVEA_PAT_FILE, 'utf8').trim();
    } catch {
      throw new CliFault(`FOVEA_PAT_FILE names ${env.FOVEA_PAT_FILE}, which cannot be read.`, exitCode.usage);
    }
  }
  return env.CLARIFAI_PAT;
}
