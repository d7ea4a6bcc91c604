import {
  type Dataset,
  detectFormat,
  type Format,
  formatNamed,
  formats,
  inspect,
  listTree,
  type Problem,
  problemLog,
  writeDataset,
} from '@fovea/formats';
import { type Call, type Command, textOption } from './command.ts';
import { CliFault, exitCode, usageFault } from './faults.ts';
import { openTarget, openTemp, openTree } from './files.ts';

export const formatList = formats.map(({ id }) => id).join(', ');

export function formatOf(name: string): Format {
  const format = formatNamed(name);
  if (format) return format;
  throw usageFault(`'${name}' is no format that is known: ${formatList}.`);
}

interface Opened {
  readonly dataset: Dataset;
  readonly format: Format;
  readonly log: ReturnType<typeof problemLog>;
  readonly spool: Parameters<typeof openTree>[1];
}

/** Reads a set on this machine, finding out its format where none is named. */
export async function withSet<T>(
  path: string,
  named: string | undefined,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const temp = await openTemp();
  try {
    const tree = await openTree(path, temp.spool);
    try {
      const log = problemLog();
      const listing = await listTree(tree, log.report);
      const format = named === undefined ? await detectFormat(listing) : formatOf(named);
      if (!format)
        throw new CliFault(
          `Nothing in ${path} looks like a format that is known; name one with --format: ${formatList}.`,
        );
      return await work({
        dataset: await format.read(listing, { report: log.report }),
        format,
        log,
        spool: temp.spool,
      });
    } finally {
      await tree.close();
    }
  } finally {
    await temp.close();
  }
}

export const problemLines = (problems: readonly Problem[], max = 20): string[] => [
  ...problems
    .slice(0, max)
    .map(({ severity, path, at, message }) => `  ${severity}: ${path}${at ? `, ${at}` : ''}: ${message}`),
  ...(problems.length > max ? [`  … and ${problems.length - max} more (all with --json)`] : []),
];

const counted = (counts: Readonly<Record<string, number>>, none: string): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name === '' ? none : name} ${count}`)
    .join(', ') || 'none';

export const lossLines = (losses: Readonly<Partial<Record<string, number>>>): string[] =>
  Object.entries(losses).map(([loss, count]) => `  ${loss}: ${count}`);

/** Looks through a set and says what is in it; needs no server and writes nothing. */
export async function showSet(call: Call, path: string): Promise<number | undefined> {
  const { out } = call;
  return withSet(path, textOption(call, 'format'), async ({ dataset, format, log }) => {
    out.progress(`looking through ${path} …`);
    const { losses, ...found } = await inspect(dataset);
    const target = textOption(call, 'to');
    const shown =
      target === undefined ? losses : { [formatOf(target).id]: losses[formatOf(target).id] ?? {} };
    const lossy = Object.entries(shown).map(([id, all]) => {
      const list = Object.entries(all ?? {});
      return `  ${id.padEnd(14)} ${list.length === 0 ? 'nothing' : list.map(([loss, count]) => `${loss} (${count})`).join(', ')}`;
    });
    out.result({ path, format: format.id, ...found, losses: shown, problems: log.kept, ...log.counts }, [
      `${path}: ${format.title}`,
      `  images       ${found.images} (${found.emptyImages} without annotations, ${found.missingImages} without a file)`,
      `  splits       ${counted(found.bySplit, 'undivided')}`,
      `  annotations  ${found.annotations}: ${counted(found.byKind, '')}`,
      `  classes      ${counted(found.byClass, '')}`,
      'Lost in other formats:',
      ...lossy,
      ...(log.kept.length > 0
        ? [
            `Problems: ${log.counts.errors} errors, ${log.counts.warnings} warnings`,
            ...problemLines(log.kept),
          ]
        : []),
    ]);
    return log.counts.errors > 0 ? exitCode.partly : undefined;
  });
}

export const convertCommand: Command = {
  name: 'convert',
  usage: 'convert FROM TO --to FORMAT [--format FORMAT] [--no-images] [--dry-run]',
  summary: 'turn a set into another format, without a server',
  options: {
    to: { type: 'string' },
    format: { type: 'string' },
    'no-images': { type: 'boolean' },
    'dry-run': { type: 'boolean' },
  },
  help: {
    to: `format to write: ${formatList}`,
    format: 'format to read; found out by default',
    'no-images': 'write what is said of the pictures only',
    'dry-run': 'say what would be lost, and write nothing',
  },
  examples: [
    'fovea convert coco/ yolo/ --to yolo-segment',
    'fovea convert export.zip voc.zip --to voc --dry-run',
  ],
  async run(call) {
    const [from, to] = call.words;
    const named = textOption(call, 'to');
    if (!from || named === undefined) throw usageFault('convert needs FROM, TO and --to FORMAT.');
    const target = formatOf(named);
    if (call.options['dry-run'] === true) return showSet(call, from);
    if (!to) throw usageFault('convert needs a name for the new folder or .zip archive.');
    return withSet(from, textOption(call, 'format'), async ({ dataset, format, log, spool }) => {
      const sink = await openTarget(to, spool);
      try {
        const onProgress = (done: number) => done % 50 === 0 && call.out.progress(`${done} pictures …`);
        const withImages = call.options['no-images'] !== true;
        const { counts, losses } = await writeDataset(dataset, target, sink, {
          report: log.report,
          withImages,
          onProgress,
        });
        await sink.finish();
        call.out.result(
          { from, to, read: format.id, written: target.id, ...counts, losses, problems: log.kept },
          [
            `${to}: ${counts.images} images and ${counts.annotations} annotations, from ${format.title} to ${target.title}`,
            ...(Object.keys(losses).length > 0 ? ['Not kept:', ...lossLines(losses)] : []),
            ...problemLines(log.kept),
          ],
        );
        return log.counts.errors > 0 ? exitCode.partly : undefined;
      } catch (error) {
        await sink.drop();
        throw error;
      }
    });
  },
};
