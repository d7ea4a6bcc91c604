import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { ruleOf } from '@fovea/contract';
import { zipOf } from '../../server/src/testing/archives.ts';
import {
  customNetwork,
  externalConstant,
  externalNetwork,
  externalSparse,
  externalSplit,
  hugeWeights,
  hungryNetwork,
  loopNetwork,
  stringNetwork,
} from '../../server/src/testing/hostile-models.ts';
import { tinyPng } from '../../server/src/testing/inputs.ts';
import { channelNetwork, tarFile, tarHeader, uploadVersion } from '../../server/src/testing/models.ts';
import type { Person } from '../../server/src/testing/people.ts';
import type { Ground } from './arena.ts';
import { type Attack, ledger, type Outcome } from './attack.ts';
import { detailsOf, keyHeader, say } from './cast.ts';
import { isAlive } from './fuzz.ts';
import { rssOf } from './memory.ts';
import type { Json } from './wire.ts';

type Files = Record<string, Uint8Array | string>;
/** A model somebody brings: an archive, or what they say is one. */
type Parcel = readonly [name: string, archive: Uint8Array];

const built = 21100;
const refused = 21108;
const underWay = 21107;

/** How a network of the parcels is used: what it gives is the answer as it is. */
const manifest = JSON.stringify({
  task: 'image-classification',
  labels: ['red', 'green', 'blue'],
  decoder: 'given',
  preprocess: { do_normalize: false, size: { height: 8, width: 8 } },
});
const packed = (files: Files): Uint8Array => tarFile({ 'fovea.json': manifest, ...files });

/** Brings a model and waits until it is built or refused. */
async function bring(
  { wire, cast, server }: Ground,
  modelId: string,
  archive: Uint8Array,
  patienceMs: number,
) {
  const { userId, pat, userAppId } = cast.attacker;
  const headers = keyHeader(pat);
  const user_app_id = userAppId;
  await say(wire, headers, 'PostModels', {
    user_app_id,
    models: [{ id: modelId, model_type_id: 'visual-classifier' }],
  });
  const person = { url: server.url, pat, userId, appId: userAppId.app_id } as unknown as Person;
  const began = performance.now();
  const versionId = (await uploadVersion(person, modelId, archive)).at(-1)?.modelVersionId ?? '';
  for (;;) {
    const answer = await wire.call(
      ruleOf('GetModelVersion'),
      { user_app_id, model_id: modelId, version_id: versionId },
      headers,
    );
    const status: Json = (answer.message as Json)?.modelVersion?.status;
    const tookMs = performance.now() - began;
    if (status?.code !== underWay || tookMs > patienceMs)
      return {
        status: Number(status?.code ?? 0),
        words: `${status?.details ?? detailsOf(answer)}`,
        tookMs,
        text: answer.text,
      };
    await sleep(50);
  }
}

/** Shows a model a picture of one shade. @returns the status of the output, its values, and all that was said */
async function show({ wire, cast }: Ground, modelId: string, shade: number) {
  const answer = await wire.call(
    ruleOf('PostModelOutputs'),
    {
      user_app_id: cast.attacker.userAppId,
      model_id: modelId,
      inputs: [{ data: { image: { base64: Buffer.from(tinyPng(shade)).toString('base64') } } }],
    },
    keyHeader(cast.attacker.pat),
  );
  const output: Json = (answer.message as Json)?.outputs?.[0];
  const values: number[] = (output?.data?.concepts ?? []).map((one: Json) => Number(one.value));
  return { code: Number(output?.status?.code ?? answer.code), values, answer };
}

/** Numbers that no network here gives by itself; a black picture adds nothing to them. */
const canaryFloats = [0.3717, 0.1531, 0.7309];
const canaryBytes = Buffer.from(Float32Array.from(canaryFloats).buffer);
const isCanary = (values: readonly number[]) =>
  canaryFloats.every((wanted) => values.some((value) => Math.abs(value - wanted) < 1e-4));

