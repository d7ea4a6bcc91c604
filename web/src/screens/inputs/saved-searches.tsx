import type { Search } from '@fovea/contract/rest';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { formatAgo } from '../../i18n/format.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/fields.tsx';
import { say, sayTrouble } from '../../ui/notices.tsx';
import { Loaded } from '../../ui/states.tsx';
import { conceptIdOf } from '../../upload/uploader.ts';
import { isPictureGone, keepPicture, pictureOf } from './pictures.ts';
import { isEverything, type Query, queryOf, searchOf } from './query.ts';
import { search } from './search-box.tsx';

/** Searches that were kept: run, renamed, deleted; and the present one, to keep. */
export function SavedSearches({ query, onClose }: { query: Query; onClose: () => void }) {
  const { t } = useTranslation();
  const app = useAppName();
  const [name, setName] = useState('');
  const [renamed, setRenamed] = useState<{ id: string; name: string }>();
  const found = useRpc('ListSearches', { user_app_id: app, per_page: 500 });
  const changed = () => refresh('ListSearches');
  const save = async () => {
    const searches = [
      {
        ...searchOf(query, await pictureOf(query)),
        // Names may be used twice; ids may not.
        id: `${conceptIdOf(name).slice(0, 36)}-${crypto.randomUUID().slice(0, 6)}`,
        name: name.trim(),
        save: true,
      },
    ];
    await rpc('PostInputsSearches', { user_app_id: app, searches });
    setName('');
    say(t('saved.kept', { name: name.trim() }));
    await changed();
  };
  const rename = async () => {
    if (!renamed || renamed.name.trim() === '') return;
    await rpc('PatchInputsSearches', {
      user_app_id: app,
      action: 'overwrite',
      searches: [{ id: renamed.id, name: renamed.name.trim() }],
    });
    setRenamed(undefined);
    await changed();
  };
  const remove = async (one: Search, label: string) => {
    await rpc('DeleteSearch', { user_app_id: app, id: one.id ?? '' });
    await changed();
    const back = async () => {
      await rpc('PostInputsSearches', { user_app_id: app, searches: [{ ...one, save: true }] });
      await changed();
    };
    say(t('saved.deleted', { name: label }), {
      label: t('common.undo'),
      act: () => void back().catch(sayTrouble),
    });
  };
  const run = (chosen: Query) => {
    onClose();
    search(chosen);
  };
  return (
    <Dialog title={t('saved.title')} isOpen onClose={onClose}>
      <div className="stack">
        {!isEverything(query) && !isPictureGone(query) && (
          <form
            className="row end-aligned"
            onSubmit={(event) => {
              event.preventDefault();
              if (name.trim() !== '') void save().catch(sayTrouble);
            }}
          >
            <TextField label={t('saved.name')} value={name} onChange={setName} />
            <Button type="submit" look="primary" icon="save" isDisabled={name.trim() === ''}>
              {t('saved.save')}
            </Button>
          </form>
        )}
        <Loaded query={found}>
          {({ searches = [] }) =>
            searches.length === 0 ? (
              <p className="quiet">{t(isEverything(query) ? 'saved.noneWords' : 'saved.none')}</p>
            ) : (
              <ul className="plain stack" aria-label={t('saved.title')}>
                {searches.map((one) => {
                  const id = one.id ?? '';
                  const label = one.name || id;
                  const chosen = queryOf(one, keepPicture);
                  return (
                    <li key={id} className="row between saved-search">
                      {renamed?.id === id ? (
                        <form
                          className="row end-aligned grow"
                          onSubmit={(event) => {
                            event.preventDefault();
                            void rename().catch(sayTrouble);
                          }}
                        >
                          <TextField
                            label={t('saved.name')}
                            autoFocus
                            value={renamed.name}
                            onChange={(to) => setRenamed({ id, name: to })}
                          />
                          <Button type="submit" isSmall>
                            {t('common.save')}
                          </Button>
                        </form>
                      ) : (
                        <>
                          <Button
                            look="ghost"
                            icon="search"
                            isDisabled={!chosen}
                            onPress={() => chosen && run(chosen)}
                          >
                            {label}
                          </Button>
                          <span className="quiet small grow">
                            {chosen ? formatAgo(one.created_at) : t('saved.foreign')}
                          </span>
                          <IconButton
                            icon="brush"
                            label={t('saved.rename', { name: label })}
                            onPress={() => setRenamed({ id, name: label })}
                          />
                          <IconButton
                            icon="trash"
                            label={t('saved.delete', { name: label })}
                            onPress={() => void remove(one, label).catch(sayTrouble)}
                          />
                        </>
                      )}
                    </li>
                  );
                })}
              </ul>
            )
          }
        </Loaded>
      </div>
    </Dialog>
  );
}
