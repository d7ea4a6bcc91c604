/** A file that somebody dropped or chose, with the name of the folder it lay in. */
export interface Picked {
  readonly file: File;
  readonly folder: string;
}

export const pictureTypes = 'image/jpeg,image/png,image/webp,image/gif,image/bmp,image/tiff';
const pictureName = /\.(jpe?g|png|webp|gif|bmp|tiff?)$/i;

export const isPicture = (file: File): boolean =>
  pictureTypes.split(',').includes(file.type) || pictureName.test(file.name);

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

export function base64Of(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ''));
    reader.onerror = () =>
      reject(new Error(`The file cannot be read: ${reader.error?.message ?? 'unknown reason'}`));
    reader.readAsDataURL(blob);
  });
}

/**
 * 64 bits that tell files apart, as hex; the same file gives the same bits, so that sending it twice is noticed.
 * Not for security. Two rounds of FNV-1a with different starts.
 */
export function digestOf(base64: string): string {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let i = 0; i < base64.length; i++) {
    const unit = base64.charCodeAt(i);
    a = Math.imul(a ^ unit, 16777619);
    b = Math.imul(b ^ unit, 2246822519);
    b = (b << 13) | (b >>> 19);
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}

/** An id for the input made of a file: readable, and the same for the same file. */
export function inputIdOf(name: string, base64: string): string {
  const stem = name
    .replace(/\.[^.]*$/, '')
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 30);
  return [stem, digestOf(base64)].filter(Boolean).join('-');
}

/** Asks for files; resolves with none where nothing was chosen. */
export function choose(options: { folder?: boolean; many?: boolean } = {}): Promise<Picked[]> {
  return new Promise((resolve) => {
    const input = document.createElement('input');
    input.type = 'file';
    input.accept = pictureTypes;
    input.multiple = options.many ?? false;
    input.webkitdirectory = options.folder ?? false;
    input.addEventListener('change', () => resolve(pickedOf(input.files)));
    input.addEventListener('cancel', () => resolve([]));
    input.click();
  });
}

/** The first picture of a paste or drop. */
export const pictureIn = (transfer: DataTransfer | null): File | undefined =>
  [...(transfer?.files ?? [])].find(isPicture);
