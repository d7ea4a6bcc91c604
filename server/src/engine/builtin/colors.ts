import { shrunk } from '../model-pixels.ts';
import { namedColors } from './named-colors.ts';
import type { ModelRun, PredictedColor, Prediction } from './prediction.ts';

type Lab = readonly [number, number, number];

interface Shade {
  lab: Lab;
  rgb: readonly number[];
  /** Pixels of this shade. */
  weight: number;
}

const sampleEdge = 96;
const groupsMax = 8;
const rounds = 8;
/** Groups nearer than this in CIELAB look like one colour. */
const sameColorMax = 14;
const shareMin = 0.025;

const named = namedColors.map(({ name, hex }) => ({ name, hex, lab: labOf(rgbOf(hex)) }));

export async function recogniseColors(run: ModelRun): Promise<Prediction> {
  return { colors: dominantColors((await shrunk(run.picture, sampleEdge)).pixels) };
}

/**
 * The colours that a picture consists of: its shades, grouped in CIELAB.
 *
 * @param pixels RGB bytes, any number of pixels
 * @returns largest share first; colours under 2.5 % are left out, so shares may add up to less than one
 */
export function dominantColors(pixels: Uint8Array): PredictedColor[] {
  const shades = shadesOf(pixels);
  const groups = merged(grouped(shades));
  const total = shades.reduce((sum, shade) => sum + shade.weight, 0);
  return groups
    .map(({ rgb, lab, weight }) => ({ hex: hexOf(rgb), ...nearestName(lab), value: weight / total }))
    .filter(({ value }) => value >= shareMin)
    .sort((a, b) => b.value - a.value);
}

/** Pixels gathered into 4096 cells of the colour cube, each with its mean. */
function shadesOf(pixels: Uint8Array): Shade[] {
  const cells = new Map<number, [number, number, number, number]>();
  for (let at = 0; at + 2 < pixels.length; at += 3) {
    const [r = 0, g = 0, b = 0] = [pixels[at], pixels[at + 1], pixels[at + 2]];
    const key = ((r >> 4) << 8) | ((g >> 4) << 4) | (b >> 4);
    const cell = cells.get(key);
    if (cell) {
      cell[0] += r;
      cell[1] += g;
      cell[2] += b;
      cell[3] += 1;
    } else cells.set(key, [r, g, b, 1]);
  }
  return [...cells.values()].map(([r, g, b, weight]) => shade([r / weight, g / weight, b / weight], weight));
}

/** K-means on weighted shades, started from the heaviest shades that lie well apart. */
function grouped(shades: readonly Shade[]): Shade[] {
  let centres: Shade[] = [];
  for (const candidate of [...shades].sort((a, b) => b.weight - a.weight)) {
    if (centres.length === groupsMax) break;
    if (centres.every((centre) => distance(centre.lab, candidate.lab) > 2 * sameColorMax))
      centres.push(candidate);
  }
  for (let round = 0; round < rounds; round++) {
    const members: Shade[][] = centres.map(() => []);
    for (const one of shades) members[nearest(centres, one.lab)]?.push(one);
    centres = members.filter((group) => group.length > 0).map(meanShade);
  }
  return centres;
}

function merged(groups: Shade[]): Shade[] {
  const kept: Shade[] = [];
  for (const group of groups) {
    const twin = kept.findIndex((other) => distance(other.lab, group.lab) < sameColorMax);
    if (twin < 0) kept.push(group);
    else kept[twin] = meanShade([kept[twin] as Shade, group]);
  }
  return kept;
}

function meanShade(shades: readonly Shade[]): Shade {
  const weight = shades.reduce((sum, one) => sum + one.weight, 0);
  const rgb = [0, 1, 2].map(
    (i) => shades.reduce((sum, one) => sum + (one.rgb[i] ?? 0) * one.weight, 0) / weight,
  );
  return shade(rgb, weight);
}

function shade(rgb: readonly number[], weight: number): Shade {
  return { rgb, weight, lab: labOf(rgb) };
}

function nearest(shades: readonly { lab: Lab }[], lab: Lab): number {
  let best = 0;
  for (let index = 1; index < shades.length; index++) {
    if (distance(shades[index]?.lab as Lab, lab) < distance(shades[best]?.lab as Lab, lab)) best = index;
  }
  return best;
}

function nearestName(lab: Lab): { w3cHex: string; w3cName: string } {
  const found = named[nearest(named, lab)];
  return { w3cHex: found?.hex ?? '', w3cName: found?.name ?? '' };
}

function distance(a: Lab, b: Lab): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** sRGB 0..255 to CIELAB under D65. Source: IEC 61966-2-1 and CIE 15. */
function labOf(rgb: readonly number[]): Lab {
  const [r = 0, g = 0, b = 0] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const x = bent((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
  const y = bent(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = bent((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function bent(share: number): number {
  return share > 216 / 24389 ? Math.cbrt(share) : (24389 / 27 / 116) * share + 16 / 116;
}

function rgbOf(hex: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}

function hexOf(rgb: readonly number[]): string {
  return `#${rgb.map((value) => Math.round(value).toString(16).padStart(2, '0')).join('')}`;
}
