import { useEffect, useState, useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import { formatBytes, formatNumber, formatPercent } from '../i18n/format.ts';
import { Button, IconButton } from '../ui/button.tsx';
import { type Upload, type UploadState, uploader } from './uploader.ts';

const rowsShown = 200;
/** When all went well and nobody looks at the files, in milliseconds. */
const goesAfterMs = 12_000;
const finished: readonly UploadState[] = ['done', 'already', 'failed'];

/** Files on their way, at the bottom of every screen: how many, how fast, what failed and why. */
export function UploadDock() {
  const { t } = useTranslation();
  const uploads = useSyncExternalStore(uploader.subscribe, uploader.snapshot);
  const [isOpen, setOpen] = useState(false);
  const [onlyFailed, setOnlyFailed] = useState(false);
  const open = uploads.length > 0 && !uploader.isDone;
  useEffect(() => {
    if (!open) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', warn);
    return () => window.removeEventListener('beforeunload', warn);
  }, [open]);
  const failed = uploads.filter(({ state }) => state === 'failed');
  const isOver = uploads.length > 0 && uploader.isDone && failed.length === 0 && !isOpen;
  useEffect(() => {
    if (!isOver) return;
    const timer = setTimeout(() => uploader.clear(), goesAfterMs);
    return () => clearTimeout(timer);
  }, [isOver]);
  if (uploads.length === 0) return null;
  const settled = uploads.filter(({ state }) => finished.includes(state)).length;
  const leftBytes = uploads
    .filter(({ state }) => state === 'waiting' || state === 'sending')
    .reduce((sum, { file, bytesThere }) => sum + file.size - bytesThere, 0);
  const shown = (onlyFailed ? failed : uploads).slice(0, rowsShown);
  return (
    <section className="dock" aria-label={t('upload.dock')}>
      <header className="row between">
        <div className="grow">
          <p className="strong" role="status">
            {uploader.isDone
              ? t('upload.finished', {
                  count: settled - failed.length,
                  formatted: formatNumber(settled - failed.length),
                })
              : t('upload.progress', { settled: formatNumber(settled), all: formatNumber(uploads.length) })}
            {failed.length > 0 && (
              <>
                {' '}
                <span className="badge danger">{t('upload.failed', { count: failed.length })}</span>
              </>
            )}
          </p>
          {!uploader.isDone && (
            <p className="quiet small">
              {t('upload.speed', { speed: formatBytes(uploader.speed) })}
              {leftBytes > 0 && ` · ${t('upload.left', { size: formatBytes(leftBytes) })}`}
            </p>
          )}
          <div
            className="progress"
            role="progressbar"
            aria-label={t('upload.dock')}
            aria-valuemin={0}
            aria-valuemax={uploads.length}
            aria-valuenow={settled}
          >
            <span style={{ width: `${(100 * settled) / uploads.length}%` }} />
          </div>
        </div>
        {!uploader.isDone && (
          <IconButton
            icon={uploader.isPaused ? 'play' : 'pause'}
            label={t(uploader.isPaused ? 'upload.resume' : 'upload.pause')}
            onPress={() => uploader.setPaused(!uploader.isPaused)}
          />
        )}
        {uploader.isDone && uploader.canRetry() && (
          <Button isSmall icon="refresh" onPress={() => void uploader.retry()}>
            {t('upload.retry')}
          </Button>
        )}
        <Button isSmall onPress={() => setOpen(!isOpen)} aria-expanded={isOpen}>
          {t(isOpen ? 'upload.less' : 'upload.more')}
        </Button>
        {uploader.isDone && (
          <IconButton icon="close" label={t('common.close')} onPress={() => uploader.clear()} />
        )}
      </header>
      {isOpen && (
        <>
          {failed.length > 0 && (
            <Button isSmall onPress={() => setOnlyFailed(!onlyFailed)} aria-pressed={onlyFailed}>
              {t('upload.onlyFailed')}
            </Button>
          )}
          <ul className="plain dock-files">
            {shown.map((upload, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: files have no other name that is theirs alone
              <Row key={i} upload={upload} />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Row({ upload }: { upload: Upload }) {
  const { t } = useTranslation();
  const look = { failed: 'danger', done: 'good', already: 'good' }[upload.state as string] ?? 'warn';
  return (
    <li className="row">
      <span className="grow">{upload.file.name}</span>
      <span className="quiet small">{formatBytes(upload.file.size)}</span>
      <span className={`badge ${look}`}>
        {t(`upload.state.${upload.state}`)}
        {upload.bytesThere > 0 &&
          upload.state === 'sending' &&
          ` ${formatPercent(upload.bytesThere / upload.file.size, 0)}`}
      </span>
      {upload.why && <p className="small dock-why">{upload.whyIsKey ? t(upload.why) : upload.why}</p>}
      {upload.requestId && <code className="small">{upload.requestId}</code>}
    </li>
  );
}
