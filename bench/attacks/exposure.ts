import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { methodRules, ruleOf } from '@fovea/contract';
import type { Arena, Ground } from './arena.ts';
import { type Attack, ledger, type Outcome } from './attack.ts';
import { keyHeader, say } from './cast.ts';
import { filesOf } from './files.ts';
import { trouble } from './fuzz.ts';
import { isText, leavesOf, namingRequest, pathWords, withLeaf } from './shapes.ts';
import { templateFor } from './templates.ts';
import type { Answer, Json } from './wire.ts';

/** Words that would begin a new line, a new header or a new colour where they are written down as they are. */
const breakingNames = [
  'a\r\n{"level":60,"msg":"zqforged"}',
  'a\n{"level":60,"msg":"zqforged"}\n',
  'a\u2028{"level":60,"msg":"zqforged"}',
  'a\r\nSet-Cookie: zqforged=1\r\n\r\nzqforged',
  '\u001b[2J\u001b[31mzqforged',
  '\u0085zqforged',
  '","level":60,"msg":"zqforged',
  '%0d%0aSet-Cookie:%20zqforged=1',
];

/** Looks for lines of a log that somebody else wrote. */
function forgedLines(said: string): string[] {
  const forged: string[] = [];
  for (const line of said.split('\n')) {
    if (line.includes('\u001b') && line.includes('zqforged'))
      forged.push(`a control character: ${line.slice(0, 80)}`);
    if (!line.startsWith('{')) {
      if (line.includes('zqforged')) forged.push(`a line of its own: ${line.slice(0, 80)}`);
      continue;
    }
    try {
      if ((JSON.parse(line) as Json).msg === 'zqforged') forged.push(`a forged event: ${line.slice(0, 80)}`);
    } catch {
      forged.push(`a broken line: ${line.slice(0, 80)}`);
    }
  }
  return forged;
}

const s37: Attack = {
  id: 'S37',
  name: 'names that would write lines of the log, or headers of replies',
  run: (arena) =>
    arena.other({ FOVEA_LOG_LEVEL: 'trace' }, async ({ wire, cast, server }) => {
      const book = ledger();
      const { attacker } = cast;
      const headers = keyHeader(attacker.pat);
      const user_app_id = attacker.userAppId;
      const judge = (what: string, answer: Answer) => {
        book.count();
        const why = trouble(answer);
        if (why) book.through(`${what}: ${why}`);
        for (const [name, value] of Object.entries(answer.headers))
          if (/zqforged=1/.test(name) || (name === 'set-cookie' && /zqforged/.test(String(value))))
            book.through(`${what} wrote the header ${name}`);
      };
      for (const [n, words] of breakingNames.entries()) {
        for (const rpc of ['PostConcepts', 'PostDatasets', 'PostModels', 'PostWorkflows', 'PostApps']) {
          const base = templateFor(rpc, attacker.ids, 130_000 + book.tried);
          for (const leaf of leavesOf(ruleOf(rpc).desc.input, isText, 3).slice(0, 12))
            judge(
              `${rpc} ${pathWords(leaf)}`,
              await wire.call(ruleOf(rpc), withLeaf({ user_app_id, ...base }, leaf, words), headers),
            );
        }
        const id = `named-${n}`;
        const upload = { id, content_name: words, content_length: 4 };
        judge(
          'PostUploads',
          await wire.call(ruleOf('PostUploads'), { user_app_id, uploads: [upload] }, headers),
        );
        const content_parts = [{ part_number: 1, range_start: 0, data: 'QUFBQQ==' }];
        const put = await wire.call(
          ruleOf('PutUploadContentParts'),
          { user_app_id, upload_id: id, content_parts },
          headers,
        );
        judge('PutUploadContentParts', put);
        const url = (put.message as Json)?.upload?.contentUrl as string | undefined;
        if (url)
          judge(
            'the content of an upload',
            await wire.send({ verb: 'GET', path: new URL(url).pathname, headers }),
          );
        const raw = encodeURIComponent(words);
        for (const path of [
          `/v2/users/${raw}/apps/x/inputs`,
          `/${raw}`,
          `/v2/users/me/apps?query=${raw}`,
          `/media/${raw}`,
        ])
          judge(`GET ${path.slice(0, 40)}`, await wire.send({ verb: 'GET', path, headers }));
        const password = Buffer.from(JSON.stringify({ email: words, password: words }));
        judge('sign-in', await wire.send({ verb: 'POST', path: '/v2/login', headers: {}, body: password }));
        for (const name of ['user-agent', 'x-request-id', 'x-forwarded-for', 'referer'])
          judge(name, await wire.send({ verb: 'GET', path: '/v2/status_codes', headers: { [name]: raw } }));
      }
      await sleep(300);
      for (const line of forgedLines(server.output())) book.through(line);
      return book.outcome({ note: `${server.output().split('\n').length} lines of log` });
    }),
  async control() {
    const book = ledger();
    // What a log that writes names down as they are would hold.
    for (const words of breakingNames)
      for (const line of forgedLines(`{"level":30,"msg":"made ${words}"}`)) book.through(line);
    return book.outcome();
  },
};

