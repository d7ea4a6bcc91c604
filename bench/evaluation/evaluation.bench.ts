import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, BenchContext, Goal } from '../harness/bench.ts';
import { scaled } from '../harness/bench.ts';
import { openPeer } from '../harness/peer.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { findPython, openPython, type PythonPeer } from '../numeric/python.ts';
import { randomFrom } from '../numeric/vector-set.ts';
import type { MetricsQuestion } from './metrics-child.ts';

const lower = { unit: 'x', better: 'lower' } as const;

const goals: readonly Goal[] = [
  {
    id: 'P6.1',
    what: '5,000 pictures, 36,700 true and 220,000 found objects of 80 classes: CPU / pycocotools',
    ...lower,
    pass: 0.25,
    record: 0.08,
  },
  {
    id: 'P6.2',
    what: 'greatest difference of any figure from pycocotools, 20 random sets with crowds and ties',
    unit: '',
    better: 'lower',
    pass: 1e-9,
    record: 1e-9,
  },
  {
    id: 'P6.3',
    what: '8 pictures of 1,000 objects each: CPU / pycocotools',
    ...lower,
    pass: 0.05,
    record: 0.01,
  },
  {
    id: 'P6.4',
    what: 'confusion, curves, areas of 1,000,000 rows of 100 concepts: CPU / scikit-learn',
    ...lower,
    pass: 1,
    record: 0.3,
  },
  { id: 'P6.5', what: 'memory of P6.1 at its peak', unit: 'MB', better: 'lower', pass: 1_000, record: 300 },
  { id: 'B evaluate detection', what: 'CPU at 5,000 pictures / at 500', ...lower, pass: 11, record: 10.3 },
];

const evaluation: Bench = {
  name: 'evaluation',
  about: 'figures of detectors and classifiers, beside pycocotools and scikit-learn',
  goals,
  run,
};
export default evaluation;

async function run(context: BenchContext): Promise<void> {
  const python = findPython('pycocotools', 'sklearn', 'numpy');
  if (python === undefined) {
    for (const { id } of goals.filter(({ id }) => !['P6.5', 'B evaluate detection'].includes(id)))
      context.absent(id, 'pycocotools and scikit-learn (Python)');
    const scene = sceneIn(context, 'coco', cocoSize(context), 1);
    await memory(context, scene);
    await growth(context, scene);
    return;
  }
  const coco = openPython(python, 'coco_peer.py');
  context.defer(() => coco.close());
  await alike(context, coco);
  const scene = sceneIn(context, 'coco', cocoSize(context), 1);
  await faster(context, 'P6.1', coco, scene);
  await memory(context, scene);
  await growth(context, scene);
  // Both sides take pictures one by one, so that few show what 500 would, for which pycocotools takes half an hour.
  const dense = { pictures: scaled(context, 8, 2), truth: scaled(context, 8_000, 2_000), classes: 1 };
  await faster(context, 'P6.3', coco, sceneIn(context, 'dense', { ...dense, found: dense.truth }, 2));
  await classifier(context, python);
}

interface Size {
  readonly pictures: number;
  readonly truth: number;
  readonly found: number;
  readonly classes: number;
}

const cocoSize = (context: BenchContext): Size => ({
  pictures: scaled(context, 5_000, 50),
  truth: scaled(context, 36_700, 367),
  found: scaled(context, 220_000, 2_200),
  classes: 80,
});

type Scene = Extract<MetricsQuestion, { kind: 'objects' }>;

