import type { ModelVersion } from '@fovea/contract/rest';
import { useTranslation } from 'react-i18next';
import { code, wordsOf } from '../../api/trouble.ts';
import { formatPercent } from '../../i18n/format.ts';

export const isTrained = (version: ModelVersion | undefined): boolean =>
  version?.status?.code === code.modelTrained;

export const isTraining = (version: ModelVersion | undefined): boolean =>
  ([code.modelTraining, code.modelQueued] as (number | undefined)[]).includes(version?.status?.code);

export const isUntrained = (version: ModelVersion | undefined): boolean =>
  version?.status?.code === code.modelUntrained;

/** How far a version is, in a word; the server's own words where it failed. */
export function VersionBadge({ version }: { version: ModelVersion | undefined }) {
  const { t } = useTranslation();
  const status = version?.status;
  if (isTrained(version)) return <span className="badge good">{t('version.trained')}</span>;
  if (isTraining(version)) {
    const percent = status?.percent_completed ?? 0;
    return (
      <span className="badge warn" role="status">
        {t(status?.code === code.modelQueued ? 'version.queued' : 'version.training')}
        {percent > 0 && ` ${formatPercent(percent / 100, 0)}`}
      </span>
    );
  }
  if (isUntrained(version)) return <span className="badge">{t('version.untrained')}</span>;
  return (
    <span className="badge danger" title={wordsOf(status)}>
      {wordsOf(status)}
    </span>
  );
}
