import type { Format, Listing } from '../format.ts';
import { readCvat, xmlPaths } from './cvat-read.ts';
import { writeCvat } from './cvat-write.ts';

/**
 * CVAT for images 1.1: one `annotations.xml` with an element per picture. CVAT for video (tracks) is read too, into one
 * record per frame on which something is seen; it is not written.
 */
export const cvat: Format = {
  id: 'cvat',
  title: 'CVAT XML for images',
  holds: {
    box: true,
    rotation: true,
    polygon: true,
    mask: true,
    keypoints: true,
    'hidden-keypoints': true,
    point: true,
    'image-label': true,
    'several-labels': true,
    attributes: true,
    split: true,
    'other-splits': true,
    'empty-images': true,
    'image-size': true,
  },
  detect,
  read: readCvat,
  write: writeCvat,
};

async function detect({ tree, ...listing }: Listing): Promise<number> {
  for (const path of xmlPaths({ tree, ...listing }).slice(0, 3)) {
    for await (const chunk of tree.stream(path)) {
      if (/<annotations[\s>]/.test(new TextDecoder().decode(chunk.subarray(0, 4096)))) return 0.95;
      break;
    }
  }
  return 0;
}
