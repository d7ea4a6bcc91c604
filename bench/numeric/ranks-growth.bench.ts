import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  MultiSearchResponseSchema,
  PostInputsSearchesRequestSchema,
  type PostInputsSearchesRequestSchema as Schema,
} from '@fovea/contract';
import type pg from 'pg';
import { type Bench, type BenchContext, scaled } from '../harness/bench.ts';
import { costOf, grpcPlan, inApp, replyOf } from '../harness/calls.ts';
import { medianOf } from '../harness/judge.ts';
import { openLoad } from '../harness/load.ts';
import { interleaved, ratios } from '../harness/rounds.ts';
import { type BenchApp, makeApp, settle } from '../harness/rows.ts';
import { openServer } from '../harness/server.ts';
import { joinedRanks } from './joined-ranks.ts';

const bar = { unit: 'x', better: 'lower', pass: 1.5, record: 1.2 } as const;

const ranks: Bench = {
  name: 'search-ranks',
  about:
    'whether ranks by words and circles on the map grow with what matches, and two ranks are joined rightly',
  goals: [
    { id: 'B text rank', what: 'ten best by a word that 100 texts hold: 500,000 / 50,000 inputs', ...bar },
    { id: 'B geo rank', what: 'ten in a circle that holds 100: 500,000 / 50,000 inputs', ...bar },
    {
      id: 'joined ranks',
      what: 'likeness and a label over 250,000 matches: right hits among the best 20',
      unit: '',
      better: 'higher',
      pass: 1,
      record: 1,
    },
  ],
  run,
};
export default ranks;

type Request = MessageInitShape<typeof Schema>;

/** Inputs that hold one word, and that lie in one circle. */
const matches = 100;
const asked = 16;

async function run(context: BenchContext): Promise<void> {
  const { server, db } = await openServer(context, { env: { FOVEA_ROLES: 'api' } });
  const sizes = { small: scaled(context, 50_000, 2_000), large: scaled(context, 500_000, 20_000) };
  const [small, large] = [await makeApp(server, db, 'ranks-small'), await makeApp(server, db, 'ranks-large')];
  context.say(`loading ${sizes.small} and ${sizes.large} inputs`);
  await fill(db, small, sizes.small);
  await fill(db, large, sizes.large);
  await settle(db);

  const load = openLoad();
  context.defer(() => load.close());
  const plan = (requests: readonly Request[], requestsMax: number) =>
    grpcPlan(server.url, 'PostInputsSearches', PostInputsSearchesRequestSchema, requests, {
      concurrency: 1,
      requestsMax,
    });
  const each = (make: (n: number) => Request) => Array.from({ length: asked }, (_, n) => make(n));
  const text = (app: BenchApp, rows: number) =>
    each((n) => byWord(app, `${ownWord(app)}${(n * 7919) % (rows / matches)}`));
  const geo = (app: BenchApp, rows: number) => each((n) => byPlace(app, rows, n));
  for (const [app, rows] of [
    [small, sizes.small],
    [large, sizes.large],
  ] as const) {
    for (const request of [text(app, rows)[3], geo(app, rows)[3]]) {
      const counted = { ...request, onlyCount: true } as Request;
      const { message } = await replyOf(load, plan([counted], 1), MultiSearchResponseSchema);
      const found = Number(
        (message as { hitCounts: { estimatedTotal: bigint }[] }).hitCounts[0]?.estimatedTotal,
      );
      if (found < matches / 2 || found > matches * 2)
        throw new Error(`${found} match where ${matches} should`);
    }
  }
  const cost = (requests: readonly Request[], requestsMax: number) => async () =>
    (await costOf(load, server.pid, plan(requests, requestsMax))).treeUs / 1000;
  const costs = await interleaved(context, {
    textSmall: cost(text(small, sizes.small), 160),
    textLarge: cost(text(large, sizes.large), 160),
    geoSmall: cost(geo(small, sizes.small), 160),
    geoLarge: cost(geo(large, sizes.large), 160),
    allTextSmall: cost([byWord(small, 'common')], 2),
    allTextLarge: cost([byWord(large, 'common')], 1),
    allGeoSmall: cost([byDistanceOfAll(small)], 2),
    allGeoLarge: cost([byDistanceOfAll(large)], 1),
  });
  const ms = (samples: readonly number[]) => `${medianOf(samples).toFixed(2)} ms`;
  context.measured(
    'B text rank',
    ratios(costs.textLarge, costs.textSmall),
    `${ms(costs.textLarge)} and ${ms(costs.textSmall)}`,
  );
  context.control(
    'B text rank',
    'a word that every text holds',
    ratios(costs.allTextLarge, costs.allTextSmall),
  );
  context.measured(
    'B geo rank',
    ratios(costs.geoLarge, costs.geoSmall),
    `${ms(costs.geoLarge)} and ${ms(costs.geoSmall)}`,
  );
  context.control('B geo rank', 'counts all of the earth', ratios(costs.allGeoLarge, costs.allGeoSmall));
  // Last: the server goes on to build a graph of these vectors.
  await joinedRanks(context, server, db);
}

