import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { clone, create } from '@bufbuild/protobuf';
import { ConceptSchema, type ModelVersion, ModelVersionSchema, OutputInfoSchema } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import type { AppGrant } from '#domain/grant.ts';
import type { JsonMap } from '#domain/patch.ts';
import {
  chooseFiles,
  type Inspected,
  type Manifest,
  manifestName,
  packagePrefix,
  typeOfTask,
} from '#engine/index.ts';
import { decodeTrained } from '#engine/training/index.ts';
import { contentKey } from '#store/objects/index.ts';
import {
  bodyOfVersion,
  canonicalTypeId,
  keepPart,
  type PinnedModel,
  packVersion,
  pinnedModels,
  settleConcepts,
  type VersionRow,
} from '../models/index.ts';
import { type ArchiveFile, filesIn } from './archive.ts';
import type { ModelFileDeps } from './deps.ts';
import { BuildTrouble } from './faults.ts';
import { notePackage, partsOf } from './store.ts';
import { tarOf } from './tar-writer.ts';
import { headFileName, readVersionFile, versionFileName } from './version-file.ts';

export interface Build {
  readonly grant: AppGrant;
  readonly version: VersionRow;
  /** Scratch, empty. */
  readonly folder: string;
  readonly log: (...lines: string[]) => Promise<unknown>;
  readonly signal: AbortSignal;
}

type Built = Pick<VersionRow, 'builtin' | 'headSha' | 'conceptIds' | 'body' | 'license' | 'description'>;

/**
 * Makes a version of the parts that were uploaded: an export of a Fovea, or an archive with ONNX networks.
 *
 * @throws BuildTrouble · PackageFault in words for the owner
 */
export async function buildVersion(deps: ModelFileDeps, build: Build): Promise<Built> {
  const { folder } = build;
  await mkdir(folder, { recursive: true });
  const archive = join(folder, 'archive');
  await assemble(deps, build, archive);
  const paths: string[] = [];
  for await (const { path } of filesIn(archive)) paths.push(path);
  await build.log(`${paths.length} files in the archive`);
  const content = join(folder, 'content');
  await mkdir(content);
  const owner = await modelOf(deps, build);
  return paths.includes(versionFileName)
    ? takeExport(deps, build, owner, archive, content)
    : takePackage(deps, build, owner, archive, content, paths);
}

async function modelOf({ db }: ModelFileDeps, { grant, version }: Build): Promise<PinnedModel> {
  const found = (await pinnedModels(db, grant, [version.key])).get(version.key);
  if (!found) throw new BuildTrouble('the model was deleted');
  return found;
}

/** Puts the parts together, in the order of their numbers. */
async function assemble(
  { db, objects }: ModelFileDeps,
  { grant, version, signal }: Build,
  to: string,
): Promise<void> {
  const parts = await partsOf(db, grant, version.key);
  async function* bytes() {
    for (const { objectKey } of parts) {
      const stored = await objects.get(objectKey);
      if (!stored) throw new Error(`part ${objectKey} of an upload is missing`);
      yield* stored.stream as AsyncIterable<Buffer>;
    }
  }
  await pipeline(Readable.from(bytes()), createWriteStream(to), { signal });
}

