import { type MethodRule, methodRules } from '@fovea/contract';
import { changedTables, type Ground } from './arena.ts';
import { type Attack, ledger, type Outcome } from './attack.ts';
import { keyHeader } from './cast.ts';
import { isIdField, kindOf, type Leaf, leavesOf, namingRequest, pathWords, withLeaf } from './shapes.ts';
import { templateFor } from './templates.ts';
import type { Json } from './wire.ts';

/** All rows that hang on an app, by table: what an intruder must not move. */
async function rowsOf(ground: Ground, userId: string): Promise<Map<string, string>> {
  const { rows: tables } = await ground.db.query<{ name: string }>(
    `select table_name as name from information_schema.columns where table_schema = 'public' and column_name = 'app_key'
     and table_name not in ('jobs', 'job_schedules') order by 1`,
  );
  const sums = new Map<string, string>();
  for (const { name } of tables) {
    const { rows } = await ground.db.query(
      `select count(*) || coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') as sum
       from ${name} t where t.app_key in (select a.key from apps a join users u on u.key = a.user_key where u.id = $1)`,
      [userId],
    );
    sums.set(name, (rows[0] as { sum: string }).sum);
  }
  return sums;
}

interface Intruder {
  readonly name: string;
  readonly pat: string;
  readonly ids: Readonly<Record<string, string>>;
  readonly mayRead: ReadonlySet<string>;
}

/**
 * Foreign ids wherever a request has room for an id: alone, and together with the user and app ids beside it.
 * The intruder works in an app of their own, so sign-in is never what stops them.
 */
async function nestedIds(
  ground: Ground,
  intruder: Intruder,
  rules: readonly MethodRule[],
  perRpcMax = Number.POSITIVE_INFINITY,
): Promise<Outcome> {
  const { wire, cast } = ground;
  const { victim } = cast;
  const book = ledger();
  const headers = keyHeader(intruder.pat);
  const before = await rowsOf(ground, victim.userId);
  for (const rule of rules) {
    if (rule.auth === 'NoAuth' || /^Delete(App|Key|User)/.test(rule.name)) continue;
    if (rule.scopes.length > 0 && rule.scopes.every((scope) => intruder.mayRead.has(scope))) continue;
    const base: Json = {
      ...namingRequest(rule, intruder.ids, 2),
      ...templateFor(rule.name, intruder.ids, book.tried),
    };
    const leaves = leavesOf(rule.desc.input, isIdField, 5);
    // Evenly spread where there are many, so that every part of the message is reached.
    const stride = Math.max(1, leaves.length / perRpcMax);
    for (let next = 0; next < leaves.length; next += stride) {
      const leaf = leaves[Math.floor(next)] as Leaf;
      if (leaf.path[0]?.name === 'user_app_id') continue;
      const kind = kindOf(leaf.field, leaf.parent, rule);
      const foreign = victim.ids[kind];
      if (foreign === undefined || kind === 'user') continue;
      const beside = (name: string) =>
        leaf.parent.fields.find((field) => field.name === name && field.fieldKind === 'scalar');
      const sibling = (json: Json, name: string, value: string | undefined) => {
        const field = beside(name);
        const last = leaf.path.at(-1);
        if (!field || !last) return json;
        return withLeaf(
          json,
          { ...leaf, field, path: [...leaf.path.slice(0, -1), { name, isList: false, rivals: [] }] },
          value,
        );
      };
      const alone = withLeaf(base, leaf, foreign);
      const named = sibling(sibling(alone, 'app_id', victim.ids['app']), 'user_id', victim.userId);
      for (const json of [alone, named]) {
        book.count();
        const answer = await wire.call(rule, json, headers).catch((error: Error) => error);
        if (answer instanceof Error) continue;
        if (answer.text.includes(victim.canary))
          book.through(`${intruder.name}: ${rule.name} ${pathWords(leaf)} shows data of the victim`);
      }
    }
  }
  for (const table of changedTables(before, await rowsOf(ground, victim.userId))) {
    book.through(`${intruder.name}: rows of ${table} in the victim's apps changed`);
  }
  return book.outcome();
}

const both = (ground: Ground): Intruder[] => [
  { name: 'stranger', pat: ground.cast.attacker.pat, ids: ground.cast.attacker.ids, mayRead: new Set() },
  {
    name: 'collaborator with few scopes',
    pat: ground.cast.helper.pat,
    ids: ground.cast.helper.ids,
    mayRead: new Set(),
  },
];

const s2: Attack = {
  id: 'S2',
  name: 'foreign ids inside requests',
  async run(arena) {
    const book = ledger();
    for (const intruder of both(arena)) {
      const outcome = await nestedIds(arena, intruder, methodRules, arena.full ? undefined : 50);
      book.count(outcome.tried);
      for (const line of outcome.through) book.through(line);
    }
    return book.outcome({ note: 'every id field by reflection, in one’s own app' });
  },
  control: (arena) =>
    arena.other({ FOVEA_FAILPOINTS: 'skip-tenant-check' }, (broken) =>
      nestedIds(
        broken,
        both(broken)[0] as Intruder,
        methodRules.filter((rule) =>
          /^(Get|List|Post)(Annotation|Input|Dataset|Concept|Model|Key)/.test(rule.name),
        ),
      ),
    ),
};

export const nestedAttacks = [s2];
