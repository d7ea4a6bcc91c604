import { expect, test } from 'vitest';
import { brokenRules, cyclesOf, importMap, importsOf } from './lib/imports.mjs';

test('every way of naming another file is seen, type-only ones too', () => {
  const source = [
    "import type { A } from './a.ts';",
    "import './b.ts';",
    "export * from '#domain/c.ts';",
    "export type { D } from '@fovea/contract';",
    "const e = await import('./e.ts');",
    "let f: import('./f.ts').F;",
    "import { readFileSync } from 'node:fs';",
    "import sharp from 'sharp';",
    "import { S3Client } from '@aws-sdk/client-s3/x';",
    "// import './no.ts'",
  ].join('\n');
  expect(
    importsOf('server/src/store/x.ts', source)
      .map((one) => one.to)
      .sort(),
  ).toEqual([
    'contract/src/index.ts',
    'package:@aws-sdk/client-s3',
    'package:node:fs',
    'package:sharp',
    'server/src/domain/c.ts',
    'server/src/store/a.ts',
    'server/src/store/b.ts',
    'server/src/store/e.ts',
    'server/src/store/f.ts',
  ]);
});

test.each([
  // from                                      imports                                may it?
  ['server/src/main.ts', '#gateway/index.ts', true],
  ['server/src/store/a.ts', '#domain/grant.ts', true],
  ['server/src/store/a.ts', '#store/b.ts', true],
  ['server/src/domain/a.ts', '#store/b.ts', false],
  ['server/src/domain/a.ts', '@fovea/contract', false],
  ['server/src/domain/a.ts', 'node:fs', false],
  ['server/src/store/a.ts', '#engine/b.ts', false],
  ['server/src/engine/a.ts', '#store/b.ts', false],
  ['server/src/store/a.ts', '@fovea/contract', false],
  ['server/src/jobs/a.ts', '#resources/inputs/index.ts', false],
  ['server/src/gateway/a.ts', '#store/b.ts', false],
  ['server/src/gateway/a.ts', '#resources/inputs/index.ts', false],
  ['server/src/gateway/a.ts', '@fovea/contract', true],
  ['server/src/resources/inputs/a.ts', '#resources/concepts/index.ts', true],
  ['server/src/resources/inputs/a.ts', '#resources/concepts/store.ts', false],
  ['server/src/resources/inputs/a.ts', '#resources/common/paging.ts', true],
  ['server/src/resources/common/paging.ts', '#resources/inputs/index.ts', false],
  ['server/src/resources/inputs/a.ts', '#gateway/b.ts', false],
  ['server/src/resources/inputs/a.ts', '#config.ts', false],
  ['server/src/resources/inputs/a.ts', 'sharp', false],
  ['server/src/gateway/a.ts', 'pg', false],
  ['server/src/elsewhere/a.ts', '#domain/b.ts', false],
  ['server/src/main.ts', '#testing/server.ts', false],
  ['server/src/store/a.ts', '#testing/server.ts', false],
  ['conformance/global-setup.ts', '../server/src/testing/server.ts', true],
  ['conformance/global-setup.ts', '../server/src/store/a.ts', false],
  ['web/src/a.ts', '@fovea/contract', true],
  ['web/src/a.ts', '../../server/src/domain/ids.ts', false],
  ['cli/src/a.ts', '../../server/src/config.ts', false],
])('%s importing %s: %s', (from, request, allowed) => {
  const broken = brokenRules(importsOf(from, `import '${request}';`));
  expect(broken).toHaveLength(allowed ? 0 : 1);
});

test('a test may look into anything, and nothing may import a test', () => {
  expect(brokenRules(importsOf('server/src/store/a.test.ts', "import '#gateway/b.ts';"))).toEqual([]);
  expect(brokenRules(importsOf('server/src/store/x.testing.ts', "import './testing.ts';"))).toEqual([]);
  expect(brokenRules(importsOf('server/src/store/testing.ts', "import '#gateway/b.ts';"))).toEqual([]);
  expect(brokenRules(importsOf('server/src/store/a.ts', "import './b.test.ts';"))).toHaveLength(1);
  expect(brokenRules(importsOf('server/src/store/a.ts', "import './testing.ts';"))).toHaveLength(1);
});

test('a cycle is found whatever its length, and named by its path', () => {
  const edge = (from: string, to: string) => ({ from, to, line: 1, request: to });
  expect(cyclesOf([edge('a', 'b'), edge('b', 'c'), edge('c', 'a'), edge('c', 'd')])).toEqual([
    ['a', 'b', 'c', 'a'],
  ]);
  expect(cyclesOf([edge('a', 'a')])).toEqual([['a', 'a']]);
  expect(cyclesOf([edge('a', 'b'), edge('a', 'c'), edge('b', 'd'), edge('c', 'd')])).toEqual([]);
});

test('the map names places, not files, each edge once', () => {
  const imports = [
    ...importsOf(
      'server/src/store/a.ts',
      "import '#domain/a.ts'; import '#domain/b.ts'; import './c.ts'; import 'pg';",
    ),
    ...importsOf('server/src/resources/inputs/a.ts', "import '@fovea/contract';"),
  ];
  expect(importMap(imports)).toBe('server/resources/inputs -> contract\nserver/store -> server/domain\n');
});
