/** A model that `fovea models pull` knows by name. Nothing of it lies in this repository: only where it is. */
export interface CatalogueEntry {
  readonly name: string;
  /** OWNER/REPO on the hub. */
  readonly repo: string;
  /** Commit, where it is pinned; else the main branch. */
  readonly revision?: string;
  readonly typeId: string;
  /** As the repository or its upstream states it. */
  readonly licence: string;
  readonly about: string;
  /** Networks; `sha256` where it is published. */
  readonly files: readonly { readonly path: string; readonly sha256?: string }[];
}

/** Said beneath the catalogue and in the help: what its entries do not promise. */
export const checksumNote =
  'None of these has a published checksum here. The first pull writes down the SHA-256 of every file; a later one that ' +
  'gets another file refuses it, unless told to --accept-changes.';

/** Models under licences that allow every use. Files that say how a network is used are fetched beside it. */
export const catalogue: readonly CatalogueEntry[] = [
  {
    name: 'clip',
    repo: 'Xenova/clip-vit-base-patch32',
    typeId: 'visual-embedder',
    licence: 'MIT (code)',
    about:
      'pictures and texts in one space of 512 numbers: search by words; the weights state no licence of their own',
    files: [{ path: 'onnx/vision_model.onnx' }, { path: 'onnx/text_model.onnx' }],
  },
  {
    name: 'siglip2',
    repo: 'onnx-community/siglip2-base-patch16-224-ONNX',
    typeId: 'visual-embedder',
    licence: 'Apache-2.0',
    about: 'pictures and texts of many languages in one space of 768 numbers',
    files: [{ path: 'onnx/vision_model.onnx' }, { path: 'onnx/text_model.onnx' }],
  },
  {
    name: 'dinov2-small',
    repo: 'onnx-community/dinov2-small',
    typeId: 'visual-embedder',
    licence: 'Apache-2.0',
    about: 'pictures as 384 numbers: similar pictures, training on few examples',
    files: [{ path: 'onnx/model.onnx' }],
  },
  {
    name: 'dfine-nano',
    repo: 'onnx-community/dfine-nano-coco-ONNX',
    typeId: 'visual-detector',
    licence: 'Apache-2.0',
    about: 'things of the 80 kinds of COCO, small and good (42.8 AP)',
    files: [{ path: 'onnx/model.onnx' }],
  },
  {
    name: 'rtdetr-r18',
    repo: 'onnx-community/rtdetr_r18vd',
    typeId: 'visual-detector',
    licence: 'Apache-2.0',
    about: 'things of the 80 kinds of COCO',
    files: [{ path: 'onnx/model.onnx' }],
  },
  {
    name: 'minilm',
    repo: 'Xenova/all-MiniLM-L6-v2',
    typeId: 'text-embedder',
    licence: 'Apache-2.0',
    about: 'English texts as 384 numbers',
    files: [{ path: 'onnx/model.onnx' }],
  },
];
