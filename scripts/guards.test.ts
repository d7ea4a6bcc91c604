import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseSync } from 'oxc-parser';
import { expect, test } from 'vitest';
import { root } from './lib/paths.mjs';
import { filesBelow } from './lib/stamp.mjs';

type Manifest = {
  license?: string;
  dev?: boolean;
  link?: boolean;
  optional?: boolean;
  hasInstallScript?: boolean;
};

const lock: Record<string, Manifest> = JSON.parse(
  readFileSync(join(root, 'package-lock.json'), 'utf8'),
).packages;
const nameOf = (path: string) => path.replace(/^.*node_modules\//, '');
const fromRegistry = Object.entries(lock).filter(
  ([path, facts]) => path.includes('node_modules/') && !facts.link,
);

const serverSources = filesBelow(['server/src'])
  .filter(
    (path: string) => path.endsWith('.ts') && !/\.test\.ts$|[\\/]testing[\\/]|[./\\]testing\.ts$/.test(path),
  )
  .map((path: string) => ({ path: relative(root, path), source: readFileSync(path, 'utf8') }));

/** Calls `visit` for each node of the syntax tree. */
function walk(node: unknown, visit: (node: Record<string, unknown>) => void): void {
  if (Array.isArray(node)) for (const item of node) walk(item, visit);
  else if (node !== null && typeof node === 'object') {
    const record = node as Record<string, unknown>;
    if (typeof record['type'] === 'string') visit(record);
    for (const value of Object.values(record)) if (typeof value === 'object') walk(value, visit);
  }
}

function skipsRows(source: string): boolean {
  let found = false;
  walk(parseSync('source.ts', source).program, (node) => {
    if (node['type'] === 'Literal' && typeof node['value'] === 'string') found ||= isOffset(node['value']);
    if (node['type'] === 'TemplateLiteral') {
      found ||= isOffset(
        (node['quasis'] as { value: { raw: string } }[]).map((part) => part.value.raw).join('$'),
      );
    }
    if (node['type'] !== 'CallExpression') return;
    const callee = node['callee'] as { property?: { name?: string } };
    found ||= callee.property?.name === 'offset';
  });
  return found;
}

/** `… LIMIT 20 OFFSET $1`: SQL in which the word is followed by a number or a parameter. */
const isOffset = (text: string) =>
  /\boffset\s+[\d$:(]/i.test(text) && /\b(select|from|limit|order by)\b/i.test(text);

test.each([
  [`sql\`select * from inputs limit \${n} offset \${m}\``, true],
  [`\`damaged at offset \${n}\``, false],
  ["'select 1 limit 2 OFFSET 40'", true],
  ['db.selectFrom("inputs").offset(20)', true],
  ['const offset = 1; read(offset);', false],
  ["'the offset of a byte'", false],
  ['// LIMIT 1 OFFSET 2', false],
])('the guard against OFFSET judges %s', (source, skips) => {
  expect(skipsRows(source)).toBe(skips);
});

test('no SQL skips rows by OFFSET: a page far down costs as little as the first', () => {
  expect(serverSources.filter(({ source }) => skipsRows(source)).map(({ path }) => path)).toEqual([]);
});

test('only config.ts reads the environment', () => {
  const readers = serverSources.filter(({ source }) => {
    let reads = false;
    walk(parseSync('source.ts', source).program, (node) => {
      if (node['type'] !== 'MemberExpression') return;
      const { object, property } = node as { object?: { name?: string }; property?: { name?: string } };
      reads ||= object?.name === 'process' && property?.name === 'env';
    });
    return reads;
  });
  expect(readers.map(({ path }) => path)).toEqual(['server/src/config.ts']);
});

function committedFiles(): string[] {
  const { status, stdout } = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' });
  // A downloaded archive has no history to ask.
  if (status !== 0) return filesBelow(['.']).map((path: string) => relative(root, path));
  return stdout.split('\0').filter(Boolean);
}

test('no committed file names a folder of somebody’s machine', () => {
  const listed = committedFiles();
  const machine = new RegExp(
    ['work', 'root', 'home/[a-z]+', 'Users/[a-z]+'].map((name) => `(?<![\\w.@-])/${name}/`).join('|'),
    'i',
  );
  const text = /\.(ts|tsx|mjs|js|json|md|html|css|ya?ml|sh|txt|toml|service|svg)$|(^|\/)(Dockerfile|run)$/;
  const telling = listed.filter((path) => {
    if (!text.test(path)) return false;
    try {
      return machine.test(readFileSync(join(root, path), 'utf8'));
    } catch {
      return false;
    }
  });
  expect(telling).toEqual([]);
});

const permissive = new Set([
  'MIT',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  '0BSD',
  'CC0-1.0',
  'BlueOak-1.0.0',
  'Zlib',
]);

/** Whether a licence expression asks for nothing but attribution. */
function isPermissive(expression: string): boolean {
  const words = expression.replace(/[()]/g, '').replace('Apache 2.0', 'Apache-2.0');
  return words
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((name) => permissive.has(name.trim())));
}

// sharp loads libvips as a shared library of its own, unchanged, which the LGPL allows beside any licence.
const exceptions = /^@img\/sharp-(libvips-|win32-|wasm32)/;

test('what runs in production is under permissive licences, the libvips of sharp apart', () => {
  const strange = fromRegistry
    .filter(
      ([path, facts]) =>
        !facts.dev && !exceptions.test(nameOf(path)) && !isPermissive(facts.license ?? 'none'),
    )
    .map(([path, facts]) => `${path}: ${facts.license}`);
  expect(strange).toEqual([]);
});

test('no install script is allowed to run, and a package that brings a new one is noticed', () => {
  const allowed: Record<string, boolean> = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  ).allowScripts;
  expect(Object.entries(allowed).filter(([, runs]) => runs)).toEqual([]);
  const scripted = new Set(
    fromRegistry.filter(([, facts]) => facts.hasInstallScript).map(([path]) => nameOf(path)),
  );
  expect([...scripted].filter((name) => !(name in allowed))).toEqual([]);
});

test('a SIGTERM to npm start reaches the server: npm’s shell, which passes none on, gives it its place', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(scripts.start).toBe('exec node scripts/start.mjs');
});
