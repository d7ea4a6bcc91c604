import { parseArgs } from 'node:util';
import { type Command, commonHelp, commonOptions } from './command.ts';
import { commands } from './commands.ts';
import { CliFault, exitCode, usageFault } from './faults.ts';
import { openOutput } from './output.ts';

/**
 * Runs the command that the words name.
 *
 * @param root of the project, where a server started here keeps its data folder
 * @returns the exit code
 */
export async function main(words: readonly string[], root: string): Promise<number> {
  const isJson = words.includes('--json');
  // A reader that has seen enough closes the pipe; that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  try {
    return await run(words, root);
  } catch (error) {
    const fault = error instanceof CliFault ? error : undefined;
    const message = fault?.message ?? (error instanceof Error ? error.message : String(error));
    if (isJson)
      process.stdout.write(
        `${JSON.stringify({ error: { message, exit_code: fault?.code ?? exitCode.failed } }, null, 2)}\n`,
      );
    else process.stderr.write(`fovea: ${message}\n`);
    if (!fault && process.env.FOVEA_DEBUG) console.error(error);
    return fault?.code ?? exitCode.failed;
  }
}

async function run(words: readonly string[], root: string): Promise<number> {
  const [first] = words;
  if (first === undefined || first === 'help' || first === '--help' || first === '-h') {
    const asked = words.slice(1).filter((word) => !word.startsWith('-'));
    const named = asked.length > 0 ? find(asked) : undefined;
    process.stdout.write(named ? helpOf(named.command) : overview());
    return 0;
  }
  if (first === '--version' || first === 'version') {
    process.stdout.write('fovea 0.1.0\n');
    return 0;
  }
  const { command, rest } = find(words);
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({
      args: [...rest],
      options: { ...commonOptions, ...command.options },
      allowPositionals: true,
    });
  } catch (error) {
    throw usageFault(`${(error as Error).message.split('. ')[0]}. See \`fovea help ${command.name}\`.`);
  }
  const { values, positionals } = parsed;
  if (values['help'] === true) {
    process.stdout.write(helpOf(command));
    return 0;
  }
  const out = openOutput({ json: values['json'] === true, quiet: values['quiet'] === true });
  try {
    return (await command.run({ words: positionals, options: values as never, out, root })) ?? 0;
  } finally {
    out.settle();
  }
}

function find(words: readonly string[]): { command: Command; rest: readonly string[] } {
  const [first = '', second = ''] = words;
  const two = commands.find(({ name }) => name === `${first} ${second}`);
  if (two) return { command: two, rest: words.slice(2) };
  const one = commands.find(({ name }) => name === first);
  if (one) return { command: one, rest: words.slice(1) };
  const group = commands.filter(({ name }) => name.startsWith(`${first} `));
  if (group.length > 0)
    throw usageFault(`${first} what? ${group.map(({ name }) => `\`fovea ${name}\``).join(', ')}.`);
  const near = commands
    .map(({ name }) => ({ name, distance: distance(name.split(' ')[0] as string, first) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const hint =
    near && near.distance <= 2 ? ` Did you mean \`fovea ${near.name}\`?` : ' `fovea help` lists them all.';
  throw usageFault(`There is no command '${first}'.${hint}`);
}

/** How many letters must be changed, added or taken away. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + Number(a[i - 1] !== b[j - 1]);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `fovea COMMAND [options]\n\n${lines.join('\n')}\n\n\`fovea help COMMAND\` says more. Every command takes --json.\n`;
}

function helpOf({ usage, summary, help = {}, options = {}, examples = [] }: Command): string {
  const all = { ...help, ...commonHelp };
  const names = [...Object.keys(options), ...Object.keys(commonHelp)];
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map((name) => `  --${name.padEnd(width)}  ${all[name] ?? ''}`);
  const shown = examples.length > 0 ? `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}\n` : '';
  return `fovea ${usage}\n\n${summary}\n\nOptions:\n${lines.join('\n')}\n${shown}`;
}
