import { useTranslation } from 'react-i18next';
import { People } from './people.tsx';
import { Tokens } from './tokens.tsx';

/** Settings of the account. `/settings/secrets` is where command-line clients send people for a token. */
export default function Settings() {
  const { t } = useTranslation();
  return (
    <div className="page">
      <header className="page-header">
        <h1>{t('settings.title')}</h1>
      </header>
      <Tokens />
      <People />
    </div>
  );
}
