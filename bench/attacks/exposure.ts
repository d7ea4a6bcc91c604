import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { methodRules, ruleOf } from '@fovea/contract';
import type { Arena, Ground } from './arena.ts';
import { type Attack, ledger, type Outcome } from './attack.ts';
import { keyHeader, say, settle } from './cast.ts';
import { filesOf } from './files.ts';
import { trouble } from './fuzz.ts';
import { namingRequest } from './shapes.ts';
import { templateFor } from './templates.ts';
import type { Headers, Json } from './wire.ts';

/** Difference of two means in units of its own error (Welch), the slowest tenth of each side left out. */
function welch(a: number[], b: number[]): number {
  const trimmed = (all: number[]) => [...all].sort((x, y) => x - y).slice(0, Math.floor(all.length * 0.9));
  const facts = (all: number[]) => {
    const kept = trimmed(all);
    const mean = kept.reduce((sum, x) => sum + x, 0) / kept.length;
    return {
      mean,
      error: kept.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (kept.length - 1) / kept.length,
    };
  };
  const [one, other] = [facts(a), facts(b)];
  return Math.abs(one.mean - other.mean) / Math.sqrt(one.error + other.error);
}

type Question = readonly [name: string, one: () => Promise<unknown>, other: () => Promise<unknown>];

async function timing(
  questions: readonly Question[],
  samples: number,
): Promise<{ t: number; name: string }[]> {
  const found: { t: number; name: string }[] = [];
  for (const [name, one, other] of questions) {
    const [a, b]: [number[], number[]] = [[], []];
    for (let i = 0; i < samples; i++) {
      // Which side goes first changes, so that whatever is warm favours neither.
      for (const [ask, times] of i % 2 === 0
        ? ([
            [one, a],
            [other, b],
          ] as const)
        : ([
            [other, b],
            [one, a],
          ] as const)) {
        const began = performance.now();
        await ask();
        times.push(performance.now() - began);
      }
    }
    found.push({ name, t: welch(a, b) });
  }
  return found;
}

const s7: Attack = {
  id: 'S7',
  name: 'response times that tell what exists',
  async run(arena) {
    const { wire, cast, full } = arena;
    const headers = keyHeader(cast.attacker.pat);
    const at =
      (rpc: string, json: Json, head: Headers = headers) =>
      () =>
        wire.call(ruleOf(rpc), json, head);
    const { victim } = cast;
    const gone = { user_id: victim.userId, app_id: `${victim.ids['app']?.slice(0, -1)}0` };
    const nobody = { user_id: `${victim.userId.slice(0, -1)}0`, app_id: victim.ids['app'] };
    const questions: Question[] = [
      [
        'app of another',
        at('ListInputs', { user_app_id: victim.userAppId }),
        at('ListInputs', { user_app_id: gone }),
      ],
      [
        'user',
        at('GetUser', { user_app_id: { user_id: victim.userId } }),
        at('GetUser', { user_app_id: { user_id: nobody.user_id } }),
      ],
      [
        'input of another',
        at('GetInput', { user_app_id: victim.userAppId, input_id: victim.ids['input'] }),
        at('GetInput', { user_app_id: gone, input_id: victim.ids['input'] }),
      ],
      [
        'concept of another',
        at('GetConcept', { user_app_id: victim.userAppId, concept_id: victim.ids['concept'] }),
        at('GetConcept', { user_app_id: victim.userAppId, concept_id: 'concept-00' }),
      ],
      [
        'key that begins right',
        at('ListApps', {}, keyHeader(`${victim.pat.slice(0, -2)}zz`)),
        at('ListApps', {}, keyHeader('q'.repeat(victim.pat.length))),
      ],
    ];
    const samples = full ? 20_000 : 600;
    const book = ledger();
    // One noisy round is no proof: what tells something tells it again.
    let suspects = await timing(questions, samples);
    const first = suspects;
    for (let again = 0; again < 2 && suspects.some(({ t }) => t >= 4.5); again++) {
      const names = new Set(suspects.filter(({ t }) => t >= 4.5).map(({ name }) => name));
      suspects = await timing(
        questions.filter(([name]) => names.has(name)),
        samples,
      );
    }
    book.count(questions.length * samples * 2);
    for (const { name, t } of suspects)
      if (t >= 4.5) book.through(`${name}: t = ${t.toFixed(1)}, three times over`);
    return book.outcome({ note: first.map(({ name, t }) => `${name} ${t.toFixed(1)}`).join(', ') });
  },
  async control(arena) {
    const { wire, cast } = arena;
    const headers = keyHeader(cast.attacker.pat);
    const list = (perPage: number) => () =>
      wire.call(ruleOf('ListInputs'), { user_app_id: cast.attacker.userAppId, per_page: perPage }, headers);
    const found = await timing([['one row or all', list(1), list(1000)]], 400);
    const book = ledger();
    for (const { t } of found) if (t >= 4.5) book.through(`t = ${t.toFixed(1)}`);
    return book.outcome();
  },
};

