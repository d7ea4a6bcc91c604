import { loadSource } from './load-source.mjs';

const code = (text) => (text === undefined ? '' : `\`${text}\``);

const start = `# Configuration

Everything is read from the environment once, at start. A wrong value stops the start with one line that
names the variable; an unknown \`FOVEA_…\` variable is warned about. An empty value counts as unset.

A variable marked *secret* may instead come from a file: \`FOVEA_PAT_FILE=/run/secrets/pat\` reads the token
from that file. Secrets are never printed or logged.

This page is generated from \`server/src/config-variables.ts\` by \`npm run docs\`.
`;

/** The reference of all variables, as Markdown. */
export async function configurationPage() {
  const { variables } = await loadSource('server/src/config-variables.ts');
  const groups = grouped(Object.entries(variables));
  const sections = [...groups].map(
    ([group, entries]) => `## ${group}\n\n${entries.map(entryText).join('\n')}`,
  );
  return `${[start, ...sections].join('\n')}`;
}

function grouped(entries) {
  const groups = new Map();
  for (const entry of entries) groups.set(entry[1].group, [...(groups.get(entry[1].group) ?? []), entry]);
  return groups;
}

function entryText([name, { about, fallback, unset, example, secret }]) {
  const facts = [
    secret && `secret, or \`${name}_FILE\``,
    fallback === undefined ? `unset: ${unset}` : `default ${code(fallback)}`,
    example && `for example ${code(example)}`,
  ].filter(Boolean);
  return `### ${name}\n\n${about}\n\n*${facts.join(' · ')}*\n`;
}
