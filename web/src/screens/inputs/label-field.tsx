import type { Concept } from '@fovea/contract/rest';
import { useState } from 'react';
import { ComboBox, Input, Label, ListBox, ListBoxItem, Popover } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { conceptName } from '../../api/media.ts';
import { useAppName, useRpc } from '../../api/queries.ts';
import { conceptIdOf } from '../../upload/uploader.ts';

/** Chooses a concept by name, or makes one of that name. */
export function ConceptField({
  label,
  onChoose,
  hideLabel,
}: {
  label: string;
  onChoose: (concept: Concept) => void;
  hideLabel?: boolean;
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const [words, setWords] = useState('');
  // Made anew after every choice: its list is closed then, and the next label can be typed at once.
  const [round, setRound] = useState(0);
  const known = useRpc('ListConcepts', { user_app_id: app, per_page: 1000 }).data?.concepts ?? [];
  const typed = words.trim().toLocaleLowerCase();
  const matches = known
    .filter((concept) => conceptName(concept).toLocaleLowerCase().includes(typed))
    .slice(0, 20);
  const exact = known.find((concept) => conceptName(concept).toLocaleLowerCase() === typed);
  const items = [
    ...matches.map((concept) => ({ id: concept.id ?? '', label: conceptName(concept), isNew: false })),
    ...(typed !== '' && !exact
      ? [{ id: '+', label: t('concepts.make', { name: words.trim() }), isNew: true }]
      : []),
  ];
  const take = (concept: Concept) => {
    setWords('');
    setRound(round + 1);
    onChoose(concept);
  };
  const made = (): Concept => ({ id: conceptIdOf(words), name: words.trim() });
  return (
    <ComboBox
      key={round}
      className="field"
      {...(hideLabel ? { 'aria-label': label } : {})}
      items={items}
      inputValue={words}
      onInputChange={setWords}
      selectedKey={null}
      onSelectionChange={(key) => {
        if (key === null) return;
        take(key === '+' ? made() : (known.find(({ id }) => id === key) ?? { id: String(key) }));
      }}
      menuTrigger="input"
      allowsCustomValue
    >
      {!hideLabel && <Label>{label}</Label>}
      <Input
        autoFocus={round > 0}
        placeholder={t('concepts.placeholder')}
        onKeyDown={(event) => {
          if (
            event.key !== 'Enter' ||
            typed === '' ||
            event.currentTarget.getAttribute('aria-activedescendant')
          )
            return;
          event.preventDefault();
          take(exact ?? made());
        }}
      />
      <Popover className="popover">
        <ListBox className="list-box">
          {(item: (typeof items)[number]) => (
            <ListBoxItem id={item.id} textValue={item.label} className="menu-item">
              {item.label}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </ComboBox>
  );
}
