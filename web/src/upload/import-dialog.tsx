import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../api/client.ts';
import { type AppName, refresh } from '../api/queries.ts';
import { go, pathTo } from '../app/place.ts';
import { formatNumber, formatPercent } from '../i18n/format.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Select, TextField } from '../ui/fields.tsx';
import { say } from '../ui/notices.tsx';
import { TroubleNote, Waiting } from '../ui/states.tsx';
import { sendContent, uploadIdOf } from './parts.ts';
import {
  endTransfer,
  type FormatId,
  formatIds,
  formatNames,
  fractionOf,
  isOver,
  readTransfer,
  startTransfer,
  type Transfer,
} from './transfers.ts';
import { conceptIdOf } from './uploader.ts';

const everyMs = 700;

/**
 * An archive that was dropped: a set of another tool, looked through before anything is written, or just files. It is
 * sent while somebody chooses.
 */
export function ImportDialog({ app, file, onClose }: { app: AppName; file: File; onClose: () => void }) {
  const { t } = useTranslation();
  const isZip = /\.zip$/i.test(file.name);
  const [sent, setSent] = useState(0);
  const [trouble, setTrouble] = useState<unknown>();
  const [datasetId, setDatasetId] = useState(
    conceptIdOf(file.name.replace(/\.(zip|tar|tgz|tar\.gz)$/i, '').replaceAll(/[^\w-]+/g, '-')),
  );
  const [format, setFormat] = useState<FormatId | 'auto'>('auto');
  const [transferId, setTransferId] = useState<string>();
  const [isStarting, setStarting] = useState(false);
  const uploadId = uploadIdOf(file);
  const stop = useRef<AbortController>(undefined);
  useEffect(() => {
    const controller = new AbortController();
    stop.current = controller;
    sendContent(app, uploadIdOf(file), file.name, file, setSent, { signal: controller.signal }).catch(
      (thrown: unknown) => controller.signal.aborted || setTrouble(thrown),
    );
    return () => controller.abort();
  }, [app, file]);
  const isSent = sent >= file.size;
  const followed = useQuery({
    queryKey: ['transfer', app, transferId],
    queryFn: ({ signal }) => readTransfer(app, transferId ?? '', signal),
    enabled: transferId !== undefined,
    refetchInterval: ({ state }) => (state.data && isOver(state.data) ? false : everyMs),
  });
  const transfer = transferId === undefined ? undefined : followed.data;
  const isDone = transfer?.state === 'done';
  useEffect(() => {
    if (!isDone || transfer?.dry_run) return;
    void refresh('GetInputCount', 'ListDatasets', 'ListConcepts', 'GetConceptCounts', 'GetResourceCounts');
    window.dispatchEvent(new Event('fovea:inputs'));
  }, [isDone, transfer?.dry_run]);
  const start = async (dryRun: boolean) => {
    setStarting(true);
    setTrouble(undefined);
    try {
      const body = {
        upload_id: uploadId,
        dataset_id: datasetId,
        dry_run: dryRun,
        ...(format === 'auto' ? {} : { format }),
      };
      setTransferId((await startTransfer(app, 'imports', body)).id);
    } catch (thrown) {
      setTrouble(thrown);
    } finally {
      setStarting(false);
    }
  };
  const takeFiles = async () => {
    setStarting(true);
    try {
      await rpc('PostInputsUploads', {
        user_app_id: app,
        inputs_uploads: [{ inputs_add_job_id: crypto.randomUUID(), upload: { id: uploadId } }],
      });
      say(t('import.filesTaken', { name: file.name }), {
        label: t('nav.jobs'),
        act: () => go(pathTo(app.user_id, app.app_id, 'jobs')),
      });
      onClose();
    } catch (thrown) {
      setTrouble(thrown);
      setStarting(false);
    }
  };
  const isRunning = transfer !== undefined && !isOver(transfer);
  const hasLooked = isDone && transfer.dry_run === true;
  const hasImported = isDone && transfer.dry_run === false;
  return (
    <Dialog
      title={t('import.title', { name: file.name })}
      isOpen
      onClose={onClose}
      size="large"
      actions={
        hasImported ? (
          <Button
            look="primary"
            onPress={() => {
              onClose();
              go(`${pathTo(app.user_id, app.app_id, 'inputs')}?dataset=${encodeURIComponent(datasetId)}`);
            }}
          >
            {t('datasets.inputs')}
          </Button>
        ) : (
          <>
            {isRunning && (
              <Button icon="stop" onPress={() => void endTransfer(app, transfer.id).catch(setTrouble)}>
                {t('common.cancel')}
              </Button>
            )}
            <Button isDisabled={!isSent || isStarting || isRunning} onPress={() => void takeFiles()}>
              {t('import.files')}
            </Button>
            {isZip && (
              <Button
                look={hasLooked ? 'plain' : 'primary'}
                isDisabled={!isSent || isStarting || isRunning || datasetId === ''}
                onPress={() => void start(true)}
              >
                {t('import.look')}
              </Button>
            )}
            {isZip && hasLooked && (
              <Button
                look="primary"
                icon="download"
                isDisabled={isStarting}
                onPress={() => void start(false)}
              >
                {t('import.start')}
              </Button>
            )}
          </>
        )
      }
    >
      <div className="stack">
        {trouble !== undefined && <TroubleNote thrown={trouble} />}
        {!isSent && trouble === undefined && (
          <Bar
            label={t('import.sending', { percent: formatPercent(sent / Math.max(1, file.size), 0) })}
            fraction={sent / Math.max(1, file.size)}
          />
        )}
        {isZip ? (
          <>
            <p className="quiet">{t('import.words')}</p>
            <div className="row import-fields">
              <TextField label={t('import.dataset')} value={datasetId} onChange={setDatasetId} />
              <Select
                label={t('import.format')}
                value={format}
                onChange={(id) => {
                  setFormat(id as FormatId | 'auto');
                  setTransferId(undefined);
                }}
                choices={[
                  { id: 'auto', label: t('import.auto') },
                  ...formatIds.map((id) => ({ id, label: formatNames[id] })),
                ]}
              />
            </div>
          </>
        ) : (
          <p className="quiet">{t('import.onlyFiles')}</p>
        )}
        {isRunning && (
          <Bar
            label={t(transfer.dry_run ? 'import.looking' : 'import.running')}
            fraction={fractionOf(transfer)}
          />
        )}
        {transferId !== undefined && !transfer && <Waiting />}
        {transfer?.state === 'failed' && <p className="note danger">{transfer.reason}</p>}
        {transfer?.state === 'cancelled' && <p className="note">{t('import.cancelled')}</p>}
        {hasImported && <Imported transfer={transfer} />}
        {transfer && isOver(transfer) && <ReportView transfer={transfer} />}
      </div>
    </Dialog>
  );
}