/** An archive with networks. Which files count is decided by their names; what they are, in a process of its own. */
async function takePackage(
  deps: ModelFileDeps,
  build: Build,
  { model }: PinnedModel,
  archive: string,
  content: string,
  paths: readonly string[],
): Promise<Built> {
  const { names, leftOut } = chooseFiles(paths);
  await build.log(...leftOut.slice(0, 50).map(({ path, why }) => `left out ${path}: ${why}`));
  if (![...names.values()].some((name) => name.endsWith('.onnx')))
    throw new BuildTrouble(
      `there is no .onnx file in the archive${paths.some((path) => path.endsWith('.py')) ? '; Python code is never run here, so a model that needs it must be exported to ONNX first, or served by a runner of your own' : ''}`,
    );
  await extract(archive, content, (path) => names.get(path), deps.modelFileLimits.bytesMax);
  const typeId = canonicalTypeId(model.typeId);
  const inspected = await deps.engine.inspectPackage(content, { typeId, name: model.name });
  checkType(typeId, inspected.manifest);
  await build.log(...reportLines(inspected));
  const sha = await storePackage(deps, content, inspected);
  await build.log(`stored as package ${sha}`);
  const concepts = inspected.manifest.labels.map(({ id, name }) =>
    create(ConceptSchema, { id, name, value: 1 }),
  );
  await settleConcepts(deps.db, build.grant, concepts);
  const sent = bodyOfVersion(build.version);
  const outputInfo = sent.outputInfo ? clone(OutputInfoSchema, sent.outputInfo) : create(OutputInfoSchema);
  outputInfo.data = create(OutputInfoSchema, { data: { concepts } }).data;
  const body: ModelVersion = create(ModelVersionSchema, {
    ...sent,
    outputInfo,
    metadata: { ...sent.metadata, package: packageFacts(inspected, sha) },
  });
  return {
    builtin: packagePrefix + sha,
    headSha: null,
    conceptIds: concepts.map(({ id }) => id),
    body: packVersion(body),
    license: build.version.license || inspected.manifest.licence,
    description: build.version.description || inspected.manifest.description,
  };
}

/** Types that say nothing of what a model does take every package. */
const openTypes = new Set(['any-to-any', '']);

function checkType(typeId: string, { task }: Manifest): void {
  const wanted = typeOfTask[task];
  const isPair =
    task === 'image-text-embedding' && (typeId === 'multimodal-embedder' || typeId === 'text-embedder');
  if (typeId === wanted || isPair || openTypes.has(typeId)) return;
  throw new BuildTrouble(
    `the network does ${task}, and the model is of type '${typeId}'; upload it to a model of type '${wanted}'`,
  );
}

function reportLines({ manifest, report }: Inspected): string[] {
  const networks = report.networks.flatMap(
    ({ file, opset, producer, operators, weightBytes, inputs, outputs, trialMs }) => [
      `${file}: opset ${opset}${producer ? `, by ${producer}` : ''}, ${operators} operators, ${weightBytes} bytes of weights, trial run ${trialMs} ms`,
      ...inputs.map((port) => `  in   ${port}`),
      ...outputs.map((port) => `  out  ${port}`),
    ],
  );
  return [
    `task ${manifest.task}, ${manifest.labels.length} labels, licence ${manifest.licence || 'not stated'}`,
    ...networks,
  ];
}

/** What people want to know of a package, in the version's metadata. */
function packageFacts({ manifest, report }: Inspected, sha: string): JsonMap {
  const { task, licence, source, image, text, decoder, dims = 0 } = manifest;
  return {
    sha256: sha,
    task,
    licence,
    source,
    decoder,
    ...(dims > 0 ? { dims } : {}),
    ...(image ? { pixels: { ...image.pixels } } : {}),
    ...(text ? { text: { length_max: text.lengthMax } } : {}),
    networks: report.networks.map((network) => ({ ...network })),
  };
}

