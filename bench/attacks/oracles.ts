import { methodRules, ruleOf } from '@fovea/contract';
import type { Ground } from './arena.ts';
import { type Attack, ledger } from './attack.ts';
import { keyHeader, say, settle } from './cast.ts';
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
    const book = ledger();
    // As often as the attack looks: on a busy machine a single round shows nothing.
    for (let again = 0; again < 3; again++) {
      const [{ t } = { t: 0 }] = await timing([['one row or all', list(1), list(1000)]], 600);
      if (t < 4.5) continue;
      book.through(`t = ${t.toFixed(1)}`);
      break;
    }
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

export const oracleAttacks = [s7, s8, s34];