/** What reaches for files of the server: `canary` is one in its folder, and `package.json` lies where it works. */
function reachingParcels(dataDir: string): Parcel[] {
  const canary = join(dataDir, 'canary.bin');
  const locations = [
    '../canary.bin',
    '../../canary.bin',
    '../../../canary.bin',
    '../../../../canary.bin',
    `${'../'.repeat(20)}${canary.slice(1)}`,
    canary,
    `file://${canary}`,
    `/proc/self/cwd/package.json`,
    '/proc/self/environ',
    'package.json',
    './package.json',
    'canary.bin',
    '..\\canary.bin',
    '..%2fcanary.bin',
    'w.data/../../canary.bin',
    'w.data\0/../canary.bin',
    '.',
    '',
  ];
  const link = (type: '1' | '2', name: string, to: string, location = name) =>
    Buffer.concat([tarHeader(name, 0, type, to), packed({ 'model.onnx': externalNetwork(location) })]);
  return [
    ...locations.map(
      (location): Parcel => [
        `weights in ${JSON.stringify(location.replace(dataDir, '…')).slice(0, 60)}`,
        packed({ 'model.onnx': externalNetwork(location), 'w.data': 'short' }),
      ],
    ),
    ...['../../../canary.bin', canary].flatMap((location): Parcel[] => [
      ['a constant outside', packed({ 'model.onnx': externalConstant(location) })],
      ['sparse weights outside', packed({ 'model.onnx': externalSparse(location) })],
      ['weights of the first of two graphs', packed({ 'model.onnx': externalSplit(location) })],
    ]),
    ['a symbolic link', link('2', 'w.data', canary)],
    ['a symbolic link upwards', link('2', 'w.data', '../../canary.bin')],
    ['a hard link', link('1', 'w.data', canary)],
    ['a folder that is a link', link('2', 'sub', dataDir, 'sub/canary.bin')],
    [
      'a network that is a link',
      Buffer.concat([tarHeader('model.onnx', 0, '2', canary), tarFile({ 'fovea.json': manifest })]),
    ],
    [
      'ZIP with a link',
      zipOf([
        { path: 'fovea.json', bytes: Buffer.from(manifest) },
        { path: 'model.onnx', bytes: Buffer.from(externalNetwork('w.data')) },
        { path: 'w.data', bytes: Buffer.from(canary), mode: 0o120777 },
      ]),
    ],
    ['a path that leads out', packed({ '../../model.onnx': channelNetwork() })],
    ['weights beyond the end', packed({ 'model.onnx': externalNetwork('w.data', 4_000), 'w.data': 'short' })],
    ['a negative length', packed({ 'model.onnx': externalNetwork('w.data', -12), 'w.data': 'x'.repeat(12) })],
  ];
}

/** What takes what it can get: operators of others, numbers that overflow, time and memory. */
const greedyParcels = (): Parcel[] => [
  ['an operator of somebody', packed({ 'model.onnx': customNetwork() })],
  ['dimensions that overflow', packed({ 'model.onnx': hugeWeights() })],
  ['an input of strings', packed({ 'model.onnx': stringNetwork() })],
  ['a loop without an end', packed({ 'model.onnx': loopNetwork(0) })],
  ['hunger for memory', packed({ 'model.onnx': hungryNetwork(0) })],
  ['half a gigabyte of nothing', gzipSync(packed({ 'model.onnx': Buffer.alloc(2 ** 29) }), { level: 1 })],
  ['half a network', packed({ 'model.onnx': channelNetwork().subarray(0, 150) })],
  ['noise', packed({ 'model.onnx': Buffer.alloc(4_000, 0xa7) })],
];

/** Runs of models are cut here; a server gives them 30 s unless told. */
const runSeconds = 5;
/** Within it everything has to be refused or ended. Unpacking and starting a process come to the run. */
const endedWithinMs = 2 * runSeconds * 1_000 + 20_000;
const limits = { FOVEA_MODEL_SECONDS_MAX: `${runSeconds}`, FOVEA_MODEL_MEMORY_MAX: '700MiB' };

