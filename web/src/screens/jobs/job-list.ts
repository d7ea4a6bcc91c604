import type { Model } from '@fovea/contract/rest';
import { useQuery } from '@tanstack/react-query';
import { rpc } from '../../api/client.ts';
import { type AppName, refresh, useAppName, useRpc } from '../../api/queries.ts';
import { asTrouble, code, wordsOf } from '../../api/trouble.ts';
import { pathTo } from '../../app/place.ts';
import {
  endTransfer,
  formatNames,
  fractionOf,
  isOver,
  listTransfers,
  startExport,
} from '../../upload/transfers.ts';
import { isTraining } from '../models/version-badge.tsx';

export interface Job {
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
  /** Seconds that the server expects still; otherwise it is reckoned from how far it is. */
  readonly secondsLeft?: number | undefined;
  readonly when: string;
  readonly cancel?: () => Promise<unknown>;
  /** Does the same once more; for what failed or was stopped. */
  readonly retry?: () => Promise<unknown>;
}

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

/**
 * Jobs of all kinds, undefined until the first answers are there, and questions without an answer. Kinds that a server
 * does not have are left out. Asks again every `everyMs`.
 */
export function useJobs(everyMs = 1_500) {
  const app = useAppName();
  const every = { everyMs: () => everyMs };
  const adds = useRpc('ListInputsAddJobs', { user_app_id: app, per_page: 50 }, every);
  const extractions = useRpc('ListInputsExtractionJobs', { user_app_id: app, per_page: 50 }, every);
  const operations = useRpc('ListBulkOperations', { user_app_id: app, per_page: 50 }, every);
  const models = useRpc('ListModels', { user_app_id: app, per_page: 100 }, every);
  const evaluations = useRpc(
    'ListEvaluations',
    { user_app_id: app, per_page: 50, show_failed_metrics: true, fovea_times: true },
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
  const inputs = pathTo(app.user_id, app.app_id, 'inputs');
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
        ...(bad > 0 ? { href: `${inputs}?status=failed` } : {}),
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
        retry: async () => {
          const { url = '', input_id_conflict_resolution, input_template } = job;
          const again = {
            url: { url },
            ...(input_id_conflict_resolution ? { input_id_conflict_resolution } : {}),
            ...(input_template ? { input_template } : {}),
          };
          await rpc('PostInputsDataSources', { user_app_id: app, data_sources: [again] });
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
        retry: async () => {
          const { input_ids, search, dataset, annotation_search, operation = {} } = job;
          const again = {
            operation,
            ...(input_ids ? { input_ids } : {}),
            ...(search ? { search } : {}),
            ...(dataset ? { dataset } : {}),
            ...(annotation_search ? { annotation_search } : {}),
          };
          await rpc('PostBulkOperations', { user_app_id: app, bulk_operations: [again] });
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
          secondsLeft: model.model_version?.status?.time_remaining,
          retry: () => trainAgain(app, model),
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
        when: metrics.fovea_created_at ?? '',
        retry: async () => {
          const { model = {}, ground_truth_dataset } = metrics;
          const { id = '', user_id = '', app_id = '', model_version } = model;
          const again = {
            model: { id, user_id, app_id, model_version: { id: model_version?.id ?? '' } },
            ...(ground_truth_dataset?.id ? { ground_truth_dataset } : {}),
          };
          await rpc('PostEvaluations', { user_app_id: app, eval_metrics: [again] });
          await refresh('ListEvaluations');
        },
      }),
    ),
    ...(transfers.data ?? []).map((transfer): Job => {
      const { kind, state, format, dataset_id, dataset_version_id, progress, reason } = transfer;
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
        // The archive of an import is gone with it; an export is written anew.
        ...(kind === 'export'
          ? {
              retry: async () => {
                await startExport(app, {
                  dataset_id,
                  format,
                  ...(dataset_version_id ? { dataset_version_id } : {}),
                });
                await transfers.refetch();
              },
            }
          : {}),
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

/** Trains once more what the last version of a model was to learn, from where it was to learn it. */
async function trainAgain(app: AppName, { id: model_id = '', model_version }: Model): Promise<void> {
  const { model } = await rpc('GetModelOutputInfo', {
    user_app_id: app,
    model_id,
    version_id: model_version?.id ?? '',
  });
  const concepts = (model?.output_info?.data?.concepts ?? []).map(({ id = '' }) => ({ id }));
  const { train_info } = model_version ?? {};
  const { output_config } = model?.output_info ?? {};
  await rpc('PostModelVersions', {
    user_app_id: app,
    model_id,
    model_versions: [
      {
        ...(train_info ? { train_info } : {}),
        ...(concepts.length > 0
          ? { output_info: { data: { concepts }, ...(output_config ? { output_config } : {}) } }
          : {}),
      },
    ],
  });
  await refresh('ListModels', 'GetModel', 'ListModelVersions');
}