/** Every secret that was issued, looked for wherever the server wrote something. */
async function secretsAt(ground: Ground): Promise<Outcome> {
  const book = ledger();
  const { cast, server, db, wire } = ground;
  const secrets = [...cast.secrets, server.pat, cast.victim.canary.replace('leak', 'none')];
  await db.query('checkpoint');
  const files = filesOf(server.dataDir, /\.sock|\.s\.PGSQL/);
  for (const path of files) {
    if (statSync(path).size > 2 ** 28) continue;
    let bytes: Buffer;
    try {
      bytes = readFileSync(path);
    } catch {
      continue;
    }
    // The first user's own token lies there for programs of the same owner; see connection-file.ts of the server.
    const isConnection = path.endsWith('/connection.json') && (statSync(path).mode & 0o077) === 0;
    for (const secret of secrets) {
      book.count();
      if (isConnection && secret === server.pat) continue;
      if (bytes.includes(secret))
        book.through(`${path.slice(server.dataDir.length)} holds a secret in the clear`);
    }
  }
  // The greeting of a first start shows the first user's token on purpose; the log proper is lines of JSON.
  const said = server
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .join('\n');
  const metrics = (await wire.send({ verb: 'GET', path: '/metrics', headers: {} })).text;
  const listed = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).stdout ?? '';
  for (const [where, text] of [
    ['the log', said],
    ['the metrics', metrics],
    ['the list of processes', listed],
  ] as const) {
    for (const secret of secrets) {
      book.count();
      if (text.includes(secret)) book.through(`${where} holds a secret`);
    }
  }
  return book.outcome({ note: `${files.length} files of the data folder, ${secrets.length} secrets` });
}

const s50: Attack = {
  id: 'S50',
  name: 'secrets in the database, files, log, metrics and process list',
  run: secretsAt,
  async control(arena) {
    // A secret said where it does not belong must be found: here as the name of a concept.
    const { wire, cast } = arena;
    await say(wire, keyHeader(cast.attacker.pat), 'PostConcepts', {
      user_app_id: cast.attacker.userAppId,
      concepts: [{ id: `told-${Date.now()}`, name: 'zqcontrolsecretzq' }],
    });
    await arena.db.query('checkpoint');
    return secretsAt({ ...arena, cast: { ...cast, secrets: ['zqcontrolsecretzq'] } });
  },
};

const s51: Attack = {
  id: 'S51',
  name: 'secrets in the log at its most talkative',
  async run(arena) {
    return arena.other({ FOVEA_LOG_LEVEL: 'trace' }, async (ground) => {
      const { wire, cast } = ground;
      for (const rule of methodRules) {
        await wire.call(rule, namingRequest(rule, cast.attacker.ids), keyHeader(cast.victim.pat));
        for (const binding of rule.bindings.slice(0, 1))
          await wire.rest(
            rule,
            binding,
            namingRequest(rule, cast.attacker.ids),
            keyHeader('zqwrongkeyzq'),
            `?key=${cast.victim.pat}`,
          );
      }
      await wire.send({
        verb: 'POST',
        path: '/v2/login',
        headers: {},
        body: Buffer.from(`{"password":"${cast.attacker.pat}"`),
      });
      await sleep(300);
      const outcome = await secretsAt({
        ...ground,
        cast: { ...cast, secrets: [...cast.secrets, 'zqwrongkeyzq'] },
      });
      return { ...outcome, note: `${ground.server.output().length.toLocaleString('en')} characters of log` };
    });
  },
};

const s53: Attack = {
  id: 'S53',
  name: 'more calls than the rate limit allows',
  async run(arena) {
    return arena.other({ FOVEA_RATE_LIMIT: '15/s' }, rateLimited, { cast: false });
  },
  control: (arena) => arena.other({}, rateLimited, { cast: false }),
};

