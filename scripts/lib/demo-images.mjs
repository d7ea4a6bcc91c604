import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { randomFrom } from './random.mjs';

/** @typedef {{ id: string, concept: string, heldOut: boolean, bytes: () => Promise<Buffer> }} DemoImage */

const endings = new Set(['.jpg', '.jpeg', '.png', '.webp', '.gif', '.bmp', '.tif', '.tiff']);

const foldersIn = (dir) =>
  readdirSync(dir)
    .filter((name) => !name.startsWith('.') && statSync(join(dir, name)).isDirectory())
    .sort();

const imagesIn = (dir) =>
  readdirSync(dir)
    .filter((name) => endings.has(extname(name).toLowerCase()))
    .sort()
    .map((name) => join(dir, name));

/**
 * The images of a folder with one sub-folder per concept. Every fifth is held out, unless the folder itself is
 * parted into `train/` and `test/`.
 *
 * @param {string} dir
 * @param {number} limit most images per concept and part
 * @returns {DemoImage[]}
 * @throws Error when there is no such folder
 */
export function imagesOfFolder(dir, limit) {
  if (!existsSync(dir)) throw new Error(`there is no folder ${dir}`);
  if (existsSync(join(dir, 'train')) && existsSync(join(dir, 'test'))) {
    return [
      ...imagesOfConcepts(join(dir, 'train'), limit, () => false),
      ...imagesOfConcepts(join(dir, 'test'), limit, () => true),
    ];
  }
  return imagesOfConcepts(dir, limit, (i) => i % 5 === 4);
}

function imagesOfConcepts(dir, limit, isHeldOut) {
  return foldersIn(dir).flatMap((concept) =>
    imagesIn(join(dir, concept))
      .slice(0, limit)
      .map((path, i) => ({
        id: idFrom(`${concept}-${isHeldOut(i) ? 'test' : 'train'}-${i}-${basename(path, extname(path))}`),
        concept: idFrom(concept),
        heldOut: isHeldOut(i),
        bytes: async () => readFileSync(path),
      })),
  );
}

/** Ids of the contract are letters and digits parted by single dashes or underscores, 48 at most. */
const idFrom = (text) =>
  text
    .replace(/[^0-9A-Za-z]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 48)
    .replace(/-$/, '');

const size = 256;

const drawings = {
  stripes: (random, colour) => {
    const step = 16 + random() * 20;
    const lines = Array.from(
      { length: 32 },
      (_, i) => `<rect x="${-size}" y="${-size + i * step}" width="${3 * size}" height="${step / 2}"/>`,
    );
    return `<g fill="${colour}" transform="rotate(${random() * 180} 128 128)">${lines.join('')}</g>`;
  },
  rings: (random, colour) => {
    const [x, y, step] = [64 + random() * 128, 64 + random() * 128, 14 + random() * 12];
    const rings = Array.from({ length: 16 }, (_, i) => `<circle cx="${x}" cy="${y}" r="${(i + 1) * step}"/>`);
    return `<g fill="none" stroke="${colour}" stroke-width="${step / 2.5}">${rings.join('')}</g>`;
  },
  dots: (random, colour) => {
    const radius = 4 + random() * 6;
    const dots = Array.from(
      { length: 60 },
      () => `<circle cx="${random() * size}" cy="${random() * size}" r="${radius}"/>`,
    );
    return `<g fill="${colour}">${dots.join('')}</g>`;
  },
  checks: (random, colour) => {
    const step = 20 + random() * 24;
    const fields = [];
    for (let i = -12; i < 24; i++) {
      for (let j = -12; j < 24; j++) {
        if ((i + j) % 2 === 0)
          fields.push(`<rect x="${i * step}" y="${j * step}" width="${step}" height="${step}"/>`);
      }
    }
    return `<g fill="${colour}" transform="rotate(${random() * 40 - 20} 128 128)">${fields.join('')}</g>`;
  },
};

/**
 * A set that needs no pictures from anybody: four patterns in changing colours, sizes, positions and noise.
 *
 * @param {number} limit most images per concept
 * @returns {DemoImage[]}
 */
export function ownImages(limit) {
  return Object.keys(drawings).flatMap((concept, c) =>
    Array.from({ length: Math.min(30, limit) }, (_, i) => ({
      id: `${concept}-${i}`,
      concept,
      heldOut: i % 5 === 4,
      bytes: () => draw(concept, 1000 * c + i),
    })),
  );
}

async function draw(concept, seed) {
  const { default: sharp } = await import('sharp');
  const random = randomFrom(seed);
  const tone = (lightness) =>
    `hsl(${Math.floor(random() * 360)} ${30 + Math.floor(random() * 60)}% ${lightness}%)`;
  const [ground, colour] = random() < 0.5 ? [tone(85), tone(30)] : [tone(20), tone(70)];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}">
    <rect width="100%" height="100%" fill="${ground}"/>${drawings[concept](random, colour)}</svg>`;
  const { data, info } = await sharp(Buffer.from(svg))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const strength = 10 + random() * 50;
  for (let i = 0; i < data.length; i++) {
    data[i] = Math.max(0, Math.min(255, data[i] + (random() - 0.5) * strength));
  }
  return sharp(data, { raw: info }).jpeg({ quality: 85 }).toBuffer();
}
