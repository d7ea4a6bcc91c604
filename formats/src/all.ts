import type { Format, FormatId, Listing } from './format.ts';
import { coco } from './formats/coco.ts';
import { csv } from './formats/csv.ts';
import { cvat } from './formats/cvat.ts';
import { datumaro } from './formats/datumaro.ts';
import { imageFolder, yoloClassify } from './formats/image-folder.ts';
import { labelStudio } from './formats/label-studio.ts';
import { labelme } from './formats/labelme.ts';
import { openImages } from './formats/open-images.ts';
import { voc } from './formats/voc.ts';
import { yoloFormats } from './formats/yolo.ts';

/** Every format there is; of two that are equally sure, the earlier one is taken. */
export const formats: readonly Format[] = [
  coco,
  ...yoloFormats,
  voc,
  cvat,
  labelme,
  labelStudio,
  datumaro,
  openImages,
  csv,
  imageFolder,
  yoloClassify,
];

/** Short names that stand for one of several kinds. */
const aliases: Readonly<Record<string, FormatId>> = {
  yolo: 'yolo-detect',
  'yolo-seg': 'yolo-segment',
  'yolo-cls': 'yolo-classify',
  'pascal-voc': 'voc',
  imagefolder: 'image-folder',
  labelstudio: 'label-studio',
  openimages: 'open-images',
};

export function formatNamed(name: string): Format | undefined {
  const wanted = name.toLowerCase();
  const id = Object.hasOwn(aliases, wanted) ? aliases[wanted] : wanted;
  return formats.find((format) => format.id === id);
}

/** The format a tree is most surely in; undefined where none knows it. */
export async function detectFormat(listing: Listing): Promise<Format | undefined> {
  let best: { format: Format; score: number } | undefined;
  for (const format of formats) {
    const score = await format.detect(listing);
    if (score > (best?.score ?? 0)) best = { format, score };
  }
  return best?.format;
}
