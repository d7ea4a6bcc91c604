import { type MethodRule, methodRules, ruleOf } from '@fovea/contract';
import type { Arena } from './arena.ts';
import { type Attack, ledger } from './attack.ts';
import { keyHeader, say } from './cast.ts';
import { trouble } from './fuzz.ts';
import { namingRequest } from './shapes.ts';
import type { Answer, Headers, Json } from './wire.ts';

/** Asks every route by cookie; what answers took it. */
async function sendCookie(
  { wire, cast }: Arena,
  book: ReturnType<typeof ledger>,
  rules: readonly MethodRule[],
  headers: Headers,
): Promise<void> {
  for (const rule of rules.filter((one) => one.auth !== 'NoAuth'))
    for (const binding of rule.bindings.slice(0, 2)) {
      book.count();
      const answer = await wire.rest(rule, binding, namingRequest(rule, cast.victim.ids), headers);
      if (answer.code === 10000 || answer.code === 10010) book.through(`${rule.name} took the cookie`);
    }
}

const s41: Attack = {
  id: 'S41',
  name: 'other web sites: cookies that write, cross-origin grants, sign-in by form',
  async run(arena) {
    const book = ledger();
    const { wire, cast } = arena;
    const cookie = {
      cookie: `x_clarifai_session_token=${cast.victim.session}; x-clarifai-api-key=${cast.victim.pat}`,
    };
    await sendCookie(arena, book, methodRules, {
      ...cookie,
      origin: 'https://evil.example',
      'content-type': 'text/plain',
    });
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
  /** The cookie beside the header that other sites cannot send: whoever could, would be let in, and is noticed. */
  async control(arena) {
    const book = ledger();
    const headers = { cookie: `x_clarifai_session_token=${arena.cast.victim.session}`, 'x-fovea-page': '1' };
    await sendCookie(arena, book, [ruleOf('ListApps'), ruleOf('ListConcepts')], headers);
    return book.outcome();
  },
};

const s44: Attack = {
  id: 'S44',
  name: 'sessions: chosen, guessed, ended, outlived, and who has an account',
  async run(arena) {
    const book = ledger();
    const { wire, cast, db } = arena;
    const { attacker, victim } = cast;
    const login = (body: Json, headers: Headers = {}) =>
      wire.send({ verb: 'POST', path: '/v2/login', headers, body: Buffer.from(JSON.stringify(body)) });
    const tokenOf = (answer: Answer): string => JSON.parse(answer.text).session_token ?? '';
    const open = async (pat = attacker.pat, headers: Headers = {}) =>
      tokenOf(await login({ password: pat }, headers));
    const end = (token: string) =>
      wire.send({
        verb: 'DELETE',
        path: '/v2/ext/fovea/session',
        headers: { 'x-clarifai-session-token': token },
      });
    const works = async (token: string): Promise<boolean> => {
      book.count();
      const headers = { 'x-clarifai-session-token': token };
      return (
        (await wire.call(ruleOf('ListApps'), { user_app_id: { user_id: 'me' } }, headers)).code === 10000
      );
    };
    // A token that the caller brought is never adopted.
    const chosen = 'a5'.repeat(32);
    const brought = await open(attacker.pat, {
      'x-clarifai-session-token': chosen,
      cookie: `x_clarifai_session_token=${chosen}`,
    });
    if (brought === chosen || (await works(chosen)))
      book.through('a session that the caller chose was opened');
    // Each is its own, long and unlike the others.
    const tokens = [brought];
    for (let n = 0; n < (arena.full ? 200 : 20); n++) tokens.push(await open());
    book.count(tokens.length);
    if (new Set(tokens).size < tokens.length) book.through('two sessions have the same token');
    if (tokens.some((token) => token.length < 32)) book.through('a session has a short token');
    const shared = tokens.flatMap((one, i) =>
      tokens.slice(i + 1).filter((other) => other.slice(0, 8) === one.slice(0, 8)),
    );
    if (shared.length > 0) book.through('tokens of sessions begin alike');
    // Ending one ends it alone, for every way in.
    const [ended, other] = tokens as [string, string];
    await end(ended);
    if (await works(ended)) book.through('a session works after it was ended');
    if (!(await works(other))) book.through('ending one session ended another');
    const kept = { cookie: `x_clarifai_session_token=${ended}` };
    for (const path of ['/v2/users/me/apps', '/v2/ext/fovea/session']) {
      book.count();
      const answer = await wire.send({
        verb: path.endsWith('session') ? 'POST' : 'GET',
        path,
        headers: kept,
      });
      if (answer.http === 200) book.through(`the cookie of an ended session opens ${path}`);
    }
    // The token it was opened with takes it along; so does its time.
    const made = await say(wire, keyHeader(attacker.pat), 'PostKeys', {
      user_app_id: { user_id: attacker.userId },
      keys: [{ description: 'short', type: 'personal_access_token', scopes: ['All'] }],
    });
    const outlived = await open(made.keys[0].id);
    if (!(await works(outlived))) book.through('a session of a new token never worked');
    await say(wire, keyHeader(attacker.pat), 'DeleteKey', {
      user_app_id: { user_id: attacker.userId },
      key_id: made.keys[0].id,
    });
    if (await works(outlived)) book.through('a session outlives the token that opened it');
    const old = await open();
    await db.query(
      "update sessions set expires_at = now() - interval '1 second' where hash = (select hash from sessions order by key desc limit 1)",
    );
    if (await works(old)) book.through('a session works after its time');
    // Tokens of sessions stand in headers and in the cookie of media alone.
    for (const name of ['session_token', 'x-clarifai-session-token', 'token', 'key']) {
      book.count();
      const path = `/v2/users/me/apps?${name}=${other}`;
      if ((await wire.send({ verb: 'GET', path, headers: {} })).http === 200)
        book.through(`a session in the address (${name}) is taken`);
    }
    for (let n = 0; n < 200; n++) {
      const at = Math.floor(arena.random() * other.length);
      const guess = other.slice(0, at) + (other[at] === '0' ? '1' : '0') + other.slice(at + 1);
      if (await works(guess)) book.through('a token with one letter changed is taken');
    }
    // The link of the first start opens one session, and guessing it opens none.
    for (const code of ['', '0', 'a'.repeat(32), other, null, 7, ['x'], { a: 1 }]) {
      book.count();
      const body = Buffer.from(JSON.stringify({ code }));
      const answer = await wire.send({ verb: 'POST', path: '/v2/ext/fovea/welcome', headers: {}, body });
      if (answer.http === 200) book.through(`the code ${JSON.stringify(code)} of a first start is taken`);
    }
    // Refusals look alike for who is here and who is not.
    const strip = ({ text, http }: Answer) => `${http} ${text.replace(/"req_id":"[^"]*"/g, '')}`;
    const known = strip(await login({ email: `${victim.userId}@example.org`, password: 'wrong' }));
    const unknown = strip(await login({ email: 'nobody@example.org', password: 'wrong' }));
    book.count(2);
    if (known !== unknown) book.through(`sign-in tells who has an account: ${known.slice(0, 80)}`);
    return book.outcome({ note: `${tokens.length} sessions opened` });
  },
  async control(arena) {
    // An ended session that still answers: here one that nobody ended.
    const { wire, cast } = arena;
    const headers = { 'x-clarifai-session-token': cast.attacker.session };
    const answer = await wire.call(ruleOf('ListApps'), { user_app_id: { user_id: 'me' } }, headers);
    const book = ledger();
    if (answer.code === 10000) book.through('a session that was not ended answers');
    return book.outcome({ tried: 1 });
  },
};

export const sessionAttacks = [s41, s44];
