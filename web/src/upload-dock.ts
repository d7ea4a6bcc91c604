import { loadConcepts } from './concepts.ts';
import { count, fill, h, icon, iconButton } from './dom.ts';
import { type Picked, readDrop } from './files.ts';
import { copy } from './notices.ts';
import type { Upload, UploadState } from './upload-batch.ts';
import { openUploader } from './uploader.ts';

const rowsMax = 150;
const words: Readonly<Record<UploadState, string>> = {
  waiting: 'waiting',
  sending: 'sending',
  processing: 'processing',
  done: 'ready',
  already: 'already here',
  failed: 'failed',
};

/** The card at the bottom that shows how uploads go, while people work on; and the drop target of the whole page. */
export function openUploadDock() {
  const element = h('section', { class: 'dock', 'aria-label': 'Uploads', hidden: true });
  let isOpen = true;
  let startedMs = 0;
  let isShowing = false;
  let wasDone = true;
  const uploader = openUploader(() => {
    if (isShowing) return;
    isShowing = true;
    requestAnimationFrame(() => {
      isShowing = false;
      show();
    });
  });

  const title = h('strong');
  const said = h('span', { class: 'unseen', role: 'status' });
  const bar = h('progress', { 'aria-label': 'Upload progress' });
  const line = h('p', { class: 'quiet small' });
  const list = h('ul', { id: 'files', class: 'files', tabIndex: 0, 'aria-label': 'Files' });
  const fold = iconButton('down', 'Show or hide the files', toggle, { 'aria-controls': 'files' });
  const close = iconButton('close', 'Close', () => uploader.clear());
  const retry = h('button', { type: 'button', on: { click: () => uploader.retry() } }, 'Retry failed');
  const stop = h('button', { type: 'button', on: { click: () => uploader.stop() } }, 'Stop');
  const head = h('header', { class: 'row' }, title, said, h('span', { class: 'grow' }), fold, close);
  fill(element, head, bar, line, list, h('div', { class: 'row' }, retry, stop));

  function show(): void {
    const { uploads } = uploader;
    element.hidden = uploads.length === 0;
    if (uploads.length === 0) return;
    const of = (...states: UploadState[]) => uploads.filter(({ state }) => states.includes(state)).length;
    const failed = of('failed');
    const finished = of('done', 'already') + failed;
    const isDone = uploader.isDone();
    title.textContent = summary(finished, uploads.length, failed, of('already'), isDone);
    if (isDone !== wasDone) {
      wasDone = isDone;
      // Read aloud when it begins and when it ends, not at every step between.
      said.textContent = title.textContent;
      if (isDone) void loadConcepts().catch(() => undefined);
      if (isDone && failed === 0) isOpen = false;
    }
    bar.max = uploads.length;
    bar.value = finished;
    line.textContent = details(of('sending'), of('processing'), of('already'), finished, uploads.length);
    fold.setAttribute('aria-expanded', String(isOpen));
    fold.classList.toggle('folded', !isOpen);
    list.hidden = !isOpen;
    if (isOpen) showRows(list, uploads);
    close.hidden = !isDone;
    retry.hidden = !uploader.canRetry();
    stop.hidden = of('waiting') === 0;
  }

  function details(
    sending: number,
    processing: number,
    already: number,
    finished: number,
    all: number,
  ): string {
    const parts = [];
    if (sending > 0) parts.push(`${sending} being sent`);
    if (processing > 0) parts.push(`${processing} being processed`);
    if (already > 0) parts.push(`${count(already, 'file')} were here already`);
    const seconds = (Date.now() - startedMs) / 1000;
    if (finished > 0 && finished < all && seconds > 2) {
      const left = Math.ceil(((all - finished) * seconds) / finished);
      parts.push(
        `${(finished / seconds).toFixed(1)} a second`,
        left < 90 ? `${left} s left` : `${Math.ceil(left / 60)} min left`,
      );
    }
    return parts.join(' · ');
  }

  function toggle(): void {
    isOpen = !isOpen;
    show();
  }

  function start(picked: readonly Picked[], withLabels: boolean): void {
    if (uploader.isDone()) startedMs = Date.now();
    isOpen = true;
    uploader.add(picked, withLabels);
  }

  return {
    element,
    /** Uploads files, after asking about folder names where they lay in folders. */
    async take(picked: readonly Picked[]): Promise<void> {
      if (picked.length === 0) return;
      const folders = Map.groupBy(picked, ({ folder }) => folder);
      folders.delete('');
      if (folders.size === 0) return start(picked, false);
      const answer = await askAboutFolders(
        picked.length,
        new Map([...folders].map(([name, files]) => [name, files.length])),
      );
      if (answer !== 'cancel') start(picked, answer === 'labels');
    },
  };
}