/** What somebody sees, with everything that changes by itself taken out. */
async function views({ wire, cast }: Ground, queries: number): Promise<string[]> {
  const headers = keyHeader(cast.attacker.pat);
  const user_app_id = cast.attacker.userAppId;
  const picture = templateFor('PostInputs', cast.attacker.ids, 0).inputs[0].data;
  const shapes: (readonly [string, Json])[] = [];
  for (const rule of methodRules.filter(
    (one) =>
      /^(List|Get)/.test(one.name) && one.kind === 'unary' && !/Key|User$|Status|MyScopes/.test(one.name),
  )) {
    shapes.push([rule.name, namingRequest(rule, cast.attacker.ids)]);
  }
  const texts = [
    'concept',
    'name',
    cast.victim.canary,
    cast.victim.canary.slice(0, 4),
    'c*',
    'spare',
    'zq*',
    'about',
  ];
  for (const text of texts) {
    shapes.push(
      ['ListConcepts', { query: text }],
      ['ListApps', { query: text }],
      ['ListApps', { search: text }],
      ['ListModels', { query: text }],
      ['ListWorkflows', { query: text }],
      ['ListDatasets', { search: text }],
    );
    shapes.push(
      ['PostConceptsSearches', { concept_query: { name: text } }],
      ['PostModelsSearches', { model_query: { name: text } }],
    );
    for (const rpc of ['PostInputsSearches', 'PostAnnotationsSearches']) {
      shapes.push([
        rpc,
        {
          searches: [
            { query: { filters: [{ annotation: { data: { concepts: [{ name: text, value: 1 }] } } }] } },
          ],
        },
      ]);
      shapes.push([
        rpc,
        { searches: [{ query: { filters: [{ annotation: { data: { metadata: { secret: text } } } }] } }] },
      ]);
      shapes.push([
        rpc,
        {
          searches: [
            { query: { ranks: [{ annotation: { data: { concepts: [{ name: text, value: 1 }] } } }] } },
          ],
        },
      ]);
      shapes.push([
        rpc,
        { searches: [{ query: { ranks: [{ annotation: { data: { text: { raw: text } } } }] } }] },
      ]);
    }
  }
  shapes.push([
    'PostInputsSearches',
    { searches: [{ query: { ranks: [{ annotation: { data: picture } }] } }] },
  ]);
  shapes.push([
    'PostInputsSearches',
    { searches: [{ query: { ranks: [{ annotation: { input_id: cast.victim.ids['input'] } }] } }] },
  ]);
  const seen: string[] = [];
  for (const [rpc, json] of shapes.slice(0, queries)) {
    const answer = await wire.call(ruleOf(rpc), { user_app_id, ...json }, headers);
    const text = JSON.stringify(answer.message ?? answer.code, (key, value) =>
      key === 'reqId' ? '' : typeof value === 'bigint' ? String(value) : value,
    );
    seen.push(`${rpc} ${JSON.stringify(json).slice(0, 120)}: ${text}`);
  }
  return seen;
}

