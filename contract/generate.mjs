// Builds contract/gen/ (git-ignored): TypeScript and descriptors of the merged contract.
// Run: node generate.mjs [--force]. Does nothing when its inputs have not changed. Needs no network.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import { commentsOf } from './build/comments.mjs';
import { mergeInto } from './build/merge.mjs';
import { restModule } from './build/rest-types.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, 'gen');
const stamp = join(out, 'stamp');
const overlay = join(here, 'overlay');
const require = createRequire(import.meta.url);

/** Newest first: the first is the base, the others only fill its gaps. */
const packages = ['clarifai-nodejs-grpc', 'clarifai-nodejs-grpc-10-3', 'clarifai-nodejs-grpc-10-2'];

// service_processed.proto declares service.proto's symbols a second time; test_proto.proto is the
// publisher's own fixture; commands.proto is not part of the service.
const leftOut = /service_processed\.proto$|test_proto\.proto$|\/commands\//;

/** Folder of an installed package, whether hoisted or not, without asking its export map. */
function packageFolder(name) {
  for (const folder of require.resolve.paths(name) ?? []) {
    if (existsSync(join(folder, name, 'package.json'))) return join(folder, name);
  }
  throw new Error(`package ${name} is not installed; run npm install first`);
}

const files = (folder, ends) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ends))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();

/** Hash of everything that can change the output: our sources and the versions of the packages used. */
function inputHash() {
  const hash = createHash('sha256');
  const own = [
    join(here, 'generate.mjs'),
    ...files(join(here, 'build'), '.mjs'),
    ...files(overlay, '.proto'),
  ];
  for (const file of own) hash.update(relative(here, file)).update(readFileSync(file));
  for (const name of [
    ...packages,
    'protobufjs',
    '@bufbuild/buf',
    '@bufbuild/protobuf',
    '@bufbuild/protoc-gen-es',
  ]) {
    const { version } = JSON.parse(readFileSync(join(packageFolder(name), 'package.json'), 'utf8'));
    hash.update(`${name}@${version}\n`);
  }
  return hash.digest('hex');
}

/** Runs a tool under this Node and gives back what it writes; its complaints go to our own stderr. */
function run(script, args, { input = '', ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], {
      ...options,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(chunks));
      else reject(new Error(`${script} ended with ${code}`));
    });
    child.stdin.end(input);
  });
}

/** Lays out one version's protos under `folder` and compiles them to a FileDescriptorSet. */
async function compile(folder, layers) {
  mkdirSync(folder, { recursive: true });
  for (const [from, to] of layers) {
    cpSync(from, join(folder, to), { recursive: true, filter: (path) => !leftOut.test(path) });
  }
  writeFileSync(join(folder, 'buf.yaml'), 'version: v2\n');
  const buf = join(packageFolder('@bufbuild/buf'), 'bin', 'buf');
  // The cache folder is ours: a read-only or missing home must not matter.
  const env = { ...process.env, BUF_CACHE_DIR: join(folder, '.cache') };
  const image = await run(buf, ['build', '--as-file-descriptor-set', '-o', '-'], { cwd: folder, env });
  return fromBinary(FileDescriptorSetSchema, image);
}

async function compileAll(stage) {
  const google = join(packageFolder('protobufjs'), 'google', 'api');
  const api = ['annotations.proto', 'http.proto'].map((name) => [join(google, name), `google/api/${name}`]);
  const shared = join(packageFolder(packages[0]), 'proto', 'clarifai');
  const [own, base, ...older] = await Promise.all([
    compile(join(stage, 'overlay'), [
      [join(shared, 'auth'), 'proto/clarifai/auth'],
      [join(shared, 'api', 'utils'), 'proto/clarifai/api/utils'],
      [overlay, 'proto'],
      ...api,
    ]),
    ...packages.map((name) =>
      compile(join(stage, name), [[join(packageFolder(name), 'proto'), 'proto'], ...api]),
    ),
  ]);
  return { base, older, own };
}

/** Imports come before importers, as code generators expect. */
function inOrder(set) {
  const byName = new Map(set.file.map((f) => [f.name, f]));
  const done = new Set();
  const visit = (file) => {
    if (done.has(file)) return;
    for (const name of file.dependency) if (byName.has(name)) visit(byName.get(name));
    done.add(file);
  };
  for (const file of set.file) visit(file);
  return [...done];
}

/** Generated files by path inside gen/. */
async function generateTypeScript(set) {
  const protoFile = inOrder(set);
  const ours = protoFile.map((f) => f.name).filter((name) => !name.startsWith('google/protobuf/'));
  // The service is half of the work, so it gets a process of its own.
  const isService = (name) => name.endsWith('/service.proto');
  const parts = [ours.filter(isService), ours.filter((name) => !isService(name))];
  const files = await Promise.all(parts.map((names) => generateFiles(names, protoFile)));
  return new Map(files.flat());
}

async function generateFiles(fileToGenerate, protoFile) {
  const parameter = 'target=ts,import_extension=ts,erasable_syntax=true';
  const request = create(CodeGeneratorRequestSchema, { parameter, fileToGenerate, protoFile });
  const plugin = join(packageFolder('@bufbuild/protoc-gen-es'), 'bin', 'protoc-gen-es');
  const output = await run(plugin, [], { input: toBinary(CodeGeneratorRequestSchema, request) });
  const answer = fromBinary(CodeGeneratorResponseSchema, output);
  if (answer.error) throw new Error(answer.error);
  return answer.file.map((file) => [file.name, file.content]);
}

/**
 * Makes gen/ hold exactly these files and the stamp, which goes first and comes last: an interrupted run is
 * repeated by the next. Files are renamed into place, and left alone where nothing changed.
 */
function install(contents, hash) {
  rmSync(stamp, { force: true });
  const wanted = new Set([...contents.keys()].map((name) => join(out, name)));
  for (const path of existsSync(out) ? files(out, '') : [])
    if (!wanted.has(path)) rmSync(path, { force: true });
  for (const [name, content] of contents) place(join(out, name), content);
  place(stamp, hash);
}

function place(path, content) {
  if (existsSync(path) && readFileSync(path, 'utf8') === content) return;
  mkdirSync(dirname(path), { recursive: true });
  const aside = `${path}.${process.pid}`;
  writeFileSync(aside, content);
  renameSync(aside, path);
}

const asModule = (name, type, value) =>
  `export const ${name}: ${type} = ${JSON.stringify(value, undefined, 1)};\n`;

async function main() {
  const started = performance.now();
  const hash = inputHash();
  if (!process.argv.includes('--force') && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  const stage = mkdtempSync(join(tmpdir(), 'fovea-contract-'));
  try {
    const { base, older, own } = await compileAll(stage);
    for (const set of older) mergeInto(base, set, { fields: false });
    const beyond = mergeInto(base, own, { fields: true });
    const contents = await generateTypeScript(base);
    contents.set('beyond.ts', asModule('beyond', 'readonly string[]', beyond));
    contents.set('rest.ts', restModule({ ...base, file: inOrder(base) }));
    contents.set('comments.ts', asModule('comments', 'Readonly<Record<string, string>>', commentsOf(base)));
    install(contents, hash);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  console.log(`contract generated in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

await main();
