import type { Model, Output } from '@fovea/contract/rest';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { conceptName } from '../../api/media.ts';
import { useAppName } from '../../api/queries.ts';
import { setPreference } from '../../app/preferences.ts';
import { colorOf } from '../../gallery/colors.ts';
import { formatNumber, formatPercent } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { TextField } from '../../ui/fields.tsx';
import { Icon } from '../../ui/icon.tsx';
import { TroubleNote, Waiting } from '../../ui/states.tsx';
import { base64Of, choose } from '../../upload/files.ts';

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
      setPreference('tried', 'yes');
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

function Shown({ picture, output }: { picture: Blob; output: Output | undefined }) {
  const { t } = useTranslation();
  const [path, setPath] = useState('');
  useEffect(() => {
    const made = URL.createObjectURL(picture);
    setPath(made);
    return () => URL.revokeObjectURL(made);
  }, [picture]);
  return (
    <figure className="try-picture">
      {path && <img src={path} alt={t('try.picture')} />}
      <svg className="overlay" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
        {output?.data?.regions?.map((region, i) => {
          const box = region.region_info?.bounding_box;
          if (!box) return null;
          const { left_col = 0, top_row = 0, right_col = 0, bottom_row = 0 } = box;
          return (
            <rect
              key={region.id ?? i}
              x={left_col}
              y={top_row}
              width={right_col - left_col}
              height={bottom_row - top_row}
              stroke={colorOf(region.data?.concepts?.[0]?.id ?? '')}
            />
          );
        })}
      </svg>
    </figure>
  );
}

function Answer({ output }: { output: Output }) {
  const { t } = useTranslation();
  const data = output.data ?? {};
  const concepts = [
    ...(data.concepts ?? []),
    ...(data.regions ?? []).flatMap((region) => region.data?.concepts?.slice(0, 1) ?? []),
  ];
  return (
    <>
      {concepts.length > 0 && (
        <ul className="plain bars">
          {concepts.slice(0, 30).map((concept, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a concept may be found in several places
            <li key={i}>
              <span>{conceptName(concept)}</span>
              <span className="bar">
                <span
                  style={{ width: `${100 * (concept.value ?? 0)}%`, background: colorOf(concept.id ?? '') }}
                />
              </span>
              <span className="number">{formatPercent(concept.value ?? 0)}</span>
            </li>
          ))}
        </ul>
      )}
      {data.text?.raw && <p className="preview-text">{data.text.raw}</p>}
      {(data.regions ?? []).some((region) => region.data?.text) && (
        <p className="preview-text">{data.regions?.map((region) => region.data?.text?.raw).join('\n')}</p>
      )}
      {data.embeddings?.[0] && (
        <p>
          {t('try.embedding', {
            count: data.embeddings[0].num_dimensions ?? data.embeddings[0].vector?.length ?? 0,
          })}
        </p>
      )}
      {data.clusters?.[0] && <p>{t('try.cluster', { id: data.clusters[0].id })}</p>}
      <details>
        <summary>{t('try.whole')}</summary>
        <pre dir="ltr">{JSON.stringify(data, shortVectors, 2)}</pre>
      </details>
    </>
  );
}

const shortVectors = (key: string, value: unknown): unknown => {
  if (key === 'vector' && Array.isArray(value)) return `${value.slice(0, 4).join(', ')} … (${value.length})`;
  if (key === 'base64' && typeof value === 'string') return `${value.slice(0, 24)}…`;
  return value;
};
