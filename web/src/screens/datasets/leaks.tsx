import type { DatasetVersion } from '@fovea/contract/rest';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '../../api/client.ts';
import { useAppName } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { pathTo } from '../../app/place.ts';
import { Button } from '../../ui/button.tsx';
import { Empty, TroubleNote } from '../../ui/states.tsx';
import { Table } from '../../ui/table.tsx';
import { datasetPath, startWork, type Work, waitForWork } from './works.ts';

interface Leak {
  readonly kind: 'same' | 'near';
  readonly input: { readonly id: string; readonly split: string };
  readonly other: { readonly id: string; readonly split: string };
}

/** Pictures that stand in two splits of a version: a model tested on what it learnt looks better than it is. */
export function Leaks({ datasetId, version }: { datasetId: string; version: DatasetVersion }) {
  const { t } = useTranslation();
  const app = useAppName();
  const [work, setWork] = useState<Work>();
  const [leaks, setLeaks] = useState<readonly Leak[]>();
  const [trouble, setTrouble] = useState<unknown>();
  const check = async () => {
    setTrouble(undefined);
    setLeaks(undefined);
    try {
      const started = await startWork(app, datasetId, version.id ?? '', 'leaks', {});
      setWork(started);
      await waitForWork(app, datasetId, started.id, setWork);
      const path = `${datasetPath(app, datasetId)}/works/${encodeURIComponent(started.id)}/leaks?per_page=200`;
      setLeaks((await call<{ leaks?: Leak[] }>('GET', path, undefined, { quiet: true })).leaks ?? []);
    } catch (thrown) {
      setTrouble(thrown);
    } finally {
      setWork(undefined);
    }
  };
  const { done = 0, total = 0 } = work?.progress ?? {};
  const link = (id: string) => <Link href={pathTo(app.user_id, app.app_id, 'inputs', id)}>{id}</Link>;
  return (
    <div className="stack">
      <p className="quiet">{t('leaks.words')}</p>
      <div className="row">
        <Button look="primary" isPending={work !== undefined} onPress={() => void check()}>
          {t('leaks.check')}
        </Button>
      </div>
      {work && (
        <div
          className="progress"
          role="progressbar"
          aria-label={t('leaks.check')}
          aria-valuemin={0}
          aria-valuemax={total}
          aria-valuenow={done}
        >
          <span style={{ width: `${total > 0 ? (100 * done) / total : 0}%` }} />
        </div>
      )}
      {trouble !== undefined && <TroubleNote thrown={trouble} />}
      {leaks?.length === 0 && <Empty icon="check" title={t('leaks.none')} />}
      {leaks && leaks.length > 0 && (
        <Table>
          {leaks.map(({ kind, input, other }) => (
            <tr key={`${input.id} ${other.id}`}>
              <td>
                <span className="badge">{t(`leaks.${kind}`)}</span>
              </td>
              <td>
                {link(input.id)} <span className="quiet">{input.split}</span>
              </td>
              <td>
                {link(other.id)} <span className="quiet">{other.split}</span>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </div>
  );
}
