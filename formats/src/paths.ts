const imageEndings = /\.(jpe?g|jfif|png|webp|gif|bmp|tiff?|avif)$/i;

export const isImagePath = (path: string): boolean => imageEndings.test(path) && !isHidden(path);

/** What archives of other systems carry along and nobody means. */
const isHidden = (path: string): boolean => /(^|\/)(\.|__MACOSX\/)/.test(path);

/**
 * A path that stays below the folder it is laid in, with forward slashes; undefined for one that would not
 * (absolute, with `..`, a drive letter, a device name's NUL) or that is empty or longer than 1,024 characters.
 */
export function safePath(path: string): string | undefined {
  const parts = path.replaceAll('\\', '/').split('/');
  if (path === '' || path.length > 1_024 || path.includes('\0') || /^[a-z]:/i.test(path)) return undefined;
  if (parts[0] === '' || parts.includes('..')) return undefined;
  const kept = parts.filter((part) => part !== '' && part !== '.');
  return kept.length === 0 ? undefined : kept.join('/');
}

export const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
export const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
export const joinPath = (...parts: readonly (string | undefined)[]): string =>
  parts.filter((part) => part !== undefined && part !== '').join('/');
/** The path without its ending: `a/b.tar.gz` → `a/b.tar`. */
export const stemOf = (path: string): string => path.replace(/\.[^./]+$/, '');

/** Names of the usual parts of a set, whatever a tool calls them. */
export function splitNamed(name: string): string {
  const plain = name.replace(/20\d\d$/, '');
  if (/^(train|training)$/i.test(plain)) return 'train';
  if (/^(val|valid|validation|dev)$/i.test(plain)) return 'val';
  if (/^(test|testing)$/i.test(plain)) return 'test';
  return name;
}

export const isUsualSplit = (name: string): boolean => ['train', 'val', 'test'].includes(splitNamed(name));

/** What a set without parts is called in formats that need a name; reading it gives no split. */
export const noSplit = 'default';
export const splitOfName = (name: string): string | undefined =>
  name === noSplit ? undefined : splitNamed(name);

/** Gives every wanted path once, also on file systems that do not tell upper case from lower. */
export function uniquePaths() {
  const taken = new Set<string>();
  return (wanted: string): string => {
    let path = wanted;
    for (let n = 2; taken.has(path.toLowerCase()); n++) path = wanted.replace(/(\.[^./]*)?$/, `-${n}$1`);
    taken.add(path.toLowerCase());
    return path;
  };
}

/** Finds the file that an annotation file means by a name, which may leave out folders or name too many. */
export class Locator {
  private readonly byBase = new Map<string, string[]>();
  private readonly exact = new Set<string>();

  constructor(paths: Iterable<string>) {
    for (const path of paths) {
      this.exact.add(path);
      const base = baseOf(path).toLowerCase();
      const known = this.byBase.get(base);
      if (known) known.push(path);
      else this.byBase.set(base, [path]);
    }
  }

  /**
   * @param name as written in the annotation file
   * @param near folders to prefer, best first
   */
  find(name: string, near: readonly (string | undefined)[] = []): string | undefined {
    const safe = safePath(name);
    if (safe === undefined) return undefined;
    for (const folder of near) {
      if (folder === undefined) continue;
      const path = joinPath(folder, safe);
      if (this.exact.has(path)) return path;
    }
    if (this.exact.has(safe)) return safe;
    const sameBase = this.byBase.get(baseOf(safe).toLowerCase()) ?? [];
    const tail = `/${safe.toLowerCase()}`;
    const ending = sameBase.filter((path) => `/${path.toLowerCase()}`.endsWith(tail));
    const found = ending.length > 0 ? ending : sameBase;
    return found.length === 1 ? found[0] : closest(found, near);
  }
}

function closest(paths: readonly string[], near: readonly (string | undefined)[]): string | undefined {
  for (const folder of near) {
    if (!folder) continue;
    const inside = paths.filter((path) => path.startsWith(`${folder}/`));
    if (inside.length > 0) return inside[0];
  }
  return undefined;
}
