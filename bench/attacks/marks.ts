import { type MethodRule, methodRules } from '@fovea/contract';
import type { Arena, Ground } from './arena.ts';
import { type Attack, ledger, type Outcome } from './attack.ts';
import { keyHeader } from './cast.ts';
import { fuzzed, trouble } from './fuzz.ts';
import { isText, leavesOf, namingRequest, pathWords, withLeaf } from './shapes.ts';
import { templateFor } from './templates.ts';

const marks = [
  "'",
  '"',
  '\\',
  "';select pg_sleep(9)--",
  "' || (select 'zz')||'",
  '$$',
  '%',
  '_',
  '%%',
  '*',
  '?',
  '{"$ne":1}',
  '$.a',
  '@?',
  '||',
  '&&',
  ':*',
  '!',
  '<->',
  "''''",
  '\\x00',
  "E'\\x27'",
  '/*',
  '--',
  ';',
  'a:*b',
  '( (',
  "\\' or true--",
  'english',
  '{1,2}',
  '{',
  '}',
  '[',
  '(',
  ')',
  '+',
  '^',
  '(a+)+$',
  '(?R)',
  'a'.repeat(3000),
];

/** Marks that mean something to SQL, LIKE, full-text search, JSON paths and patterns, in every text of every request. */
async function injections(
  arena: Ground & Pick<Arena, 'full' | 'random'>,
  rules: readonly MethodRule[],
  perLeaf: number,
): Promise<Outcome> {
  const book = ledger();
  const { wire, cast } = arena;
  const headers = keyHeader(cast.attacker.pat);
  for (const rule of rules) {
    const base = {
      ...namingRequest(rule, cast.attacker.ids, 1),
      ...templateFor(rule.name, cast.attacker.ids, 90_000 + book.tried),
    };
    const leaves = leavesOf(rule.desc.input, (field) => isText(field), 4).filter(
      (leaf) => leaf.path[0]?.name !== 'user_app_id',
    );
    const stride = Math.max(1, leaves.length / 40);
    for (let at = 0; at < leaves.length; at += stride) {
      const leaf = leaves[Math.floor(at)];
      if (!leaf) continue;
      const start = Math.floor(arena.random() * marks.length);
      for (let i = 0; i < perLeaf; i++) {
        const mark = marks[(start + i) % marks.length] as string;
        book.count();
        const answer = await wire.call(rule, withLeaf(base, leaf, mark), headers);
        const why =
          trouble(answer) ??
          (answer.elapsedMs > 5_000 ? `took ${Math.round(answer.elapsedMs)} ms` : undefined);
        if (why) book.through(`${rule.name} ${pathWords(leaf)}=${mark.slice(0, 30)}: ${why}`);
        if (answer.text.includes(cast.victim.canary))
          book.through(`${rule.name} ${pathWords(leaf)}=${mark.slice(0, 30)} shows data of the victim`);
      }
    }
  }
  return book.outcome();
}

const s33: Attack = {
  id: 'S33',
  name: 'marks of SQL, LIKE, full-text search and JSON paths in every text',
  run: (arena) =>
    injections(
      arena,
      fuzzed.filter((rule) => rule.kind === 'unary' && !/Outputs|Results/.test(rule.name)),
      arena.full ? marks.length : 3,
    ),
};

const s35: Attack = {
  id: 'S35',
  name: 'patterns that take for ever',
  async run(arena) {
    const book = ledger();
    const { wire, cast } = arena;
    const headers = keyHeader(cast.attacker.pat);
    const patterns = [
      `${'a*'.repeat(60)}b`,
      `${'*a'.repeat(200)}`,
      `${'%'.repeat(3000)}`,
      `${'_%'.repeat(1500)}`,
      '(a+)+$',
      `${'('.repeat(500)}`,
      `${'a '.repeat(5000)}`,
      `${'!'.repeat(3000)}`,
      `${'ａ*'.repeat(100)}`,
    ];
    const asking = methodRules.filter((rule) => /^(List|Post.*Searches)/.test(rule.name));
    for (const rule of asking) {
      for (const leaf of leavesOf(
        rule.desc.input,
        (field) => isText(field) && /search|name|query|id$|raw|filter/.test(field.name),
        4,
      ).slice(0, 12)) {
        if (leaf.path[0]?.name === 'user_app_id') continue;
        for (const pattern of patterns) {
          book.count();
          const answer = await wire.call(
            rule,
            withLeaf({ user_app_id: cast.attacker.userAppId }, leaf, pattern),
            headers,
          );
          const why =
            trouble(answer) ??
            (answer.elapsedMs > 2_000 ? `took ${Math.round(answer.elapsedMs)} ms` : undefined);
          if (why) book.through(`${rule.name} ${pathWords(leaf)}=${pattern.slice(0, 20)}…: ${why}`);
        }
      }
    }
    return book.outcome();
  },
};

export const markAttacks = [s33, s35];
