import { toJson } from '@bufbuild/protobuf';
import { type MethodRule, methodRules, ruleOf } from '@fovea/contract';
import { expect, test } from 'vitest';
import { disputes, matchRoute, type RouteMatch, requestFrom } from './router.ts';

const found = (verb: string, path: string): RouteMatch => {
  const match = matchRoute(verb, path);
  if (match === undefined || 'allowed' in match) throw new Error(`${verb} ${path} is no route`);
  return match;
};

const filled = (path: string) =>
  path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => `v-${name.replaceAll('.', '-')}`);

const isLoser = (rule: MethodRule, verb: string, path: string) =>
  disputes.some(({ winner, loser }) => {
    const shape = (text: string) => text.replaceAll(/\{[^}]+\}/g, '{}');
    const taken = ruleOf(winner).bindings.some(
      (other) => other.verb === verb && shape(other.path) === shape(path),
    );
    return loser === rule.name && taken;
  });

test('every REST path of the contract leads to its own method, with every parameter in its place', () => {
  const lost: string[] = [];
  for (const rule of methodRules) {
    for (const { verb, path } of rule.bindings) {
      if (isLoser(rule, verb, path)) {
        lost.push(`${rule.name} ${verb}`);
        continue;
      }
      const match = found(verb, filled(path));
      expect(`${match.rule.name} ${match.binding.path}`).toBe(`${rule.name} ${path}`);
      const { message } = requestFrom(match, [], undefined);
      const shown = JSON.stringify(toJson(rule.desc.input, message as never));
      for (const value of Object.values(match.params)) expect(shown, path).toContain(`"${value}"`);
    }
  }
  expect(lost).toEqual([
    'PatchRunners POST',
    'StreamLogEntries GET',
    'StreamLogEntries GET',
    'PostPipelines GET',
  ]);
});

test.each([
  ['GET', '/v2/concepts/status', 'GetConceptCounts'],
  ['GET', '/v2/concepts/cat', 'GetConcept'],
  ['GET', '/v2/users/u/apps/a/concepts/relations', 'ListConceptRelations'],
  ['GET', '/v2/users/u/apps/a/concepts/knowledge_graphs', 'ListKnowledgeGraphs'],
  ['GET', '/v2/models/types', 'ListModelTypes'],
  ['GET', '/v2/inputs/status', 'GetInputCount'],
  ['GET', '/v2/inputs/stream', 'StreamInputs'],
  ['POST', '/v2/inputs/searches', 'PostInputsSearches'],
  ['GET', '/v2/pipelines', 'ListPipelines'],
  ['PATCH', '/v2/models/', 'PatchModels'],
  ['DELETE', '/v2/users/me/apps/a', 'DeleteApp'],
  ['HEAD', '/v2/inputs/i', 'GetInput'],
  ['POST', '/v2/users/u/runners', 'PostRunners'],
])('%s %s is answered by %s', (verb, path, name) => {
  expect(found(verb, path).rule.name).toBe(name);
});

test('a path that exists under other verbs tells which', () => {
  expect(matchRoute('PUT', '/v2/inputs')).toEqual({ allowed: ['DELETE', 'GET', 'PATCH', 'POST'] });
});

test.each([['/v2/nothing'], ['/v2/inputs//searches'], ['/v2/inputs/a/b/c/d'], ['/'], ['/v2//models/x']])(
  'no method has the path %s',
  (path) => {
    expect(matchRoute('GET', path)).toBeUndefined();
  },
);

test('ids are percent-decoded once, and odd escapes are left alone', () => {
  expect(found('GET', '/v2/concepts/%E4%BA%BA%2F%2541').params).toEqual({ concept_id: '人/%41' });
  expect(found('GET', '/v2/concepts/%zz').params).toEqual({ concept_id: '%zz' });
});

test('the path wins over the body, the body over the query', () => {
  const match = found('POST', '/v2/users/path/apps/path/inputs');
  const query: [string, string][] = [
    ['user_app_id.user_id', 'query'],
    ['inputs_add_job_id', 'query'],
  ];
  const { message, sent } = requestFrom(match, query, {
    userAppId: { userId: 'body' },
    inputs: [{ id: 'a' }],
  });
  expect(message).toMatchObject({ userAppId: { userId: 'path', appId: 'path' }, inputsAddJobId: 'query' });
  expect(requestFrom(match, query, { inputsAddJobId: 'body' }).message).toMatchObject({
    inputsAddJobId: 'body',
  });
  expect(sent).toEqual({ user_app_id: { user_id: 'body' }, inputs: [{ id: 'a' }] });
});

test('DELETE takes its ids from the body', () => {
  const { message } = requestFrom(found('DELETE', '/v2/inputs'), [], { ids: ['a', 'b'] });
  expect(message).toMatchObject({ ids: ['a', 'b'] });
});

test('GET reads its query in either spelling', () => {
  const query = new URLSearchParams('page=2&perPage=3&concept_query.name=x');
  const { message, sent } = requestFrom(found('GET', '/v2/models'), query, undefined);
  expect([message, sent]).toMatchObject([{ page: 2, perPage: 3 }, undefined]);
});

test('a POST to runners with an action is a patch', () => {
  const match = found('POST', '/v2/users/u/compute_clusters/c/nodepools/n/runners');
  expect(requestFrom(match, [], { runners: [] }).rule.name).toBe('PostRunners');
  const patch = requestFrom(match, [], { action: 'merge', runners: [{ id: 'r' }] });
  expect(patch.rule.name).toBe('PatchRunners');
  expect(patch.message).toMatchObject({ nodepoolId: 'n', action: 'merge' });
});

test('a body that is no object is refused, also with a query', () => {
  expect(() => requestFrom(found('POST', '/v2/inputs'), [['inputs_add_job_id', 'x']], [1])).toThrow(
    'got a list',
  );
});
