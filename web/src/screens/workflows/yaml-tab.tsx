import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../../ui/button.tsx';
import { CopyButton } from '../../ui/copy.tsx';
import { TextField } from '../../ui/fields.tsx';
import type { Graph, GraphNode } from './graph.ts';
import { graphFromYaml, YamlTrouble, yamlOf } from './workflow-yaml.ts';

/** The graph as YAML, as the official SDKs read it; what is typed here becomes the graph. */
export function YamlTab({
  graph,
  onChange,
  models,
}: {
  graph: Graph;
  onChange: (graph: Graph) => void;
  models: ReadonlyMap<string, GraphNode['model']>;
}) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState<string>();
  const [error, setError] = useState<string>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another graph is another text
  useEffect(() => {
    setTyped(undefined);
    setError(undefined);
  }, [graph]);
  const text = typed ?? yamlOf(graph);
  const apply = () => {
    try {
      onChange(graphFromYaml(text, graph, models));
    } catch (thrown) {
      if (!(thrown instanceof YamlTrouble)) throw thrown;
      setError(`${t(thrown.message)} ${thrown.about}`);
    }
  };
  return (
    <div className="stack yaml">
      <TextField
        label="YAML"
        isLong
        rows={Math.min(30, text.split('\n').length + 2)}
        value={text}
        onChange={setTyped}
        error={error}
        spellCheck="false"
      />
      <div className="row">
        <Button isDisabled={typed === undefined} onPress={apply}>
          {t('workflow.apply')}
        </Button>
        <CopyButton text={text} />
      </div>
    </div>
  );
}
