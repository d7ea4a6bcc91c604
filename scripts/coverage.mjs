import { refresh } from './lib/pages.mjs';

await refresh('docs/COVERAGE.md', { write: true });
