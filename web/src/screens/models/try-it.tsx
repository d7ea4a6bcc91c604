import type { Model, Output } from '@fovea/contract/rest';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { useAppName } from '../../api/queries.ts';
import { setPreference } from '../../app/preferences.ts';
import { formatNumber } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { TextField } from '../../ui/fields.tsx';
import { Icon } from '../../ui/icon.tsx';
import { TroubleNote, Waiting } from '../../ui/states.tsx';
import { base64Of, choose } from '../../upload/files.ts';
import { Answer, Shown } from './answer.tsx';

/** What a model says of a picture that is dropped, pasted or chosen here, or of a text. */
export function TryIt({ model }: { model: Model }) {
  const { t } = useTranslation();
  const app = useAppName();
  const [picture, setPicture] = useState<Blob>();
  const [text, setText] = useState('');
  const [output, setOutput] = useState<Output>();
  const [trouble, setTrouble] = useState<unknown>();
  const [durationMs, setDuration] = useState(0);
  const [isBusy, setBusy] = useState(false);
  const isOfText = (model.model_type_id ?? '').startsWith('text') || model.model_type_id === 'prompter';
  const ask = async (data: object) => {
    setBusy(true);
    setTrouble(undefined);
    setOutput(undefined);
    const started = performance.now();
    try {
      const { outputs = [] } = await rpc('PostModelOutputs', {
        user_app_id: app,
        model_id: model.id ?? '',
        ...(model.model_version?.id ? { version_id: model.model_version.id } : {}),
        inputs: [{ data }],
      });
      setOutput(outputs[0]);
      setDuration(performance.now() - started);
      setPreference(`tried.${app.user_id}/${app.app_id}`, 'yes');
    } catch (thrown) {
      setTrouble(thrown);
    } finally {
      setBusy(false);
    }
  };
  const take = async (file: Blob | undefined) => {
    if (!file) return;
    setPicture(file);
    await ask({ image: { base64: await base64Of(file) } });
  };
  return (
    <div className="two-columns">
      <section
        className="card stack try-drop"
        data-takes-files
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          void take([...event.dataTransfer.files][0]);
        }}
        onPaste={(event) => void take([...event.clipboardData.files][0])}
        aria-label={t('try.input')}
      >
        {isOfText ? (
          <>
            <TextField label={t('try.text')} isLong value={text} onChange={setText} />
            <Button look="primary" isPending={isBusy} onPress={() => void ask({ text: { raw: text } })}>
              {t('try.ask')}
            </Button>
          </>
        ) : (
          <>
            {picture ? <Shown picture={picture} output={output} /> : <Icon name="image" size={48} />}
            <Button
              icon="upload"
              onPress={() => void choose({ accept: 'image/*' }).then(([first]) => take(first?.file))}
            >
              {t('try.choose')}
            </Button>
            <p className="quiet small">{t('try.drop')}</p>
          </>
        )}
      </section>
      <section className="card stack" aria-label={t('try.output')} aria-live="polite">
        {isBusy && <Waiting />}
        {trouble !== undefined && <TroubleNote thrown={trouble} />}
        {output && (
          <>
            <p className="quiet small">{t('try.took', { ms: formatNumber(Math.round(durationMs)) })}</p>
            <Answer output={output} />
          </>
        )}
        {!output && !isBusy && trouble === undefined && <p className="quiet">{t('try.nothing')}</p>}
      </section>
    </div>
  );
}
