import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { refresh } from '../../api/queries.ts';
import { go, pathTo } from '../../app/place.ts';
import { Button } from '../../ui/button.tsx';
import { Checkbox } from '../../ui/fields.tsx';
import { Icon } from '../../ui/icon.tsx';
import { TroubleNote } from '../../ui/states.tsx';
import { NewAppDialog } from '../home/new-app-dialog.tsx';
import { makeSample, type Step, steps } from './make-sample.ts';

/** The first thing that somebody sees: one form, and after it an app in which everything can be tried. */
export function FirstRun({ userId }: { userId: string }) {
  const { t } = useTranslation();
  const [withSample, setWithSample] = useState(true);
  const [isMaking, setMaking] = useState(false);
  const [at, setAt] = useState<{ step: Step; fraction: number }>();
  const [trouble, setTrouble] = useState<unknown>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!withSample) return setMaking(true);
    setTrouble(undefined);
    try {
      const app = await makeSample(userId, (step, fraction) => setAt({ step, fraction }));
      await refresh('ListApps');
      go(pathTo(app.user_id, app.app_id));
    } catch (thrown) {
      setTrouble(thrown);
      setAt(undefined);
    }
  };
  return (
    <section className="first-run">
      <img src="/assets/icon.svg" alt="" width="64" height="64" />
      <h1>{t('firstRun.title')}</h1>
      <p className="quiet">{t('firstRun.words', { user: userId })}</p>
      {at ? (
        <ol className="plain card stack" aria-live="polite">
          {steps.map((step) => (
            <StepRow key={step} step={step} at={at} />
          ))}
        </ol>
      ) : (
        <form className="card stack" onSubmit={(event) => void submit(event)}>
          <Checkbox label={t('firstRun.sample')} isSelected={withSample} onChange={setWithSample} />
          <p className="quiet small">{t('firstRun.sampleWords')}</p>
          {trouble !== undefined && <TroubleNote thrown={trouble} />}
          <Button type="submit" look="primary">
            {t('firstRun.submit')}
          </Button>
        </form>
      )}
      <NewAppDialog isOpen={isMaking} onClose={() => setMaking(false)} />
    </section>
  );
}

function StepRow({ step, at }: { step: Step; at: { step: Step; fraction: number } }) {
  const { t } = useTranslation();
  const isNow = step === at.step;
  const isOver = steps.indexOf(step) < steps.indexOf(at.step);
  return (
    <li className={isOver || isNow ? '' : 'quiet'}>
      <p className="row">
        <Icon name={isOver ? 'check' : isNow ? 'arrowRight' : 'more'} />
        {t(`firstRun.step.${step}`)}
      </p>
      {isNow && (
        <div
          className="progress"
          role="progressbar"
          aria-label={t(`firstRun.step.${step}`)}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(100 * at.fraction)}
        >
          <span style={{ width: `${100 * at.fraction}%` }} />
        </div>
      )}
    </li>
  );
}
