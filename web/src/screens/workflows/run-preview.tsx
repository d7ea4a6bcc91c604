import type { WorkflowResult } from '@fovea/contract/rest';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call, rpc } from '../../api/client.ts';
import { useAppName } from '../../api/queries.ts';
import { Button } from '../../ui/button.tsx';
import { TroubleNote, Waiting } from '../../ui/states.tsx';
import { base64Of, choose } from '../../upload/files.ts';
import { Answer, Shown } from '../models/answer.tsx';

interface NodeTimes {
  readonly nodes?: readonly { readonly node: string; readonly took_ms: number }[];
}

/** What the saved workflow makes of a picture, node by node. */
export function RunPreview({
  workflowId,
  isChanged,
  onTimes,
}: {
  workflowId: string;
  isChanged: boolean;
  onTimes: (times: ReadonlyMap<string, number>) => void;
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const [picture, setPicture] = useState<Blob>();
  const [result, setResult] = useState<WorkflowResult>();
  const [trouble, setTrouble] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const run = async (file: Blob | undefined) => {
    if (!file) return;
    setPicture(file);
    setBusy(true);
    setTrouble(undefined);
    try {
      const reply = await rpc('PostWorkflowResults', {
        user_app_id: app,
        workflow_id: workflowId,
        inputs: [{ data: { image: { base64: await base64Of(file) } } }],
      });
      setResult(reply.results?.[0]);
      const path = `/v2/ext/fovea/requests/${encodeURIComponent(reply.status?.req_id ?? '')}/nodes`;
      const { nodes = [] } = await call<NodeTimes>('GET', path, undefined, { quiet: true });
      onTimes(new Map(nodes.map(({ node, took_ms }) => [node, took_ms])));
    } catch (thrown) {
      setTrouble(thrown);
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => () => onTimes(new Map()), [onTimes]);
  return (
    <section className="stack" aria-label={t('workflow.run')}>
      <div className="row">
        <h2>{t('workflow.run')}</h2>
        <Button
          icon="play"
          isPending={isBusy}
          onPress={() => void choose({ accept: 'image/*' }).then(([first]) => run(first?.file))}
        >
          {t('try.choose')}
        </Button>
        {picture && (
          <Button icon="refresh" isDisabled={isBusy} onPress={() => void run(picture)}>
            {t('workflow.again')}
          </Button>
        )}
        {isChanged && <span className="quiet small">{t('workflow.runsSaved')}</span>}
      </div>
      {isBusy && <Waiting />}
      {trouble !== undefined && <TroubleNote thrown={trouble} />}
      {result && picture && (
        <ul className="plain cards">
          {result.outputs?.map((output, i) => (
            <li key={output.id ?? i} className="card stack">
              <h3>{output.model?.name || output.model?.id}</h3>
              <Shown picture={picture} output={output} />
              <Answer output={output} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
