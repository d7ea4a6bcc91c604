import { useTranslation } from 'react-i18next';
import { formatBytes } from '../i18n/format.ts';

/** Where a file that the server made can be taken, and how large it is. */
export function DownloadLink({ path, sizeBytes }: { path: string; sizeBytes: number }) {
  const { t } = useTranslation();
  return (
    <a className="button primary" href={path} download>
      {t('datasets.download', { size: formatBytes(sizeBytes) })}
    </a>
  );
}
