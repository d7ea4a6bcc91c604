import { create, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import { type MethodRule, methodRules, ruleOf, scopeRules } from '@fovea/contract';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { notYet } from '../server/src/resources/not-yet.ts';
import { type Person, serverUrl, signedIn } from '../server/src/testing/people.ts';

/**
 * Walks every RPC and every REST binding, generated from the descriptors: strangers, missing scopes and other
 * tenants are refused, what is not built says so, and nothing ends in an internal error.
 */

interface Answer {
  readonly code: number;
  readonly details: string;
}

let channel: grpc.Client;
let alice: Person;
let bob: Person;

beforeAll(async () => {
  channel = new grpc.Client(new URL(serverUrl()).host, grpc.credentials.createInsecure());
  [alice, bob] = await Promise.all([signedIn('alice'), signedIn('bob')]);
});
afterAll(() => channel.close());

/** Calls an RPC with an empty request about alice's app; of a stream, the first message counts. */
function call(rule: MethodRule, authorization: string | undefined, person = alice): Promise<Answer> {
  const metadata = new grpc.Metadata();
  if (authorization) metadata.set('authorization', authorization);
  const request = requestAbout(rule, person);
  const write = (message: Message) => Buffer.from(toBinary(rule.desc.input, message as never));
  const read = (bytes: Buffer) => fromBinary(rule.desc.output, bytes) as Message;
  const answer = (reply: Message | undefined): Answer => {
    const status = (reply as { status?: Answer } | undefined)?.status;
    return { code: status?.code ?? 0, details: status?.details ?? '' };
  };
  return new Promise((resolve, reject) => {
    if (rule.kind === 'unary') {
      channel.makeUnaryRequest(rule.path, write, read, request, metadata, (error, reply) =>
        error ? reject(error) : resolve(answer(reply)),
      );
      return;
    }
    const bidi =
      rule.kind === 'bidi_streaming'
        ? channel.makeBidiStreamRequest(rule.path, write, read, metadata)
        : undefined;
    const stream = bidi ?? channel.makeServerStreamRequest(rule.path, write, read, request, metadata);
    let first: Message | undefined;
    stream.on('data', (message: Message) => {
      first ??= message;
    });
    stream.on('end', () => resolve(answer(first)));
    stream.on('error', reject);
    bidi?.write(request);
    bidi?.end();
  });
}

function requestAbout(rule: MethodRule, person: Person): Message {
  const userAppId = { userId: person.userId, appId: person.appId };
  const isNested = rule.desc.input.fields.some((field) => field.localName === 'uploadConfig');
  const fields = isNested
    ? { uploadData: { case: 'uploadConfig', value: { userAppId } } }
    : 'userAppId' in rule.desc.input.field
      ? { userAppId }
      : {};
  return create(rule.desc.input, fields as never) as Message;
}

const walk = async (rules: readonly MethodRule[], visit: (rule: MethodRule) => Promise<Answer>) => {
  const seen: Record<string, Answer> = {};
  for (const rule of rules) seen[rule.name] = await visit(rule);
  return seen;
};
const codes = (seen: Record<string, Answer>) =>
  [...new Set(Object.values(seen).map((answer) => answer.code))].sort();
const namesWhere = (seen: Record<string, Answer>, holds: (answer: Answer) => boolean) =>
  Object.entries(seen)
    .filter(([, answer]) => holds(answer))
    .map(([name]) => name)
    .sort();

const guarded = methodRules.filter((rule) => rule.auth !== 'NoAuth');

test('every RPC refuses who sends no key', async () => {
  expect(codes(await walk(guarded, (rule) => call(rule, undefined)))).toEqual([11102]);
});

test('every RPC refuses an unknown key', async () => {
  expect(codes(await walk(guarded, (rule) => call(rule, 'Key 00000000000000000000000000000000')))).toEqual([
    11008,
  ]);
});

test('a key without scopes opens only what needs none', async () => {
  const made = await alice.client.postKeys({ keys: [{ type: 'personal_access_token', scopes: [] }] });
  const seen = await walk(guarded, (rule) => call(rule, `Key ${made.keys[0]?.id}`));
  const refused = new Set(namesWhere(seen, (answer) => answer.code === 11007));
  const opened = guarded.filter((rule) => !refused.has(rule.name));
  expect(opened.filter((rule) => rule.scopes.length > 0).map((rule) => rule.name)).toEqual([]);
});

test('one missing scope is enough to be refused', async () => {
  const grantable = [...scopeRules.values()]
    .filter((rule) => rule.exposed && rule.name !== 'All')
    .map((rule) => rule.name);
  const keys = new Map<string, string>();
  const keyWithout = async (scope: string) => {
    const known = keys.get(scope);
    if (known) return known;
    const gone = new Set([scope]);
    for (let before = 0; before !== gone.size; ) {
      before = gone.size;
      for (const name of grantable)
        if (scopeRules.get(name)?.dependingScopes.some((needed) => gone.has(needed))) gone.add(name);
    }
    const scopes = grantable.filter((name) => !gone.has(name));
    const made = await alice.client.postKeys({ keys: [{ type: 'personal_access_token', scopes }] });
    expect(made.status?.details).toBe('');
    keys.set(scope, made.keys[0]?.id as string);
    return keys.get(scope) as string;
  };
  const asked = guarded.filter(
    (rule) => rule.auth !== 'SessionTokenAuth' && rule.auth !== 'AdminAuth' && rule.scopes.length > 0,
  );
  const answered: string[] = [];
  for (const rule of asked) {
    for (const scope of new Set(rule.scopes)) {
      const { code } = await call(rule, `Key ${await keyWithout(scope)}`);
      if (code !== 11007) answered.push(`${rule.name} without ${scope}: ${code}`);
    }
  }
  expect(answered).toEqual([]);
}, 120_000);

test('another tenant gets nothing from an app that is not shared with him', async () => {
  const seen = await walk(guarded, (rule) => call(rule, `Key ${bob.pat}`, alice));
  const answered = namesWhere(seen, ({ code }) => ![11101, 11007].includes(code));
  // A request that cannot name a user is about the caller, or about nobody.
  expect(answered.filter((name) => 'userAppId' in ruleOf(name).desc.input.field)).toEqual([]);
});

test('what is not built says so, and what is built does not', async () => {
  const isListed = (rule: MethodRule) => rule.localName in notYet;
  const refused = await walk(methodRules.filter(isListed), (rule) => call(rule, `Key ${alice.pat}`));
  const wrong = namesWhere(refused, ({ code }) => code !== 10040 && code !== 11007);
  expect(wrong).toEqual([]);
  // Asked about an app that does not exist: a walk that deletes and renames is no walk.
  const built = await walk(
    methodRules.filter((rule) => !isListed(rule)),
    (rule) => call(rule, `Key ${alice.pat}`, { ...alice, appId: 'no-such-app' }),
  );
  expect(namesWhere(built, ({ code }) => code === 10040)).toEqual([]);
});

test('no RPC answers an empty request with an internal error', async () => {
  const seen = await walk(methodRules, (rule) =>
    call(rule, `Key ${alice.pat}`, { ...alice, appId: 'no-such-app' } as Person),
  );
  expect(namesWhere(seen, (answer) => answer.code === 99009 || answer.code === 0)).toEqual([]);
});

test("every REST binding refuses who sends no key, in the contract's shape", async () => {
  const seen: string[] = [];
  for (const rule of guarded) {
    for (const binding of rule.bindings) {
      const path = binding.path.replace(/\{[^}]+\}/g, 'x');
      const response = await fetch(serverUrl() + path, { method: binding.verb });
      const text = await response.text();
      const code = text.startsWith('{') ? JSON.parse(text.split('\n')[0] as string) : {};
      const status = (code.status ?? code.result?.status) as { code: number } | undefined;
      const isStream = rule.kind === 'bidi_streaming';
      if (!isStream && (response.status !== 401 || status?.code !== 11102))
        seen.push(`${binding.verb} ${path}: ${response.status} ${text.slice(0, 120)}`);
    }
  }
  expect(seen).toEqual([]);
}, 120_000);