/** How words begin that no other app holds: what a search costs is to be of its own app's size. */
const ownWord = ({ appKey }: Pick<BenchApp, 'appKey'>) => `w${appKey}x`;

const byWord = (app: BenchApp, raw: string): Request => ({
  ...inApp(app.appId),
  searches: [{ query: { ranks: [{ annotation: { data: { text: { raw } } } }] } }],
  pagination: { page: 1, perPage: 10 },
});

const inCircle = (app: BenchApp, latitude: number, longitude: number, km: number): Request => ({
  ...inApp(app.appId),
  searches: [
    {
      query: {
        filters: [
          {
            annotation: {
              data: {
                geo: {
                  geoPoint: { latitude, longitude },
                  geoLimit: { type: 'withinKilometers', value: km },
                },
              },
            },
          },
        ],
      },
    },
  ],
  pagination: { page: 1, perPage: 10 },
});

/** Places lie evenly in a square of 10 by 10 degrees at the equator: a circle's share of its area is its share of them. */
const side = 10;
const kmPerDegree = 111.195;

function byPlace(app: BenchApp, rows: number, n: number): Request {
  const areaKm2 = (side * kmPerDegree) ** 2;
  const km = Math.sqrt((areaKm2 * matches) / rows / Math.PI);
  const at = (step: number) => side * (0.2 + (0.6 * ((n * step) % asked)) / asked);
  return inCircle(app, at(5), at(7), km);
}

const byDistanceOfAll = (app: BenchApp): Request => ({
  ...inCircle(app, side / 2, side / 2, 5_000),
  onlyCount: true,
});

const fillSql = {
  inputs: `insert into inputs (app_key, id, kind, status_code)
    select $1, 'text-' || n, 'text', 30000 from generate_series(1, $2::int) as n`,
  annotations: `insert into annotations (app_key, input_key, input_id, id, input_level, worker_user_key, latitude, longitude)
    select $1, key, id, md5(key::text), true, $2, $3::float8 * random(), $3::float8 * random() from inputs where app_key = $1`,
  texts: `insert into annotation_texts (annotation_key, source, input_key, app_keys, words)
    select key, 'input', input_key, array[$1::bigint],
      to_tsvector('simple', said) || $3::tsvector || to_tsvector('english', said)
    from (select key, input_key,
      'common words and ' || $4::text || (row_number() over (order by key) - 1) % ($2::int / ${matches}) as said
      from annotations where app_key = $1) texts`,
};

/** Inputs with a text and a place each, as the server writes them, in bulk and with triggers off. */
async function fill(db: pg.Client, { appKey, userKey }: BenchApp, rows: number): Promise<void> {
  await db.query('set session_replication_role = replica');
  await db.query(fillSql.inputs, [appKey, rows]);
  await db.query(fillSql.annotations, [appKey, userKey, side]);
  await db.query(fillSql.texts, [appKey, rows, `'''|'':1'`, ownWord({ appKey })]);
  await db.query('set session_replication_role = origin');
}
