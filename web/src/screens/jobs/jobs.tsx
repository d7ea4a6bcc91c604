import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { asTrouble, code, wordsOf } from '../../api/trouble.ts';
import { Link } from '../../app/link.tsx';
import { pathTo } from '../../app/place.ts';
import { formatAgo, formatNumber, formatPercent } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { sayTrouble } from '../../ui/notices.tsx';
import { Empty, Troubles, Waiting } from '../../ui/states.tsx';
import { endTransfer, formatNames, fractionOf, isOver, listTransfers } from '../../upload/transfers.ts';
import { isTraining } from '../models/version-badge.tsx';

interface Job {
  readonly key: string;
  readonly kind: string;
  readonly what: string;
  readonly href?: string;
  readonly state: 'running' | 'done' | 'failed' | 'stopped';
  readonly words: string;
  /** 0..1, where that is known. */
  readonly fraction?: number | undefined;
  readonly count?: number | undefined;
  readonly log?: string | undefined;
  readonly when: string;
  readonly cancel?: () => Promise<unknown>;
}

const everyMs = 1_500;
const jobCodes = {
  running: [64000, 64001, 25402, 25403, 21101, 21103, 21301, 21303, 25202, 64005, 64010],
  stopped: [64004, 25405],
  done: [64002, 25400, 21100, 21300, 25200, 64015],
};

function stateOf(code: number | undefined): Job['state'] {
  if (jobCodes.running.includes(code ?? 0)) return 'running';
  if (jobCodes.stopped.includes(code ?? 0)) return 'stopped';
  return jobCodes.done.includes(code ?? 0) ? 'done' : 'failed';
}

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
            <Row key={job.key} job={job} />
          ))}
        </ul>
      )}
    </div>
  );
}

function Row({ job }: { job: Job }) {
  const { t } = useTranslation();
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
        {job.words}
        {job.fraction !== undefined && job.state === 'running' && ` · ${formatPercent(job.fraction, 0)}`}
        {job.count !== undefined &&
          ` · ${t('jobs.items', { count: job.count, formatted: formatNumber(job.count) })}`}
      </p>
    </li>
  );
}