const s8: Attack = {
  id: 'S8',
  name: 'another tenant’s data moving counts, ranks, pages or suggestions',
  async run(arena) {
    const { wire, cast } = arena;
    const book = ledger();
    await settle(wire, keyHeader(cast.attacker.pat), cast.attacker.userAppId);
    const before = await views(arena, 400);
    const again = await views(arena, 400);
    const steady = before.map((text, i) => text === again[i]);
    const me = keyHeader(cast.victim.pat);
    const { userAppId: user_app_id } = cast.victim;
    await say(wire, me, 'PostConcepts', {
      user_app_id,
      concepts: Array.from({ length: 40 }, (_, i) => ({ id: `more-${i}`, name: `concept spare ${i}` })),
    });
    await say(wire, me, 'PostInputs', {
      user_app_id,
      inputs: Array.from({ length: 40 }, (_, i) => ({
        id: `more-${i}`,
        data: {
          text: { raw: `more ${i}` },
          concepts: [{ id: 'concept', name: 'concept', value: 1 }],
          metadata: { secret: 'zq', n: i },
        },
      })),
    });
    await settle(wire, me, user_app_id);
    const after = await views(arena, 400);
    for (const [i, text] of before.entries()) {
      book.count();
      if (steady[i] && text !== after[i]) book.through(`changed: ${text.slice(0, 150)}`);
    }
    return book.outcome({
      note: `${steady.filter((one) => !one).length} replies differ between two looks at the same and are not judged`,
    });
  },
  async control(arena) {
    const { wire, cast } = arena;
    const book = ledger();
    const before = await views(arena, 40);
    await say(wire, keyHeader(cast.attacker.pat), 'PostConcepts', {
      user_app_id: cast.attacker.userAppId,
      concepts: [{ id: `own-${Date.now()}`, name: 'own' }],
    });
    const after = await views(arena, 40);
    for (const [i, text] of before.entries()) if (text !== after[i]) book.through('seen');
    return book.outcome();
  },
};

/** Names of other fields, tables and secrets, where a filter, a sort or a field list takes names. */
const s34: Attack = {
  id: 'S34',
  name: 'filters and sorts on fields that are not offered',
  async run(arena) {
    const book = ledger();
    const { wire, cast } = arena;
    const headers = keyHeader(cast.attacker.pat);
    const app = `/v2/users/${cast.attacker.userId}/apps/${cast.attacker.ids['app']}`;
    const names = [
      'hash',
      'sealed',
      'user_key',
      'keys.hash',
      'user.password',
      'app.user.keys.0.id',
      'users.email',
      'created_at;select',
      '__proto__',
      'constructor',
      'toString',
      '*',
      'body',
      'password__startswith',
      'user__keys__hash__gt',
    ];
    const places = [
      'inputs',
      'concepts',
      'annotations',
      'datasets',
      'models',
      'workflows',
      'searches',
      'keys',
      'collaborators',
    ];
    for (const place of places) {
      const plain = await wire.send({ verb: 'GET', path: `${app}/${place}`, headers });
      const strip = (text: string) => text.replace(/"req_id":"[^"]*"/g, '');
      for (const name of names) {
        for (const query of [
          `${name}=a`,
          `sort_by=${name}`,
          `order_by=${name}`,
          `sort_by_${name}=true`,
          `fields=${name}`,
          `additional_fields=${name}`,
          `filter=${name}:a`,
        ]) {
          book.count();
          const answer = await wire.send({
            verb: 'GET',
            path: `${app}/${place}?${encodeURI(query)}`,
            headers,
          });
          const why = trouble(answer);
          if (why) book.through(`${place}?${query}: ${why}`);
          else if (answer.http === 200 && strip(answer.text) !== strip(plain.text))
            book.through(`${place}?${query} changes the answer`);
        }
      }
    }
    return book.outcome();
  },
};

