import { type Command, commonOptions } from './command.ts';
import { usageFault } from './faults.ts';
import { duplicatesCommand, indexListCommand, indexVerifyCommand } from './indexes.ts';
import { modelCommands } from './models.ts';
import { contextCommands, listCommands, loginCommand, statusCommand, whoamiCommand } from './server.ts';
import { convertCommand } from './sets.ts';
import { exportCommand, importCommand } from './transfers.ts';
import { diffCommand, leaksCommand, restoreCommand } from './versions.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

const completionCommand: Command = {
  name: 'completion',
  usage: `completion ${shells.join('|')}`,
  summary: 'a script that completes commands and options in your shell',
  examples: [
    'source <(fovea completion bash)',
    'fovea completion fish > ~/.config/fish/completions/fovea.fish',
  ],
  async run({ words, out }) {
    const shell = shells.find((one) => one === words[0]);
    if (!shell) throw usageFault(`Which shell? One of ${shells.join(', ')}.`);
    const script = completionFor(shell);
    out.result({ shell, script: script.join('\n') }, script);
    return undefined;
  },
};

/** Every command there is; a new one is added here. */
export const commands: readonly Command[] = [
  importCommand,
  exportCommand,
  convertCommand,
  diffCommand,
  restoreCommand,
  leaksCommand,
  statusCommand,
  ...listCommands,
  indexListCommand,
  indexVerifyCommand,
  duplicatesCommand,
  loginCommand,
  whoamiCommand,
  ...modelCommands,
  ...contextCommands,
  completionCommand,
];

const optionsOf = (command: Command): string[] =>
  Object.keys({ ...command.options, ...commonOptions }).map((name) => `--${name}`);

function completionFor(shell: (typeof shells)[number]): string[] {
  const first = [...new Set(commands.map(({ name }) => name.split(' ')[0] as string))];
  if (shell === 'fish') {
    return [
      `complete -c fovea -f -n __fish_use_subcommand -a "${first.join(' ')}"`,
      ...commands.flatMap(({ name, options }) => {
        const [group, word] = name.split(' ');
        return [
          ...(word ? [`complete -c fovea -f -n "__fish_seen_subcommand_from ${group}" -a ${word}`] : []),
          ...Object.keys({ ...options, ...commonOptions }).map(
            (option) => `complete -c fovea -n "__fish_seen_subcommand_from ${group}" -l ${option}`,
          ),
        ];
      }),
    ];
  }
  const groups = new Map<string, Set<string>>();
  for (const command of commands) {
    const [group = '', word] = command.name.split(' ');
    const words = groups.get(group) ?? new Set<string>();
    for (const one of [...(word ? [word] : []), ...optionsOf(command)]) words.add(one);
    groups.set(group, words);
  }
  return [
    ...(shell === 'zsh' ? ['autoload -U +X bashcompinit && bashcompinit'] : []),
    '_fovea() {',
    `  local word=\${COMP_WORDS[COMP_CWORD]}`,
    `  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "${first.join(' ')}" -- "$word")); return; fi`,
    `  case \${COMP_WORDS[1]} in`,
    ...[...groups].map(
      ([group, words]) => `    ${group}) COMPREPLY=($(compgen -W "${[...words].join(' ')}" -- "$word"));;`,
    ),
    '  esac',
    '}',
    'complete -o default -F _fovea fovea',
  ];
}
