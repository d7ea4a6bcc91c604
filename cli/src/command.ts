import type { ParseArgsConfig } from 'node:util';
import type { Output } from './output.ts';

export type Options = NonNullable<ParseArgsConfig['options']>;

/** What a command gets: its words, its options, where to print. */
export interface Call {
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly out: Output;
  /** Root of the project, where a server started here keeps its data folder. */
  readonly root: string;
}

export interface Command {
  /** One or two words: `import`, `datasets list`. */
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly options?: Options;
  /** Option → what it does, for the help. */
  readonly help?: Readonly<Record<string, string>>;
  readonly examples?: readonly string[];
  /** @returns the exit code; nothing for 0. @throws CliFault */
  run(call: Call): Promise<number | undefined>;
}

/** Options that every command takes. */
export const commonOptions: Options = {
  json: { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
  help: { type: 'boolean', short: 'h' },
  url: { type: 'string' },
  pat: { type: 'string' },
  context: { type: 'string' },
  user: { type: 'string' },
};

export const commonHelp: Readonly<Record<string, string>> = {
  json: 'print one JSON document instead of words',
  quiet: 'no progress on stderr',
  url: 'address of the server (FOVEA_URL, CLARIFAI_API_BASE)',
  pat: 'token; safer in FOVEA_PAT, FOVEA_PAT_FILE or CLARIFAI_PAT',
  context: 'a login kept by `fovea login` (FOVEA_CONTEXT)',
  user: 'whose apps; the owner of the token by default',
};

export const textOption = ({ options }: Call, name: string): string | undefined => {
  const value = options[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};
