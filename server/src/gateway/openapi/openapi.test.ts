import { Script } from 'node:vm';
import { methodRules } from '@fovea/contract';
import { expect, test } from 'vitest';
import { referencePage } from './docs-page.ts';
import { openApiDocument } from './index.ts';
import { tagOf } from './operations.ts';
import { referenceScript } from './reference-script.ts';

interface Operation {
  operationId: string;
  tags: string[];
  parameters: { name: string; in: string }[];
  'x-also'?: string[];
}

interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties?: Record<string, unknown> }> };
}

const documentIn = async (names: 'snake' | 'camel') => (await openApiDocument(names)) as unknown as Document;
const operationsOf = (document: Document) =>
  Object.values(document.paths).flatMap((path) => Object.values(path));

test('every REST path of every RPC is described, each under a name of its own', async () => {
  const document = await documentIn('snake');
  const operations = operationsOf(document);
  const named = operations.flatMap((one) => [one.operationId, ...(one['x-also'] ?? [])]);
  const wanted = methodRules.flatMap(({ name, bindings }) =>
    bindings.map((_, i) => (i === 0 ? name : `${name}_${i + 1}`)),
  );
  expect(named.sort()).toEqual(wanted.sort());
  expect(new Set(named).size).toBe(named.length);
});

test('no two paths differ in the names of their parameters only, and every parameter is described', async () => {
  const { paths } = await documentIn('snake');
  const shapes = Object.keys(paths).map((path) => path.replaceAll(/\{[^}]+\}/g, '{}'));
  expect(new Set(shapes).size).toBe(shapes.length);
  for (const [path, verbs] of Object.entries(paths)) {
    const wanted = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]);
    for (const { parameters } of Object.values(verbs)) {
      expect(parameters.filter((one) => one.in === 'path').map((one) => one.name)).toEqual(wanted);
      const query = parameters.filter((one) => one.in === 'query').map((one) => one.name);
      expect(new Set(query).size).toBe(query.length);
    }
  }
});

test('every reference points at a schema that is there', async () => {
  for (const names of ['snake', 'camel'] as const) {
    const document = await documentIn(names);
    const refs = new Set(JSON.stringify(document).match(/#\/components\/schemas\/[^"]+/g));
    expect(refs.size).toBeGreaterThan(500);
    for (const ref of refs)
      expect(document.components.schemas).toHaveProperty([ref.split('/').at(-1) as string]);
  }
});

test('fields are spelled in the style asked for, and private ones are not told', async () => {
  const snake = (await documentIn('snake')).components.schemas['status.Status']?.properties;
  const camel = (await documentIn('camel')).components.schemas['status.Status']?.properties;
  expect(Object.keys(snake ?? {})).toContain('req_id');
  expect(Object.keys(camel ?? {})).toContain('reqId');
  expect(Object.keys(snake ?? {})).not.toContain('stack_trace');
});

test.each([
  ['/v2/users/{u}/apps/{a}/inputs/{i}', 'inputs'],
  ['/v2/users/{u}/apps/{a}', 'apps'],
  ['/v2/users/{u}/apps', 'apps'],
  ['/v2/users/{u}', 'users'],
  ['/v2/users/{u}/keys', 'keys'],
  ['/v2/status_codes', 'status_codes'],
])('%s belongs to %s', (path, tag) => {
  expect(tagOf(path)).toBe(tag);
});

test('the reference page loads nothing from elsewhere and its script parses', () => {
  expect(new Script(referenceScript)).toBeDefined();
  expect(referencePage + referenceScript).not.toMatch(/https?:\/\//);
  expect(referencePage).not.toMatch(/<script>|style=|onclick/);
});
