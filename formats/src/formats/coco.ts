import { fieldsOf, get } from '../fields.ts';
import { textOf } from '../files.ts';
import type { Format, Listing } from '../format.ts';
import { parseJson, scanJson } from '../text/json-scan.ts';
import { jsonPaths, readCoco } from './coco-read.ts';
import { writeCoco } from './coco-write.ts';

/**
 * COCO: one JSON file per split and kind of annotation (instances, person_keypoints, captions; labels as Datumaro
 * writes them). Reading remembers only where each annotation lies in its file; writing keeps nothing but ids.
 */
export const coco: Format = {
  id: 'coco',
  title: 'COCO JSON',
  holds: {
    box: true,
    rotation: true,
    polygon: true,
    mask: true,
    keypoints: true,
    'hidden-keypoints': true,
    text: true,
    'image-label': true,
    'several-labels': true,
    attributes: true,
    'image-attributes': true,
    score: true,
    crowd: true,
    area: true,
    track: true,
    frame: true,
    split: true,
    'other-splits': true,
    'empty-images': true,
    'image-ids': true,
    'annotation-ids': true,
    'image-size': true,
    'several-shapes': true,
    pieces: true,
  },
  detect,
  read: readCoco,
  write: writeCoco,
};

async function detect(listing: Listing): Promise<number> {
  for (const path of jsonPaths(listing).slice(0, 5)) {
    if (await looksLikeCoco(listing, path)) return 0.95;
  }
  return 0;
}

/** A root object with a list of images or annotations, told from the head of the file. */
async function looksLikeCoco({ tree }: Listing, path: string): Promise<boolean> {
  try {
    for await (const { key, inArray, bytes } of scanJson(headOf(tree.stream(path), 4 * 2 ** 20))) {
      if (!inArray) continue;
      const item = fieldsOf(parseJson(textOf(bytes)).value);
      if (key === 'images' && get(item, 'file_name') !== undefined) return true;
      if (key === 'annotations' && get(item, 'image_id') !== undefined) return true;
    }
  } catch {
    // A head that breaks off is no verdict.
  }
  return false;
}

async function* headOf(chunks: AsyncIterable<Uint8Array>, bytesMax: number) {
  let size = 0;
  for await (const chunk of chunks) {
    yield chunk;
    size += chunk.length;
    if (size >= bytesMax) return;
  }
}
