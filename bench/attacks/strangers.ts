import { type MethodRule, methodRules } from '@fovea/contract';
import { extensionRoutes, filledIn } from '../../server/src/testing/extension-routes.ts';
import { changedTables, digestOfRows, type Ground } from './arena.ts';
import { type Attack, ledger, type Outcome } from './attack.ts';
import type { Actor, Owner } from './cast.ts';
import { namingRequest } from './shapes.ts';
import { type Answer, bytesOf, type Json } from './wire.ts';

const succeeded = (answer: Answer): boolean => answer.code === 10000 || answer.code === 10010;

/** Whether what came back shows that this actor got where they may not. */
function leak(rule: MethodRule, actor: Actor, victim: Owner, answer: Answer): string | undefined {
  const allowed = actor.holds.size > 0 && rule.scopes.every((scope) => actor.holds.has(scope));
  if (allowed || rule.auth === 'NoAuth') return undefined;
  if (answer.text.includes(victim.canary)) return 'shows data of the victim';
  const aboutVictim = rule.desc.input.fields.some((field) => field.name === 'user_app_id');
  if (aboutVictim && succeeded(answer)) return `answered ${answer.code}`;
  return undefined;
}

/** Every RPC as gRPC, every REST binding, and gRPC-Web, naming what the victim has. */
export async function everyCall(
  { wire }: Ground,
  actor: Actor,
  victim: Owner,
  judge: (rule: MethodRule, answer: Answer, how: string) => void,
  rules: readonly MethodRule[] = methodRules,
): Promise<void> {
  for (const rule of rules) {
    const json = namingRequest(rule, victim.ids);
    judge(rule, await wire.call(rule, json, actor.headers), 'gRPC');
    judge(
      rule,
      await wire.call(rule, { user_app_id: json.user_app_id }, actor.headers),
      'gRPC, nothing else named',
    );
    if (rule.kind !== 'bidi_streaming')
      judge(rule, await wire.web(rule, bytesOf(rule, json), actor.headers), 'gRPC-Web');
    for (const binding of rule.bindings) {
      judge(rule, await wire.rest(rule, binding, json, actor.headers), `${binding.verb} ${binding.path}`);
    }
  }
}

async function strangersAt(
  ground: Ground,
  actors: readonly Actor[],
  rules?: readonly MethodRule[],
): Promise<Outcome> {
  const { victim } = ground.cast;
  const book = ledger();
  for (const actor of actors) {
    const before = await digestOfRows(ground.db);
    await everyCall(
      ground,
      actor,
      victim,
      (rule, answer, how) => {
        book.count();
        const why = leak(rule, actor, victim, answer);
        if (why) book.through(`${actor.name}: ${rule.name} (${how}) ${why}`);
      },
      rules,
    );
    for (const table of changedTables(before, await digestOfRows(ground.db))) {
      book.through(`${actor.name}: rows of ${table} changed`);
    }
  }
  return book.outcome({ note: `${actors.length} actors, ${(rules ?? methodRules).length} RPCs` });
}

/** Every route beside the contract, naming what the victim has. */
async function extensionsAt({ wire, cast, db }: Ground): Promise<Outcome> {
  const { victim, actors } = cast;
  const book = ledger();
  const before = await digestOfRows(db);
  for (const { name, headers } of actors) {
    for (const { verb, path, body } of extensionRoutes) {
      book.count();
      const answer = await wire.send({
        verb,
        path: filledIn(path, victim.ids),
        headers,
        ...(body ? { body: Buffer.from(filledIn(JSON.stringify(body), victim.ids)) } : {}),
      });
      if (answer.http < 400 || answer.text.includes(victim.canary))
        book.through(`${name}: ${verb} ${path} answers ${answer.http}`);
    }
  }
  for (const table of changedTables(before, await digestOfRows(db)))
    book.through(`routes beside the contract changed rows of ${table}`);
  return book.outcome();
}

/** For the owner the same judge must cry leak, else the requests would be too empty to prove anything. */
async function ownerAsActor(ground: Ground): Promise<Outcome> {
  const { victim } = ground.cast;
  const owner: Actor = { name: 'owner', headers: { authorization: `Key ${victim.pat}` }, holds: new Set() };
  return strangersAt(
    ground,
    [owner],
    methodRules.filter((rule) => /^(Get|List)/.test(rule.name)),
  );
}

const s1: Attack = {
  id: 'S1',
  name: 'every RPC, binding and route, as somebody who may not',
  async run(arena) {
    const outcome = await strangersAt(arena, arena.cast.actors);
    const beside = await extensionsAt(arena);
    const seen = await ownerAsActor(arena);
    return {
      tried: outcome.tried + beside.tried,
      through: [...outcome.through, ...beside.through],
      note: `${outcome.note}, ${extensionRoutes.length} routes beside them; the owner reads own data in ${seen.through.length} of ${seen.tried} reading calls`,
    };
  },
  control: (arena) =>
    arena.other({ FOVEA_FAILPOINTS: 'skip-tenant-check' }, (broken) =>
      strangersAt(
        broken,
        broken.cast.actors.filter((actor) => actor.name === 'stranger'),
        methodRules.filter((rule) => /^List/.test(rule.name)),
      ),
    ),
};

const swapped = (text: string, from: readonly string[]): string =>
  from
    .reduce((words, id) => words.replaceAll(id, '*'), text)
    .replace(/"req_id":"[^"]*"/g, '')
    .replace(/[0-9a-f]{32}/g, '');

/** «Not yours» must read as «does not exist». */
const existence: Attack = {
  id: 'S1b',
  name: 'not yours reads like does not exist',
  async run(arena) {
    return sameWords(arena, arena.cast.victim.ids);
  },
  async control(arena) {
    // What is one's own does read differently from what is not there.
    return sameWords(arena, arena.cast.attacker.ids, /^(Get|List)(App|Concept|Input|Dataset)/);
  },
};

async function sameWords(
  { wire, cast }: Ground,
  real: Readonly<Record<string, string>>,
  only = /./,
): Promise<Outcome> {
  const book = ledger();
  const fake = Object.fromEntries(
    Object.entries(real).map(([kind, id]) => [kind, `${id.slice(0, -1)}0`.replace(/^./, 'n')]),
  );
  const headers = { authorization: `Key ${cast.attacker.pat}` };
  const forms: [string, Json, Json][] = [
    ['user and app', real, fake],
    ['app', { ...real }, { ...fake, user: real['user'] }],
  ];
  for (const rule of methodRules.filter((one) => one.kind === 'unary' && only.test(one.name))) {
    for (const [what, one, other] of forms) {
      for (const binding of rule.bindings.slice(0, 1)) {
        book.count(2);
        const mine = await wire.rest(rule, binding, namingRequest(rule, one), headers);
        const theirs = await wire.rest(rule, binding, namingRequest(rule, other), headers);
        const left = swapped(mine.text, Object.values(one as Record<string, string>));
        const right = swapped(theirs.text, Object.values(other as Record<string, string>));
        if (mine.http !== theirs.http || left !== right)
          book.through(`${rule.name}, unknown ${what}: ${left.slice(0, 90)} | ${right.slice(0, 90)}`);
      }
    }
  }
  return book.outcome();
}

export const strangerAttacks = [s1, existence];
