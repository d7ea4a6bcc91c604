import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { readPreference } from '../app/preferences.ts';
import english from './messages/en.json';

/** Languages of the page, each by the name its speakers use. English is in the first load, the others on demand. */
export const languageNames = {
  en: 'English',
  de: 'Deutsch',
  es: 'Español',
  fr: 'Français',
  ja: '日本語',
  ar: 'العربية',
} as const;
export type LanguageCode = keyof typeof languageNames;

const loaders: Readonly<Record<Exclude<LanguageCode, 'en'>, () => Promise<{ default: object }>>> = {
  de: () => import('./messages/de.json'),
  es: () => import('./messages/es.json'),
  fr: () => import('./messages/fr.json'),
  ja: () => import('./messages/ja.json'),
  ar: () => import('./messages/ar.json'),
};

const isKnown = (code: string): code is LanguageCode => code in languageNames;

/** What was chosen here, else the browser's first language that we speak, else English. */
function preferred(): LanguageCode {
  const chosen = readPreference('language');
  const wanted = [...(chosen ? [chosen] : []), ...navigator.languages].map((tag) => tag.split('-')[0] ?? '');
  return wanted.find(isKnown) ?? 'en';
}

export async function openMessages(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: 'en',
    fallbackLng: 'en',
    resources: { en: { translation: english } },
    // React escapes; doubled escapes would show.
    interpolation: { escapeValue: false },
  });
  await changeLanguage(preferred());
}

/** Changes the language of everything on the page, and the direction of reading with it. */
export async function changeLanguage(code: LanguageCode): Promise<void> {
  if (code !== 'en' && !i18next.hasResourceBundle(code, 'translation'))
    i18next.addResourceBundle(code, 'translation', (await loaders[code]()).default, true, true);
  await i18next.changeLanguage(code);
  document.documentElement.lang = code;
  document.documentElement.dir = i18next.dir(code);
}

export const currentLanguage = (): string => i18next.language;
