import './style/index.css';
import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queries } from './api/queries.ts';
import { applyTheme } from './app/preferences.ts';
import { Root } from './app/root.tsx';
import { forbidMarkup } from './app/trusted-types.ts';
import { openMessages } from './i18n/index.ts';

forbidMarkup();
applyTheme();
await openMessages();
createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Root />
    </QueryClientProvider>
  </StrictMode>,
);
