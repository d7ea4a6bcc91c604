import dagre from '@dagrejs/dagre';
import type { ModelType } from '@fovea/contract/rest';
import {
  Background,
  type Connection,
  Controls,
  type Edge,
  Handle,
  type Node,
  type NodeChange,
  type NodeProps,
  Position,
  ReactFlow,
  useReactFlow,
  useStore,
} from '@xyflow/react';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { formatNumber } from '../../i18n/format.ts';
import { IconButton } from '../../ui/button.tsx';
import { Checkbox, Select } from '../../ui/fields.tsx';
import { say } from '../../ui/notices.tsx';
import { Table } from '../../ui/table.tsx';
import {
  closesRing,
  fits,
  freeNodeId,
  type Graph,
  type GraphNode,
  kindsOf,
  mustFollow,
  wantedBy,
  withoutNode,
} from './graph.ts';
import type { NodeRun } from './run-preview.tsx';

/** What a node takes with all that it can say. */
const size = { width: 220, height: 136 };
const source = '*';

interface Shown extends Record<string, unknown> {
  readonly node: GraphNode | undefined;
  readonly type: ModelType | undefined;
  readonly run: NodeRun | undefined;
}
type FlowNode = Node<Shown>;

/** Places for nodes, from start to end; made anew when wires change. */
function layOut(nodes: readonly GraphNode[]): ReadonlyMap<string, { x: number; y: number }> {
  const plan = new dagre.graphlib.Graph();
  plan.setGraph({ rankdir: 'LR', nodesep: 36, ranksep: 72 });
  plan.setDefaultEdgeLabel(() => ({}));
  plan.setNode(source, { width: 90, height: 50 });
  for (const { id } of nodes) plan.setNode(id, { ...size });
  for (const { id, inputs } of nodes)
    for (const from of inputs.length > 0 ? inputs : [source]) plan.setEdge(from, id);
  dagre.layout(plan);
  return new Map(
    plan.nodes().map((id) => {
      const { x, y, width, height } = plan.node(id);
      return [id, { x: x - width / 2, y: y - height / 2 }];
    }),
  );
}

