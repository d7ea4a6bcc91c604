import type { ReactNode } from 'react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { formatDate, formatNumber } from '../../i18n/format.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { cut, keptPicture } from './pictures.ts';
import type { Query } from './query.ts';
import { RegionDialog } from './region-dialog.tsx';
import { search } from './search-box.tsx';

/** What is looked for, part by part; each can be taken away, and a concept turned into its opposite. */
export function Chips({ query }: { query: Query }) {
  const { t } = useTranslation();
  const chip = (key: string, words: ReactNode, without: Query) => (
    <li key={key} className="chip">
      {words}
      <IconButton icon="close" label={t('search.remove')} onPress={() => search(without)} />
    </li>
  );
  const chips = [
    ...query.concepts.map(({ id, not }) =>
      chip(
        `concept:${id}`,
        <Button
          isSmall
          look="ghost"
          aria-label={t('search.flip', { concept: not ? t('search.not', { concept: id }) : id })}
          onPress={() =>
            search({
              ...query,
              concepts: query.concepts.map((other) => (other.id === id ? { id, not: !not } : other)),
            })
          }
        >
          {not ? t('search.not', { concept: id }) : id}
        </Button>,
        { ...query, concepts: query.concepts.filter((other) => other.id !== id) },
      ),
    ),
    query.text !== '' && chip('text', t('search.forText', { text: query.text }), { ...query, text: '' }),
    query.like !== '' && chip('like', t('search.like', { id: query.like }), { ...query, like: '' }),
    query.picture !== '' &&
      chip('picture', <KeptPicture query={query} />, { ...query, picture: '', region: undefined }),
    ...query.kinds.map((kind) =>
      chip(`kind:${kind}`, t(`search.kind.${kind}`), {
        ...query,
        kinds: query.kinds.filter((other) => other !== kind),
      }),
    ),
    query.status && chip('status', t(`search.status.${query.status}`), { ...query, status: undefined }),
    ...query.datasets.map((id) =>
      chip(`dataset:${id}`, t('search.dataset', { id }), {
        ...query,
        datasets: query.datasets.filter((other) => other !== id),
      }),
    ),
    query.geo &&
      chip('geo', t('search.near', { km: formatNumber(query.geo.km) }), { ...query, geo: undefined }),
    query.scoreMin > 0 &&
      chip('min', t('search.scoreMin', { score: formatNumber(query.scoreMin) }), { ...query, scoreMin: 0 }),
    query.asOf !== '' &&
      chip('asOf', t('search.asOf', { when: formatDate(query.asOf) }), { ...query, asOf: '' }),
  ].filter(Boolean);
  if (chips.length === 0) return null;
  return (
    <ul className="plain row chips" aria-label={t('search.chips')}>
      {chips}
    </ul>
  );
}

function KeptPicture({ query }: { query: Query }) {
  const { t } = useTranslation();
  const [path, setPath] = useState('');
  const [isOpen, setOpen] = useState(false);
  const picture = keptPicture(query.picture);
  const region = query.region;
  useEffect(() => {
    if (!picture) return;
    let made = '';
    let isHere = true;
    void (region ? cut(picture, region) : Promise.resolve(picture)).then((shown) => {
      if (!isHere) return;
      made = URL.createObjectURL(shown);
      setPath(made);
    });
    return () => {
      isHere = false;
      URL.revokeObjectURL(made);
    };
  }, [picture, region]);
  if (!picture) return t('search.pictureGone');
  return (
    <>
      {path && <img className="chip-picture" src={path} alt={t('search.picture')} />}
      <Button isSmall look="ghost" icon="box" onPress={() => setOpen(true)}>
        {t('search.region')}
      </Button>
      {isOpen && (
        <RegionDialog
          picture={picture}
          part={region}
          onClose={() => setOpen(false)}
          onChoose={(part) => {
            setOpen(false);
            search({ ...query, region: part });
          }}
        />
      )}
    </>
  );
}
