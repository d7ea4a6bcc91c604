import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { type MethodRule, methodRules, ruleOf } from '@fovea/contract';
import type { Arena, Ground } from './arena.ts';
import { type Attack, ledger, type Outcome } from './attack.ts';
import { keyHeader } from './cast.ts';
import { oneCaseEach } from './shapes.ts';
import { templateFor } from './templates.ts';
import { type Answer, bytesOf, type Json } from './wire.ts';

const slowMs = 20_000;

/** What no request may bring about, whatever is in it. */
export function trouble(answer: Answer): string | undefined {
  if (answer.code === 99009) return 'internal error (99009)';
  if (answer.http >= 500 && answer.http !== 501 && answer.http !== 503) return `HTTP ${answer.http}`;
  if (answer.grpcCode === 13 || answer.grpcCode === 2)
    return `gRPC status ${answer.grpcCode}: ${answer.text.slice(-120).replace(/[^ -~]+/g, ' ')}`;
  if (answer.grpcCode === 4 || answer.elapsedMs > slowMs) return `no answer within ${slowMs / 1000} s`;
  if (answer.transport === 'rest' && answer.http === 0)
    return `connection broke: ${answer.text.slice(0, 80)}`;
  if (answer.transport === 'grpc' && answer.grpcCode === 14) return 'connection broke';
  return undefined;
}

export const isAlive = async ({ wire, server, cast }: Ground): Promise<boolean> =>
  server.process.exitCode === null &&
  (
    await wire.call(
      ruleOf('ListConcepts'),
      { user_app_id: cast.attacker.userAppId, per_page: 1 },
      keyHeader(cast.attacker.pat),
    )
  ).code === 10000;

const nastyTexts = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '%00',
  '../../../etc/passwd',
  '..\\..\\x',
  '.',
  '..',
  '/',
  '\n',
  '\r\nx: y',
  '\t',
  "'",
  '"',
  "' or 1=1 --",
  '\\',
  '%',
  '_',
  '*',
  '(',
  '[',
  '{}',
  '$1',
  ':*',
  '&|!',
  '\u202e',
  '\ufeff',
  '\u200b',
  '\ud83d\ude00',
  'é'.normalize('NFD'),
  'İ',
  'ß',
  'x'.repeat(257),
  'x'.repeat(10_000),
  '__proto__',
  'constructor',
  'null',
  'undefined',
  'NaN',
  'true',
  '-1',
  '1e400',
  'me',
  'clarifai',
  'main',
  '00000000-0000-0000-0000-000000000000',
  '<script>alert(1)</script>',
  '{{7*7}}',
  '${7*7}',
  '\u0085\u2028',
  '﷽'.repeat(20),
];
const nastyInts = [0, 1, 2, 3, 127, 128, 129, 1000, 1001, 65_536, 2 ** 31 - 1];
const nastyUints = [...nastyInts, 2 ** 31, 2 ** 32 - 1];
const nastyFloats = [
  0,
  -0,
  1,
  -1,
  0.5,
  1e-45,
  3.4e38,
  -3.4e38,
  'NaN',
  'Infinity',
  '-Infinity',
  1e10,
  90,
  180,
  181,
  -91,
];

