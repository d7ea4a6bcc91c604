import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  beyondContract,
  ConceptSchema,
  DeploymentSchema,
  defaultFloat,
  isPrivate,
  type MethodRule,
  ModelSchema,
  methodRules,
  ruleOf,
  StatusSchema,
  scopeRules,
  showIfEmpty,
  statusCodeRules,
  statusRuleOf,
} from './index.ts';

const contract = methodRules.filter((rule) => !rule.beyondContract);

/** A method in few lines: name, sign-in, kind where it streams, scopes, paths. */
function lineOf(rule: MethodRule): string {
  const kind = rule.kind === 'unary' ? '' : ` ${rule.kind}`;
  const paths = rule.bindings.map((binding) => `  ${binding.verb} ${binding.path}`);
  return [`${rule.name} ${rule.auth}${kind}: ${[...rule.scopes].sort().join(', ')}`, ...paths].join('\n');
}

test('the contract is 298 RPCs and 511 REST paths', () => {
  expect(contract).toHaveLength(298);
  expect(contract.flatMap((rule) => rule.bindings)).toHaveLength(511);
});

test('the RPCs, their sign-in, scopes and paths are those of the golden list', async () => {
  const lines = methodRules.map(lineOf).sort();
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('./methods.golden.txt');
});

test('the union of three package versions equals the list handed to the project', (context) => {
  const list = new URL('../../../shared/contract/endpoints.tsv', import.meta.url);
  if (!existsSync(list)) return context.skip();
  const rows = readFileSync(list, 'utf8').trim().split('\n').slice(1);
  const wanted = rows.map((row) => row.split('\t').slice(0, 3).join(' '));
  const mine = contract.flatMap((rule) =>
    rule.bindings.map(({ verb, path }) => `${rule.name} ${verb} ${path}`),
  );
  expect(mine.sort()).toEqual(wanted.sort());
});

test('RPCs of newer contracts stand beside the 298 and are counted apart', () => {
  expect(beyondContract).toEqual([
    'StreamAnnotations',
    'StreamLivestreamAnnotations',
    'DeleteModelMigration',
    'PostNodepoolStatus',
    'PostRunnerReplicaTaskMetrics',
    'ListPipelineVersionRunStatusLogs',
    'ListPipelineTemplates',
    'PostPipelineVersionRunFromTemplate',
  ]);
});

test.each([
  ['ListConcepts', '/clarifai.api.V2/ListConcepts', 'KeyAuth', 'unary', ['Apps_Get', 'Concepts_Get']],
  ['ListStatusCodes', '/clarifai.api.V2/ListStatusCodes', 'NoAuth', 'unary', []],
  ['ProcessRunnerItems', '/clarifai.api.V2/ProcessRunnerItems', 'PATAuth', 'bidi_streaming', undefined],
  ['GenerateModelOutputs', '/clarifai.api.V2/GenerateModelOutputs', 'KeyAuth', 'server_streaming', undefined],
  ['GetResourcePrice', '/clarifai.api.V2/GetResourcePrice', 'KeyAuth', 'unary', undefined],
])('%s tells its path, sign-in and kind', (name, path, auth, kind, scopes) => {
  const rule = ruleOf(name);
  expect(rule).toMatchObject({ path, auth, kind });
  if (scopes) expect([...rule.scopes].sort()).toEqual(scopes);
});

test('every method names a sign-in and scopes that exist', () => {
  for (const rule of methodRules) {
    expect(['NoAuth', 'KeyAuth', 'PATAuth', 'SessionTokenAuth'], rule.name).toContain(rule.auth);
    for (const scope of rule.scopes) expect(scopeRules.has(scope), `${rule.name} ${scope}`).toBe(true);
  }
});

test('scopes tell what must be granted with them and whether they may be granted at all', () => {
  expect(scopeRules.get('Inputs_Add')).toMatchObject({ exposed: true, dependingScopes: ['Inputs_Get'] });
  expect(scopeRules.get('Inputs_Delete')?.dependingScopes).toEqual(expect.arrayContaining(['Inputs_Get']));
  expect([...scopeRules.values()].some((scope) => !scope.exposed)).toBe(true);
});

test.each([
  [10000, 'SUCCESS', 'Ok'],
  [11008, 'CONN_KEY_INVALID', 'Invalid API key or Invalid API key/application pair'],
  [21200, 'MODEL_DOES_NOT_EXIST', 'Model does not exist'],
  [25903, 'DEPLOYMENT_DISABLED', 'Deployment disabled'],
  [64008, 'JOB_PAUSED', 'Job paused'],
  [12, 'CODE_12', 'Code 12'],
])('code %d is %s, "%s"', (code, name, description) => {
  expect(statusRuleOf(code)).toEqual({ code, name, description });
});

test('every status code has words', () => {
  expect(statusCodeRules.size).toBeGreaterThan(400);
  for (const rule of statusCodeRules.values()) expect(rule.description, rule.name).not.toBe('');
});

const fieldsWith = (fields: typeof StatusSchema.fields, rule: (field: (typeof fields)[0]) => unknown) =>
  fields.filter((field) => rule(field)).map((field) => field.name);

test('field rules are read from the descriptors', () => {
  expect(fieldsWith(StatusSchema.fields, isPrivate)).toEqual([
    'stack_trace',
    'internal_details',
    'redirect_info',
  ]);
  expect(fieldsWith(ConceptSchema.fields, showIfEmpty)).toEqual(['value']);
  expect(fieldsWith(ConceptSchema.fields, defaultFloat)).toEqual(['value']);
  expect(fieldsWith(ModelSchema.fields, showIfEmpty)).toEqual(['app_id']);
});

test('fields of newer contracts keep the numbers newer clients send', () => {
  const numbers = Object.fromEntries(DeploymentSchema.fields.map((field) => [field.name, field.number]));
  expect(numbers).toMatchObject({
    desired_worker: 16,
    deployment_nodepools: 19,
    deployment_metrics: 20,
    status: 21,
  });
  expect(StatusSchema.fields.at(-1)).toMatchObject({ name: 'http_status_code', number: 11 });
});
