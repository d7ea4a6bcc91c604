import { useTranslation } from 'react-i18next';
import { Link } from '../../app/link.tsx';
import { formatAgo, formatLength, formatNumber, formatPercent } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { sayTrouble } from '../../ui/notices.tsx';
import type { Job } from './job-list.ts';

/** One job: what it is, how far it is, and what can be done about it. */
export function JobRow({ job }: { job: Job }) {
  const { t } = useTranslation();
  const left = secondsLeft(job);
  const look = { running: 'warn', done: 'good', failed: 'danger', stopped: '' }[job.state];
  return (
    <li className="card job">
      <div className="row between">
        <p>
          <span className="badge">{t(`jobs.kind.${job.kind}`)}</span>{' '}
          {job.href ? <Link href={job.href}>{job.what}</Link> : job.what}
        </p>
        <p className="row small">
          <time className="quiet" dateTime={job.when}>
            {formatAgo(job.when)}
          </time>
          <span className={`badge ${look}`}>{t(`jobs.state.${job.state}`)}</span>
          {job.log && <a href={new URL(job.log, location.origin).pathname}>{t('model.log')}</a>}
          {(job.state === 'failed' || job.state === 'stopped') && job.retry && (
            <Button isSmall icon="refresh" onPress={() => void job.retry?.().catch(sayTrouble)}>
              {t('common.tryAgain')}
            </Button>
          )}
          {job.state === 'running' && job.cancel && (
            <Button isSmall icon="stop" onPress={() => void job.cancel?.().catch(sayTrouble)}>
              {t('common.cancel')}
            </Button>
          )}
        </p>
      </div>
      {job.state === 'running' && (
        <div
          className="progress"
          role="progressbar"
          aria-label={job.what}
          aria-valuenow={Math.round(100 * (job.fraction ?? 0))}
          aria-valuemin={0}
          aria-valuemax={100}
        >
          <span style={{ width: `${100 * (job.fraction ?? 0)}%` }} />
        </div>
      )}
      <p className="quiet small">
        <bdi>{job.words}</bdi>
        {job.fraction !== undefined && job.state === 'running' && ` · ${formatPercent(job.fraction, 0)}`}
        {job.state === 'running' &&
          left !== undefined &&
          ` · ${t('jobs.left', { time: formatLength(left) })}`}
        {job.count !== undefined &&
          ` · ${t('jobs.items', { count: job.count, formatted: formatNumber(job.count) })}`}
      </p>
    </li>
  );
}

/** What the server says of it, else what is left at the pace so far; undefined where nobody can know yet. */
function secondsLeft({ secondsLeft: told, fraction = 0, when }: Job): number | undefined {
  if (told) return told;
  if (fraction < 0.02 || fraction >= 1 || when === '') return undefined;
  return ((Date.now() - new Date(when).getTime()) / 1000) * ((1 - fraction) / fraction);
}
