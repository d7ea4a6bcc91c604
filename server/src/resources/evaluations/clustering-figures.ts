import { DataSchema } from '@fovea/contract';
import { measure } from '#engine/metrics/index.ts';
import { unpackBody } from '../common/translate.ts';
import { type FigureParts, type Figures, named } from './figure.ts';
import { countInputs, countPositives, inputsFrom } from './store.ts';

const chunk = 2_000;

/** How well clusters agree with labels; of an input with several, the first counts. */
export async function clusteringFigures({ db, evaluation, concepts, signal }: FigureParts): Promise<Figures> {
  const classOf = new Map(concepts.map(({ id }, index) => [id, index]));
  const truth: number[] = [];
  const fine = numbering();
  const coarse = numbering();
  for (let next = 0; ; ) {
    const inputs = await inputsFrom(db, evaluation, next, chunk, 'answered');
    if (inputs.length === 0) break;
    next = (inputs.at(-1)?.position ?? next) + 1;
    for (const { positive, predicted } of inputs) {
      const own = classOf.get(positive[0] ?? '');
      const cluster = unpackBody(DataSchema, predicted ?? Buffer.alloc(0)).clusters[0]?.id;
      if (own === undefined || cluster === undefined) continue;
      truth.push(own);
      fine.add(cluster);
      // Ids are coarse and fine cluster, joined: 22_5.
      coarse.add(cluster.split('_')[0] ?? cluster);
    }
  }
  const classes = Int32Array.from(truth);
  const [byFine, byCoarse] = [
    await measure('clustering', { truth: classes, clusters: fine.numbers() }, signal),
    await measure('clustering', { truth: classes, clusters: coarse.numbers() }, signal),
  ];
  const { total, failed } = await countInputs(db, evaluation);
  const counts = await countPositives(db, evaluation);
  return {
    shown: {
      summary: {},
      labelCounts: {
        positiveLabelCounts: concepts.map((concept) => ({
          conceptName: concept.name,
          count: counts.get(concept.id) ?? 0,
          concept: named(concept),
        })),
      },
    },
    summary: {},
    numbers: { inputs: total - failed, inputs_failed: failed, fine: shown(byFine), coarse: shown(byCoarse) },
  };
}

function numbering() {
  const known = new Map<string, number>();
  const given: number[] = [];
  return {
    add(id: string) {
      const number = known.get(id) ?? known.size;
      known.set(id, number);
      given.push(number);
    },
    numbers: () => Int32Array.from(given),
  };
}

const shown = (figures: object) =>
  Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [
      name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
      value,
    ]),
  );
