import type { Input } from '@fovea/contract/rest';
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { fetchAhead, nameOf, picturePath } from '../../api/media.ts';
import type { AppName } from '../../api/queries.ts';

const around = 24;

/** Inputs older and newer than this one, in the order of the gallery: newest first. */
function useAround(app: AppName, input: Input): readonly Input[] {
  const id = input.id ?? '';
  const found = useQuery({
    queryKey: ['StreamInputs', 'around', app, id],
    queryFn: async ({ signal }) => {
      const ask = (descending: boolean) =>
        rpc(
          'StreamInputs',
          { user_app_id: app, last_id: id, per_page: around, descending },
          { signal, quiet: true },
        );
      const [newer, older] = await Promise.all([ask(false), ask(true)]);
      return [...(newer.inputs ?? []).toReversed(), input, ...(older.inputs ?? [])];
    },
    staleTime: 60_000,
  });
  return found.data ?? [input];
}

export function useNeighbours(
  app: AppName,
  input: Input,
): { next: string | undefined; previous: string | undefined } {
  const all = useAround(app, input);
  const at = all.findIndex(({ id }) => id === input.id);
  const next = all[at + 1];
  // The next picture is fetched while this one is looked at, so that going on does not wait for it.
  useEffect(() => {
    if (next) fetchAhead(next);
  }, [next]);
  return { next: next?.id, previous: all[at - 1]?.id };
}

export function Filmstrip({
  app,
  input,
  onChoose,
}: {
  app: AppName;
  input: Input;
  onChoose: (id: string) => void;
}) {
  const { t } = useTranslation();
  const all = useAround(app, input);
  return (
    <nav className="filmstrip" aria-label={t('label.filmstrip')}>
      {all.map((one) => {
        const path = picturePath(one.data, 'tiny');
        return (
          <button
            key={one.id}
            type="button"
            aria-current={one.id === input.id ? 'true' : undefined}
            aria-label={nameOf(one)}
            ref={(element) => {
              if (one.id === input.id) element?.scrollIntoView({ inline: 'center', block: 'nearest' });
            }}
            onClick={() => onChoose(one.id ?? '')}
          >
            {path ? <img src={path} alt="" loading="lazy" /> : <span>{nameOf(one).slice(0, 8)}</span>}
          </button>
        );
      })}
    </nav>
  );
}