/** A random request, as proto JSON: mostly of the right shape, with values from the edges of every type. */
export function randomRequest(arena: Arena, rule: MethodRule): Json {
  const { pick, random } = arena;
  const ids = Object.values(arena.cast.attacker.ids);

  const scalar = (type: ScalarType): Json => {
    switch (type) {
      case ScalarType.STRING:
        return random() < 0.4 ? pick(ids) : pick(nastyTexts);
      case ScalarType.BYTES:
        return Buffer.from(
          Array.from({ length: Math.floor(random() * 64) }, () => Math.floor(random() * 256)),
        ).toString('base64');
      case ScalarType.BOOL:
        return random() < 0.5;
      case ScalarType.FLOAT:
      case ScalarType.DOUBLE:
        return pick<Json>(nastyFloats);
      case ScalarType.UINT32:
      case ScalarType.FIXED32:
        return pick(nastyUints);
      case ScalarType.UINT64:
      case ScalarType.FIXED64:
        return pick(['0', '1', '9007199254740993', '18446744073709551615']);
      case ScalarType.INT64:
      case ScalarType.SINT64:
      case ScalarType.SFIXED64:
        return pick(['0', '-1', '9223372036854775807', '-9223372036854775808']);
      default:
        return pick([...nastyInts, -1, -(2 ** 31)]);
    }
  };

  const plain = (depth: number): Json => {
    const sort = random();
    if (depth > 4 || sort < 0.4) return pick<Json>([...nastyTexts, 1, -1.5, true, null, 1e308]);
    if (sort < 0.6) return Array.from({ length: Math.floor(random() * 4) }, () => plain(depth + 1));
    return Object.fromEntries(
      Array.from({ length: Math.floor(random() * 4) }, () => [pick(nastyTexts), plain(depth + 1)]),
    );
  };

  const message = (desc: DescMessage, depth: number): Json => {
    if (desc.typeName === 'google.protobuf.Timestamp')
      return pick([
        '1970-01-01T00:00:00Z',
        '2026-01-01T00:00:00.123Z',
        '0001-01-01T00:00:00Z',
        '9999-12-31T23:59:59.999999999Z',
      ]);
    if (desc.typeName === 'google.protobuf.Duration') return pick(['0s', '-1s', '315576000000s', '1.5s']);
    if (desc.typeName === 'google.protobuf.Struct')
      return Object.fromEntries(Array.from({ length: 3 }, () => [pick(nastyTexts), plain(0)]));
    if (desc.typeName === 'google.protobuf.Value') return plain(0);
    if (desc.typeName.startsWith('google.protobuf.')) return undefined;
    const json: Json = {};
    for (const field of desc.fields) {
      if (random() < (depth === 0 ? 0.6 : 0.25)) {
        const value = valueFor(field, depth);
        if (value !== undefined) json[field.name] = value;
      }
    }
    return oneCaseEach(desc, json);
  };

  const valueFor = (field: DescField, depth: number): Json => {
    const item = (): Json => {
      if (field.enum) return pick([...field.enum.values.map((value) => value.number), 9999]);
      if (field.message)
        return depth > 4 && !field.message.typeName.startsWith('google.')
          ? {}
          : message(field.message, depth + 1);
      return 'scalar' in field && field.scalar !== undefined ? scalar(field.scalar) : undefined;
    };
    switch (field.fieldKind) {
      case 'list': {
        const items = Array.from({ length: pick([0, 1, 1, 1, 2, 3]) }, item);
        return items.includes(undefined) ? [] : items;
      }
      case 'map':
        return Object.fromEntries(Array.from({ length: 2 }, () => [pick(nastyTexts), item() ?? {}]));
      default:
        return item();
    }
  };

  const made = message(rule.desc.input, 0);
  if (random() < 0.5)
    Object.assign(made, templateFor(rule.name, arena.cast.attacker.ids, Math.floor(random() * 1e9)));
  if (rule.desc.input.fields.some((field) => field.name === 'user_app_id') && random() < 0.9)
    made.user_app_id = arena.cast.attacker.userAppId;
  return oneCaseEach(rule.desc.input, made);
}

// These end the cast: their own attacks try them on purpose.
const destructive =
  /^(Delete(App|User|Key|Inputs?|Datasets?|Concepts?|Models?|Workflows?|Collaborators)$|PostKeys|PatchKeys|PatchAppsIds|PatchAppIds)/;
export const fuzzed = methodRules.filter((rule) => !destructive.test(rule.name));
// Most calls go to what is built; a method that only says «not built yet» has little to break.
const oftenFuzzed = fuzzed.filter((rule) =>
  /Concept|Input|Annotation|Dataset|Search|App|User|Collaborat|Model|Workflow|Scope|Status/.test(rule.name),
);

