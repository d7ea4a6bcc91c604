import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const linux = process.platform === 'linux';

/** True while the process runs. A zombie counts as dead: it holds no file and will never act again. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return !linux || stateOf(pid) !== 'Z';
}

/** When the process started, in the system's own notation; '' where unknown. Tells a reused pid from the real one. */
export function startOf(pid: number): string {
  if (linux) return statFields(pid)[19] ?? '';
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

/** Two processes with the same value see the same pids: same boot of the same machine, same pid namespace. */
export function pidScope(): string {
  if (!linux) return 'host';
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return 'host';
  }
}

/**
 * True when `pid` is a PostgreSQL server working in `folder`.
 *
 * A PostgreSQL server always makes its data folder its working folder, so this holds whatever path it was
 * started with.
 */
export function isServerIn(pid: number, folder: string): boolean {
  if (!isAlive(pid)) return false;
  try {
    if (!linux) {
      const command = execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
      return command.includes('postgres') && command.includes(folder);
    }
    return readlinkSync(`/proc/${pid}/cwd`) === folder && /postgres/.test(statName(pid));
  } catch {
    return false;
  }
}

/** What a process has started and runs still; undefined where that cannot be told. */
export function childrenOf(pid: number): number[] | undefined {
  if (!linux) return undefined;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => isChildOf(child, pid));
}

export const isChildOf = (child: number, pid: number): boolean => statFields(child)[1] === String(pid);

/** How a process calls itself; '' where it has ended or that cannot be told. */
export function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function stateOf(pid: number): string {
  return statFields(pid)[0] ?? '';
}

function statName(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}

/** Fields of /proc/pid/stat from the third (state) on; the command before them may itself contain spaces. */
function statFields(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
