import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * Real photographs, which are not part of the repository: they lie beside a checkout, or where FOVEA_TEST_PHOTOS says.
 * Tests that want them are skipped without.
 */
const photosDir =
  process.env.FOVEA_TEST_PHOTOS ?? resolve(import.meta.dirname, '../../../../shared/data/photos');

export const photoPath = (name: string): string => join(photosDir, name);
export const hasPhotos = existsSync(photosDir);
