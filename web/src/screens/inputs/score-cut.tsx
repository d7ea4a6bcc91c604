import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Slider, SliderThumb, SliderTrack } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { useAppName } from '../../api/queries.ts';
import { formatNumber } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { pictureOf } from './pictures.ts';
import type { Query } from './query.ts';
import { searchOf } from './query.ts';
import { search } from './search-box.tsx';

const bins = 40;
const sampled = 500;

/** How the scores of the best hits lie, with a cut that can be drawn along them. */
export function ScoreCut({ query }: { query: Query }) {
  const { t } = useTranslation();
  const app = useAppName();
  const uncut = { ...query, scoreMin: 0 };
  const scores = useQuery({
    queryKey: ['PostInputsSearches', 'scores', app, uncut],
    queryFn: async ({ signal }) => {
      const searches = [searchOf(uncut, await pictureOf(uncut))];
      const reply = await rpc(
        'PostInputsSearches',
        { user_app_id: app, searches, pagination: { page: 1, per_page: sampled }, fovea_explain: true },
        { signal, quiet: true },
      );
      return {
        scores: (reply.hits ?? []).map(({ score = 0 }) => score),
        goodFrom: reply.fovea_explain?.[0]?.cutoff?.score,
      };
    },
    // The first question of an app begins the sample that says where good matches end: it is there a moment later.
    refetchInterval: ({ state }) =>
      state.data && state.data.goodFrom === undefined && state.dataUpdateCount < 4 ? 1_500 : false,
  });
  const [cut, setCut] = useState(query.scoreMin);
  const found = scores.data?.scores ?? [];
  const goodFrom = scores.data?.goodFrom;
  if (found.length === 0) return null;
  const counts = Array<number>(bins).fill(0);
  for (const score of found) {
    const bin = Math.max(0, Math.min(bins - 1, Math.floor(score * bins)));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const most = Math.max(...counts);
  const above = found.filter((score) => score >= cut).length;
  return (
    <div className="score-cut">
      <svg viewBox={`0 0 ${bins} 20`} preserveAspectRatio="none" aria-hidden="true">
        {counts.map((count, bin) => (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a bin is its place
            key={bin}
            className={(bin + 1) / bins > cut ? 'kept' : 'cut'}
            x={bin}
            width={0.9}
            y={20 - (20 * count) / most}
            height={(20 * count) / most}
          />
        ))}
        {goodFrom !== undefined && (
          <line className="good-from" x1={goodFrom * bins} x2={goodFrom * bins} y1={0} y2={20} />
        )}
      </svg>
      <Slider
        aria-label={t('search.cut')}
        minValue={0}
        maxValue={1}
        step={0.005}
        value={cut}
        onChange={setCut}
        onChangeEnd={(scoreMin) => search({ ...query, scoreMin })}
      >
        <SliderTrack className="slider-track">
          <SliderThumb className="slider-thumb" />
        </SliderTrack>
      </Slider>
      <p className="quiet small">
        {t('search.above', {
          count: above,
          all: found.length,
          score: formatNumber(cut, { maximumFractionDigits: 2 }),
        })}
      </p>
      {goodFrom !== undefined && found.every((score) => score < goodFrom) && (
        <p className="quiet small">{t('search.noneGood', { score: shown(goodFrom) })}</p>
      )}
      {goodFrom !== undefined && found.some((score) => score >= goodFrom) && (
        <Button
          isSmall
          onPress={() => {
            const scoreMin = Math.round(goodFrom * 1000) / 1000;
            setCut(scoreMin);
            search({ ...query, scoreMin });
          }}
        >
          {t('search.goodFrom', { score: shown(goodFrom) })}
        </Button>
      )}
    </div>
  );
}

const shown = (score: number): string => formatNumber(score, { maximumFractionDigits: 3 });
