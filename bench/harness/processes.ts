import { readdirSync } from 'node:fs';
import { readOr } from './read-or.ts';

/** Clock ticks of procfs, 100 in a second on every Linux. */
const tickMs = 10;
const nsPerMs = 1e6;

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** User and system time of the process, and of those of its children that ended, in milliseconds of whole ticks. */
  readonly ownMs: number;
  readonly endedMs: number;
}

function statOf(pid: number): Stat | undefined {
  const text = readOr(`/proc/${pid}/stat`, undefined);
  if (text === undefined) return undefined;
  // The name in parentheses may hold spaces; fields are counted from behind it (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ms = (at: number) => Number(fields[at]) * tickMs;
  return { pid, parent: Number(fields[1]), ownMs: ms(11) + ms(12), endedMs: ms(13) + ms(14) };
}

/**
 * Ticks are rounded down, in each of some thirty processes. Its threads know a process' time to the nanosecond
 * (schedstat, in the kernel's documentation), but for those of them that ended.
 */
const cpuMsOf = ({ pid, ownMs, endedMs }: Stat): number => Math.max(ownMs, threadsMs(pid)) + endedMs;

function threadsMs(pid: number): number {
  const folder = `/proc/${pid}/task`;
  const nanoseconds = (thread: string) => Number.parseInt(readOr(`${folder}/${thread}/schedstat`, '0'), 10);
  return threadsOf(folder).reduce((sum, thread) => sum + nanoseconds(thread) / nsPerMs, 0);
}

/** None where the process has ended. */
function threadsOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A process and all that descend from it. */
function treeOf(root: number): Stat[] {
  const all = readdirSync('/proc').flatMap((name) =>
    /^\d+$/.test(name) ? (statOf(Number(name)) ?? []) : [],
  );
  const found = all.filter(({ pid }) => pid === root);
  for (let at = 0; at < found.length; at++) {
    const { pid } = found[at] as Stat;
    found.push(...all.filter(({ parent }) => parent === pid));
  }
  return found;
}

export interface CpuMs {
  readonly tree: number;
  readonly own: number;
}

/** CPU time so far of a process tree, those of its processes that ended included, and of the process alone. */
export function cpuOf(pid: number): CpuMs {
  const tree = treeOf(pid);
  if (tree.length === 0) throw new Error(`process ${pid} is gone`);
  const costs = tree.map(cpuMsOf);
  return { tree: costs.reduce((sum, ms) => sum + ms, 0), own: costs[0] ?? 0 };
}

/** CPU time that a tree spends while some work is done, with what it has left to do just after it. */
export async function cpuDuring<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<CpuMs & { result: T; wallMs: number }> {
  const before = cpuOf(pid);
  const began = performance.now();
  const result = await work();
  const wallMs = performance.now() - began;
  const after = cpuOf(pid);
  return { result, wallMs, tree: after.tree - before.tree, own: after.own - before.own };
}

/** Memory of a process tree, shared pages counted once in all (PSS), in MB; and how many processes it is. */
export function memoryOf(pid: number): { pssMb: number; processes: number } {
  const tree = treeOf(pid);
  const kilobytes = tree.reduce((sum, one) => {
    const rollup = readOr(`/proc/${one.pid}/smaps_rollup`, '');
    return sum + Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0);
  }, 0);
  return { pssMb: kilobytes / 1024, processes: tree.length };
}

/** Holds a process still at fixed times, as work on its event loop would. @returns lets it go for good */
export function heldStill(pid: number, { forMs, everyMs }: { forMs: number; everyMs: number }): () => void {
  let going: NodeJS.Timeout | undefined;
  const holding = setInterval(() => {
    signal(pid, 'SIGSTOP');
    going = setTimeout(() => signal(pid, 'SIGCONT'), forMs);
  }, everyMs);
  return () => {
    clearInterval(holding);
    clearTimeout(going);
    signal(pid, 'SIGCONT');
  };
}

/** Ends all children of this process, and waits until what descends from them is gone; at most 20 s, then by force. */
export async function endChildren(): Promise<void> {
  const children = treeOf(process.pid).filter(({ parent }) => parent === process.pid);
  for (const { pid } of children) signal(pid, 'SIGTERM');
  for (const began = performance.now(); performance.now() - began < 20_000; ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (treeOf(process.pid).length <= 1) return;
  }
  for (const { pid } of treeOf(process.pid)) if (pid !== process.pid) signal(pid, 'SIGKILL');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself.
  }
}
