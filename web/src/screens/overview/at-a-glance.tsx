import type { Input } from '@fovea/contract/rest';
import { useTranslation } from 'react-i18next';
import { conceptName, kindOf, nameOf, picturePath, stateOf } from '../../api/media.ts';
import { useAppName, useRpc } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { pathTo } from '../../app/place.ts';
import { colorOf } from '../../gallery/colors.ts';
import { TextTile } from '../../gallery/text-start.tsx';
import { formatNumber } from '../../i18n/format.ts';
import { Icon } from '../../ui/icon.tsx';
import { Loaded } from '../../ui/states.tsx';
import type { StatusFilter } from '../inputs/query.ts';
import { useJobs } from '../jobs/job-list.ts';
import { JobRow } from '../jobs/job-row.tsx';

/** How often what is still in work is asked about, in milliseconds. */
const whileInWorkMs = 2_000;
const newestShown = 10;
const labelsShown = 8;
const jobsShown = 3;

/** The app to look at rather than to read: its newest inputs, how far they are, its labels, and what runs. */
export function AtAGlance() {
  return (
    <div className="glance">
      <Running />
      <Newest />
      <States />
      <Labels />
    </div>
  );
}

function useInputsPath(): (query?: string) => string {
  const { user_id, app_id } = useAppName();
  return (query = '') => `${pathTo(user_id, app_id, 'inputs')}${query}`;
}

function Newest() {
  const { t } = useTranslation();
  const app = useAppName();
  const inputsPath = useInputsPath();
  const isInWork = (inputs: readonly Input[]) => inputs.some(({ status }) => stateOf(status) !== 'ready');
  const newest = useRpc(
    'ListInputs',
    { user_app_id: app, per_page: newestShown },
    { everyMs: (data) => (isInWork(data?.inputs ?? []) ? whileInWorkMs : false) },
  );
  return (
    <Loaded query={newest}>
      {({ inputs = [] }) =>
        inputs.length === 0 ? null : (
          <section className="card stack glance-wide">
            <div className="row between">
              <h2>{t('overview.recent')}</h2>
              <Link href={inputsPath()}>{t('overview.all')}</Link>
            </div>
            <ul className="plain strip">
              {inputs.map((input) => (
                <li key={input.id}>
                  <Link
                    href={pathTo(app.user_id, app.app_id, 'inputs', input.id ?? '')}
                    aria-label={nameOf(input)}
                  >
                    <Tile input={input} />
                  </Link>
                </li>
              ))}
            </ul>
          </section>
        )
      }
    </Loaded>
  );
}

function Tile({ input }: { input: Input }) {
  const { t } = useTranslation();
  const path = picturePath(input.data, 'small');
  const state = stateOf(input.status);
  if (state !== 'ready')
    return (
      <span className={`badge ${state === 'failed' ? 'danger' : 'warn'}`}>{t(`gallery.state.${state}`)}</span>
    );
  const kind = kindOf(input.data);
  if (kind === 'text') return <TextTile input={input} isStill />;
  if (!path) return <Icon name={kind === 'video' ? 'video' : 'play'} />;
  return <img className={kind === 'audio' ? 'on-paper' : undefined} src={path} alt="" loading="lazy" />;
}

/** One bar whose parts are as long as there are inputs in that state; each opens them. */
function States() {
  const { t } = useTranslation();
  const app = useAppName();
  const inputsPath = useInputsPath();
  const counted = useRpc(
    'GetInputCount',
    { user_app_id: app },
    {
      everyMs: (data) =>
        (data?.counts?.to_process ?? 0) + (data?.counts?.processing ?? 0) > 0 ? whileInWorkMs : false,
    },
  );
  return (
    <Loaded query={counted}>
      {({ counts = {} }) => {
        const { processed = 0, to_process = 0, processing = 0, errors = 0 } = counts;
        const all: readonly (readonly [StatusFilter, number])[] = [
          ['ready', processed],
          ['working', processing],
          ['waiting', to_process],
          ['failed', errors],
        ];
        const parts = all.filter(([, count]) => count > 0);
        if (parts.length === 0) return null;
        return (
          <section className="card stack">
            <h2>{t('overview.states')}</h2>
            <div className="parts" aria-hidden="true">
              {parts.map(([state, count]) => (
                <span key={state} data-state={state} style={{ flexGrow: count }} />
              ))}
            </div>
            <ul className="plain stack">
              {parts.map(([state, count]) => (
                <li key={state} className="row between">
                  <Link className="row" href={inputsPath(`?status=${state}`)}>
                    <span className="swatch" data-state={state} aria-hidden="true" />
                    {t(`search.status.${state}`)}
                  </Link>
                  <span className="number">{formatNumber(count)}</span>
                </li>
              ))}
            </ul>
          </section>
        );
      }}
    </Loaded>
  );
}

/** How often each label was given, the most used first; each opens what has it. */
function Labels() {
  const { t } = useTranslation();
  const app = useAppName();
  const inputsPath = useInputsPath();
  // The same question as the checklist's, so it is asked once.
  const counted = useRpc('GetConceptCounts', { user_app_id: app, per_page: 100 });
  return (
    <Loaded query={counted}>
      {({ concept_counts = [] }) => {
        const used = concept_counts
          .map((concept) => ({ concept, count: concept.concept_type_count?.positive ?? 0 }))
          .filter(({ count }) => count > 0)
          .toSorted((a, b) => b.count - a.count)
          .slice(0, labelsShown);
        const most = used[0]?.count ?? 0;
        if (used.length === 0) return null;
        return (
          <section className="card stack">
            <h2>{t('overview.labels')}</h2>
            <ul className="plain stack">
              {used.map(({ concept, count }) => (
                <li key={concept.id} className="label-bar">
                  <Link href={inputsPath(`?concept=${encodeURIComponent(concept.id ?? '')}`)}>
                    {conceptName(concept)}
                  </Link>
                  <span className="number">{formatNumber(count)}</span>
                  <span className="progress" aria-hidden="true">
                    <span
                      style={{ width: `${(100 * count) / most}%`, background: colorOf(concept.id ?? '') }}
                    />
                  </span>
                </li>
              ))}
            </ul>
          </section>
        );
      }}
    </Loaded>
  );
}

function Running() {
  const { t } = useTranslation();
  const app = useAppName();
  const { jobs = [] } = useJobs(whileInWorkMs);
  const running = jobs.filter(({ state }) => state === 'running');
  if (running.length === 0) return null;
  return (
    <section className="stack glance-wide">
      <div className="row between">
        <h2>{t('overview.running')}</h2>
        <Link href={pathTo(app.user_id, app.app_id, 'jobs')}>{t('overview.all')}</Link>
      </div>
      <ul className="plain stack">
        {running.slice(0, jobsShown).map((job) => (
          <JobRow key={job.key} job={job} />
        ))}
      </ul>
    </section>
  );
}