async function fuzzCalls(
  arena: Arena,
  counts: { grpc: number; rest: number; web: number },
): Promise<Outcome> {
  const book = ledger();
  const { wire, cast, pick, random } = arena;
  const headers = keyHeader(cast.attacker.pat);
  const codes = new Map<number, number>();
  const note = (what: string, answer: Answer, json: Json) => {
    book.count();
    codes.set(answer.code, (codes.get(answer.code) ?? 0) + 1);
    const why = trouble(answer);
    if (why) book.through(`${answer.rpc} (${what}) ${why}: ${JSON.stringify(json).slice(0, 160)}`);
  };
  const next = () => pick(random() < 0.8 ? oftenFuzzed : fuzzed);
  const many = async (count: number, one: () => Promise<void>) => {
    for (let i = 0; i < count; i += 4) {
      await Promise.all(Array.from({ length: Math.min(4, count - i) }, one));
      if (i % 1000 === 0 && !(await isAlive(arena)))
        throw new Error(`the server does not answer after ${book.tried} calls`);
    }
  };
  await many(counts.grpc, async () => {
    const rule = next();
    const json = randomRequest(arena, rule);
    note('gRPC', await wire.callBytes(rule, mutated(arena, bytesOf(rule, json)), headers), json);
  });
  await many(counts.web, async () => {
    const rule = next();
    if (rule.kind === 'bidi_streaming') return;
    const json = randomRequest(arena, rule);
    note('gRPC-Web', await wire.web(rule, mutated(arena, bytesOf(rule, json)), headers), json);
  });
  await many(counts.rest, async () => {
    const rule = next();
    const binding = rule.bindings.length > 0 ? pick(rule.bindings) : undefined;
    if (!binding) return;
    const json = wrongTypes(arena, randomRequest(arena, rule));
    const query =
      random() < 0.2
        ? `?page=${pick(nastyUints)}&per_page=${pick(nastyUints)}&x[]=${encodeURIComponent(pick(nastyTexts).replace(/[\ud800-\udfff]/g, ''))}`
        : '';
    note('REST', await wire.rest(rule, binding, json, headers, query), json);
  });
  const shown = [...codes]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 6)
    .map(([code, n]) => `${code}: ${n}`);
  return book.outcome({ note: `replies by code ${shown.join(', ')}` });
}

/** One request in five has some of its bytes changed, cut off or repeated. */
function mutated({ random }: Arena, bytes: Uint8Array): Uint8Array {
  if (random() > 0.2 || bytes.length === 0) return bytes;
  const copy = Uint8Array.from(bytes);
  const sort = random();
  if (sort < 0.4) return copy.subarray(0, Math.floor(random() * copy.length));
  if (sort < 0.5) return Buffer.concat([copy, copy.subarray(Math.floor(random() * copy.length))]);
  for (let n = 0; n < 3; n++) copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
  return copy;
}

/** One value in twenty is replaced by something of another type. */
function wrongTypes(arena: Arena, json: Json): Json {
  const { random, pick } = arena;
  if (random() < 0.05)
    return pick<Json>([
      null,
      [],
      {},
      'text',
      -1,
      1.5,
      true,
      [[]],
      { a: 1 },
      Number.POSITIVE_INFINITY,
      '\ud800',
    ]);
  if (Array.isArray(json)) return json.map((item) => wrongTypes(arena, item));
  if (typeof json === 'object' && json !== null)
    return Object.fromEntries(
      Object.entries(json).map(([key, value]) => [
        key,
        key === 'user_app_id' ? value : wrongTypes(arena, value),
      ]),
    );
  return json;
}

const s30: Attack = {
  id: 'S30',
  name: 'random requests of every shape',
  run: (arena) =>
    fuzzCalls(
      arena,
      arena.full ? { grpc: 10_000, rest: 10_000, web: 10_000 } : { grpc: 5_500, rest: 4_000, web: 1_000 },
    ),
  // Texts that the database cannot hold reach it where the check is left out: internal errors must be seen.
  control: (arena) =>
    arena.other({ FOVEA_FAILPOINTS: 'skip-text-check', FOVEA_LOG_LEVEL: 'silent' }, async (broken) => {
      const some = () => fuzzCalls({ ...arena, ...broken }, { grpc: 300, rest: 0, web: 0 });
      let outcome = await some();
      // What is random may pass all such texts by; seldom so often.
      for (let again = 0; again < 5 && outcome.through.length === 0; again++) outcome = await some();
      return outcome;
    }),
};

export const fuzzAttacks = [s30];
