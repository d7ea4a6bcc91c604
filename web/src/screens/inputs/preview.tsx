import type { FoveaWhy } from '@fovea/contract/rest';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { hostedPath, kindOf, nameOf, picturePath } from '../../api/media.ts';
import { useAppName } from '../../api/queries.ts';
import { wordsOf } from '../../api/trouble.ts';
import { Link } from '../../app/link.tsx';
import { pathTo } from '../../app/place.ts';
import { Overlay } from '../../gallery/overlay.tsx';
import type { Item } from '../../gallery/source.ts';
import { TextPreview } from '../../gallery/text-start.tsx';
import { formatNumber } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { sayTrouble } from '../../ui/notices.tsx';
import { type Part, RegionDialog } from './region-dialog.tsx';

/** An input as large as fits, without leaving the gallery. */
export function Preview({
  item,
  onClose,
  onLike,
  onPart,
}: {
  item: Item | undefined;
  onClose: () => void;
  onLike: (id: string) => void;
  onPart: (picture: Blob, part: Part | undefined) => void;
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const [picture, setPicture] = useState<Blob>();
  const input = item?.input;
  if (!input) return null;
  const id = input.id ?? '';
  const kind = kindOf(input.data);
  const trouble = (input.status?.code ?? 0) === 30000 ? '' : wordsOf(input.status);
  return (
    <Dialog
      title={nameOf(input)}
      isOpen
      onClose={onClose}
      size="large"
      actions={
        <>
          {kind === 'image' && (
            <>
              <Button
                icon="box"
                onPress={() => void readBlob(picturePath(input.data, 'large')).then(setPicture, sayTrouble)}
              >
                {t('search.byPart')}
              </Button>
              <Button icon="search" onPress={() => onLike(id)}>
                {t('gallery.moreLike')}
              </Button>
            </>
          )}
          <Link className="button primary" href={pathTo(app.user_id, app.app_id, 'inputs', id)}>
            {t('gallery.open')}
          </Link>
        </>
      }
    >
      {trouble && <p className="note danger">{trouble}</p>}
      {item.why && <WhyFound why={item.why} score={item.score ?? 0} />}
      {picture && (
        <RegionDialog
          picture={picture}
          part={undefined}
          onClose={() => setPicture(undefined)}
          onChoose={(part) => {
            setPicture(undefined);
            onPart(picture, part);
          }}
        />
      )}
      <div className="preview">
        {kind === 'image' && (
          <figure>
            <img src={picturePath(input.data, 'large')} alt={nameOf(input)} />
            <Overlay input={input} isStill />
          </figure>
        )}
        {/* biome-ignore lint/a11y/useMediaCaption: what people upload has no captions */}
        {kind === 'video' && <video src={hostedPath(input.data?.video?.hosted, 'orig')} controls />}
        {/* biome-ignore lint/a11y/useMediaCaption: as above */}
        {kind === 'audio' && <audio src={hostedPath(input.data?.audio?.hosted, 'orig')} controls />}
        {kind === 'text' && <TextPreview input={input} />}
      </div>
    </Dialog>
  );
}

async function readBlob(path: string | undefined): Promise<Blob> {
  const response = await fetch(path ?? '');
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.blob();
}

/** What each part of the search says of a hit. */
function WhyFound({ why, score }: { why: FoveaWhy; score: number }) {
  const { t } = useTranslation();
  const shown = (value: number) => formatNumber(value, { maximumFractionDigits: 3 });
  return (
    <section className="why" aria-label={t('why.title')}>
      <p>
        <span className="strong">{t('why.title')}</span> {t('gallery.score', { score: shown(score) })}{' '}
        {why.is_good_match && <span className="badge good">{t('why.good')}</span>}
      </p>
      <ul className="plain small">
        {why.signals?.map((signal, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: signals stand in the order of the ranks
          <li key={i}>
            {t(`why.${signal.kind ?? 'similar'}`, {
              score: shown(signal.score ?? 0),
              what: signal.words?.join(', ') || signal.concept_id || '',
            })}
            {signal.kind === 'concepts' &&
              signal.concept_id &&
              ` · ${t(signal.trusted ? 'why.person' : 'why.model')}`}
            {signal.annotation_id && ` · ${t('why.region')}`}
            {signal.negated && ` · ${t('why.negated')}`}
          </li>
        ))}
      </ul>
    </section>
  );
}