function Bar({ label, fraction }: { label: string; fraction: number }) {
  return (
    <div className="stack">
      <p role="status">{label}</p>
      <div
        className="progress"
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(100 * fraction)}
      >
        <span style={{ width: `${100 * fraction}%` }} />
      </div>
    </div>
  );
}

function Imported({ transfer: { progress } }: { transfer: Transfer }) {
  const { t } = useTranslation();
  const { inputs_added = 0, inputs_present = 0, inputs_failed = 0 } = progress;
  const { annotations_added = 0, annotations_failed = 0 } = progress;
  return (
    <p className={`note ${inputs_failed + annotations_failed > 0 ? 'danger' : 'good'}`} role="status">
      {t('import.done', {
        added: formatNumber(inputs_added),
        present: formatNumber(inputs_present),
        annotations: formatNumber(annotations_added),
      })}
      {inputs_failed + annotations_failed > 0 &&
        ` ${t('import.notDone', { inputs: inputs_failed, annotations: annotations_failed })}`}
    </p>
  );
}

/** What an archive holds, class by class, and what is wrong with it. */
function ReportView({ transfer: { report, problems, format } }: { transfer: Transfer }) {
  const { t } = useTranslation();
  if (report.images === undefined) return null;
  const facts: readonly (readonly [string, number | undefined])[] = [
    ['images', report.images],
    ['empty', report.emptyImages],
    ['missing', report.missingImages],
    ['annotations', report.annotations],
  ];
  const losses = Object.entries(report.losses ?? {}).filter(([, lost]) => Object.keys(lost ?? {}).length > 0);
  return (
    <section className="stack import-report" aria-label={t('import.report')}>
      <h3>{t('import.found', { format: format === '' ? '' : formatNames[format] })}</h3>
      <dl className="row facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt className="quiet small">{t(`import.fact.${name}`)}</dt>
            <dd className="strong number">{formatNumber(value ?? 0)}</dd>
          </div>
        ))}
      </dl>
      <div className="row import-tables">
        <Counts title={t('import.classes')} counts={report.byClass} />
        <Counts title={t('import.kinds')} counts={report.byKind} />
        {Object.keys(report.bySplit ?? {}).some((split) => split !== '') && (
          <Counts title={t('import.splits')} counts={report.bySplit} />
        )}
      </div>
      {problems.length > 0 && (
        <details open>
          <summary>
            {t('import.problems', { errors: report.errors ?? 0, warnings: report.warnings ?? 0 })}
          </summary>
          <ul className="plain import-problems">
            {problems.slice(0, 200).map(({ path, at, message, severity }, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: two problems may be the same in every word
              <li key={i} className="small">
                <span className={`badge ${severity === 'error' ? 'danger' : 'warn'}`}>
                  {t(`import.severity.${severity}`)}
                </span>{' '}
                <code>
                  {path}
                  {at ? ` ${at}` : ''}
                </code>{' '}
                {message}
              </li>
            ))}
          </ul>
        </details>
      )}
      <details>
        <summary>{t('import.losses')}</summary>
        {losses.length === 0 && <p className="quiet">{t('import.noLosses')}</p>}
        <ul className="plain">
          {losses.map(([id, lost]) => (
            <li key={id} className="small">
              <span className="strong">{formatNames[id as FormatId] ?? id}</span>:{' '}
              {Object.entries(lost ?? {})
                .map(([what, count]) => `${what} (${formatNumber(count)})`)
                .join(', ')}
            </li>
          ))}
        </ul>
      </details>
    </section>
  );
}

function Counts({
  title,
  counts = {},
}: {
  title: string;
  counts?: Readonly<Record<string, number>> | undefined;
}) {
  const rows = Object.entries(counts).toSorted(([, a], [, b]) => b - a);
  if (rows.length === 0) return null;
  return (
    <table className="table">
      <thead>
        <tr>
          <th scope="col" colSpan={2}>
            {title}
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.slice(0, 100).map(([name, count]) => (
          <tr key={name}>
            <th scope="row">{name || '–'}</th>
            <td className="number">{formatNumber(count)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
