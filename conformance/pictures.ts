import { ownImages } from '../scripts/lib/demo-images.mjs';

/** A drawn picture of one of two kinds that no model confuses for long. */
export interface Picture {
  readonly id: string;
  readonly concept: string;
  readonly heldOut: boolean;
  readonly bytes: Buffer;
}

export const concepts = ['checks', 'rings'] as const;

/** Ten pictures of each concept; every fifth is held out. The same bytes every time. */
export async function drawPictures(): Promise<Picture[]> {
  const chosen = ownImages(10).filter(({ concept }) => (concepts as readonly string[]).includes(concept));
  return Promise.all(chosen.map(async (image) => ({ ...image, bytes: await image.bytes() })));
}
