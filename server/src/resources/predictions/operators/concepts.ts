import { create } from '@bufbuild/protobuf';
import { type Concept, ConceptSchema, DataSchema } from '@fovea/contract';
import { predictionFault } from '../faults.ts';
import { type Operator, textParam } from './settings.ts';

/**
 * Replaces concepts by those that the app calls their synonyms. Concepts without synonyms are left out: the mapper
 * says what the app's own words for a prediction are. Two words that become the same keep the higher value.
 */
export const mapSynonyms: Operator = async ({ data, settings, deps, grant }) => {
  if (!grant || !deps.synonymsOf) throw predictionFault.needsApp('concept-synonym-mapper');
  const graphId = textParam(settings, 'knowledge_graph_id');
  const ids = [...new Set(data.concepts.map((concept) => concept.id))];
  const synonyms = ids.length > 0 ? await deps.synonymsOf(grant, ids, graphId) : new Map<string, never[]>();
  const mapped = new Map<string, Concept>();
  for (const { id, value } of data.concepts) {
    for (const { id: other, name } of synonyms.get(id) ?? []) {
      if ((mapped.get(other)?.value ?? -1) >= value) continue;
      const { appId, userId } = grant;
      mapped.set(other, create(ConceptSchema, { id: other, name, value, appId, userId }));
    }
  }
  return create(DataSchema, { concepts: [...mapped.values()].sort((a, b) => b.value - a.value) });
};
