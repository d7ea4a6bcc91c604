import { createInterface } from 'node:readline/promises';
import { type Api, type Json, openApi } from './api.ts';
import { type Call, type Command, textOption } from './command.ts';
import { findConnection, readContexts, tokenIn, writeContexts } from './connection.ts';
import { CliFault, exitCode, usageFault } from './faults.ts';
import { table } from './output.ts';
import { appOf } from './transfers.ts';

export const statusCommand: Command = {
  name: 'status',
  usage: 'status',
  summary: 'whether the server is there, and who you are to it',
  async run(call) {
    const connection = findConnection(call);
    const api = openApi(connection);
    const ready = await api.raw('GET', '/readyz');
    await ready.body?.cancel();
    const { user } = await api.json('GET', '/v2/users/me');
    call.out.result({ url: connection.url, from: connection.from, ready: ready.ok, user: user.id }, [
      `server  ${connection.url} (${connection.from})`,
      `state   ${ready.ok ? 'ready' : 'not ready'}`,
      `user    ${user.id}`,
    ]);
    return ready.ok ? undefined : exitCode.unreachable;
  },
};

export const whoamiCommand: Command = {
  name: 'whoami',
  usage: 'whoami',
  summary: 'the user that the token belongs to',
  async run(call) {
    const { user } = await openApi(findConnection(call)).json('GET', '/v2/users/me');
    call.out.result({ user: user.id }, [user.id]);
    return undefined;
  },
};

const perPage = 100;

const listCommand = (
  what: 'apps' | 'datasets' | 'inputs' | 'models',
  summary: string,
  header: readonly string[],
  cells: (one: Json) => readonly string[],
): Command => ({
  name: `${what} list`,
  usage: `${what} list${what === 'apps' ? '' : ' --app APP'} [--limit N]`,
  summary,
  options: { ...(what === 'apps' ? {} : { app: { type: 'string' as const } }), limit: { type: 'string' } },
  help: {
    ...(what === 'apps' ? {} : { app: 'id of the app (FOVEA_APP)' }),
    limit: 'how many at most; 100 by default',
  },
  async run(call) {
    const limit = Number(textOption(call, 'limit') ?? perPage);
    if (!Number.isInteger(limit) || limit < 1) throw usageFault('--limit is a whole number from 1 on.');
    const api = openApi(findConnection(call));
    const user = `/v2/users/${encodeURIComponent(textOption(call, 'user') ?? 'me')}`;
    const path = what === 'apps' ? `${user}/apps` : `${user}/apps/${encodeURIComponent(appOf(call))}/${what}`;
    const found = await pages(api, path, what, limit);
    call.out.result({ [what]: found }, found.length === 0 ? [`no ${what}`] : table(header, found.map(cells)));
    return undefined;
  },
});

async function pages(api: Api, path: string, what: string, limit: number): Promise<Json[]> {
  const found: Json[] = [];
  for (let page = 1; found.length < limit; page++) {
    const reply = await api.json('GET', `${path}?page=${page}&per_page=${perPage}`);
    const some: Json[] = reply[what] ?? [];
    found.push(...some);
    if (some.length < perPage) break;
  }
  return found.slice(0, limit);
}

const day = (text: string | undefined): string => (text ?? '').slice(0, 19).replace('T', ' ');

export const listCommands: readonly Command[] = [
  listCommand('apps', 'your apps', ['ID', 'CREATED', 'DESCRIPTION'], (one) => [
    one.id,
    day(one.created_at),
    one.description ?? '',
  ]),
  listCommand('datasets', 'datasets of an app', ['ID', 'CREATED', 'DESCRIPTION'], (one) => [
    one.id,
    day(one.created_at),
    one.description ?? '',
  ]),
  listCommand('models', 'models of an app', ['ID', 'TYPE', 'STATUS'], (one) => [
    one.id,
    one.model_type_id,
    one.model_version?.status?.description ?? '',
  ]),
  listCommand('inputs', 'inputs of an app, newest first', ['ID', 'CREATED', 'STATUS'], (one) => [
    one.id,
    day(one.created_at),
    one.status?.description ?? '',
  ]),
];