/** Brings each parcel; none may be taken, and none may show the canary. */
async function judgeNetworks(ground: Ground, parcels: readonly Parcel[]): Promise<Outcome> {
  const book = ledger();
  const { server } = ground;
  const pid = server.process.pid as number;
  const memory = rssOf(pid);
  let [slowestMs, most] = [0, 0];
  for (const [n, [name, archive]] of parcels.entries()) {
    book.count();
    const modelId = `parcel-${n}`;
    const { status, words, tookMs, text } = await bring(ground, modelId, archive, endedWithinMs);
    slowestMs = Math.max(slowestMs, tookMs);
    most = Math.max(most, rssOf(pid) - memory);
    if (status === underWay) book.through(`${name}: not ended after ${endedWithinMs / 1000} s`);
    else if (status !== refused) book.through(`${name}: ended with ${status} ${words}`);
    if (text.includes(canaryBytes.toString('latin1'))) book.through(`${name}: the canary is in the refusal`);
    if (status === built && isCanary((await show(ground, modelId, 0)).values))
      book.through(`${name}: the canary comes out of the network`);
  }
  if (server.output().includes(canaryBytes.toString('latin1'))) book.through('the canary is in the log');
  if (most > 512 * 2 ** 20) book.through(`memory of the server + ${Math.round(most / 2 ** 20)} MiB`);
  if (!(await isAlive(ground))) book.through('the server does not answer any more');
  return book.outcome({
    note: `refused after ${(slowestMs / 1000).toFixed(1)} s at most (a run may take ${runSeconds} s), memory of the server + ${Math.round(most / 2 ** 20)} MiB`,
  });
}

/** Processes below the server that run a model and are not yet ended. */
function guestsOf(parent: number): number {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const isChild = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
      return isChild && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('guest-worker');
    } catch {
      return false;
    }
  }).length;
}

/** Models that look well when they are brought, and turn on bright pictures. */
async function turncoats(ground: Ground): Promise<Outcome> {
  const book = ledger();
  for (const [name, network] of [
    ['a loop without an end', loopNetwork(0.7)],
    ['hunger for memory', hungryNetwork(0.7)],
  ] as const) {
    const modelId = `turncoat-${book.tried}`;
    book.count();
    const { status, words } = await bring(ground, modelId, packed({ 'model.onnx': network }), 60_000);
    if (status !== built) {
      book.through(`${name}: was not even built: ${status} ${words}`);
      continue;
    }
    const answered = async (shade: number) => {
      book.count();
      return (await show(ground, modelId, shade)).code === 10000;
    };
    if (!(await answered(20))) book.through(`${name}: no answer to a dark picture`);
    const began = performance.now();
    let isOver = false;
    const bright = answered(250).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      book.count();
      if (!(await isAlive(ground))) book.through(`${name}: others wait for it`);
      await sleep(100);
    }
    if (await bright) book.through(`${name}: a bright picture was answered`);
    const tookMs = performance.now() - began;
    if (tookMs > endedWithinMs) book.through(`${name}: ended after ${Math.round(tookMs / 1000)} s`);
    if (!(await answered(20))) book.through(`${name}: no answer to a dark picture afterwards`);
  }
  const guests = guestsOf(ground.server.process.pid as number);
  if (guests > 2) book.through(`${guests} processes of models are left, of 2 models in use`);
  return book.outcome();
}

const s25: Attack = {
  id: 'S25',
  name: 'networks that reach for files of the server, or never end',
  run: (arena) =>
    arena.other(limits, async (ground) => {
      const { dataDir } = ground.server;
      writeFileSync(join(dataDir, 'canary.bin'), canaryBytes);
      const first = await judgeNetworks(ground, [...reachingParcels(dataDir), ...greedyParcels()]);
      const second = await turncoats(ground);
      return {
        tried: first.tried + second.tried,
        through: [...first.through, ...second.through],
        note: first.note ?? '',
      };
    }),
  // The canary packed beside its network is read with every right, so it must be seen coming out.
  control: (arena) =>
    arena.other(limits, async (ground) => {
      const own = packed({ 'model.onnx': externalNetwork('w.data'), 'w.data': canaryBytes });
      const { tried, through } = await judgeNetworks(ground, [['the canary in the package', own]]);
      return { tried, through: through.filter((line) => line.includes('comes out of the network')) };
    }),
};

/** Opcodes that run a command when Python reads them (protocol 0; it also reads them after the mark of protocol 2). */
const commandOf = (mark: string) => `cos\nsystem\n(S'touch ${mark}'\ntR.`;