/** The graph, to be looked at and wired. Wires that do not fit are refused as they are drawn. */
export default function GraphEditor({
  graph,
  onChange,
  models,
  types,
  runs,
}: {
  graph: Graph;
  onChange: (graph: Graph) => void;
  models: ReadonlyMap<string, GraphNode['model']>;
  types: ReadonlyMap<string, ModelType>;
  runs: ReadonlyMap<string, NodeRun>;
}) {
  const { t } = useTranslation();
  const [selected, select] = useState<string>();
  const [moved, setMoved] = useState<ReadonlyMap<string, { x: number; y: number }>>(new Map());
  const wiring = graph.nodes.map(({ id, inputs }) => `${id}<${inputs.join()}`).join(';');
  // biome-ignore lint/correctness/useExhaustiveDependencies: places depend on the wiring alone
  const places = useMemo(() => layOut(graph.nodes), [wiring]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another wiring is laid out anew
  useEffect(() => setMoved(new Map()), [wiring]);
  const at = (id: string) => moved.get(id) ?? places.get(id) ?? { x: 0, y: 0 };
  const typeOf = useCallback(
    (id: string | null) => types.get(graph.nodes.find((node) => node.id === id)?.model.typeId ?? ''),
    [graph.nodes, types],
  );
  const nodes: FlowNode[] = [
    {
      id: source,
      type: 'source',
      position: at(source),
      data: { node: undefined, type: undefined, run: undefined },
      deletable: false,
    },
    ...graph.nodes.map((node) => ({
      id: node.id,
      type: 'model',
      position: at(node.id),
      selected: node.id === selected,
      data: { node, type: types.get(node.model.typeId), run: runs.get(node.id) },
    })),
  ];
  const edges: Edge[] = graph.nodes.flatMap(({ id, inputs }) =>
    (inputs.length > 0 ? inputs : [source]).map((from) => ({
      id: `${from} ${id}`,
      source: from,
      target: id,
      deletable: from !== source,
    })),
  );
  const mayConnect = (wire: Edge | Connection): boolean =>
    wire.source === source
      ? !mustFollow(typeOf(wire.target))
      : !closesRing(graph.nodes, wire.source, wire.target) && fits(typeOf(wire.source), typeOf(wire.target));
  const setInputs = (id: string, change: (inputs: readonly string[]) => readonly string[]) =>
    onChange({
      ...graph,
      nodes: graph.nodes.map((node) => (node.id === id ? { ...node, inputs: change(node.inputs) } : node)),
    });
  const connect = (wire: Connection) => {
    if (!mayConnect(wire)) return;
    setInputs(wire.target, (inputs) =>
      wire.source === source ? [] : inputs.includes(wire.source) ? inputs : [...inputs, wire.source],
    );
  };
  const changeNodes = (changes: readonly NodeChange<FlowNode>[]) => {
    for (const change of changes) {
      if (change.type === 'position' && change.position) {
        const { id, position } = change;
        setMoved((before) => new Map(before).set(id, position));
      } else if (change.type === 'select' && change.selected)
        select(change.id === source ? undefined : change.id);
      else if (change.type === 'remove') onChange({ ...graph, nodes: withoutNode(graph.nodes, change.id) });
    }
  };
  const add = (key: string) => {
    const model = models.get(key);
    if (!model) return;
    const after = graph.nodes.find(({ id }) => id === selected);
    const canFollow = after !== undefined && fits(types.get(after.model.typeId), types.get(model.typeId));
    if (after && !canFollow) say(t('workflow.doesNotFit', { model: model.name, after: after.id }));
    const id = freeNodeId(graph.nodes, model.id);
    onChange({
      ...graph,
      nodes: [...graph.nodes, { id, model, inputs: canFollow ? [after.id] : [], isSuppressed: false }],
    });
    select(id);
  };
  return (
    <div className="graph">
      <div className="row">
        <Select
          label={t('workflow.add')}
          hideLabel
          placeholder={t('workflow.add')}
          choices={[...models].map(([key, model]) => ({ id: key, label: model.name, detail: model.typeId }))}
          value={undefined}
          onChange={add}
        />
        <p className="quiet small">{t('workflow.hint')}</p>
      </div>
      <div className="graph-canvas" dir="ltr">
        <ReactFlow
          nodes={nodes}
          edges={edges}
          nodeTypes={nodeTypes}
          onNodesChange={changeNodes}
          onEdgesDelete={(gone) => {
            for (const edge of gone)
              setInputs(edge.target, (inputs) => inputs.filter((id) => id !== edge.source));
          }}
          onConnect={connect}
          isValidConnection={mayConnect}
          fitView
          minZoom={0.2}
          proOptions={{ hideAttribution: true }}
          aria-label={t('workflow.tab.graph')}
        >
          <Background />
          <Controls showInteractive={false} />
          <FitWhenResized />
        </ReactFlow>
      </div>
      <NodeList graph={graph} types={types} onChange={onChange} selected={selected} />
    </div>
  );
}

/** The same graph as a table: wires are ticks, so the keyboard and a screen reader can do everything. */
function NodeList({
  graph,
  types,
  onChange,
  selected,
}: {
  graph: Graph;
  types: ReadonlyMap<string, ModelType>;
  onChange: (graph: Graph) => void;
  selected: string | undefined;
}) {
  const { t } = useTranslation();
  const change = (id: string, with_: Partial<GraphNode>) =>
    onChange({ ...graph, nodes: graph.nodes.map((node) => (node.id === id ? { ...node, ...with_ } : node)) });
  return (
    <details className="card" open={selected !== undefined}>
      <summary>{t('workflow.table')}</summary>
      <Table columns={[t('workflow.node'), t('workflow.takesFrom'), t('workflow.shown'), undefined]}>
        {graph.nodes.map((node) => (
          <tr key={node.id} className={node.id === selected ? 'selected' : ''}>
            <th scope="row">
              {node.id} <span className="quiet small">{node.model.name}</span>{' '}
              {isUnfed(node, types.get(node.model.typeId)) && (
                <span className="badge warn">{t('workflow.unfed')}</span>
              )}
            </th>
            <td className="row">
              {graph.nodes
                .filter(
                  (other) =>
                    other.id !== node.id &&
                    (node.inputs.includes(other.id) ||
                      (!closesRing(graph.nodes, other.id, node.id) &&
                        fits(types.get(other.model.typeId), types.get(node.model.typeId)))),
                )
                .map((other) => (
                  <Checkbox
                    key={other.id}
                    label={other.id}
                    isSelected={node.inputs.includes(other.id)}
                    onChange={(on) =>
                      change(node.id, {
                        inputs: on ? [...node.inputs, other.id] : node.inputs.filter((id) => id !== other.id),
                      })
                    }
                  />
                ))}
            </td>
            <td>
              <Checkbox
                label={t('workflow.shown')}
                isSelected={!node.isSuppressed}
                onChange={(on) => change(node.id, { isSuppressed: !on })}
              />
            </td>
            <td>
              <IconButton
                icon="trash"
                label={t('workflow.removeNode', { name: node.id })}
                isDisabled={graph.nodes.length === 1}
                onPress={() => onChange({ ...graph, nodes: withoutNode(graph.nodes, node.id) })}
              />
            </td>
          </tr>
        ))}
      </Table>
    </details>
  );
}

function SourceNode() {
  const { t } = useTranslation();
  return (
    <div className="flow-node flow-source">
      {t('workflow.input')}
      <Handle type="source" position={Position.Right} isConnectable />
    </div>
  );
}

function ModelNode({ data, selected }: NodeProps<FlowNode>) {
  const { t } = useTranslation();
  const { node, type, run: { tookMs, trouble } = {} } = data;
  if (!node) return null;
  return (
    <div className={`flow-node${selected ? ' selected' : ''}${node.isSuppressed ? ' suppressed' : ''}`}>
      <Handle type="target" position={Position.Left} />
      <strong>{node.id}</strong>
      <span className="quiet small">{node.model.name}</span>
      <span className="row small">
        <span className="badge">{wantedBy(type).join(' ') || '?'}</span>→
        <span className="badge">{kindsOf(type?.output_fields).join(' ') || '?'}</span>
        {tookMs !== undefined && (
          <span className="badge good">
            {t('workflow.ms', { ms: formatNumber(tookMs, { maximumFractionDigits: 1 }) })}
          </span>
        )}
      </span>
      {trouble !== undefined && (
        <span className="badge danger" title={trouble}>
          {t('workflow.failed')}
        </span>
      )}
      {isUnfed(node, type) && <span className="badge warn">{t('workflow.unfed')}</span>}
      <Handle type="source" position={Position.Right} />
    </div>
  );
}

const isUnfed = ({ inputs }: GraphNode, type: ModelType | undefined): boolean =>
  inputs.length === 0 && mustFollow(type);

const nodeTypes = { source: SourceNode, model: ModelNode };

/** Shows the whole graph again when the window has another width. */
function FitWhenResized() {
  const { fitView } = useReactFlow();
  const width = useStore((state) => state.width);
  useEffect(() => {
    if (width > 0) void fitView();
  }, [width, fitView]);
  return null;
}
