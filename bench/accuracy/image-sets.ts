import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import sharp from 'sharp';
import { findPython } from '../numeric/python.ts';
import { randomFrom } from '../numeric/vector-set.ts';

export interface Picture {
  readonly label: string;
  readonly bytes: Buffer;
}

/** Real pictures with labels, parted into those to learn from and those to judge by. */
export interface ImageSet {
  readonly name: string;
  readonly train: readonly Picture[];
  readonly test: readonly Picture[];
}

/** Sizes of a set at full scale; of larger ones, pictures spread evenly over them. */
const most = { train: 1_000, test: 500 };

/**
 * The sets of a folder, a sub-folder each: with `train/<label>/` and `test/<label>/`, or `<label>/` of which every third
 * picture is for the test, or photographs alone, whose crops are to be told apart. And the digits that scikit-learn
 * brings, where a Python has it.
 */
export async function openSets(folder: string, scale: number): Promise<ImageSet[]> {
  const sets: ImageSet[] = [];
  for (const name of namesIn(folder, 'folders')) {
    const path = join(folder, name);
    const inside = namesIn(path, 'folders');
    if (inside.includes('train') && inside.includes('test'))
      sets.push({ name, train: labelled(join(path, 'train')), test: labelled(join(path, 'test')) });
    else if (inside.length > 1) sets.push(parted(name, labelled(path)));
    else if (namesIn(path, 'files').filter(isPicture).length > 1) sets.push(await crops(name, path));
  }
  const digits = await digitsOfSklearn();
  if (digits) sets.push(digits);
  return sets.map(({ name, train, test }) => ({
    name,
    train: evenly(train, Math.ceil(most.train * scale)),
    test: evenly(test, Math.ceil(most.test * scale)),
  }));
}

const isPicture = (name: string): boolean => /\.(jpe?g|png|webp)$/i.test(name);

const namesIn = (folder: string, what: 'folders' | 'files'): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((one) => (what === 'folders' ? one.isDirectory() : one.isFile()))
    .map(({ name }) => name)
    .sort();

function labelled(folder: string): Picture[] {
  return namesIn(folder, 'folders').flatMap((label) =>
    namesIn(join(folder, label), 'files')
      .filter(isPicture)
      .map((name) => ({ label, bytes: readFileSync(join(folder, label, name)) })),
  );
}

const parted = (name: string, all: readonly Picture[]): ImageSet => ({
  name,
  train: all.filter((_, at) => at % 3 !== 2),
  test: all.filter((_, at) => at % 3 === 2),
});

function evenly<Item>(items: readonly Item[], count: number): Item[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, at) => items[Math.floor((at * items.length) / count)] as Item);
}

const cropsOfEach = 18;

/** Parts of each photograph, between a quarter and a half of it: which photograph is a part of? */
async function crops(name: string, folder: string): Promise<ImageSet> {
  const all: Picture[] = [];
  for (const [n, file] of namesIn(folder, 'files').filter(isPicture).entries()) {
    const random = randomFrom(500 + n);
    try {
      const { data, info } = await sharp(readFileSync(join(folder, file)), { failOn: 'warning' })
        .removeAlpha()
        .toColourspace('srgb')
        .png()
        .toBuffer({ resolveWithObject: true });
      for (let i = 0; i < cropsOfEach; i++) {
        const share = 0.5 + 0.2 * random();
        const [width, height] = [Math.round(info.width * share), Math.round(info.height * share)];
        const left = Math.floor((info.width - width) * random());
        const top = Math.floor((info.height - height) * random());
        const cut = sharp(data).extract({ left, top, width, height });
        all.push({ label: file, bytes: await cut.resize(320).jpeg({ quality: 90 }).toBuffer() });
      }
    } catch {
      // Folders of photographs may hold damaged ones; they have no parts.
    }
  }
  return parted(`${name} (crops)`, all);
}

const digitEdge = 8;

/** 1,797 scanned digits of eight by eight pixels, as they lie in the package. */
async function digitsOfSklearn(): Promise<ImageSet | undefined> {
  const python = findPython('sklearn');
  if (python === undefined) return undefined;
  const where =
    'import sklearn, os; print(os.path.join(os.path.dirname(sklearn.__file__), "datasets", "data", "digits.csv.gz"))';
  const { stdout } = spawnSync(python, ['-c', where], { encoding: 'utf8' });
  const lines = gunzipSync(readFileSync(stdout.trim())).toString('utf8').trim().split('\n');
  const all = await Promise.all(
    lines.map(async (line) => {
      const numbers = line.split(',').map(Number);
      const pixels = Buffer.from(
        numbers.slice(0, digitEdge ** 2).map((ink) => 255 - Math.round((ink * 255) / 16)),
      );
      const raw = { width: digitEdge, height: digitEdge, channels: 1 } as const;
      const bytes = await sharp(pixels, { raw }).resize(128, 128, { kernel: 'cubic' }).png().toBuffer();
      return { label: `digit-${numbers.at(-1)}`, bytes };
    }),
  );
  return parted('digits (scikit-learn)', all);
}