function pickleParcels(mark: string): Parcel[] {
  const command = Buffer.from(commandOf(mark));
  const pickle = Buffer.concat([Buffer.from([0x80, 2]), command]);
  const torch = zipOf([
    { path: 'archive/data.pkl', bytes: pickle, method: 'store' },
    { path: 'archive/version', bytes: Buffer.from('3\n'), method: 'store' },
  ]);
  const lambda = {
    class_name: 'Sequential',
    config: { layers: [{ class_name: 'Lambda', config: { function: ['4wEA', null, null] } }] },
  };
  const keras = zipOf([
    { path: 'config.json', bytes: Buffer.from(JSON.stringify(lambda)) },
    { path: 'model.weights.h5', bytes: Buffer.from('\x89HDF\r\n\x1a\n', 'latin1') },
  ]);
  const hdf5 = Buffer.concat([
    Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'),
    Buffer.from(JSON.stringify(lambda)),
  ]);
  const header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".padEnd(117);
  const numpy = Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.from([118, 0]),
    Buffer.from(`${header}\n`),
    pickle,
  ]);
  const npz = zipOf([{ path: 'arr_0.npy', bytes: numpy }]);
  const joblib = Buffer.concat([Buffer.from([0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0, 0]), command]);
  const code = `import os\nos.system('touch ${mark}')\n`;
  const foreign: [string, Buffer][] = [
    ['pickle', pickle],
    ['pickle without a mark', command],
    ['torch', torch],
    ['keras', keras],
    ['HDF5', hdf5],
    ['joblib', joblib],
    ['npy', numpy],
    ['npz', npz],
  ];
  return [
    ...foreign.flatMap(([name, bytes]): Parcel[] => [
      [`${name} in place of the archive`, bytes],
      [`${name} as model.onnx`, packed({ 'model.onnx': bytes })],
    ]),
    [
      'one of each under its own name',
      packed({
        'model.pkl': pickle,
        'pytorch_model.bin': torch,
        'model.pt': torch,
        'model.keras': keras,
        'model.h5': hdf5,
        'model.joblib': joblib,
        'weights.npy': numpy,
      }),
    ],
    [
      'the layout of the SDK with code',
      tarFile({ 'config.yaml': 'model: {id: x}\n', 'requirements.txt': 'x\n', '1/model.py': code }),
    ],
    ['pickle as weights', packed({ 'model.onnx': externalNetwork('w.pkl'), 'w.pkl': pickle })],
    [
      'pickle as settings',
      packed({ 'fovea.json': pickle, 'config.json': pickle, 'model.onnx': channelNetwork() }),
    ],
  ];
}

/** Brings each parcel; none may be taken, and what is written in them may not have been run. */
async function judgePickles(
  ground: Ground,
  { mark, prefix }: { mark: string; prefix: string },
  parcels: readonly Parcel[],
): Promise<Outcome> {
  const book = ledger();
  for (const [n, [name, archive]] of parcels.entries()) {
    book.count();
    const { status, words } = await bring(ground, `${prefix}-${n}`, archive, 60_000);
    if (status !== refused) book.through(`${name}: ended with ${status} ${words}`);
    if (existsSync(mark)) {
      book.through(`${name}: was run`);
      rmSync(mark);
    }
  }
  if (!(await isAlive(ground))) book.through('the server does not answer any more');
  return book.outcome();
}

const s26: Attack = {
  id: 'S26',
  name: 'pickles and other formats that run code, brought as models',
  async run(arena) {
    const mark = join(arena.server.dataDir, 'was-run');
    const outcome = await judgePickles(arena, { mark, prefix: 'pickle' }, pickleParcels(mark));
    // Beside a sound network they are nobody's business: left out, and unread.
    const beside = packed({ 'model.onnx': channelNetwork(), 'model.pkl': commandOf(mark), 'setup.py': 'x' });
    const { status, words } = await bring(arena, 'pickle-beside', beside, 60_000);
    const through = [...outcome.through];
    if (status !== built)
      through.push(`a sound network with a pickle beside it: ended with ${status} ${words}`);
    if (existsSync(mark)) through.push('a pickle beside a sound network was run');
    return { ...outcome, tried: outcome.tried + 1, through };
  },
  // What is no pickle at all is taken, and where Python is there it shows that the pickle would have done it.
  async control(arena) {
    const mark = join(arena.server.dataDir, 'was-run-by-python');
    const reader = 'import pickle, sys; pickle.loads(sys.stdin.buffer.read())';
    const python = spawnSync('python3', ['-c', reader], { input: commandOf(mark) });
    const sound: Parcel = ['a sound network', packed({ 'model.onnx': channelNetwork() })];
    const outcome = await judgePickles(arena, { mark, prefix: 'sound' }, [sound]);
    const isTold = outcome.through.some((line) => line.endsWith('was run'));
    if (python.status === 0 && !isTold) return { tried: 1, through: [] };
    return outcome;
  },
};

export const packageAttacks = [s25, s26];