const s41: Attack = {
  id: 'S41',
  name: 'other web sites: cookies that write, cross-origin grants, sign-in by form',
  async run(arena) {
    const book = ledger();
    const { wire, cast } = arena;
    const cookie = {
      cookie: `x_clarifai_session_token=${cast.victim.session}; x-clarifai-api-key=${cast.victim.pat}`,
    };
    for (const rule of methodRules.filter((one) => one.auth !== 'NoAuth')) {
      for (const binding of rule.bindings.slice(0, 2)) {
        book.count();
        const answer = await wire.rest(rule, binding, namingRequest(rule, cast.victim.ids), {
          ...cookie,
          origin: 'https://evil.example',
          'content-type': 'text/plain',
        });
        if (answer.code === 10000 || answer.code === 10010) book.through(`${rule.name} took the cookie`);
      }
    }
    for (const origin of [
      'null',
      'https://evil.example',
      `http://${wire.host}.evil.example`,
      `http://evil${wire.host}`,
      'file://',
      'http://localhost',
    ]) {
      for (const verb of ['OPTIONS', 'GET', 'POST']) {
        for (const path of [
          '/v2/status_codes',
          '/v2/login',
          '/v2/ext/fovea/session',
          '/v2/ext/fovea/users',
          '/metrics',
          '/clarifai.api.V2/ListApps',
        ]) {
          book.count();
          const answer = await wire.send({
            verb,
            path,
            headers: {
              ...cookie,
              origin,
              'access-control-request-method': 'POST',
              'access-control-request-headers': 'authorization, x-evil',
            },
            ...(verb === 'POST' ? { body: Buffer.from('{}') } : {}),
          });
          if (answer.headers['access-control-allow-credentials'] !== undefined)
            book.through(`${verb} ${path} lets ${origin} send cookies`);
          if (answer.headers['access-control-allow-origin'] === origin && origin !== '*')
            book.through(`${verb} ${path} names ${origin} back`);
          if (verb === 'POST' && answer.http === 200 && /session_token/.test(answer.text))
            book.through(`${path} opened a session by cookie`);
        }
      }
    }
    // A session opened on purpose: its cookie must be out of reach of scripts and of other sites.
    book.count();
    const opened = await wire.send({
      verb: 'POST',
      path: '/v2/login',
      headers: {},
      body: Buffer.from(JSON.stringify({ password: cast.attacker.pat })),
    });
    const set = String(opened.headers['set-cookie'] ?? '');
    if (!/HttpOnly/.test(set) || !/SameSite=(Strict|Lax)/.test(set))
      book.through(`the session cookie is ${set.replace(/=[^;]*/, '=…')}`);
    // Media by cookie: reading alone, and a broken cookie breaks nothing.
    for (const value of ['%zz', '%', '%E0%A4%A', 'x'.repeat(5_000), '"', 'a=b; c']) {
      book.count();
      const answer = await wire.send({
        verb: 'GET',
        path: '/data/orig/users/u/apps/a/inputs/image/00',
        headers: { cookie: `x_clarifai_session_token=${value}` },
      });
      const why = trouble(answer);
      if (why) book.through(`media with the cookie ${value.slice(0, 10)}: ${why}`);
    }
    const input = (
      await wire.call(
        ruleOf('GetInput'),
        { user_app_id: cast.victim.userAppId, input_id: cast.victim.ids['input'] },
        keyHeader(cast.victim.pat),
      )
    ).message as Json;
    const media = new URL(input?.input?.data?.image?.url ?? 'http://x/none').pathname;
    for (const value of ['%zz', '%', '%E0%A4%A', cast.attacker.session]) {
      book.count();
      const answer = await wire.send({
        verb: 'GET',
        path: media,
        headers: { cookie: `x_clarifai_session_token=${value}` },
      });
      if (answer.http === 200 || answer.http >= 500)
        book.through(`media with the cookie ${value.slice(0, 10)}: HTTP ${answer.http}`);
    }
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

export const exposureAttacks = [s7, s8, s34, s41, s50, s51, s53, s55];
export const lastAttacks = [s59];
