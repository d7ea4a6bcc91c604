import type { Workflow as WorkflowMessage } from '@fovea/contract/rest';
import { lazy, Suspense, useState } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { go, pathTo, usePlace } from '../../app/place.ts';
import { formatAgo, formatNumber } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { DeleteButton } from '../../ui/delete-button.tsx';
import { say } from '../../ui/notices.tsx';
import { Loaded, TroubleNote, Waiting } from '../../ui/states.tsx';
import { numberColumn, Table } from '../../ui/table.tsx';
import { type Graph, graphOf, workflowOf } from './graph.ts';
import { type NodeRun, RunPreview } from './run-preview.tsx';
import { useModels } from './use-models.ts';
import { YamlTab } from './yaml-tab.tsx';

const GraphEditor = lazy(() => import('./graph-editor.tsx'));

/** One workflow: its graph, its YAML, its versions, and what it makes of a picture. */
export default function Workflow() {
  const app = useAppName();
  const { path } = usePlace();
  const id = path[3] ?? '';
  const found = useRpc('GetWorkflow', { user_app_id: app, workflow_id: id });
  return (
    <div className="page wide">
      <Loaded query={found}>
        {({ workflow = {} }) => (
          <Editor key={workflow.version?.id ?? workflow.modified_at} workflow={workflow} />
        )}
      </Loaded>
    </div>
  );
}

function Editor({ workflow }: { workflow: WorkflowMessage }) {
  const { t } = useTranslation();
  const app = useAppName();
  const { models, types } = useModels(app);
  const [saved] = useState(() => graphOf(workflow));
  const [graph, setGraph] = useState<Graph>(saved);
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<unknown>();
  const [runs, setRuns] = useState<ReadonlyMap<string, NodeRun>>(new Map());
  const isChanged = graph !== saved;
  const save = async () => {
    setBusy(true);
    setTrouble(undefined);
    try {
      await rpc('PatchWorkflows', { user_app_id: app, action: 'overwrite', workflows: [workflowOf(graph)] });
      await refresh('GetWorkflow', 'ListWorkflows', 'ListWorkflowVersions');
      say(t('workflow.saved'));
    } catch (thrown) {
      setTrouble(thrown);
    } finally {
      setBusy(false);
    }
  };
  const remove = async () => {
    await rpc('DeleteWorkflow', { user_app_id: app, workflow_id: graph.id });
    await refresh('ListWorkflows', 'GetResourceCounts');
    say(t('model.deleted', { name: graph.id }));
    go(pathTo(app.user_id, app.app_id, 'workflows'));
  };
  return (
    <>
      <header className="page-header">
        <div>
          <h1>{graph.id}</h1>
          {graph.description && <p className="quiet">{graph.description}</p>}
        </div>
        <div className="row">
          {isChanged && <span className="badge warn">{t('workflow.changed')}</span>}
          <Button isDisabled={!isChanged} onPress={() => setGraph(saved)}>
            {t('workflow.discard')}
          </Button>
          <Button
            look="primary"
            icon="save"
            isDisabled={!isChanged}
            isPending={isBusy}
            onPress={() => void save()}
          >
            {t('common.save')}
          </Button>
          <DeleteButton
            label={t('common.delete')}
            title={t('model.deleteTitle', { name: graph.id })}
            act={remove}
          >
            <p>{t('workflow.deleteWords')}</p>
          </DeleteButton>
        </div>
      </header>
      {trouble !== undefined && <TroubleNote thrown={trouble} />}
      <Tabs className="tabs">
        <TabList className="tab-list" aria-label={t('model.tabs')}>
          {(['graph', 'yaml', 'versions'] as const).map((name) => (
            <Tab key={name} id={name} className="tab">
              {t(`workflow.tab.${name}`)}
            </Tab>
          ))}
        </TabList>
        <TabPanel id="graph">
          <Suspense fallback={<Waiting />}>
            <GraphEditor graph={graph} onChange={setGraph} models={models} types={types} runs={runs} />
          </Suspense>
        </TabPanel>
        {/* Kept: what is typed is not lost by a look at the graph. */}
        <TabPanel id="yaml" className="yaml-panel" shouldForceMount>
          <YamlTab graph={graph} onChange={setGraph} models={models} />
        </TabPanel>
        <TabPanel id="versions">
          <Versions workflowId={graph.id} />
        </TabPanel>
      </Tabs>
      <RunPreview workflowId={graph.id} isChanged={isChanged} onRun={setRuns} />
    </>
  );
}

function Versions({ workflowId }: { workflowId: string }) {
  const { t } = useTranslation();
  const app = useAppName();
  const found = useRpc('ListWorkflowVersions', { user_app_id: app, workflow_id: workflowId, per_page: 100 });
  return (
    <Loaded query={found}>
      {({ workflow_versions = [] }) => (
        <Table
          columns={[
            t('model.version'),
            numberColumn(t('workflow.size')),
            t('common.created'),
            t('model.state'),
          ]}
        >
          {workflow_versions.map((version) => (
            <tr key={version.id}>
              <th scope="row">
                <code>{version.id?.slice(0, 12)}</code>
              </th>
              <td className="number">{formatNumber(version.nodes?.length ?? 0)}</td>
              <td className="when">{formatAgo(version.created_at)}</td>
              <td>
                <span className={`badge ${version.is_deprecated ? 'warn' : 'good'}`}>
                  {t(version.is_deprecated ? 'workflow.deprecated' : 'version.trained')}
                </span>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Loaded>
  );
}
