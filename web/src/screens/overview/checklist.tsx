import { useTranslation } from 'react-i18next';
import { useAppName, useRpc } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { pathTo } from '../../app/place.ts';
import { setPreference, usePreference } from '../../app/preferences.ts';
import { IconButton } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { isTrained } from '../models/version-badge.tsx';

/** First steps in an app. Each ticks itself when it is done, whoever did it and by whatever way. */
export function Checklist() {
  const { t } = useTranslation();
  const app = useAppName();
  const preference = `checklist.${app.user_id}/${app.app_id}`;
  const isHidden = usePreference(preference) === 'hidden';
  const tried = usePreference(`tried.${app.user_id}/${app.app_id}`) === 'yes';
  const enabled = { enabled: !isHidden };
  const counts = useRpc('GetInputCount', { user_app_id: app }, enabled).data?.counts;
  const concepts = useRpc('GetConceptCounts', { user_app_id: app, per_page: 100 }, enabled).data
    ?.concept_counts;
  const shapes = useRpc(
    'PostAnnotationsSearches',
    {
      user_app_id: app,
      searches: [
        {
          query: {
            filters: [{ annotation: { data: { regions: [{ region_info: { bounding_box: {} } }] } } }],
          },
        },
      ],
      pagination: { page: 1, per_page: 1 },
    },
    enabled,
  ).data?.hits;
  const models = useRpc('ListModels', { user_app_id: app, per_page: 100 }, enabled).data?.models;
  const evaluations = useRpc('ListEvaluations', { user_app_id: app, per_page: 1 }, enabled).data
    ?.eval_metrics;
  if (isHidden) return null;
  const placeOf = (screen: string) => pathTo(app.user_id, app.app_id, screen);
  const usable = (models ?? []).filter((model) => isTrained(model.model_version));
  // Where one is tried and judged, before others one that learned from inputs; while there is none, where they are made.
  const trained = (usable.find((model) => model.model_version?.total_input_count) ?? usable[0])?.id;
  const inModel = (tab: string) =>
    trained ? `${pathTo(app.user_id, app.app_id, 'models', trained)}?tab=${tab}` : placeOf('models');
  const items: readonly (readonly [string, boolean, string])[] = [
    ['upload', (counts?.processed ?? 0) > 0, placeOf('inputs')],
    [
      'label',
      (concepts ?? []).some((concept) => (concept.concept_type_count?.positive ?? 0) > 0),
      placeOf('inputs'),
    ],
    ['draw', (shapes ?? []).length > 0, placeOf('inputs')],
    ['train', trained !== undefined, placeOf('models')],
    ['evaluate', (evaluations ?? []).length > 0, inModel('evaluation')],
    ['try', tried, inModel('try')],
  ];
  const done = items.filter(([, isDone]) => isDone).length;
  return (
    <section className="card stack checklist">
      <div className="row between">
        <h2>{t('checklist.title', { done, all: items.length })}</h2>
        <IconButton
          icon="close"
          label={t('checklist.hide')}
          onPress={() => setPreference(preference, 'hidden')}
        />
      </div>
      <ol className="plain">
        {items.map(([name, isDone, place]) => (
          <li key={name} data-done={isDone}>
            <Icon name={isDone ? 'check' : 'more'} />
            <Link href={place}>{t(`checklist.${name}`)}</Link>
            <span className="visually-hidden">{t(isDone ? 'checklist.done' : 'checklist.open')}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
