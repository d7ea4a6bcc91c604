import { useRef, useState } from 'react';
import { ComboBox, Input, ListBox, ListBoxItem, Popover } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { conceptName } from '../../api/media.ts';
import { useAppName, useRpc } from '../../api/queries.ts';
import { setQuery } from '../../app/place.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { choose, uploadKindOf } from '../../upload/files.ts';
import { keepPicture } from './pictures.ts';
import { isEverything, type Query, queryWords } from './query.ts';

/** Goes to the address of a query; the step back undoes it. */
export const search = (query: Query): void => setQuery(queryWords(query), {});

/**
 * One box for every way to look: words are a concept where one has that name, else text; a picture may be dropped
 * or pasted into it, or chosen.
 */
export function SearchBox({ query }: { query: Query }) {
  const { t } = useTranslation();
  const app = useAppName();
  const [words, setWords] = useState('');
  // Made anew after every choice: its list is closed then.
  const [round, setRound] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const concepts = useRpc('ListConcepts', { user_app_id: app, per_page: 1000 });
  const known = concepts.data?.concepts ?? [];
  const typed = words.trim();
  const isNot = typed.startsWith('-') || typed.startsWith('!');
  const bare = isNot ? typed.slice(1).trim() : typed;
  const matches = known
    .filter((concept) => conceptName(concept).toLocaleLowerCase().includes(bare.toLocaleLowerCase()))
    .slice(0, 12);
  const items = [
    ...matches.map((concept) => ({
      id: `concept:${concept.id}`,
      label: conceptName(concept),
      kind: 'concept',
    })),
    ...(bare === ''
      ? []
      : [{ id: `text:${bare}`, label: t('search.forText', { text: bare }), kind: 'text' }]),
  ];
  const take = (key: string) => {
    const [kind = '', ...rest] = key.split(':');
    const value = rest.join(':');
    setWords('');
    setRound(round + 1);
    if (kind === 'text') search({ ...query, text: value });
    else if (!query.concepts.some(({ id }) => id === value))
      search({ ...query, concepts: [...query.concepts, { id: value, not: isNot }] });
  };
  const takePicture = (file: File | undefined): boolean => {
    if (!file || uploadKindOf(file) !== 'image') return false;
    search({ ...query, like: '', region: undefined, picture: keepPicture(file) });
    return true;
  };
  return (
    <search
      className="search-box"
      data-takes-files
      onPaste={(event) => takePicture([...event.clipboardData.files][0]) && event.preventDefault()}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => takePicture([...event.dataTransfer.files][0]) && event.preventDefault()}
    >
      <Icon name="search" />
      <ComboBox
        key={round}
        aria-label={t('search.label')}
        items={items}
        inputValue={words}
        onInputChange={setWords}
        selectedKey={null}
        onSelectionChange={(key) => key !== null && take(String(key))}
        menuTrigger="input"
        allowsCustomValue
        allowsEmptyCollection={false}
      >
        <Input
          ref={input}
          className="bare"
          placeholder={t('search.placeholder')}
          onKeyDown={(event) => {
            if (
              event.key !== 'Enter' ||
              bare === '' ||
              event.currentTarget.getAttribute('aria-activedescendant')
            )
              return;
            const exact = known.find(
              (concept) => conceptName(concept).toLocaleLowerCase() === bare.toLocaleLowerCase(),
            );
            event.preventDefault();
            take(exact ? `concept:${exact.id}` : `text:${bare}`);
          }}
        />
        <Popover className="popover">
          <ListBox className="list-box">
            {(item: (typeof items)[number]) => (
              <ListBoxItem id={item.id} textValue={item.label} className="menu-item">
                <Icon name={item.kind === 'concept' ? 'label' : 'search'} />
                {item.kind === 'concept' && isNot ? t('search.not', { concept: item.label }) : item.label}
              </ListBoxItem>
            )}
          </ListBox>
        </Popover>
      </ComboBox>
      <IconButton
        icon="image"
        label={t('search.byPicture')}
        onPress={() => void choose({ accept: 'image/*' }).then(([first]) => takePicture(first?.file))}
      />
      {!isEverything(query) && (
        <Button isSmall look="ghost" icon="close" onPress={() => search(nothing)}>
          {t('search.clear')}
        </Button>
      )}
    </search>
  );
}

const nothing: Query = {
  concepts: [],
  text: '',
  kinds: [],
  status: undefined,
  datasets: [],
  like: '',
  picture: '',
  region: undefined,
  geo: undefined,
  scoreMin: 0,
  asOf: '',
};