/** Stores the manifest and the files that it needs as one object, named by its content. @returns its SHA-256 */
async function storePackage(
  deps: ModelFileDeps,
  content: string,
  { manifest, keep }: Inspected,
): Promise<string> {
  await writeFile(join(content, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
  const names = [manifestName, ...keep.filter((name) => name !== manifestName).sort()];
  const files = await Promise.all(
    names.map(async (name) => {
      const path = join(content, name);
      return {
        name,
        sizeBytes: (await stat(path)).size,
        content: () => createReadStream(path) as AsyncIterable<Buffer>,
      };
    }),
  );
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of tarOf(files)) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  const sha = hash.digest();
  await notePackage(deps.db, sha, sizeBytes);
  mayDie('model-package-due');
  const stored = await deps.objects.putContent(Readable.from(tarOf(files)));
  if (stored.sha256 !== sha.toString('hex'))
    throw new Error('a file of the package changed while it was stored');
  mayDie('model-package-kept');
  return stored.sha256;
}

/** Writes chosen files of an archive into a folder. @param nameOf name in the folder; undefined leaves the file out */
async function extract(
  archive: string,
  to: string,
  nameOf: (path: string) => string | undefined,
  bytesMax: number,
): Promise<void> {
  let left = bytesMax;
  async function* metered(file: ArchiveFile) {
    for await (const chunk of file.content()) {
      left -= chunk.length;
      if (left < 0) throw new BuildTrouble(`the archive unpacks to more than ${bytesMax} bytes`);
      yield chunk;
    }
  }
  for await (const file of filesIn(archive)) {
    const name = nameOf(file.path);
    if (name === undefined) continue;
    // Written whole under another name, so that two files of one name cannot mix.
    const draft = join(to, `.${name}.draft`);
    await pipeline(Readable.from(metered(file)), createWriteStream(draft));
    await rename(draft, join(to, name));
  }
}

const plainName = /^[\w][\w.-]*$/;

/** An export of a Fovea: everything that a version is, so that it answers here as it did there. */
async function takeExport(
  deps: ModelFileDeps,
  build: Build,
  { model }: PinnedModel,
  archive: string,
  content: string,
): Promise<Built> {
  await extract(
    archive,
    content,
    (path) => (plainName.test(path) ? path : undefined),
    deps.modelFileLimits.bytesMax,
  );
  const { file, body } = readVersionFile(await readFile(join(content, versionFileName), 'utf8'));
  const typeId = canonicalTypeId(model.typeId);
  if (canonicalTypeId(file.typeId) !== typeId)
    throw new BuildTrouble(
      `the export is of a model of type '${file.typeId}', and this model is of type '${model.typeId}'; make one of that type`,
    );
  const headSha = file.head ? await takeHead(deps, build, content, file.head.sha256) : null;
  await rm(join(content, versionFileName));
  await rm(join(content, headFileName), { force: true });
  const builtin = await takeNetwork(deps, build, file.network, content, typeId, model.name);
  const concepts = (body.outputInfo?.data?.concepts ?? []).map((one) =>
    create(ConceptSchema, { ...one, appId: '', userId: '' }),
  );
  await settleConcepts(deps.db, build.grant, concepts);
  if (body.outputInfo?.data) body.outputInfo.data.concepts = concepts;
  await build.log(`an export of a ${file.typeId}, ${file.conceptIds.length} concepts`);
  return {
    builtin,
    headSha,
    conceptIds: file.conceptIds,
    body: packVersion(body),
    license: build.version.license || file.license,
    description: build.version.description || file.description,
  };
}

async function takeHead(
  deps: ModelFileDeps,
  { grant }: Build,
  content: string,
  sha256: string,
): Promise<Buffer> {
  const bytes = await readFile(join(content, headFileName)).catch(() => undefined);
  if (!bytes) throw new BuildTrouble(`${headFileName} is missing from the export`);
  if (createHash('sha256').update(bytes).digest('hex') !== sha256)
    throw new BuildTrouble(`${headFileName} is damaged`);
  try {
    decodeTrained(bytes);
  } catch (error) {
    throw new BuildTrouble(`${headFileName} cannot be read: ${(error as Error).message}`);
  }
  return keepPart(deps, grant, bytes);
}

async function takeNetwork(
  deps: ModelFileDeps,
  build: Build,
  network: ReturnType<typeof readVersionFile>['file']['network'],
  content: string,
  typeId: string,
  name: string,
): Promise<string | null> {
  if (network.kind === 'none') return null;
  if (network.kind === 'builtin') {
    const own = deps.engine.builtins().find((one) => one.id === network.id);
    if (own && own.fingerprint !== network.fingerprint)
      throw new BuildTrouble(
        `it stands on the network '${network.id}' of another version than this server's (${network.fingerprint}, here ${own.fingerprint}); it would answer differently`,
      );
    if (typeof network.id !== 'string' || !/^[\w-]{1,64}$/.test(network.id))
      throw new BuildTrouble('the export names no network');
    return network.id;
  }
  const inspected = await deps.engine.inspectPackage(content, { typeId, name });
  await build.log(...reportLines(inspected));
  return packagePrefix + (await storePackage(deps, content, inspected));
}

/** Where a package lies in the object store. */
export const packageKey = (sha: string): string => contentKey(sha);
