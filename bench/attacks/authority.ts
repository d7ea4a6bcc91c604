import { setTimeout as sleep } from 'node:timers/promises';
import { type MethodRule, methodRules, ruleOf, scopeRules } from '@fovea/contract';
import { changedTables, digestOfRows, type Ground } from './arena.ts';
import { type Attack, ledger, type Outcome } from './attack.ts';
import { closureOf, keyHeader, say } from './cast.ts';
import { leavesOf, namingRequest, pathWords, withLeaf } from './shapes.ts';
import { templateFor } from './templates.ts';
import { bytesOf, type Headers, type Json } from './wire.ts';

const lacksScope = 11007;
const exposed = [...scopeRules.values()]
  .filter((scope) => scope.exposed && scope.name !== 'All')
  .map((scope) => scope.name);

async function patWith(ground: Ground, scopes: readonly string[]): Promise<string> {
  const { attacker } = ground.cast;
  const reply = await say(ground.wire, keyHeader(attacker.pat), 'PostKeys', {
    user_app_id: { user_id: attacker.userId },
    keys: [{ type: 'personal_access_token', description: 'narrow', scopes }],
  });
  return (reply as { keys: { id: string }[] }).keys[0]?.id as string;
}

/** A request that names nothing that is there, so that what is allowed does no harm. */
function harmless(ground: Ground, rule: MethodRule): Json {
  const { ids, userAppId } = ground.cast.attacker;
  const nowhere = Object.fromEntries(Object.keys(ids).map((kind) => [kind, `gone-${kind}`]));
  const json = namingRequest(rule, { ...nowhere, user: ids['user'] as string, app: ids['app'] as string });
  return json.user_app_id ? { ...json, user_app_id: userAppId } : json;
}

/** Everything but one scope (and what cannot be held without it): each RPC that asks for it must refuse. */
async function oneScopeLess(ground: Ground, scopes: readonly string[]): Promise<Outcome> {
  const book = ledger();
  for (const scope of scopes) {
    const users = methodRules.filter((rule) => rule.scopes.includes(scope) && rule.auth !== 'NoAuth');
    const held = exposed.filter((name) => !closureOf([name]).includes(scope));
    if (users.length === 0 || held.length === 0) continue;
    const headers = keyHeader(await patWith(ground, held));
    for (const rule of users) {
      book.count();
      const answer = await ground.wire.call(rule, harmless(ground, rule), headers);
      if (answer.code !== lacksScope) book.through(`${rule.name} without ${scope} answered ${answer.code}`);
    }
  }
  return book.outcome();
}

/** A narrow token must not lead to a wider one: by a session, a new key, a change of itself, or a look at others. */
async function climbing(ground: Ground): Promise<Outcome> {
  const book = ledger();
  const { wire, cast } = ground;
  const narrow = closureOf(['Keys_Get', 'Keys_Add', 'Keys_Delete', 'Apps_Get']);
  const pat = await patWith(ground, narrow);
  const headers = keyHeader(pat);
  const user = { user_app_id: { user_id: cast.attacker.userId } };
  const wide = { type: 'personal_access_token', scopes: ['All'] };
  for (const [how, path, body] of [
    ['login', '/v2/login', { password: pat }],
    ['session', '/v2/ext/fovea/session', {}],
  ] as const) {
    book.count();
    const answer = await wire.send({
      verb: 'POST',
      path,
      headers: how === 'session' ? headers : {},
      body: Buffer.from(JSON.stringify(body)),
    });
    if (answer.http === 200) book.through(`a narrow token opened a session by ${how}`);
  }
  for (const [rpc, json] of [
    ['PostKeys', { keys: [wide] }],
    ['PatchKeys', { action: 'overwrite', keys: [{ id: pat, ...wide }] }],
    [
      'PostKeys',
      {
        keys: [{ type: 'personal_access_token', scopes: narrow, endpoints: ['/clarifai.api.V2/PostInputs'] }],
      },
    ],
  ] as const) {
    book.count();
    const answer = await wire.call(ruleOf(rpc), { ...user, ...json }, headers);
    if (answer.code === 10000) book.through(`${rpc} gave a narrow token more`);
  }
  for (const rpc of ['ListKeys', 'ListAppKeys']) {
    book.count();
    const answer = await wire.call(ruleOf(rpc), { user_app_id: cast.attacker.userAppId }, headers);
    if (answer.text.includes(cast.attacker.pat))
      book.through(`${rpc} shows a narrow token the secret of the wide one`);
  }
  return book.outcome();
}

