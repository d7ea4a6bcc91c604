import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './lib/paths.mjs';
import { run } from './lib/run.mjs';
import { filesBelow } from './lib/stamp.mjs';

/**
 * Type-checks the whole project: everything that runs in Node, and the page.
 *
 * @returns {Promise<{ code: number, output: string }>} the compiler's words; code 0 where there are none
 */
export async function typecheck() {
  const projects = ['tsconfig.json'];
  if (filesBelow(['web']).some((path) => /\.tsx?$/.test(path) && !path.endsWith('.test.ts'))) {
    projects.push('tsconfig.web.json');
  }
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const results = await Promise.all(projects.map((name) => run(process.execPath, [compiler, '-p', name])));
  return {
    code: results.find((result) => result.code !== 0)?.code ?? 0,
    output: results.map((result) => result.output).join(''),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { code, output } = await typecheck();
  process.stdout.write(output);
  process.exitCode = code;
}
