/** A file that somebody dropped or chose, with the name of the folder it lay in. */
export interface Picked {
  readonly file: File;
  readonly folder: string;
}

export type UploadKind = 'image' | 'video' | 'audio' | 'text';

const endings: Readonly<Record<UploadKind, RegExp>> = {
  image: /\.(jpe?g|png|webp|gif|bmp|tiff?|avif)$/i,
  video: /\.(mp4|mov|avi|wmv|webm|3gpp?|m4v)$/i,
  audio: /\.(wav|mp3|flac|ogg|m4a)$/i,
  text: /\.(txt|md)$/i,
};

/** What a file is, by its ending or by what the browser says. */
export function uploadKindOf(file: File): UploadKind | undefined {
  const kinds = Object.keys(endings) as UploadKind[];
  return (
    kinds.find((kind) => endings[kind].test(file.name)) ??
    kinds.find((kind) => kind !== 'text' && file.type.startsWith(`${kind}/`))
  );
}

export const isArchive = (file: File): boolean => /\.(zip|tar|tar\.gz|tgz)$/i.test(file.name);

/** Files and folders of a drop, all levels deep. Hidden files are left out. */
export async function readDrop(transfer: DataTransfer): Promise<Picked[]> {
  // Entries must be taken before the first await: the browser empties the transfer afterwards.
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ file, folder: '' }));
  const found: Picked[] = [];
  for (const entry of entries) await walk(entry, '', found);
  return found;
}

async function walk(entry: FileSystemEntry, folder: string, found: Picked[]): Promise<void> {
  if (entry.name.startsWith('.')) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    found.push({ file, folder });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return;
    for (const inner of some) await walk(inner, entry.name, found);
  }
}

/** Files of a chooser; of a folder chooser, with the folders they lay in. */
export const pickedOf = (files: FileList | null): Picked[] =>
  [...(files ?? [])]
    .filter((file) => !file.name.startsWith('.'))
    .map((file) => ({ file, folder: file.webkitRelativePath.split('/').at(-2) ?? '' }));

/** Asks for files, or for a folder; resolves with none where nothing was chosen. */
export function choose(options: { folder?: boolean; accept?: string } = {}): Promise<Picked[]> {
  return new Promise((resolve) => {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = true;
    input.accept = options.accept ?? '';
    input.webkitdirectory = options.folder ?? false;
    input.addEventListener('change', () => resolve(pickedOf(input.files)));
    input.addEventListener('cancel', () => resolve([]));
    input.click();
  });
}

export function base64Of(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ''));
    reader.onerror = () => reject(reader.error ?? new Error('The file cannot be read.'));
    reader.readAsDataURL(blob);
  });
}

/**
 * An id for the input made of a file: readable, and the same for the same file, so that sending it twice, or going
 * on after a reload, makes nothing twice. Two rounds of FNV-1a over the content, for telling files apart only.
 */
export function inputIdOf(name: string, base64: string): string {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let i = 0; i < base64.length; i++) {
    const unit = base64.charCodeAt(i);
    a = Math.imul(a ^ unit, 16777619);
    b = Math.imul(b ^ unit, 2246822519);
    b = (b << 13) | (b >>> 19);
  }
  const digest = [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  const stem = name
    .replace(/\.[^.]*$/, '')
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 30);
  return [stem, digest].filter(Boolean).join('-');
}
