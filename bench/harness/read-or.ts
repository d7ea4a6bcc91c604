import { readFileSync } from 'node:fs';

/** The text of a file, or something else where it cannot be read: processes and their threads end at any time. */
export function readOr<Else>(path: string, otherwise: Else): string | Else {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
