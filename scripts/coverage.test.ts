import { expect, test } from 'vitest';
import { calledNames, notYetNames } from './lib/coverage-page.mjs';

test('the RPCs that are not built are the keys of the list', () => {
  const source =
    "const refuse = () => {};\nexport const notYet = { getUser: refuse, 'listApps': refuse } as const;";
  expect([...notYetNames(source)]).toEqual(['getUser', 'listApps']);
});

test.each([
  ['stub.PostInputs({}, metadata)', 'PostInputs', true],
  ['await alice.postInputs({ inputs })', 'postInputs', true],
  ["await call('PostInputs', {})", 'PostInputs', true],
  ["channel.makeBidiStreamRequest('/clarifai.api.V2/PostInputs', write, read)", 'PostInputs', true],
  ['// PostInputs is tested elsewhere', 'PostInputs', false],
  ["test('PostInputs keeps the order', () => {})", 'PostInputs', false],
])('%s calls %s: %s', (source, name, calls) => {
  expect(calledNames('a.test.ts', source).has(name)).toBe(calls);
});
