import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** The two programs that decode, and what has to be known about their version. */
export interface Tools {
  readonly ffmpeg: string;
  readonly ffprobe: string;
  /** Older ones know the option under another name. */
  readonly passthrough: readonly string[];
}

/** Folders that services started by a system often lack in their PATH. */
const usualFolders = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin', '/snap/bin'];

/**
 * Looks for ffmpeg and ffprobe: the named one, else those of the PATH. Found once, they are remembered; as long
 * as there are none every call looks again, so that they can be installed under a running server.
 *
 * @param folders where programs are looked for, before the usual places
 * @param named path of ffmpeg, with ffprobe beside it; undefined: look on the machine
 */
export function openTools(folders: readonly string[], named?: string): () => Promise<Tools | undefined> {
  let found: Promise<Tools | undefined> | undefined;
  return async () => {
    found ??= lookFor(folders, named);
    const tools = await found;
    if (!tools) found = undefined;
    return tools;
  };
}

async function lookFor(
  programFolders: readonly string[],
  named: string | undefined,
): Promise<Tools | undefined> {
  const folders = [...programFolders, ...usualFolders];
  const candidates = named ? [named] : folders.map((folder) => join(folder, 'ffmpeg'));
  for (const ffmpeg of candidates) {
    const ffprobe = join(dirname(ffmpeg), basename(ffmpeg).replace('ffmpeg', 'ffprobe'));
    if (!(await isProgram(ffmpeg)) || !(await isProgram(ffprobe))) continue;
    const version = await versionOf(ffmpeg);
    if (version) return { ffmpeg, ffprobe, passthrough: passthroughOf(version) };
  }
  return undefined;
}

const isProgram = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

async function versionOf(ffmpeg: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(ffmpeg, ['-version'], { timeout: 20_000 });
    return /^ffmpeg version (\S+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** Frames leave as they come, none doubled or dropped. Builds without a number are newer than any with one. */
function passthroughOf(version: string): string[] {
  const [, major, minor] = /^n?(\d+)\.(\d+)/.exec(version) ?? [];
  const isOld = major !== undefined && (Number(major) < 5 || (Number(major) === 5 && Number(minor) < 1));
  return isOld ? ['-vsync', 'passthrough'] : ['-fps_mode', 'passthrough'];
}
