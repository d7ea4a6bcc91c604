import { fieldsOf, get } from '../fields.ts';
import { textOf } from '../files.ts';
import type { Format, Listing } from '../format.ts';
import { JsonBroken, parseJson, scanJson } from '../text/json-scan.ts';
import { jsonPaths, readDatumaro } from './datumaro-read.ts';
import { writeDatumaro } from './datumaro-write.ts';

/**
 * Datumaro: `annotations/SPLIT.json` with an item per picture, pictures in `images/SPLIT/`. Scores, crowds and tracks
 * travel among the attributes, under the names that Datumaro gives them.
 */
export const datumaro: Format = {
  id: 'datumaro',
  title: 'Datumaro JSON',
  holds: {
    box: true,
    rotation: true,
    polygon: true,
    mask: true,
    keypoints: true,
    'hidden-keypoints': true,
    point: true,
    text: true,
    'image-label': true,
    'several-labels': true,
    unlabelled: true,
    attributes: true,
    'image-attributes': true,
    score: true,
    crowd: true,
    track: true,
    frame: true,
    split: true,
    'other-splits': true,
    'empty-images': true,
    'image-ids': true,
    'annotation-ids': true,
    'image-size': true,
  },
  detect,
  read: readDatumaro,
  write: writeDatumaro,
};

async function detect(listing: Listing): Promise<number> {
  for (const path of jsonPaths(listing).slice(0, 3)) {
    let hasCategories = false;
    try {
      for await (const { key, inArray, bytes } of scanJson(listing.tree.stream(path))) {
        if (key === 'categories' && !inArray) {
          const fields = fieldsOf(parseJson(textOf(bytes)).value);
          hasCategories = get(fields, 'label') !== undefined || get(fields, 'points') !== undefined;
        }
        if (key === 'items' && inArray && hasCategories) return 0.96;
        if (key === 'items' && inArray) break;
      }
    } catch (error) {
      if (!(error instanceof JsonBroken)) throw error;
    }
    if (hasCategories) return 0.9;
  }
  return 0;
}
