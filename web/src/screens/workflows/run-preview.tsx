import type { WorkflowResult } from '@fovea/contract/rest';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call, rpc } from '../../api/client.ts';
import { useAppName } from '../../api/queries.ts';
import { code, wordsOf } from '../../api/trouble.ts';
import { Button } from '../../ui/button.tsx';
import { TroubleNote, Waiting } from '../../ui/states.tsx';
import { base64Of, choose } from '../../upload/files.ts';
import { Answer, Shown } from '../models/answer.tsx';

interface NodeTimes {
  readonly nodes?: readonly { readonly node: string; readonly took_ms: number }[];
}

/** How a node of a run went. */
export interface NodeRun {
  readonly tookMs?: number | undefined;
  /** What went wrong in it, in the words of the server. */
  readonly trouble?: string | undefined;
}
type Runs = ReadonlyMap<string, NodeRun>;

const none: Runs = new Map();

/** What the saved workflow makes of a picture, node by node. */
export function RunPreview({
  workflowId,
  isChanged,
  onRun,
}: {
  workflowId: string;
  isChanged: boolean;
  onRun: (runs: Runs) => void;
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const [picture, setPicture] = useState<Blob>();
  const [result, setResult] = useState<WorkflowResult>();
  const [shownNodes, setShownNodes] = useState<readonly string[]>([]);
  const [trouble, setTrouble] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const run = async (file: Blob | undefined) => {
    if (!file) return;
    setPicture(file);
    setBusy(true);
    setTrouble(undefined);
    setResult(undefined);
    onRun(none);
    try {
      const reply = await rpc(
        'PostWorkflowResults',
        {
          user_app_id: app,
          workflow_id: workflowId,
          inputs: [{ data: { image: { base64: await base64Of(file) } } }],
        },
        // What each node says is shown with it.
        { mixedIsFine: true },
      );
      const ran = reply.results?.[0];
      // One output for each node that is shown, in their order.
      const ids = (reply.workflow?.nodes ?? []).flatMap(({ id, suppress_output }) =>
        id && !suppress_output ? [id] : [],
      );
      setResult(ran);
      setShownNodes(ids);
      const path = `/v2/ext/fovea/requests/${encodeURIComponent(reply.status?.req_id ?? '')}/nodes`;
      const { nodes = [] } = await call<NodeTimes>('GET', path, undefined, { quiet: true });
      const runs = new Map<string, NodeRun>(nodes.map(({ node, took_ms }) => [node, { tookMs: took_ms }]));
      for (const [i, { status }] of (ran?.outputs ?? []).entries()) {
        const id = ids[i] ?? '';
        if (status?.code !== code.ok) runs.set(id, { ...runs.get(id), trouble: wordsOf(status) });
      }
      onRun(runs);
    } catch (thrown) {
      setTrouble(thrown);
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => () => onRun(none), [onRun]);
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
      {result && (result.outputs ?? []).length === 0 && result.status?.code !== code.ok && (
        <p className="note danger" role="alert">
          {wordsOf(result.status)}
        </p>
      )}
      {result && picture && (
        <ul className="plain cards">
          {result.outputs?.map((output, i) => (
            <li key={output.id ?? i} className="card stack">
              <h3>
                {shownNodes[i]} <span className="quiet small">{output.model?.name || output.model?.id}</span>
              </h3>
              {output.status?.code === code.ok ? (
                <>
                  <Shown picture={picture} output={output} />
                  <Answer output={output} />
                </>
              ) : (
                <p className="note danger" role="alert">
                  {wordsOf(output.status)}
                </p>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
