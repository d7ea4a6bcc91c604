import { useState } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { useCallRecords } from '../api/records.ts';
import { type Language, languages, snippetOf } from '../api/snippets.ts';
import { formatNumber } from '../i18n/format.ts';
import { CopyButton } from '../ui/copy.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Select } from '../ui/fields.tsx';

const names: Readonly<Record<Language, string>> = {
  curl: 'curl',
  python: 'Python',
  typescript: 'TypeScript',
};

/** The calls that the screen just made, ready to run elsewhere. */
export function CodeDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const records = useCallRecords();
  const [chosen, choose] = useState('0');
  const record = records[Number(chosen)] ?? records[0];
  const choices = records.map(({ rpc, verb, path, durationMs }, index) => ({
    id: String(index),
    label: rpc ?? `${verb} ${path}`,
    detail: t('code.tookMs', { ms: formatNumber(Math.round(durationMs)) }),
  }));
  return (
    <Dialog title={t('code.title')} isOpen={isOpen} onClose={onClose} size="large">
      {record ? (
        <>
          <Select label={t('code.call')} choices={choices} value={chosen} onChange={choose} />
          <Tabs className="tabs">
            <TabList className="tab-list" aria-label={t('code.languages')}>
              {languages.map((language) => (
                <Tab key={language} id={language} className="tab">
                  {names[language]}
                </Tab>
              ))}
            </TabList>
            {languages.map((language) => {
              const code = snippetOf(record, language, location.origin);
              return (
                <TabPanel key={language} id={language}>
                  <div className="code">
                    <pre dir="ltr">{code}</pre>
                    <CopyButton text={code} />
                  </div>
                </TabPanel>
              );
            })}
          </Tabs>
          <p className="quiet small">{t('code.token')}</p>
        </>
      ) : (
        <p>{t('code.none')}</p>
      )}
    </Dialog>
  );
}