export type UploadDock = ReturnType<typeof openUploadDock>;

function summary(finished: number, all: number, failed: number, already: number, isDone: boolean): string {
  const trouble = failed > 0 ? `, ${failed} failed` : '';
  if (!isDone) return `Uploading: ${finished} of ${all}${trouble}`;
  if (already === all) return `${count(all, 'picture')}: here already`;
  return failed === 0 ? `${count(all, 'picture')} uploaded` : `${all - failed} of ${all} uploaded${trouble}`;
}

/** What needs somebody first; rows that stay as they are keep their place, scroll and focus. */
function showRows(list: HTMLElement, uploads: readonly Upload[]): void {
  const order: readonly UploadState[] = ['failed', 'sending', 'processing', 'waiting', 'already', 'done'];
  const sorted = [...uploads].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  const shown = sorted.slice(0, rowsMax);
  const key = JSON.stringify([uploads.length, shown.map(({ file, state, why }) => [file.name, state, why])]);
  if (list.dataset['key'] === key) return;
  list.dataset['key'] = key;
  const { scrollTop } = list;
  const more = sorted.length - shown.length;
  fill(list, shown.map(row), more > 0 && h('li', { class: 'quiet' }, `and ${more} more`));
  list.scrollTop = scrollTop;
}

function row({ file, state, why, concept, requestId }: Upload): HTMLElement {
  return h(
    'li',
    { class: `file ${state}` },
    h(
      'span',
      { class: 'file-name' },
      file.name,
      concept && h('span', { class: 'quiet' }, ` → ${concept.name}`),
    ),
    h('span', { class: 'badge' }, words[state]),
    why !== '' && h('span', { class: 'why' }, why),
    requestId !== '' &&
      h(
        'span',
        { class: 'request-id' },
        h('code', {}, requestId),
        iconButton('copy', 'Copy the request id', () => copy(requestId)),
      ),
  );
}

function askAboutFolders(
  all: number,
  folders: ReadonlyMap<string, number>,
): Promise<'labels' | 'plain' | 'cancel'> {
  return new Promise((resolve) => {
    const dialog = h('dialog', { class: 'ask', 'aria-label': 'Use folder names as labels?' });
    const end = (answer: string) => ({ click: () => dialog.close(answer) });
    const names = [...folders].slice(0, 12);
    dialog.append(
      h('h2', {}, 'Use folder names as labels?'),
      h('p', {}, `${count(all, 'file')} in ${count(folders.size, 'folder')}:`),
      h(
        'ul',
        { class: 'plain' },
        names.map(([name, files]) =>
          h(
            'li',
            {},
            icon('folder'),
            h('span', { class: 'grow' }, name),
            h('span', { class: 'quiet' }, files),
          ),
        ),
        folders.size > names.length && h('li', { class: 'quiet' }, `and ${folders.size - names.length} more`),
      ),
      h(
        'div',
        { class: 'row end' },
        h('button', { type: 'button', on: end('cancel') }, 'Cancel'),
        h('button', { type: 'button', on: end('plain') }, 'Without labels'),
        h(
          'button',
          { type: 'button', class: 'primary', autofocus: true, on: end('labels') },
          'Label with folder names',
        ),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      const answer = dialog.returnValue;
      resolve(answer === 'labels' || answer === 'plain' ? answer : 'cancel');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Files dropped anywhere on the page are uploaded; a target with a purpose of its own stops the event before. */
export function dropAnywhere(isOn: () => boolean, take: (picked: Picked[]) => unknown): void {
  const veil = h(
    'div',
    { class: 'veil', hidden: true },
    icon('upload'),
    h('p', {}, 'Drop pictures or folders to upload them'),
  );
  document.body.append(veil);
  let depth = 0;
  const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
  const set = (to: number) => {
    depth = Math.max(0, to);
    veil.hidden = depth === 0;
  };
  window.addEventListener('dragenter', (event) => {
    if (isOn() && holdsFiles(event)) set(depth + 1);
  });
  window.addEventListener('dragleave', () => set(depth - 1));
  window.addEventListener('dragover', (event) => {
    if (holdsFiles(event)) event.preventDefault();
  });
  window.addEventListener('drop', async (event) => {
    set(0);
    if (!holdsFiles(event) || event.defaultPrevented) return;
    event.preventDefault();
    if (isOn() && event.dataTransfer) take(await readDrop(event.dataTransfer));
  });
}
