import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { type MediumKind, mediaFault } from './faults.ts';

export interface ChildLimits {
  /** Longest wait for the next output. */
  readonly secondsMax: number;
  /** Most processor time in all. */
  readonly cpuSecondsMax: number;
  /** Address space of the child. */
  readonly memoryBytesMax: number;
}

export interface Child {
  readonly stdout: Readable;
  /** Lines of stderr as they come; ends with the process. */
  readonly lines: AsyncIterable<string>;
  /** Ends well, or with a fault that names the decoder's last complaint. */
  readonly ended: Promise<void>;
  /** Waits for something the child has to deliver; it is stopped when that takes too long. */
  within<T>(what: Promise<T>): Promise<T>;
  kill(): void;
}

/**
 * The shell only sets limits and is then replaced: no core files, no files written at all, so much processor
 * time, so much memory. A limit that the system does not know is passed over.
 */
const limited =
  'ulimit -c 0; ulimit -f 0; ulimit -t "$1" 2>/dev/null; ulimit -v "$2" 2>/dev/null; shift 2; exec "$@"';

/** Lines of complaint kept for the fault. */
const complaintsMax = 20;

/**
 * Starts ffmpeg or ffprobe under limits, in a folder that holds nothing but the one file, with no environment.
 *
 * @param folder working folder
 */
export function startChild(
  kind: MediumKind,
  program: string,
  args: readonly string[],
  folder: string,
  limits: ChildLimits,
  signal?: AbortSignal,
): Child {
  signal?.throwIfAborted();
  const { secondsMax } = limits;
  const child = spawn(
    '/bin/sh',
    [
      '-c',
      limited,
      'sh',
      String(Math.ceil(limits.cpuSecondsMax)),
      String(Math.ceil(limits.memoryBytesMax / 1024)),
      program,
      ...args,
    ],
    { cwd: folder, env: { LC_ALL: 'C', HOME: folder, TMPDIR: folder }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const kill = () => {
    child.kill('SIGKILL');
  };
  signal?.addEventListener('abort', kill, { once: true });
  let isLate = false;
  const complaints: string[] = [];
  const lines = listen(child.stderr, (line) => {
    complaints.push(line);
    if (complaints.length > complaintsMax) complaints.shift();
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, killedBy) => {
      signal?.removeEventListener('abort', kill);
      if (code === 0) return resolve();
      if (signal?.aborted) return reject(signal.reason);
      if (isLate) return reject(mediaFault.tookTooLong(kind, secondsMax));
      if (killedBy === 'SIGXCPU') return reject(mediaFault.tookTooLong(kind, limits.cpuSecondsMax));
      reject(mediaFault.undecodable(kind, complaintIn(complaints)));
    });
  });
  ended.catch(() => {});
  return {
    stdout: child.stdout,
    lines,
    ended,
    kill,
    async within(what) {
      const timer = setTimeout(() => {
        isLate = true;
        kill();
      }, secondsMax * 1000);
      try {
        return await what;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Reads all of stderr, whether somebody asks for its lines or not: a full pipe would stop the child. */
function listen(stderr: Readable, note: (line: string) => void): AsyncIterable<string> {
  const queue: string[] = [];
  let isOver = false;
  let wake = () => {};
  const reader = createInterface({ input: stderr, crlfDelay: Number.POSITIVE_INFINITY });
  reader.on('line', (line) => {
    if (isReport(line)) queue.push(line);
    else note(line);
    wake();
  });
  reader.once('close', () => {
    isOver = true;
    wake();
  });
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const line = queue.shift();
        if (line !== undefined) yield line;
        else if (isOver) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

/** Lines of the filter that tells the time of every frame. */
const isReport = (line: string): boolean => line.includes('pts_time:');

/** The first line that says what is wrong, without addresses and paths. */
function complaintIn(lines: readonly string[]): string {
  const told = lines
    .map((line) => line.replace(/^\[[^\]]*\]\s*/, '').trim())
    .filter((line) => line !== '' && !/^(Input|Output|Stream|Metadata|Duration|Press|frame=|\[)/.test(line));
  const found = told.find((line) =>
    /invalid|error|not found|could not|unable|cannot|truncat|allocate|corrupt/i.test(line),
  );
  const words = (found ?? told.at(-1) ?? 'the decoder gave up').replace(/\.$/, '');
  return words.replace(/file:\S*/g, 'the file').slice(0, 200);
}

/** All that a child prints, up to a size. @throws what the child ends with */
export async function outputOf(child: Child, bytesMax: number, tooMuch: () => Error): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const all = (async () => {
    for await (const chunk of child.stdout) {
      size += (chunk as Buffer).length;
      if (size > bytesMax) {
        child.kill();
        throw tooMuch();
      }
      chunks.push(chunk as Buffer);
    }
    await child.ended;
  })();
  await child.within(all);
  return Buffer.concat(chunks);
}
