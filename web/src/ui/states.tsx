import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { asTrouble } from '../api/trouble.ts';
import { Button } from './button.tsx';
import { CopyButton } from './copy.tsx';
import { Icon, type IconName } from './icon.tsx';

/** What went wrong: the server's words, what to do, and the request id to look it up by. */
export function TroubleNote({ thrown, retry }: { thrown: unknown; retry?: (() => void) | undefined }) {
  const { t } = useTranslation();
  const trouble = asTrouble(thrown);
  return (
    <div className="note danger" role="alert">
      <Icon name="warning" />
      <div>
        <p className="strong">{trouble.isKey ? t(trouble.message) : trouble.message}</p>
        <p>{t(trouble.advice)}</p>
        {trouble.requestId && (
          <p className="quiet small">
            {t('trouble.requestId')} <code>{trouble.requestId}</code>{' '}
            <CopyButton text={trouble.requestId} label={t('trouble.copyRequestId')} />
          </p>
        )}
        {retry && (
          <Button isSmall icon="refresh" onPress={retry}>
            {t('common.tryAgain')}
          </Button>
        )}
      </div>
    </div>
  );
}

/** Nothing here yet: what this place is for, and the one thing to do next. */
export function Empty({
  icon,
  title,
  children,
  action,
}: {
  icon: IconName;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="empty">
      <Icon name={icon} size={40} />
      <h2>{title}</h2>
      {children && <div className="quiet">{children}</div>}
      {action}
    </div>
  );
}

export function Waiting({ label }: { label?: string }) {
  const { t } = useTranslation();
  return (
    <div className="waiting" role="status">
      <span className="spinner" aria-hidden="true" />
      <span>{label ?? t('common.loading')}</span>
    </div>
  );
}

interface Asked {
  readonly data: unknown;
  readonly error: unknown;
  readonly refetch: () => unknown;
}

/** The first of several questions that found no answer, said above what the others gave. */
export function Troubles({ queries }: { queries: readonly Asked[] }) {
  const failed = queries.find(({ data, error }) => data === undefined && error);
  return failed ? <TroubleNote thrown={failed.error} retry={() => void failed.refetch()} /> : null;
}

/** One of waiting, trouble or content, for what a query gave. */
export function Loaded<Data>({
  query,
  children,
}: {
  query: { data: Data | undefined; error: unknown; refetch: () => unknown };
  children: (data: Data) => ReactNode;
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <TroubleNote thrown={query.error} retry={() => void query.refetch()} />;
  return <Waiting />;
}
