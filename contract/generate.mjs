// Builds contract/gen/ (git-ignored): TypeScript and descriptors of the merged contract.
// Run: node generate.mjs [--force]. Does nothing when its inputs have not changed. Needs no network.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
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

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, 'gen');
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

/** Lays out one version's protos under `folder` and compiles them to a FileDescriptorSet. */
function compile(folder, layers) {
  mkdirSync(folder, { recursive: true });
  for (const [from, to] of layers) {
    cpSync(from, join(folder, to), { recursive: true, filter: (path) => !leftOut.test(path) });
  }
  writeFileSync(join(folder, 'buf.yaml'), 'version: v2\n');
  const image = join(folder, 'image.binpb');
  const buf = join(packageFolder('@bufbuild/buf'), 'bin', 'buf');
  // The cache folder is ours: a read-only or missing home must not matter.
  const env = { ...process.env, BUF_CACHE_DIR: join(folder, '.cache') };
  execFileSync(process.execPath, [buf, 'build', '--as-file-descriptor-set', '-o', image], {
    cwd: folder,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return fromBinary(FileDescriptorSetSchema, readFileSync(image));
}

function compileAll(stage) {
  const google = join(packageFolder('protobufjs'), 'google', 'api');
  const api = ['annotations.proto', 'http.proto'].map((name) => [join(google, name), `google/api/${name}`]);
  const versions = packages.map((name) =>
    compile(join(stage, name), [[join(packageFolder(name), 'proto'), 'proto'], ...api]),
  );
  const shared = join(packageFolder(packages[0]), 'proto', 'clarifai');
  const own = compile(join(stage, 'overlay'), [
    [join(shared, 'auth'), 'proto/clarifai/auth'],
    [join(shared, 'api', 'utils'), 'proto/clarifai/api/utils'],
    [overlay, 'proto'],
    ...api,
  ]);
  return { base: versions[0], older: versions.slice(1), own };
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

function generateTypeScript(set, folder) {
  const protoFile = inOrder(set);
  const request = create(CodeGeneratorRequestSchema, {
    parameter: 'target=ts,import_extension=ts,erasable_syntax=true',
    fileToGenerate: protoFile.map((f) => f.name).filter((name) => !name.startsWith('google/protobuf/')),
    protoFile,
  });
  const plugin = join(packageFolder('@bufbuild/protoc-gen-es'), 'bin', 'protoc-gen-es');
  const answer = fromBinary(
    CodeGeneratorResponseSchema,
    execFileSync(process.execPath, [plugin], {
      input: toBinary(CodeGeneratorRequestSchema, request),
      maxBuffer: 256 << 20,
    }),
  );
  if (answer.error) throw new Error(answer.error);
  for (const file of answer.file) {
    const path = join(folder, file.name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, file.content);
  }
}

function main() {
  const started = performance.now();
  const hash = inputHash();
  const stamp = join(out, 'stamp');
  if (!process.argv.includes('--force') && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  const stage = mkdtempSync(join(tmpdir(), 'fovea-contract-'));
  // Written aside and renamed, so that an interrupted run never leaves half a contract behind.
  const fresh = mkdtempSync(join(here, 'gen-'));
  try {
    const { base, older, own } = compileAll(stage);
    for (const set of older) mergeInto(base, set, { fields: false });
    const beyond = mergeInto(base, own, { fields: true });
    generateTypeScript(base, fresh);
    writeFileSync(
      join(fresh, 'beyond.ts'),
      `export const beyond: readonly string[] = ${JSON.stringify(beyond)};\n`,
    );
    writeFileSync(
      join(fresh, 'comments.ts'),
      `export const comments: Readonly<Record<string, string>> = ${JSON.stringify(commentsOf(base), undefined, 1)};\n`,
    );
    writeFileSync(join(fresh, 'stamp'), hash);
    chmodSync(fresh, 0o755);
    rmSync(out, { recursive: true, force: true });
    renameSync(fresh, out);
  } finally {
    rmSync(stage, { recursive: true, force: true });
    rmSync(fresh, { recursive: true, force: true });
  }
  console.log(`contract generated in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

main();
