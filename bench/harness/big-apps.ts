import type pg from 'pg';
import type { BenchContext } from './bench.ts';
import { scaled } from './bench.ts';
import { type LoadGenerator, openLoad } from './load.ts';
import { type BenchApp, fillApp, makeApp, settle } from './rows.ts';
import { type BenchServer, openServer } from './server.ts';

export interface BigApps {
  readonly server: BenchServer;
  readonly db: pg.Client;
  readonly load: LoadGenerator;
  readonly small: BenchApp & { size: number };
  readonly large: BenchApp & { size: number };
}

/** A server with an app of 50,000 inputs and one of a million, at rest. About two minutes at full size. */
export async function openBigApps(context: BenchContext): Promise<BigApps> {
  const { server, db } = await openServer(context, { env: { FOVEA_ROLES: 'api' } });
  const sizes = { small: scaled(context, 50_000, 2_500), large: scaled(context, 1_000_000, 20_000) };
  const [small, large] = [await makeApp(server, db, 'bench-small'), await makeApp(server, db, 'bench-large')];
  context.say(`loading ${sizes.small} and ${sizes.large} inputs`);
  const began = performance.now();
  await fillApp(db, small, sizes.small);
  await fillApp(db, large, sizes.large);
  await settle(db);
  context.say(`loaded in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  const load = openLoad();
  context.defer(() => load.close());
  return { server, db, load, small: { ...small, size: sizes.small }, large: { ...large, size: sizes.large } };
}
