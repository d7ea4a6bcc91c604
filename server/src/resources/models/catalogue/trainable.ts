import { create } from '@bufbuild/protobuf';
import { EvaluationType, type ModelType, ModelTypeSchema } from '@fovea/contract';
import {
  FieldType,
  field,
  shared,
  templates,
  trainChoice,
  trainFlag,
  trainNumber,
  trainNumbers,
  trainText,
} from './fields.ts';
import {
  epochs,
  headFields,
  imageSize,
  seed,
  segmenterTemplates,
  textClassifierTemplates,
  textToTextTemplates,
  visualClassifierTemplates,
  visualDetectorTemplates,
  visualEmbedderTemplates,
} from './recipes.ts';

/** Types that this server trains by itself, on its processor. */
export const trainedHere: ReadonlySet<string> = new Set([
  'embedding-classifier',
  'visual-classifier',
  'visual-embedder',
  'visual-detector',
  'visual-segmenter',
  'visual-anomaly-heatmap',
  'text-classifier',
  'clusterer',
]);

const trained = (
  id: string,
  title: string,
  what: string,
  rest: Pick<ModelType, 'inputFields' | 'outputFields' | 'modelTypeFields'> & {
    evaluationType?: EvaluationType;
  },
): ModelType => {
  const description = trainedHere.has(id)
    ? what
    : `${what} It takes a graphics card and a trainer of its own; this server refuses to train it.`;
  return create(ModelTypeSchema, { id, title, description, trainable: true, creatable: true, ...rest });
};

const concepts = ['concepts'];
const boxes = ['regions[...].region_info.bounding_box', 'regions[...].data.concepts'];

