import type { Output } from '@fovea/contract/rest';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { conceptName } from '../../api/media.ts';
import { colorOf } from '../../gallery/colors.ts';
import { formatPercent } from '../../i18n/format.ts';

/** A picture with what a model found in it drawn on it. */
export function Shown({ picture, output }: { picture: Blob; output: Output | undefined }) {
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

/** What a model says, as bars, texts and, whole, as JSON. */
export function Answer({ output }: { output: Output }) {
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
