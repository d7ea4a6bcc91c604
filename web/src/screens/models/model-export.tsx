import type { Model, ModelVersionExport } from '@fovea/contract/rest';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { queries, useAppName } from '../../api/queries.ts';
import { code, wordsOf } from '../../api/trouble.ts';
import { Button } from '../../ui/button.tsx';
import { DownloadLink } from '../../ui/download-link.tsx';
import { TroubleNote, Waiting } from '../../ui/states.tsx';

/** A trained version as a file that gives the same answers on another server. */
export function ModelExport({ model }: { model: Model }) {
  const { t } = useTranslation();
  const request = {
    user_app_id: useAppName(),
    model_id: model.id ?? '',
    version_id: model.model_version?.id ?? '',
  };
  const [isAsked, setAsked] = useState(false);
  // Asking again changes nothing, unless the last try failed: whoever asked sees how far it is by asking on.
  const asked = useQuery<ModelVersionExport>({
    queryKey: ['PutModelVersionExports', request],
    queryFn: async ({ signal, queryKey }) => {
      const quiet = queries.getQueryData(queryKey) !== undefined;
      return (await rpc('PutModelVersionExports', request, { signal, quiet })).export ?? {};
    },
    enabled: isAsked,
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: ({ state }) => (isBeingMade(state.data) ? 800 : false),
  });
  const made = asked.data;
  const hasFailed = made?.status?.code === code.modelExportFailed && !asked.isFetching;
  return (
    <section className="card stack">
      <h2>{t('model.export.title')}</h2>
      <p className="quiet">{t('model.export.words')}</p>
      {asked.error ? (
        <TroubleNote thrown={asked.error} retry={() => void asked.refetch()} />
      ) : made?.status?.code === code.modelExported && made.url ? (
        <p>
          <DownloadLink
            path={new URL(made.url, location.origin).pathname}
            sizeBytes={Number(made.size ?? 0)}
          />
        </p>
      ) : isAsked && !hasFailed ? (
        <Waiting label={wordsOf(made?.status) || t('common.loading')} />
      ) : (
        <p>
          <Button icon="download" onPress={() => (isAsked ? void asked.refetch() : setAsked(true))}>
            {t('model.export.start')}
          </Button>
        </p>
      )}
      {hasFailed && (
        <p className="note danger" role="alert">
          {wordsOf(made?.status)}
        </p>
      )}
    </section>
  );
}

const isBeingMade = (made: ModelVersionExport | undefined): boolean =>
  ([code.modelExporting, code.modelExportPending] as (number | undefined)[]).includes(made?.status?.code);
