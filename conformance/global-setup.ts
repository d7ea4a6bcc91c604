import type { TestProject } from 'vitest/node';
import { startServer } from '../server/src/testing/server.ts';

/**
 * One real server for all front-door tests: as built, with its own PostgreSQL and data folder.
 * FOVEA_TEST_URL and FOVEA_TEST_PAT name a running one instead.
 */
export default async function setup(project: TestProject) {
  if (process.env.FOVEA_TEST_URL) return undefined;
  if (!process.env.FOVEA_TEST_MAIN) {
    const { build } = (await import('../scripts/build.mjs')) as { build: () => Promise<void> };
    await build();
  }
  const server = await startServer();
  project.provide('foveaUrl', server.url);
  project.provide('foveaPat', server.pat);
  return () => server.stop();
}
