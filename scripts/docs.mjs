import { pages, refresh } from './lib/pages.mjs';

// npm run docs: writes the generated pages anew. With --check it only says which are out of date.
const write = !process.argv.includes('--check');
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('-'));

for (const path of Object.keys(pages)) {
  if (wanted.length > 0 && !wanted.some((word) => path.includes(word))) continue;
  const current = await refresh(path, { write });
  console.log(`  ${current ? 'current' : write ? 'written' : 'out of date'}  ${path}`);
  if (!current && !write) process.exitCode = 1;
}