export const loginCommand: Command = {
  name: 'login',
  usage: 'login [URL] [--name NAME]',
  summary: 'keep an address and a token under a name',
  options: { name: { type: 'string' } },
  help: { name: '`default` by default' },
  examples: [
    'fovea login http://127.0.0.1:8080',
    'fovea login https://vision.example --name work < token.txt',
  ],
  async run(call) {
    const url = call.words[0] ?? textOption(call, 'url') ?? 'http://127.0.0.1:8080';
    if (!/^https?:\/\//.test(url) || !URL.canParse(url))
      throw usageFault(`'${url}' is no address such as http://127.0.0.1:8080.`);
    const pat = textOption(call, 'pat') ?? tokenIn(process.env) ?? (await askToken(url));
    const { user } = await openApi({ url: url.replace(/\/+$/, ''), pat, from: '' }).json(
      'GET',
      '/v2/users/me',
    );
    const name = textOption(call, 'name') ?? 'default';
    const kept = readContexts();
    writeContexts({
      current: name,
      contexts: { ...kept.contexts, [name]: { url: url.replace(/\/+$/, ''), pat } },
    });
    call.out.result({ context: name, url, user: user.id }, [
      `Signed in to ${url} as ${user.id}; kept as '${name}'.`,
    ]);
    return undefined;
  },
};

/** From a pipe, or typed without being shown. */
async function askToken(url: string): Promise<string> {
  if (!process.stdin.isTTY) {
    let text = '';
    for await (const part of process.stdin) text += part;
    if (text.trim() !== '') return text.trim();
    throw new CliFault('No token came: pipe it in, pass --pat, or set FOVEA_PAT.', exitCode.usage);
  }
  process.stderr.write(`Token for ${url}: `);
  const silent = new (await import('node:stream')).Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  const token = (await lines.question('')).trim();
  lines.close();
  process.stderr.write('\n');
  if (token === '') throw usageFault('No token was typed.');
  return token;
}

const contextCommand = (name: string, summary: string, run: (call: Call) => number | undefined): Command => ({
  name: `context ${name}`,
  usage: `context ${name}${name === 'list' ? '' : ' NAME'}`,
  summary,
  run: async (call) => run(call),
});

function named(call: Call): string {
  const name = call.words[0];
  const { contexts } = readContexts();
  if (name && Object.hasOwn(contexts, name)) return name;
  throw new CliFault(
    `There is no login called '${name ?? ''}'; see \`fovea context list\`.`,
    exitCode.missing,
  );
}

export const contextCommands: readonly Command[] = [
  contextCommand('list', 'the logins that are kept', ({ out }) => {
    const { current, contexts } = readContexts();
    const rows = Object.entries(contexts).map(([name, { url }]) => [name === current ? '*' : '', name, url]);
    const shown = Object.entries(contexts).map(([name, { url }]) => ({
      name,
      url,
      current: name === current,
    }));
    out.result({ contexts: shown }, rows.length === 0 ? ['no logins'] : table(['', 'NAME', 'URL'], rows));
    return undefined;
  }),
  contextCommand('use', 'take this login from now on', (call) => {
    const name = named(call);
    writeContexts({ ...readContexts(), current: name });
    call.out.result({ current: name }, [`Now '${name}'.`]);
    return undefined;
  }),
  contextCommand('delete', 'forget a login', (call) => {
    const name = named(call);
    const { current, contexts } = readContexts();
    const { [name]: _gone, ...rest } = contexts;
    writeContexts({ current: current === name ? '' : current, contexts: rest });
    call.out.result({ deleted: name }, [`Forgot '${name}'.`]);
    return undefined;
  }),
];