/** Objects in files: found ones are true ones moved a little, or anything. Scores in hundredths make ties. */
function sceneIn(context: BenchContext, name: string, size: Size, seed: number): Scene {
  const random = randomFrom(seed);
  const somewhere = () => [random() * 1_500, random() * 1_500, 4 + random() * 200, 4 + random() * 200];
  const truth = Array.from({ length: size.truth }, () => [
    Math.floor(random() * size.pictures),
    Math.floor(random() * size.classes),
    ...somewhere(),
    random() < 0.02 ? 1 : 0,
  ]);
  const found = Array.from({ length: size.found }, () => {
    const near = random() < 0.5 ? truth[Math.floor(random() * truth.length)] : undefined;
    const [picture = 0, own = 0, left = 0, top = 0, width = 1, height = 1] = near ?? [
      Math.floor(random() * size.pictures),
      Math.floor(random() * size.classes),
      ...somewhere(),
    ];
    const moved = () => (random() - 0.5) * 20;
    return [picture, own, left + moved(), top + moved(), width, height, Math.round(random() * 100) / 100];
  });
  const write = (what: string, rows: number[][]) => {
    const file = join(context.folder, `${name}-${what}.f64`);
    writeFileSync(file, Buffer.from(Float64Array.from(rows.flat()).buffer));
    return file;
  };
  return {
    kind: 'objects',
    truthFile: write('truth', truth),
    foundFile: write('found', found),
    classes: size.classes,
  };
}

interface Figures {
  readonly summary: number[];
  readonly byClass: number[];
}

/** The greatest difference between any two figures of the same name. */
function distance(ours: Figures, theirs: Figures): number {
  const pairs = [
    [ours.summary, theirs.summary],
    [ours.byClass, theirs.byClass],
  ] as const;
  return Math.max(...pairs.flatMap(([a, b]) => a.map((value, i) => Math.abs(value - (b[i] ?? Number.NaN)))));
}

async function alike(context: BenchContext, coco: PythonPeer): Promise<void> {
  const peer = openPeer(context, 'metrics-child');
  const [right, wrong]: [number[], number[]] = [[], []];
  for (let seed = 1; seed <= 20; seed++) {
    const size = { pictures: 20, truth: 200 + 10 * seed, found: 800, classes: 1 + (seed % 6) };
    const scene = sceneIn(context, `alike-${seed}`, size, 100 + seed);
    const theirs = await coco.ask<Figures>(scene);
    right.push(distance(await peer.ask<Figures>(scene), theirs));
    wrong.push(distance(await peer.ask<Figures>({ ...scene, broken: 'no-crowd' } satisfies Scene), theirs));
  }
  context.measured('P6.2', [Math.max(...right)], `${right.length} sets`);
  context.control('P6.2', 'takes crowds for single objects', [Math.max(...wrong)]);
}

async function faster(context: BenchContext, goal: string, coco: PythonPeer, scene: Scene): Promise<void> {
  const peer = openPeer(context, 'metrics-child');
  const far = distance(await peer.ask<Figures>(scene), await coco.ask<Figures>(scene));
  context.sameAnswer(`${goal}: figures to 1e-9`, far <= 1e-9, true);
  const costs = await interleaved(
    { rounds: Math.min(3, context.rounds) },
    {
      ours: () => peer.cpuMs(scene),
      theirs: async () => (await coco.ask<{ cpuMs: number }>(scene)).cpuMs,
    },
    { warmUp: false },
  );
  const seconds = (ms: readonly number[]) => ((ms[0] ?? 0) / 1000).toFixed(2);
  context.measured(
    goal,
    ratios(costs.ours, costs.theirs),
    `ours ${seconds(costs.ours)} s with reading, pycocotools ${seconds(costs.theirs)} s without`,
  );
  const broken = await peer.cpuMs({ ...scene, broken: 'twelve times' } satisfies Scene);
  context.control(goal, 'works everything out twelve times', ratios([broken], costs.theirs.slice(-1)));
}

async function memory(context: BenchContext, scene: Scene): Promise<void> {
  const peak = async (question: Scene) => {
    const { residentMb } = await openPeer(context, 'metrics-child').ask<{ residentMb: number }>(question);
    return [residentMb];
  };
  context.measured('P6.5', await peak(scene), 'of the whole process, reading included');
  context.control('P6.5', 'keeps a hundred copies of its data', await peak({ ...scene, broken: 'hoard' }));
}

