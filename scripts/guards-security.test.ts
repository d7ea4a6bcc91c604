import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseSync } from 'oxc-parser';
import { expect, test } from 'vitest';
import { root } from './lib/paths.mjs';
import { filesBelow } from './lib/stamp.mjs';
import { sbomOf } from './sbom.mjs';

const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));

const isShipped = (path: string) =>
  /\.(ts|tsx)$/.test(path) && !/\.test\.tsx?$|\.testing\.ts$|[\\/]testing[\\/]|\.d\.ts$/.test(path);
const sourcesBelow = (folders: string[]) =>
  filesBelow(folders)
    .filter(isShipped)
    .map((path: string) => ({
      path: relative(root, path).replaceAll('\\', '/'),
      source: readFileSync(path, 'utf8'),
    }));

type Node = Record<string, unknown>;

/** Calls `visit` for each node of the syntax tree, with the one above it. */
function walk(node: unknown, visit: (node: Node, above: Node | undefined) => void, above?: Node): void {
  if (Array.isArray(node)) for (const item of node) walk(item, visit, above);
  else if (node !== null && typeof node === 'object') {
    const record = node as Node;
    const isNode = typeof record['type'] === 'string';
    if (isNode) visit(record, above);
    for (const value of Object.values(record))
      if (typeof value === 'object') walk(value, visit, isNode ? record : above);
  }
}

const nameOf = (node: unknown): string => {
  const { type, name, property, object } = (node ?? {}) as {
    type?: string;
    name?: string;
    property?: unknown;
    object?: unknown;
  };
  if (type === 'Identifier') return name ?? '';
  return type === 'MemberExpression' ? `${nameOf(object)}.${nameOf(property)}` : '';
};

/** What a source does that no source may: one word each. */
function dangersOf(source: string): string[] {
  const found = new Set<string>();
  walk(parseSync('source.ts', source).program, (node) => {
    const type = node['type'];
    if (type === 'CallExpression' || type === 'NewExpression') {
      const callee = nameOf(node['callee']);
      const args = node['arguments'] as Node[];
      if (callee === 'eval' || callee === 'Function' || callee === 'globalThis.eval')
        found.add('code from text');
      if (/^((child_process|cp)\.)?(exec|execSync)$/.test(callee)) found.add('shell');
      for (const arg of args) {
        if (arg['type'] !== 'ObjectExpression') continue;
        for (const property of arg['properties'] as Node[]) {
          const value = property['value'] as Node | undefined;
          if (nameOf(property['key']) === 'shell' && value?.['value'] === true) found.add('shell');
          if (nameOf(property['key']) === 'rejectUnauthorized' && value?.['value'] === false)
            found.add('any certificate');
        }
      }
      if (/(^|\.)document\.write$|\.insertAdjacentHTML$/.test(callee)) found.add('markup from text');
      // `sql.raw(text)` is for names from a list of our own; with anything but a literal it needs a look.
      if (callee === 'sql.raw' && (args[0] as Node | undefined)?.['type'] === 'TemplateLiteral') {
        if (((args[0] as Node)['expressions'] as unknown[]).length > 0) found.add('SQL from text');
      }
    }
    if (type === 'AssignmentExpression' && /\.(innerHTML|outerHTML)$/.test(nameOf(node['left'])))
      found.add('markup from text');
    if (type === 'BinaryExpression' && /^(===|!==|==|!=)$/.test(String(node['operator']))) {
      const sides = [node['left'], node['right']].map(nameOf);
      if (sides.every((side) => /(^|\.)(secret|token|password|pat|hash|signature)$/.test(side)))
        found.add('secrets compared byte by byte');
    }
  });
  return [...found].sort();
}

test.each([
  ['eval(text)', ['code from text']],
  ['new Function("return 1")', ['code from text']],
  ['import { exec } from "node:child_process"; exec(`ls ${x}`)', ['shell']],
  ['spawn("ls", [], { shell: true })', ['shell']],
  ['spawn("ls", [x])', []],
  ['/a/.exec(text)', []],
  ['node.innerHTML = text', ['markup from text']],
  ['sql.raw(`order by ${name}`)', ['SQL from text']],
  ['sql.raw("order by key")', []],
  ['connect({ rejectUnauthorized: false })', ['any certificate']],
  ['if (row.hash === given.hash) enter()', ['secrets compared byte by byte']],
  ['if (kind === "token") enter()', []],
])('the guard judges %s', (source, dangers) => {
  expect(dangersOf(source)).toEqual(dangers);
});

// The operator's own token against the one kept, at the start: nobody else can ask.
const known = ['server/src/resources/identity/first-user.ts: secrets compared byte by byte'];

test('no shipped source runs text as code or in a shell, writes markup, or trusts any certificate', () => {
  const found = sourcesBelow(['server/src', 'web/src', 'cli', 'contract/src']).flatMap(
    ({ path, source }: { path: string; source: string }) =>
      dangersOf(source).map((danger) => `${path}: ${danger}`),
  );
  expect(found.filter((one: string) => !known.includes(one))).toEqual([]);
});

test('every package comes from the registry with a digest, and a known one where older ones had holes', () => {
  const packages = Object.entries(
    lock.packages as Record<
      string,
      { version?: string; integrity?: string; link?: boolean; resolved?: string }
    >,
  ).filter(([path, facts]) => path.includes('node_modules/') && !facts.link);
  expect(packages.filter(([, facts]) => !facts.integrity).map(([path]) => path)).toEqual([]);
  expect(
    packages
      .filter(([, facts]) => facts.resolved && !facts.resolved.startsWith('https://'))
      .map(([path]) => path),
  ).toEqual([]);
  const least: Record<string, number[][]> = {
    sharp: [[0, 35, 0]],
    '@grpc/grpc-js': [[1, 10, 9]],
    protobufjs: [
      [7, 5, 8],
      [8, 2, 0],
    ],
  };
  for (const [path, { version = '' }] of packages) {
    const floor = least[path.replace(/^.*node_modules\//, '')];
    if (!floor || path.includes('clarifai')) continue;
    const have = version.split('.').map(Number);
    const fitting = floor.filter(([major]) => major === have[0]);
    const isEnough = fitting.some((want) => compare(have, want) >= 0);
    expect(isEnough, `${path} ${version}`).toBe(true);
  }
});

function compare(have: number[], want: number[]): number {
  for (let i = 0; i < 3; i++) {
    const difference = (have[i] ?? 0) - (want[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

test('the bill of materials names every package that runs, with digest and licence, and is the same each time', () => {
  const bom = sbomOf(lock);
  expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5' });
  expect(bom.components.length).toBeGreaterThan(50);
  expect(
    bom.components
      .filter((one) => one.hashes.length === 0 || one.licenses.length === 0)
      .map((one) => one.purl),
  ).toEqual([]);
  for (const name of ['sharp', 'pg', 'kysely']) expect(bom.components.map((one) => one.name)).toContain(name);
  expect(sbomOf(lock)).toEqual(bom);
  expect(sbomOf(lock, { dev: true }).components.length).toBeGreaterThan(bom.components.length);
});