/** Types that learn from an app's data. Defaults and template names: SEMANTICS 5.10. */
export const trainableTypes: readonly ModelType[] = [
  trained(
    'embedding-classifier',
    'Transfer Learn',
    'Tells concepts apart by a classifier trained on the embeddings of another model. Takes seconds.',
    {
      inputFields: ['embeddings'],
      outputFields: concepts,
      evaluationType: EvaluationType.Classification,
      modelTypeFields: [
        shared.dataset(),
        shared.datasetVersion(),
        shared.concepts(),
        shared.exclusive(),
        shared.embedModel(),
        trainChoice(
          'enrich_dataset',
          'Automatic',
          ['Automatic', 'Disabled'],
          'Automatic: inputs labelled with other concepts of the model count as negatives where nobody said otherwise.',
        ),
        ...headFields(),
        seed(),
        shared.tolerance(),
        shared.maxConcepts(),
        shared.selectConcepts(),
        shared.minValue(),
      ],
    },
  ),
  trained(
    'visual-classifier',
    'Visual Classifier',
    'Tells concepts of whole pictures apart. This server trains a classifier on the embeddings of a frozen network, whatever the template.',
    {
      inputFields: ['image'],
      outputFields: concepts,
      evaluationType: EvaluationType.Classification,
      modelTypeFields: [
        shared.dataset(),
        shared.datasetVersion(),
        templates(visualClassifierTemplates),
        ...headFields(),
        shared.tolerance(),
        shared.concepts(),
        shared.exclusive(),
        shared.maxConcepts(),
        shared.minValue(),
        shared.selectConcepts(),
      ],
    },
  ),
  trained(
    'visual-detector',
    'Visual Detector',
    'Finds things in pictures and boxes them in. This server trains a small network on the feature maps of a frozen detector, in minutes and from a few dozen boxes; pictures are looked at in 320 x 320 pixels, so things smaller than about a twentieth of a side, or packed closely, are missed. It is no match for a detector trained in full.',
    {
      inputFields: ['image'],
      outputFields: boxes,
      evaluationType: EvaluationType.Detection,
      modelTypeFields: [
        shared.dataset(),
        shared.datasetVersion(),
        templates(visualDetectorTemplates),
        shared.tolerance(),
        shared.concepts(),
        shared.maxConcepts(),
        shared.minValue(),
        shared.selectConcepts(),
      ],
    },
  ),
  trained(
    'visual-segmenter',
    'Visual Segmenter',
    'Says of every pixel what it belongs to. This server trains a small network on the feature maps of a frozen one; outlines are true to about a hundredth of a side, and fine parts such as wires are lost. Trained from masks or polygons; what is unmarked is background.',
    {
      inputFields: ['image'],
      outputFields: ['regions[...].region_info.mask', 'regions[...].data.concepts'],
      evaluationType: EvaluationType.Segmentation,
      modelTypeFields: [
        shared.dataset(),
        shared.datasetVersion(),
        templates(segmenterTemplates),
        shared.tolerance(),
        shared.concepts(),
        shared.selectConcepts(),
      ],
    },
  ),
  trained(
    'visual-embedder',
    'Visual Embedder',
    'Turns pictures into vectors in which alike is near. This server trains a map of the embeddings of a frozen network, whatever the template.',
    {
      inputFields: ['image'],
      outputFields: ['embeddings'],
      evaluationType: EvaluationType.Classification,
      modelTypeFields: [
        shared.dataset(),
        shared.datasetVersion(),
        templates(visualEmbedderTemplates),
        shared.tolerance(),
        shared.concepts(),
      ],
    },
  ),
  trained(
    'clusterer',
    'Clusterer',
    'Sorts pictures into groups of what looks alike, on two levels (cluster ids are coarse_fine), and places them on a plane. Needs no labels.',
    {
      inputFields: ['embeddings'],
      outputFields: ['clusters'],
      evaluationType: EvaluationType.Clustering,
      modelTypeFields: [
        shared.dataset(),
        shared.datasetVersion(),
        shared.embedModel(),
        trainNumber('coarse_clusters', 32, 'Coarse groups.', [1, 1024, 1]),
        trainNumber('eval_holdout_fraction', 0.2, 'Share of the data kept for evaluation.', [0, 1, 0.05]),
        trainNumber('query_holdout_fraction', 0.1, 'Share of the data kept as queries.', [0, 1, 0.05]),
        trainNumber(
          'to_be_indexed_queries_fraction',
          0.25,
          'Share of the queries that is indexed as well.',
          [0, 1, 0.05],
        ),
        trainNumber('max_num_query_embeddings', 100, 'Most queries.', [1, 10000, 1]),
        trainNumbers('num_results_per_query', [1, 5, 10, 20], 'Numbers of results that are judged.'),
        trainNumber('max_visited', 32, 'Most groups visited by a query.', [1, 1024, 1]),
        trainNumber('quota', 1000, 'Most candidates of a query.'),
        trainNumber('beta', 1, 'Weight of recall against precision.'),
      ],
    },
  ),
  trained(
    'text-classifier',
    'Text Classifier',
    'Tells concepts of texts apart by the words and groups of letters in them. It learns which words matter, not what they mean; the language model that a template names is not used.',
    {
      inputFields: ['text'],
      outputFields: concepts,
      evaluationType: EvaluationType.Classification,
      modelTypeFields: [
        shared.dataset(),
        shared.datasetVersion(),
        templates(textClassifierTemplates),
        ...headFields(),
        shared.tolerance(),
        shared.concepts(),
        shared.exclusive(),
        shared.selectConcepts(),
      ],
    },
  ),
  trained('text-to-text', 'Text to Text', 'Writes text in answer to text.', {
    inputFields: ['text'],
    outputFields: ['text'],
    evaluationType: EvaluationType.Generation,
    modelTypeFields: [
      shared.dataset(),
      shared.datasetVersion(),
      templates(textToTextTemplates),
      shared.tolerance(),
      field(
        'output_info.params.prompt_template',
        FieldType.STRING,
        'prompt_template',
        'Text around the prompt; {data.text.raw} stands for it.',
        {
          defaultValue: '',
        },
      ),
    ],
  }),
  trained(
    'visual-anomaly-heatmap',
    'Visual Anomaly',
    'Shows where a picture differs from the usual, learned from usual pictures alone: those of the first concept, or all where none is named. For pictures taken alike, of things that lie alike.',
    {
      inputFields: ['image'],
      outputFields: ['heatmaps', 'concepts'],
      evaluationType: EvaluationType.Classification,
      modelTypeFields: [
        shared.dataset(),
        shared.datasetVersion(),
        shared.tolerance(),
        imageSize(256),
        epochs(1),
        trainFlag('compute_image_score', true, 'Also say how unusual the whole picture is.'),
        trainText('backbone', 'wide_resnet50', 'Network whose features are compared.'),
      ],
    },
  ),
];