async function rateLimited({ wire, server }: Ground): Promise<Outcome> {
  const book = ledger();
  const headers = keyHeader(server.pat);
  const count = async (forMs: number) => {
    const codes = new Map<number, number>();
    for (const until = Date.now() + forMs; Date.now() < until; ) {
      for (const answer of await Promise.all(
        Array.from({ length: 8 }, () => wire.call(ruleOf('ListApps'), {}, headers)),
      ))
        codes.set(answer.code, (codes.get(answer.code) ?? 0) + 1);
      book.count(8);
    }
    return codes;
  };
  await sleep(1_100);
  const codes = await count(4_000);
  const passed = codes.get(10000) ?? 0;
  // A burst of 15 and then 15 a second.
  const fair = 15 + 4 * 15;
  if (passed > fair * 1.1 + 2) book.through(`${passed} calls passed where ${fair} may`);
  if (passed < fair * 0.8) book.through(`only ${passed} calls passed where ${fair} may`);
  const refused = [...codes.keys()].filter((code) => code !== 10000 && code !== 11005);
  if (refused.length > 0) book.through(`refused with ${refused.join(', ')}`);
  return book.outcome({
    note: `${passed} of ${[...codes.values()].reduce((sum, n) => sum + n, 0)} passed in 4 s at 15/s`,
  });
}

const s55: Attack = {
  id: 'S55',
  name: 'a first start that leaves doors open',
  async run(arena) {
    const book = ledger();
    const check = (fine: boolean, words: string) => {
      book.count();
      if (!fine) book.through(words);
    };
    const tokens: string[] = [];
    const keys: string[] = [];
    for (let i = 0; i < 2; i++) {
      await arena.other(
        { FOVEA_PAT: '', FOVEA_HOST: '', FOVEA_USER: '' },
        async ({ server, wire }) => {
          tokens.push(/Token\s+(\S+)/.exec(server.output())?.[1] ?? '');
          keys.push(readFileSync(join(server.dataDir, 'master.key'), 'hex'));
          for (const [name, most] of [
            ['.', 0o755],
            ['master.key', 0o600],
            ['postgres/cluster', 0o700],
            ['objects', 0o755],
          ] as const) {
            const path = join(server.dataDir, name);
            if (existsSync(path))
              check(
                (statSync(path).mode & 0o777 & ~most) === 0,
                `${name} has the rights ${(statSync(path).mode & 0o777).toString(8)}`,
              );
          }
          const listening = spawnSync('ss', ['-ltnpH'], { encoding: 'utf8' }).stdout ?? '';
          const own = listening.split('\n').filter((line) => line.includes(`pid=${server.process.pid},`));
          if (listening !== '') {
            check(own.length === 1, `listens on ${own.length} ports`);
            check(
              own.every((line) => /127\.0\.0\.1:/.test(line)),
              `listens beyond this machine: ${own.join()}`,
            );
          }
          for (const [user, password] of [
            ['admin', 'admin'],
            ['admin', 'password'],
            ['admin', ''],
            ['', ''],
          ]) {
            const answer = await wire.send({
              verb: 'POST',
              path: '/v2/login',
              headers: {},
              body: Buffer.from(JSON.stringify({ email: user, password })),
            });
            check(answer.http !== 200, `signed in as ${user}/${password}`);
          }
          const self = await wire.send({
            verb: 'POST',
            path: '/v2/ext/fovea/users',
            headers: {},
            body: Buffer.from('{"id":"intruder"}'),
          });
          check(self.http === 401 || self.http === 403, `made a user without a key: HTTP ${self.http}`);
          for (const path of [
            '/debug',
            '/json/version',
            '/.env',
            '/.git/config',
            '/server-status',
            '/actuator',
            '/v2/ext/fovea/shutdown',
            '/console',
          ]) {
            const answer = await wire.send({ verb: 'GET', path, headers: {} });
            check(
              answer.http === 404 || /<!doctype html>/i.test(answer.text),
              `${path} answers ${answer.http}`,
            );
          }
        },
        { cast: false },
      );
    }
    check(
      tokens[0] !== tokens[1] && /^[0-9a-f]{32,}$/.test(tokens[0] ?? ''),
      'two installations have the same token, or none',
    );
    check(keys[0] !== keys[1] && keys[0]?.length === 64, 'two installations have the same master key');
    return book.outcome();
  },
};

/** Judges what was seen in all replies of this run; so it comes last. */
const s59: Attack = {
  id: 'S59',
  name: 'stack frames, files, SQL and database words in any reply of the run',
  async run(arena: Arena) {
    const through = new Map<string, string>();
    for (const { attack, rpc, what, words } of arena.sights)
      through.set(
        `${rpc} ${what}`,
        `${rpc} (during ${attack}): ${what}: ${words.replace(/[^ -~]+/g, ' ').slice(0, 120)}`,
      );
    const logged = arena.server
      .output()
      .split('\n')
      .filter((line) => /"level":(50|60)/.test(line));
    for (const line of logged.slice(0, 10)) through.set(line, `logged: ${line.slice(0, 220)}`);
    return {
      tried: arena.answers.count,
      through: [...through.values()],
      note: `${logged.length} errors in the log`,
    };
  },
};

export const exposureAttacks = [s37, s50, s51, s53, s55];
export const lastAttacks = [s59];
