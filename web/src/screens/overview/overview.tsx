import { useTranslation } from 'react-i18next';
import { useApp, useAppName, useRpc } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { pathTo } from '../../app/place.ts';
import { formatNumber } from '../../i18n/format.ts';
import { Icon, type IconName } from '../../ui/icon.tsx';
import { Loaded } from '../../ui/states.tsx';
import { AtAGlance } from './at-a-glance.tsx';
import { Checklist } from './checklist.tsx';

/** What is in this app, as numbers that lead to it and as a picture of it. */
export default function Overview() {
  const { t } = useTranslation();
  const app = useApp();
  const name = useAppName();
  const counts = useRpc('GetResourceCounts', { user_app_id: name });
  const tiles: readonly [IconName, 'inputs' | 'datasets' | 'models' | 'workflows'][] = [
    ['gallery', 'inputs'],
    ['dataset', 'datasets'],
    ['model', 'models'],
    ['workflow', 'workflows'],
  ];
  return (
    <div className="page">
      <header className="page-header">
        <div>
          <h1>{app.id ?? name.app_id}</h1>
          {app.description && (
            <p className="quiet">
              <bdi>{app.description}</bdi>
            </p>
          )}
        </div>
      </header>
      <Checklist />
      <Loaded query={counts}>
        {(found) => (
          <ul className="tiles plain">
            {tiles.map(([icon, noun]) => (
              <li key={noun}>
                <Link className="card tile" href={pathTo(name.user_id, name.app_id, noun)}>
                  <Icon name={icon} size={24} />
                  <strong>{formatNumber(Number(found[noun] ?? 0))}</strong>
                  <span className="quiet">{t(`nav.${noun}`)}</span>
                </Link>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      <AtAGlance />
    </div>
  );
}