const s3: Attack = {
  id: 'S3',
  name: 'one scope too few; narrow tokens that climb',
  async run(arena) {
    const fewer = await oneScopeLess(arena, exposed);
    const climbed = await climbing(arena);
    const book = ledger();
    book.count(fewer.tried + climbed.tried);
    for (const line of [...fewer.through, ...climbed.through]) book.through(line);
    // With exactly what it asks for, a method must not complain about scopes.
    let positive = 0;
    const wanted = new Map<string, MethodRule[]>();
    for (const rule of methodRules.filter(
      (one) => one.scopes.length > 0 && one.auth !== 'SessionTokenAuth',
    )) {
      const set = closureOf(rule.scopes)
        .filter((name) => exposed.includes(name))
        .sort();
      wanted.set(set.join(), [...(wanted.get(set.join()) ?? []), rule]);
    }
    for (const [set, rules] of wanted) {
      const headers = keyHeader(await patWith(arena, set.split(',')));
      for (const rule of rules) {
        positive += 1;
        const answer = await arena.wire.call(rule, harmless(arena, rule), headers);
        const missing = rule.scopes.filter((scope) => !set.split(',').includes(scope));
        if (answer.code === lacksScope && missing.length === 0 && /needs the scope/.test(answer.text))
          book.through(`${rule.name} with all its scopes was refused`);
      }
    }
    return book.outcome({
      note: `${fewer.tried} entries denied one by one, ${positive} RPCs with exactly their scopes`,
    });
  },
  control: (arena) =>
    arena.other({ FOVEA_FAILPOINTS: 'skip-scope-check' }, (broken) => oneScopeLess(broken, ['Inputs_Get'])),
};

const lookalikes = (name: string): string[] =>
  [
    name.toUpperCase(),
    name.replace(/^./, (letter) => String.fromCodePoint(letter.charCodeAt(0) - 0x21 + 0xff01)),
    `${name} `,
    ` ${name}`,
    `${name}\u200b`,
    name.replace('i', '\u0456'),
    `${name}.`,
    `${name}/`,
    `${name}\n`,
    `./${name}`,
    `${name}%00`,
    `${name}\u0000`,
  ].filter((other) => other !== name);

/** Path, query, body and key that name different apps; and names that only look like the victim's. */
const s4: Attack = {
  id: 'S4',
  name: 'names of user and app that disagree or look alike',
  async run(arena) {
    const { wire, cast } = arena;
    const { victim, attacker } = cast;
    const book = ledger();
    const headers = keyHeader(attacker.pat);
    const before = await digestOfRows(arena.db);
    const judge = (what: string, text: string) => {
      book.count();
      if (text.includes(victim.canary)) book.through(`${what} shows data of the victim`);
    };
    for (const rule of methodRules.filter((one) => /^(Get|List)/.test(one.name))) {
      const asVictim = namingRequest(rule, victim.ids);
      for (const binding of rule.bindings) {
        const own = namingRequest(rule, {
          ...victim.ids,
          user: attacker.userId,
          app: attacker.ids['app'] as string,
        });
        const query = `?user_app_id.user_id=${victim.userId}&user_app_id.app_id=${victim.ids['app']}&userAppId.userId=${victim.userId}`;
        judge(`${rule.name} (query)`, (await wire.rest(rule, binding, own, headers, query)).text);
        const path = binding.path.includes('{user_app_id') ? own : asVictim;
        judge(
          `${rule.name} (body)`,
          (
            await wire.rest(
              rule,
              { ...binding, verb: binding.verb },
              { ...path, userAppId: asVictim.user_app_id },
              headers,
            )
          ).text,
        );
      }
    }
    if (changedTables(before, await digestOfRows(arena.db)).length > 0)
      book.through('reading calls changed rows');
    // The victim's own token, so that only the name stands between the call and the data.
    for (const field of ['user_id', 'app_id'] as const) {
      for (const name of lookalikes(field === 'user_id' ? victim.userId : (victim.ids['app'] as string))) {
        for (const rpc of ['ListInputs', 'ListConcepts', 'ListDatasets', 'GetApp']) {
          judge(
            `${rpc} for ${JSON.stringify(name)}`,
            (
              await wire.call(
                ruleOf(rpc),
                { user_app_id: { ...victim.userAppId, [field]: name } },
                keyHeader(victim.pat),
              )
            ).text,
          );
        }
      }
    }
    return book.outcome();
  },
};

