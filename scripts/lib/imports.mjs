import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { parseSync } from 'oxc-parser';
import { mayImport, mayUsePackages, zoneOf } from './import-rules.mjs';
import { root } from './paths.mjs';
import { filesBelow } from './stamp.mjs';

const folders = ['contract', 'formats', 'server', 'web', 'cli', 'conformance', 'bench'];
const builtins = new Set(builtinModules);

/**
 * @typedef {{ from: string, to: string, line: number, request: string }} Import `from` and `to` are paths
 *   from the root with forward slashes; `to` is `package:<name>` for what is not ours
 */

/** Tests, and what serves only them: `x.test.ts`, `x.testing.ts`, `testing.ts`, anything in `testing/`. */
const isTest = (path) => /\.test\.tsx?$|[./]testing\.ts$|(^|\/)testing\//.test(path);

/** Every import of the project's sources, type-only ones, re-exports and literal `import()` too. */
export function readImports(paths = sourcePaths()) {
  return paths.flatMap((path) => importsOf(path, readFileSync(join(root, path), 'utf8')));
}

const sourcePaths = () =>
  filesBelow(folders)
    .map((path) => relative(root, path).split(sep).join('/'))
    .filter((path) => /\.tsx?$/.test(path) && !path.endsWith('.d.ts') && !path.startsWith('contract/gen/'));

/**
 * @param {string} path from the root
 * @param {string} source
 * @returns {Import[]}
 */
export function importsOf(path, source) {
  const { module, errors } = parseSync(path, source);
  const wrong = errors.find((error) => error.severity === 'Error');
  if (wrong) throw new Error(`${path} cannot be parsed: ${wrong.message}`);
  const found = [];
  const add = (request, at) => {
    found.push({ from: path, to: resolveRequest(path, request), line: lineOf(source, at), request });
  };
  for (const { moduleRequest } of module.staticImports) add(moduleRequest.value, moduleRequest.start);
  for (const { entries } of module.staticExports) {
    const named = entries.find((entry) => entry.moduleRequest)?.moduleRequest;
    if (named) add(named.value, named.start);
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^['"](.*)['"]$/.exec(source.slice(moduleRequest.start, moduleRequest.end));
    if (literal) add(literal[1], moduleRequest.start);
  }
  // `import('x').Y` in a type position is no import statement; it is an edge all the same.
  for (const match of source.matchAll(/(?<!await )\bimport\(\s*'([^']+)'\s*\)\./g)) {
    if (!found.some((one) => one.request === match[1])) add(match[1], match.index);
  }
  return found;
}

const lineOf = (source, at) => source.slice(0, at).split('\n').length;

function resolveRequest(from, request) {
  if (request.startsWith('.')) return join(dirname(from), request).split(sep).join('/');
  if (request.startsWith('#')) return `server/src/${request.slice(1)}`;
  if (request.startsWith('@fovea/')) {
    const [, name, ...inner] = request.split('/');
    return `${name}/src/${inner.join('/') || 'index'}.ts`;
  }
  const bare = request.replace(/^node:/, '');
  if (request.startsWith('node:') || builtins.has(bare)) return `package:node:${bare}`;
  return `package:${request
    .split('/')
    .slice(0, request.startsWith('@') ? 2 : 1)
    .join('/')}`;
}

/** What breaks the rules: one line each, ready to print. */
export function brokenRules(imports) {
  return [
    ...imports.filter((one) => !isTest(one.from)).flatMap(misdirected),
    ...cyclesOf(imports.filter((one) => !isTest(one.from))).map(
      (path) => `import cycle: ${path.join(' → ')}`,
    ),
  ];
}

function misdirected({ from, to, line, request }) {
  const where = `${from}:${line}`;
  const zone = zoneOf(from);
  if (zone === undefined) return [`${where} lies in no place that docs/ARCHITECTURE.md knows`];
  if (to.startsWith('package:')) {
    const name = to.slice('package:'.length);
    return mayUsePackages(zone, name) ? [] : [`${where} ${zone} may not use the package ${name}`];
  }
  const target = zoneOf(to);
  if (/\.test\.tsx?$|[./]testing\.ts$/.test(to)) return [`${where} imports test code (${request})`];
  if (target === undefined) return [`${where} imports ${request}, which lies in no known place`];
  const why = mayImport(zone, target, to);
  return why === true ? [] : [`${where} imports ${request}: ${why}`];
}

/** The cycles among our own files, each as a closed path; one per strongly connected knot. */
export function cyclesOf(imports) {
  const next = new Map();
  for (const { from, to } of imports) {
    if (to.startsWith('package:')) continue;
    if (!next.has(from)) next.set(from, new Set());
    next.get(from).add(to);
  }
  const state = new Map();
  const cycles = [];
  const trail = [];
  const visit = (path) => {
    state.set(path, 'open');
    trail.push(path);
    for (const target of next.get(path) ?? []) {
      if (state.get(target) === 'open') cycles.push([...trail.slice(trail.indexOf(target)), target]);
      else if (!state.has(target)) visit(target);
    }
    trail.pop();
    state.set(path, 'done');
  };
  for (const path of [...next.keys()].sort()) if (!state.has(path)) visit(path);
  return cycles;
}

/** The edges between places, one a line, sorted: the text of docs/import-map.txt. */
export function importMap(imports) {
  const edges = new Set();
  for (const { from, to } of imports) {
    if (isTest(from) || to.startsWith('package:')) continue;
    const [a, b] = [zoneOf(from) ?? from, zoneOf(to) ?? to];
    if (a !== b) edges.add(`${a} -> ${b}`);
  }
  return `${[...edges].sort().join('\n')}\n`;
}