/** Jobs of all kinds, undefined until the first answers are there, and questions without an answer. Kinds that a server does not have are left out. */
function useJobs() {
  const app = useAppName();
  const every = { everyMs: () => everyMs };
  const adds = useRpc('ListInputsAddJobs', { user_app_id: app, per_page: 50 }, every);
  const extractions = useRpc('ListInputsExtractionJobs', { user_app_id: app, per_page: 50 }, every);
  const operations = useRpc('ListBulkOperations', { user_app_id: app, per_page: 50 }, every);
  const models = useRpc('ListModels', { user_app_id: app, per_page: 100 }, every);
  const evaluations = useRpc(
    'ListEvaluations',
    { user_app_id: app, per_page: 50, show_failed_metrics: true },
    every,
  );
  const duplications = useRpc(
    'ListAppDuplications',
    { user_app_id: { user_id: app.user_id }, per_page: 50 },
    every,
  );
  const transfers = useQuery({
    queryKey: ['transfers', app],
    queryFn: ({ signal }) => listTransfers(app, signal),
    refetchInterval: everyMs,
    retry: false,
  });
  const failed = [adds, extractions, operations, models, evaluations, duplications, transfers].filter(
    ({ error }) => error && asTrouble(error).code !== code.notBuilt,
  );
  if (adds.isPending || models.isPending) return { jobs: undefined, failed };
  const jobs: Job[] = [
    ...(adds.data?.inputs_add_jobs ?? []).map((job): Job => {
      const {
        pending_count = 0,
        in_progress_count = 0,
        success_count = 0,
        failed_count = 0,
      } = job.progress ?? {};
      const [pending, working, good, bad] = [
        pending_count,
        in_progress_count,
        success_count,
        failed_count,
      ].map(Number) as [number, number, number, number];
      const all = pending + working + good + bad;
      const isOver = pending + working === 0;
      return {
        key: `add ${job.id}`,
        kind: 'add',
        what: (job.id ?? '').slice(0, 12),
        state:
          stateOf(job.status?.code) === 'stopped'
            ? 'stopped'
            : isOver
              ? bad > 0 && good === 0
                ? 'failed'
                : 'done'
              : 'running',
        words: wordsOf(job.status),
        fraction: all > 0 ? (good + bad) / all : undefined,
        count: all,
        when: job.created_at ?? '',
        cancel: async () => {
          await rpc('CancelInputsAddJob', { user_app_id: app, id: job.id ?? '' });
          await refresh('ListInputsAddJobs');
        },
      };
    }),
    ...(extractions.data?.inputs_extraction_jobs ?? []).map((job): Job => {
      const progress = job.progress ?? {};
      const count = [
        progress.image_inputs_count,
        progress.video_inputs_count,
        progress.audio_inputs_count,
        progress.text_inputs_count,
      ].reduce((sum, part) => sum + Number(part ?? 0), 0);
      return {
        key: `extraction ${job.id}`,
        kind: 'extraction',
        what: job.url ?? job.id ?? '',
        state: stateOf(job.status?.code),
        words: wordsOf(job.status),
        count,
        when: job.created_at ?? '',
        cancel: async () => {
          await rpc('CancelInputsExtractionJobs', { user_app_id: app, ids: [job.id ?? ''] });
          await refresh('ListInputsExtractionJobs');
        },
      };
    }),
    ...(operations.data?.bulk_operation ?? []).map(
      (job): Job => ({
        key: `bulk ${job.id}`,
        kind: 'bulk',
        what: Object.keys(job.operation ?? {})[0]?.replaceAll('_', ' ') ?? job.id ?? '',
        state: stateOf(job.status?.code),
        words: wordsOf(job.status),
        count: Number(job.progress?.processed ?? 0),
        when: job.created_at ?? '',
        cancel: async () => {
          await rpc('CancelBulkOperations', { user_app_id: app, ids: [job.id ?? ''] });
          await refresh('ListBulkOperations');
        },
      }),
    ),
    ...(models.data?.models ?? [])
      .filter(({ model_version }) => isTraining(model_version) || model_version?.train_log)
      .map(
        (model): Job => ({
          key: `train ${model.id}`,
          kind: 'train',
          what: model.name || (model.id ?? ''),
          href: pathTo(app.user_id, app.app_id, 'models', model.id ?? ''),
          state: stateOf(model.model_version?.status?.code),
          words: wordsOf(model.model_version?.status),
          fraction: (model.model_version?.status?.percent_completed ?? 0) / 100,
          log: model.model_version?.train_log,
          when: model.model_version?.created_at ?? '',
        }),
      ),
    ...(evaluations.data?.eval_metrics ?? []).map(
      (metrics): Job => ({
        key: `evaluation ${metrics.id}`,
        kind: 'evaluation',
        what: metrics.model?.name || (metrics.model?.id ?? ''),
        href: `${pathTo(app.user_id, app.app_id, 'models', metrics.model?.id ?? '')}?tab=evaluation&evaluation=${metrics.id}`,
        state: stateOf(metrics.status?.code),
        words: wordsOf(metrics.status),
        fraction: (metrics.status?.percent_completed ?? 0) / 100,
        when: metrics.model?.model_version?.created_at ?? '',
      }),
    ),
    ...(transfers.data ?? []).map((transfer): Job => {
      const { kind, state, format, dataset_id, progress, reason } = transfer;
      const name = format === '' ? '' : formatNames[format];
      return {
        key: `transfer ${transfer.id}`,
        kind: transfer.dry_run ? 'look' : kind,
        what: dataset_id,
        href: `${pathTo(app.user_id, app.app_id, 'datasets', dataset_id)}?tab=export`,
        state:
          state === 'cancelled' ? 'stopped' : isOver(transfer) ? (state as 'done' | 'failed') : 'running',
        words: [name, reason].filter(Boolean).join(' · '),
        fraction: fractionOf(transfer),
        count: progress['images'],
        when: transfer.created_at,
        cancel: async () => {
          await endTransfer(app, transfer.id);
          await transfers.refetch();
        },
      };
    }),
    ...(duplications.data?.app_duplications ?? []).map((job): Job => {
      const parts = (job.progress ?? []).map(({ value = 0 }) => value / 100);
      return {
        key: `duplication ${job.id}`,
        kind: 'duplication',
        what: job.destination_app?.id ?? job.id ?? '',
        state: stateOf(job.status?.code),
        words: wordsOf(job.status),
        fraction: parts.length > 0 ? parts.reduce((sum, part) => sum + part, 0) / parts.length : undefined,
        when: job.created_at ?? '',
      };
    }),
  ];
  const isRunning = ({ state }: Job): number => (state === 'running' ? 0 : 1);
  return {
    jobs: jobs.toSorted((a, b) => isRunning(a) - isRunning(b) || b.when.localeCompare(a.when)),
    failed,
  };
}