/** The same kind of scene with a tenth of the pictures, and of what is in them. */
async function growth(context: BenchContext, scene: Scene): Promise<void> {
  const { pictures, truth, found, classes } = cocoSize(context);
  const tenth = (count: number) => Math.max(1, Math.round(count / 10));
  const size = { pictures: tenth(pictures), truth: tenth(truth), found: tenth(found), classes };
  const small = sceneIn(context, 'tenth', size, 3);
  const peer = openPeer(context, 'metrics-child');
  // Several in a row: a tick of the clock is 10 ms.
  const often = async (question: Scene, times: number) => {
    let ms = 0;
    for (let n = 0; n < times; n++) ms += await peer.cpuMs(question);
    return ms / times;
  };
  const costs = await interleaved(context, {
    small: () => often(small, 5),
    large: () => often(scene, 1),
  });
  context.measured(
    'B evaluate detection',
    ratios(costs.large, costs.small),
    `${(costs.large[0] ?? 0).toFixed(0)} and ${(costs.small[0] ?? 0).toFixed(0)} ms of CPU`,
  );
  const broken = await peer.cpuMs({ ...scene, broken: 'twelve times' } satisfies Scene);
  context.control(
    'B evaluate detection',
    'works everything out twelve times',
    ratios([broken], costs.small.slice(-1)),
  );
}

async function classifier(context: BenchContext, python: string): Promise<void> {
  const rows = scaled(context, 1_000_000, 5_000);
  const question = rowsIn(context, 'scores', rows);
  const sklearn = openPython(python, 'metrics_peer.py');
  context.defer(() => sklearn.close());
  const peer = openPeer(context, 'metrics-child');
  const [ours, theirs] = [
    await peer.ask<{ perClass: number[][] }>(question),
    await sklearn.ask<{ perClass: number[][] }>(question),
  ];
  const far = Math.max(
    ...ours.perClass.flatMap((one, c) =>
      one.map((value, i) => Math.abs(value - (theirs.perClass[c]?.[i] ?? 9))),
    ),
  );
  context.sameAnswer('P6.4: figures to 1e-6', far <= 1e-6, true);
  const costs = await interleaved(
    { rounds: Math.min(3, context.rounds) },
    {
      ours: () => peer.cpuMs(question),
      theirs: async () => (await sklearn.ask<{ cpuMs: number }>(question)).cpuMs,
    },
    { warmUp: false },
  );
  context.measured(
    'P6.4',
    ratios(costs.ours, costs.theirs),
    `${rows} rows; figures differ by ${far.toExponential(1)} at most`,
  );
  // On a tenth of the rows: on all of them it would take more than three minutes.
  const tenth = rowsIn(context, 'tenth-scores', Math.ceil(rows / 10));
  const broken = await peer.cpuMs({ ...tenth, broken: 'twelve times' } satisfies MetricsQuestion);
  const { cpuMs } = await sklearn.ask<{ cpuMs: number }>(tenth);
  context.control('P6.4', 'works everything out twelve times', ratios([broken], [cpuMs]));
}

type Rows = Extract<MetricsQuestion, { kind: 'rows' }>;

/** Rows of 100 concepts in files: what is true, and scores that know a little of it. */
function rowsIn(context: BenchContext, name: string, rows: number): Rows {
  const classes = 100;
  const random = randomFrom(7);
  const scores = new Float32Array(rows * classes);
  const truth = new Int8Array(rows * classes);
  for (let i = 0; i < scores.length; i++) {
    truth[i] = random() < 0.1 ? 1 : 0;
    scores[i] = Math.min(1, random() * 0.7 + 0.3 * (truth[i] as number) * random() + 1e-6);
  }
  const question: Rows = {
    kind: 'rows',
    scoresFile: join(context.folder, `${name}.f32`),
    truthFile: join(context.folder, `${name}.i8`),
    classes,
  };
  writeFileSync(question.scoresFile, Buffer.from(scores.buffer));
  writeFileSync(question.truthFile, Buffer.from(truth.buffer));
  return question;
}
