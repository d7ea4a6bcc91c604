import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const globalSetup = './conformance/global-setup.ts';

export default defineConfig({
  test: {
    include: ['{contract,formats,server,conformance,web,cli,bench,scripts}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    environment: 'node',
    // Each file has a process of its own: native modules and worker threads end with it.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    ...(existsSync(new URL(globalSetup, import.meta.url)) ? { globalSetup: [globalSetup] } : {}),
  },
});
