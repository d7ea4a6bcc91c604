import { routes } from '@fovea/contract/rest';
import { expect, test } from 'vitest';
import { type RpcName, wireOf } from './client.ts';

const app = { user_id: 'ada', app_id: 'my app' };

test.each<[RpcName, object, string, string, object | undefined]>([
  ['GetApp', { user_app_id: app }, 'GET', '/v2/users/ada/apps/my%20app', undefined],
  [
    'ListInputs',
    { user_app_id: app, ids: ['a', 'b&c'], per_page: 2 },
    'GET',
    '/v2/users/ada/apps/my%20app/inputs?ids=a&ids=b%26c&per_page=2',
    undefined,
  ],
  [
    'PostWorkflowResults',
    { user_app_id: app, workflow_id: 'w', inputs: [] },
    'POST',
    '/v2/users/ada/apps/my%20app/workflows/w/results',
    { inputs: [] },
  ],
  [
    'PostWorkflowResults',
    { user_app_id: app, workflow_id: 'w', version_id: 'v', inputs: [] },
    'POST',
    '/v2/users/ada/apps/my%20app/workflows/w/versions/v/results',
    { inputs: [] },
  ],
  ['GetUser', { user_app_id: { user_id: 'me' } }, 'GET', '/v2/users/me', undefined],
  [
    'DeleteInputs',
    { user_app_id: app, ids: ['a'] },
    'DELETE',
    '/v2/users/ada/apps/my%20app/inputs',
    { ids: ['a'] },
  ],
])('%s of %o travels as %s %s', (name, request, verb, path, body) => {
  expect(wireOf(name, request)).toEqual({ verb, path, ...(body ? { body } : {}) });
});

test('every RPC has a route, and no path is left with an empty place', () => {
  for (const name of Object.keys(routes) as RpcName[]) {
    const [, ...all] = routes[name];
    expect(all.length).toBeGreaterThan(0);
    for (const route of all) expect(route).toMatch(/^(GET|POST|PATCH|PUT|DELETE) \/v2\//);
  }
});
