import { describe, expect, test } from 'vitest';
import {
  closesRing,
  fits,
  freeNodeId,
  type Graph,
  graphOf,
  kindsOf,
  mustFollow,
  wantedBy,
  withoutNode,
  workflowOf,
} from './graph.ts';
import { graphFromYaml, yamlOf } from './workflow-yaml.ts';

const node = (
  id: string,
  inputs: readonly string[] = [],
  typeId = 'visual-detector',
): Graph['nodes'][number] => ({
  id,
  model: {
    id: `model-${id}`,
    userId: 'clarifai',
    appId: 'main',
    versionId: 'v1',
    typeId,
    name: `Model ${id}`,
  },
  inputs,
  isSuppressed: id === 'crop',
});
const graph: Graph = {
  id: 'finder',
  description: 'Finds: "things"',
  nodes: [node('detect'), node('crop', ['detect']), node('name', ['crop'])],
};

const type = (input_fields: readonly string[], output_fields: readonly string[]) => ({
  input_fields,
  output_fields,
});
const detector = type(['image'], ['regions[...].region_info.bounding_box', 'regions[...].data.concepts']);
const classifier = type(['image'], ['concepts']);
const head = type(['embeddings'], ['concepts']);
const embedder = type(['image'], ['embeddings']);
const cropper = type(['image', 'regions[...].region_info.bounding_box'], ['regions[...].data.image']);
const writer = type(['any'], ['any']);
const multimodal = type(['image,text'], ['text']);

describe('wires', () => {
  test.each([
    ['an embedder feeds a head', embedder, head, true],
    ['a detector feeds a classifier, region by region', detector, classifier, true],
    ['a classifier does not feed a head', classifier, head, false],
    ['a head does not feed a detector', head, detector, false],
    ['a detector feeds a head, region by region', detector, head, true],
    ['an embedder does not feed a cropper', embedder, cropper, false],
    ['anything feeds a writer', classifier, writer, true],
    ['a model of pictures or texts takes texts', multimodal, multimodal, true],
    ['what is not known is left to the server', undefined, head, true],
  ])('%s', (_title, from, to, expected) => {
    expect(fits(from, to)).toBe(expected);
  });

  test('a head embeds pictures itself, and a cropper needs regions, as on the server', () => {
    expect(wantedBy(head)).toEqual(['embeddings', 'image']);
    expect(wantedBy(cropper)).toEqual(['regions', 'frames']);
  });

  test.each([
    ['a detector', detector, false],
    ['a head', head, false],
    ['a writer', writer, false],
    ['a model of pictures or texts', multimodal, false],
    ['what is not known', undefined, false],
    ['a threshold', type(['concepts'], ['concepts']), true],
    ['a cropper', cropper, true],
  ])('%s may take the input of the workflow, or not', (_title, one, expected) => {
    expect(mustFollow(one)).toBe(expected);
  });

  test('kinds are the beginnings of paths, alternatives apart', () => {
    expect(kindsOf(['image,text', 'regions[...].data.image', 'frames[...].data.regions'])).toEqual([
      'image',
      'text',
      'regions',
      'frames',
    ]);
  });

  test('rings are seen, however long', () => {
    expect(closesRing(graph.nodes, 'name', 'detect')).toBe(true);
    expect(closesRing(graph.nodes, 'detect', 'detect')).toBe(true);
    expect(closesRing(graph.nodes, 'detect', 'name')).toBe(false);
  });
});

test('a graph comes back from the contract and from YAML as it was', () => {
  const known = new Map(graph.nodes.map(({ model }) => [`clarifai/main/${model.id}`, model]));
  expect(graphFromYaml(yamlOf(graph), graph, known)).toEqual(graph);
  const sent = workflowOf(graph);
  const shown = {
    ...sent,
    nodes: sent.nodes?.map((one, i) => ({
      ...one,
      model: { ...one.model, model_type_id: 'visual-detector', name: graph.nodes[i]?.model.name ?? '' },
    })),
  };
  expect(graphOf(shown)).toEqual(graph);
});

test.each([
  ['workflow: [', 'workflow.yaml.unreadable'],
  ['nodes: []', 'workflow.yaml.noNodes'],
  ['workflow: {nodes: [{id: a}]}', 'workflow.yaml.badNode'],
  [
    'workflow: {nodes: [{id: a, model: {model_id: m}, node_inputs: [{node_id: b}]}]}',
    'workflow.yaml.unknownNode',
  ],
  [
    'workflow: {nodes: [{id: a, model: {model_id: m}}, {id: a, model: {model_id: n}}]}',
    'workflow.yaml.sameNode',
  ],
])('%s is refused: %s', (text, key) => {
  expect(() => graphFromYaml(text, graph, new Map())).toThrow(key);
});

test('ids of nodes are free, and a node goes with its wires', () => {
  expect(freeNodeId(graph.nodes, 'detect')).toBe('detect-2');
  expect(freeNodeId(graph.nodes, 'Größe!')).toBe('Gr-e-');
  expect(withoutNode(graph.nodes, 'crop').map(({ id, inputs }) => [id, inputs])).toEqual([
    ['detect', []],
    ['name', []],
  ]);
});
