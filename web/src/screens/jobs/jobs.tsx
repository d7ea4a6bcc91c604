import { useTranslation } from 'react-i18next';
import { Empty, Troubles, Waiting } from '../../ui/states.tsx';
import { useJobs } from './job-list.ts';
import { JobRow } from './job-row.tsx';

/** Everything that takes longer than a request, of all kinds, newest first. */
export default function Jobs() {
  const { t } = useTranslation();
  const { jobs, failed } = useJobs();
  return (
    <div className="page">
      <header className="page-header">
        <h1>{t('nav.jobs')}</h1>
      </header>
      <Troubles queries={failed} />
      {jobs === undefined ? (
        <Waiting />
      ) : jobs.length === 0 && failed.length > 0 ? null : jobs.length === 0 ? (
        <Empty icon="jobs" title={t('jobs.none')}>
          {t('jobs.noneWords')}
        </Empty>
      ) : (
        <ul className="plain stack">
          {jobs.map((job) => (
            <JobRow key={job.key} job={job} />
          ))}
        </ul>
      )}
    </div>
  );
}