const serverFields =
  /^(created_at|modified_at|deleted_at|user_id|app_id|status|star_count|is_starred|user_unique_id|app_duplication|num_.*|total_.*|workflow_recommended|usage.*|owner.*)$/;
const forgedUser = 'forged-owner-id';
const forgedTime = '1999-12-31T23:59:59Z';

/** Values that only the server may set, put into every request that writes, and looked for in what comes back. */
const s5: Attack = {
  id: 'S5',
  name: 'fields that only the server may set',
  async run(arena) {
    const { wire, cast } = arena;
    const { attacker } = cast;
    const book = ledger();
    const headers = keyHeader(attacker.pat);
    const kinds = new Set([
      'concepts',
      'inputs',
      'annotations',
      'datasets',
      'dataset_versions',
      'models',
      'workflows',
      'apps',
      'keys',
      'searches',
      'collaborators',
      'users',
    ]);
    for (const rule of methodRules.filter(
      (one) =>
        /^(Post|Patch|Put)/.test(one.name) &&
        one.kind === 'unary' &&
        !/Searches|Outputs|Results/.test(one.name),
    )) {
      for (const leaf of leavesOf(rule.desc.input, (field) => serverFields.test(field.name), 3)) {
        if (leaf.path.length !== 2 || !kinds.has(leaf.path[0]?.name ?? '')) continue;
        const { name, message } = { name: leaf.field.name, message: leaf.field.message?.typeName };
        const value =
          message === 'google.protobuf.Timestamp'
            ? forgedTime
            : name === 'user_id'
              ? forgedUser
              : name === 'app_id'
                ? forgedUser
                : message?.endsWith('Status')
                  ? { code: 30002, details: forgedUser }
                  : leaf.field.fieldKind === 'scalar' && leaf.field.scalar === 8
                    ? true
                    : leaf.field.fieldKind === 'scalar'
                      ? 987654
                      : undefined;
        if (value === undefined) continue;
        book.count();
        const base = {
          ...namingRequest(rule, attacker.ids, 2),
          ...templateFor(rule.name, attacker.ids, 50_000 + book.tried),
        };
        const json = withLeaf(base, leaf, value);
        let bytes: Uint8Array;
        try {
          bytes = bytesOf(rule, json);
        } catch {
          continue;
        }
        const answer = await wire.callBytes(rule, bytes, headers);
        if (answer.code !== 10000 && answer.code !== 10010) continue;
        const shown = JSON.stringify(answer.message, (_key, inner) =>
          typeof inner === 'bigint' ? String(inner) : inner,
        );
        // 1999-12-31T23:59:59Z in seconds.
        if (/946684799|forged-owner-id|987654/.test(shown.replaceAll(/"req(Id|_id)":"[^"]*"/g, '')))
          book.through(`${rule.name} took ${pathWords(leaf)}`);
      }
    }
    const { rows } = await arena.db.query(
      `select table_name as "table", column_name as "column" from information_schema.columns
       where table_schema = 'public' and column_name in ('created_at', 'modified_at')`,
    );
    for (const { table, column } of rows as { table: string; column: string }[]) {
      book.count();
      const found = await arena.db.query(`select 1 from ${table} where ${column} < '2000-01-01' limit 1`);
      if ((found.rowCount ?? 0) > 0) book.through(`${table}.${column} holds a forged time`);
    }
    return book.outcome();
  },
};

const refusedWithinMs = 1_000;

/** Each way to take away what somebody could do, one after the other; nobody may go on for longer than a second. */
const s6: Attack = {
  id: 'S6',
  name: 'keys and roles that were taken away',
  async run(arena) {
    const { wire, cast } = arena;
    const { victim, attacker } = cast;
    const owner = keyHeader(victim.pat);
    const book = ledger();
    const user = { user_app_id: { user_id: victim.userId } };
    const app = { user_app_id: victim.userAppId };
    let slowest = 0;
    const newKey = async (key: Json): Promise<string> =>
      (await say(wire, owner, 'PostKeys', { ...user, keys: [{ description: 'short', ...key }] })).keys[0].id;
    const pat = () => newKey({ type: 'personal_access_token', scopes: ['All'] });
    const appKey = () =>
      newKey({ scopes: ['All'], apps: [{ id: victim.ids['app'], user_id: victim.userId }] });
    const inApp = (verb: string, path: string, headers: Headers, body?: Json) =>
      wire.send({ verb, path, headers, ...(body ? { body: Buffer.from(JSON.stringify(body)) } : {}) });
    const ways: Record<string, () => Promise<{ headers: Headers; take: () => Promise<unknown> }>> = {
      'a deleted token': async () => {
        const id = await pat();
        return { headers: keyHeader(id), take: () => say(wire, owner, 'DeleteKey', { ...user, key_id: id }) };
      },
      'a deleted app key': async () => {
        const id = await appKey();
        return { headers: keyHeader(id), take: () => say(wire, owner, 'DeleteKey', { ...user, key_id: id }) };
      },
      'a narrowed token': async () => {
        const id = await pat();
        const keys = [{ id, scopes: ['Apps_Get'] }];
        const take = () => say(wire, owner, 'PatchKeys', { ...user, action: 'overwrite', keys });
        return { headers: keyHeader(id), take };
      },
      'a removed collaborator': async () => {
        const id = `s6-${book.tried}`;
        await say(wire, owner, 'PostCollaborators', {
          ...app,
          collaborators: [{ id, user: { id: attacker.userId }, scopes: ['All'] }],
        });
        const take = () => say(wire, owner, 'DeleteCollaborators', { ...app, collaborator_ids: [id] });
        return { headers: keyHeader(attacker.pat), take };
      },
      'an ended session': async () => {
        const login = await inApp('POST', '/v2/login', {}, { password: victim.pat });
        const headers = { 'x-clarifai-session-token': JSON.parse(login.text).session_token as string };
        return { headers, take: () => inApp('DELETE', '/v2/ext/fovea/session', headers) };
      },
    };
    for (let trial = 0; trial < (arena.full ? 20 : 4); trial++) {
      for (const [what, make] of Object.entries(ways)) {
        book.count();
        const { headers, take } = await make();
        const ask = async () => (await wire.call(ruleOf('ListConcepts'), app, headers)).code;
        if ((await ask()) !== 10000) book.through(`${what} never worked`);
        await take();
        const began = performance.now();
        while ((await ask()) === 10000 && performance.now() - began < 5 * refusedWithinMs) await sleep(20);
        const tookMs = performance.now() - began;
        slowest = Math.max(slowest, tookMs);
        if (tookMs > refusedWithinMs) book.through(`${what} worked for ${Math.round(tookMs)} ms more`);
      }
    }
    return book.outcome({ note: `refused after ${Math.round(slowest)} ms at most, calls one by one` });
  },
};

export const authorityAttacks = [s3, s4, s5, s6];
