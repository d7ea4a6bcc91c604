import type { EvalTestSetEntry } from '@fovea/contract/rest';
import { useTranslation } from 'react-i18next';
import { conceptName, nameOf, picturePath } from '../../api/media.ts';
import { useAppName } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { pathTo } from '../../app/place.ts';
import { formatPercent } from '../../i18n/format.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { isActual, predictedValue } from './test-set.ts';

/** The inputs behind a figure. */
export interface ShownEntries {
  readonly title: string;
  readonly entries: readonly EvalTestSetEntry[];
  /** What another evaluation says of the same inputs, in the same order. */
  readonly before?: readonly EvalTestSetEntry[];
}

export function EntriesDialog({ shown, onClose }: { shown: ShownEntries | undefined; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Dialog title={shown?.title ?? ''} isOpen={shown !== undefined} onClose={onClose} size="large">
      {shown?.entries.length === 0 ? (
        <p>{t('evaluation.noInputs')}</p>
      ) : (
        <Entries entries={shown?.entries ?? []} before={shown?.before} />
      )}
    </Dialog>
  );
}

function Entries({
  entries,
  before,
}: {
  entries: readonly EvalTestSetEntry[];
  before: readonly EvalTestSetEntry[] | undefined;
}) {
  const { t } = useTranslation();
  const app = useAppName();
  return (
    <ul className="plain entry-list">
      {entries.slice(0, 300).map((entry, i) => {
        const path = picturePath(entry.input?.data, 'small');
        const actual = (entry.ground_truth_concepts ?? []).filter(isActual).map(conceptName).join(', ');
        const was = before?.[i];
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: an input may be there for several objects
          <li key={`${entry.input?.id} ${i}`}>
            <Link href={pathTo(app.user_id, app.app_id, 'inputs', entry.input?.id ?? '')}>
              {path ? (
                <img src={path} alt={nameOf(entry.input ?? {})} loading="lazy" />
              ) : (
                nameOf(entry.input ?? {})
              )}
            </Link>
            <p className="small">{t('evaluation.was', { concepts: actual || '–' })}</p>
            {was && <p className="small quiet struck">{firstOf(was)}</p>}
            <p className="small quiet">{firstOf(entry)}</p>
          </li>
        );
      })}
    </ul>
  );
}

/** What is said first of an input, and how surely. */
function firstOf({ predicted_concepts = [] }: EvalTestSetEntry): string {
  const [best] = predicted_concepts.toSorted((a, b) => predictedValue(b) - predictedValue(a));
  return best ? `${conceptName(best)} ${formatPercent(predictedValue(best), 0)}` : '–';
}
