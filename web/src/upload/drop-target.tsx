import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { AppName } from '../api/queries.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Checkbox } from '../ui/fields.tsx';
import { Icon } from '../ui/icon.tsx';
import { sayTrouble } from '../ui/notices.tsx';
import { isArchive, type Picked, readDrop } from './files.ts';
import { ImportDialog } from './import-dialog.tsx';
import { uploader } from './uploader.ts';

/** The whole page takes files, wherever they are dropped, except on what says that it takes them itself. */
export function DropTarget({ app }: { app: AppName }) {
  const { t } = useTranslation();
  const [isOver, setOver] = useState(false);
  const depth = useRef(0);
  const [picked, setPicked] = useState<readonly Picked[]>([]);
  const [archives, setArchives] = useState<readonly File[]>([]);
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const isElsewhere = (event: DragEvent) =>
      event.target instanceof Element && event.target.closest('[data-takes-files]') !== null;
    const enter = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth.current++;
      setOver(true);
    };
    const leave = () => {
      depth.current = Math.max(0, depth.current - 1);
      if (depth.current === 0) setOver(false);
    };
    const over = (event: DragEvent) => hasFiles(event) && event.preventDefault();
    const drop = (event: DragEvent) => {
      depth.current = 0;
      setOver(false);
      if (!hasFiles(event) || isElsewhere(event) || !event.dataTransfer) return;
      event.preventDefault();
      readDrop(event.dataTransfer).then(
        (found) => offer(app, found, setPicked, setArchives),
        (thrown: unknown) => sayTrouble(thrown),
      );
    };
    const listeners = { dragenter: enter, dragleave: leave, dragover: over, drop } as const;
    for (const [name, listener] of Object.entries(listeners))
      document.addEventListener(name, listener as EventListener);
    const chosen = (event: Event) =>
      offer(app, (event as CustomEvent<readonly Picked[]>).detail, setPicked, setArchives);
    window.addEventListener('fovea:picked', chosen);
    return () => {
      window.removeEventListener('fovea:picked', chosen);
      for (const [name, listener] of Object.entries(listeners))
        document.removeEventListener(name, listener as EventListener);
    };
  }, [app]);
  return (
    <>
      <div className="drop-veil" hidden={!isOver} aria-hidden="true">
        <Icon name="upload" size={48} />
        {t('upload.dropHere')}
      </div>
      <FoldersDialog app={app} picked={picked} onClose={() => setPicked([])} />
      {archives[0] && (
        <ImportDialog
          key={`${archives[0].name}/${archives.length}`}
          app={app}
          file={archives[0]}
          onClose={() => setArchives(archives.slice(1))}
        />
      )}
    </>
  );
}

/** Starts at once where there is nothing to ask. Folders may be labels, archives sets of other tools: that is asked. */
function offer(
  app: AppName,
  all: readonly Picked[],
  ask: (picked: readonly Picked[]) => void,
  askArchives: (archives: readonly File[]) => void,
): void {
  const archives = all.filter(({ file }) => isArchive(file));
  if (archives.length > 0) askArchives(archives.map(({ file }) => file));
  const picked = all.filter(({ file }) => !isArchive(file));
  if (picked.length === 0) return;
  if (new Set(picked.map(({ folder }) => folder).filter(Boolean)).size > 1) ask(picked);
  else uploader.add(app, picked, { labelByFolder: false });
}

/** Hands chosen files to the page as if they had been dropped. */
export const offerPicked = (picked: readonly Picked[]): boolean =>
  window.dispatchEvent(new CustomEvent('fovea:picked', { detail: picked }));

function FoldersDialog({
  app,
  picked,
  onClose,
}: {
  app: AppName;
  picked: readonly Picked[];
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const [isLabelled, setLabelled] = useState(true);
  const folders = Map.groupBy(picked, ({ folder }) => folder);
  return (
    <Dialog
      title={t('upload.foldersTitle', { count: picked.length })}
      isOpen={picked.length > 0}
      onClose={onClose}
      actions={
        <>
          <Button onPress={onClose}>{t('common.cancel')}</Button>
          <Button
            look="primary"
            icon="upload"
            onPress={() => {
              uploader.add(app, picked, { labelByFolder: isLabelled });
              onClose();
            }}
          >
            {t('upload.start')}
          </Button>
        </>
      }
    >
      <Checkbox label={t('upload.labelByFolder')} isSelected={isLabelled} onChange={setLabelled} />
      <ul className="plain row">
        {[...folders].map(([folder, files]) => (
          <li key={folder} className="chip">
            {folder || t('upload.noFolder')} · {files.length}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
