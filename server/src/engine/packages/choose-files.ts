import { sideFiles } from './manifest.ts';

/** A file of an archive that came as a model. */
export interface PackageEntry {
  /** With forward slashes, from the root of the archive. */
  readonly path: string;
}

export interface Chosen {
  /** Path in the archive → name in the package; a package has no folders. */
  readonly names: ReadonlyMap<string, string>;
  /** Paths that are left out, and why. */
  readonly leftOut: readonly { path: string; why: string }[];
}

const code =
  /\.(py|pyc|ipynb|sh|so|dll|dylib|exe|js|mjs|jar)$|(^|\/)(Dockerfile|requirements\.txt|Makefile)$/i;
const pickled =
  /\.(pkl|pickle|pt|pth|ckpt|joblib|npy|npz|h5|hdf5|keras|bin|safetensors|pb|tflite|gguf|msgpack)$/i;
const networkNames = ['model', 'vision_model', 'text_model', 'image_model'];

/**
 * Which files of an archive are the model: networks (with weights beside them) and what says how they are used. The
 * layout of repositories (`onnx/model.onnx` below `config.json`) and of uploads of the official SDK
 * (`1/checkpoints/…`) is understood. Everything else is left out; above all, code.
 */
export function chooseFiles(paths: readonly string[]): Chosen {
  const networks = plainest(paths.filter((path) => path.endsWith('.onnx')));
  const networkFolders = new Set(networks.map(folderOf));
  const roots = new Set(networks.flatMap((path) => [folderOf(path), folderOf(folderOf(path)), '']));
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const leftOut: { path: string; why: string }[] = [];
  const take = (path: string, name: string) => {
    if (taken.has(name)) leftOut.push({ path, why: `another file is called ${name} too` });
    else {
      taken.add(name);
      names.set(path, name);
    }
  };
  for (const path of networks) take(path, baseOf(path));
  const byDepth = [...paths].sort((a, b) => b.split('/').length - a.split('/').length || (a < b ? -1 : 1));
  for (const path of byDepth) {
    const name = baseOf(path);
    if (names.has(path)) continue;
    if (path.endsWith('.onnx')) leftOut.push({ path, why: 'another variant of the network is used' });
    else if (/(^|\/)1_Pooling\/config\.json$/.test(path)) take(path, 'pooling.json');
    else if ((sideFiles as readonly string[]).includes(name) && roots.has(folderOf(path))) take(path, name);
    else if (code.test(path)) leftOut.push({ path, why: 'code of packages is never run here' });
    // Weights beside a network may have any name; those that no network asks for are dropped when it is checked.
    else if (networkFolders.has(folderOf(path)) && /^[\w][\w.-]*$/.test(name) && !pickled.test(path))
      take(path, name);
    else if (networkFolders.has(folderOf(path)) && /\.bin$/i.test(name)) take(path, name);
    else if (pickled.test(path)) leftOut.push({ path, why: 'weights that are not ONNX are not read' });
    else leftOut.push({ path, why: 'not needed' });
  }
  return { names, leftOut };
}

/** Of several variants of a network the plainest; of others, all. */
function plainest(paths: readonly string[]): string[] {
  const suffix = /(_int8|_quantized|_uint8|_fp16|_q4|_q4f16|_bnb4|_merged)?\.onnx$/;
  const order = ['', '_int8', '_quantized', '_uint8', '_fp16', '_q4', '_q4f16', '_bnb4', '_merged'];
  const best = new Map<string, string>();
  for (const path of paths) {
    const stem = path.replace(suffix, '');
    const rank = (one: string) => order.indexOf(suffix.exec(one)?.[1] ?? '');
    const before = best.get(stem);
    if (before === undefined || rank(path) < rank(before)) best.set(stem, path);
  }
  const all = [...best.values()];
  const usual = all.filter((path) => networkNames.includes(baseOf(path).replace(suffix, '')));
  return usual.length > 0 ? usual : all;
}

const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const folderOf = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');
