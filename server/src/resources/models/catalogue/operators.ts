import { create } from '@bufbuild/protobuf';
import { EvaluationType, type ModelType, ModelTypeSchema } from '@fovea/contract';
import { FieldType, field, outputChoice, outputFlag, outputNumber, outputText, shared } from './fields.ts';

type Rest = Partial<
  Pick<ModelType, 'modelTypeFields' | 'requiresSequentialFrames' | 'evaluationType' | 'creatable'>
>;

const type = (
  id: string,
  title: string,
  description: string,
  inputFields: string[],
  outputFields: string[],
  rest: Rest = {},
): ModelType =>
  create(ModelTypeSchema, { id, title, description, inputFields, outputFields, creatable: true, ...rest });

const regionConcepts = 'regions[...].data.concepts';
const box = 'regions[...].region_info.bounding_box';
const anything = ['any'];
const comparisons = [
  'GREATER_THAN',
  'GREATER_THAN_OR_EQUAL_TO',
  'LESS_THAN',
  'LESS_THAN_OR_EQUAL_TO',
  'EQUAL',
];
const thresholdType = () =>
  outputChoice(
    'concept_threshold_type',
    'GREATER_THAN',
    comparisons,
    'How a value is compared with its threshold.',
  );

const trackerCommon = () => [
  outputNumber('min_confidence', 0.4, 'Regions below this value are not tracked.', [0, 1, 0.01]),
  outputNumber('min_visible_frames', 3, 'Frames a track must be seen in.', [1, 1000, 1]),
  outputText('track_id_prefix', '', 'Put before the number of every track.'),
  outputNumber('max_disappeared', 5, 'Frames a track may be lost for.', [0, 1000, 1]),
];

const kalmanCommon = () => [
  ...trackerCommon(),
  outputNumber('max_dead', 100, 'Frames after which a lost track is forgotten.', [1, 10000, 1]),
  outputNumber('max_detection', -1, 'Most regions of a frame that are tracked; -1 means all.'),
  outputNumber('association_confidence', 0.2, 'Overlap needed to continue a track.', [0, 1, 0.01]),
  outputNumber('covariance_error', 100, 'Uncertainty of a new track.'),
  outputNumber('observation_error', 10, 'Uncertainty of a detection.'),
  outputNumber('initialization_confidence', 0.5, 'Value a region needs to begin a track.', [0, 1, 0.01]),
  outputChoice(
    'distance_metric',
    'iou',
    ['iou', 'diou', 'euclidean'],
    'How regions of neighbouring frames are compared.',
  ),
];

const tracker = (id: string, title: string, fields: ModelType['modelTypeFields']) =>
  type(
    id,
    title,
    'Follows regions from frame to frame.',
    ['frames[...].data.regions[...].data.concepts', 'frames[...].data.regions[...].region_info.bounding_box'],
    ['frames[...].data.regions[...].track_id'],
    {
      modelTypeFields: fields,
      requiresSequentialFrames: true,
      evaluationType: EvaluationType.Tracker,
    },
  );

const generation = () => [
  outputNumber('temperature', 0.7, 'How freely words are chosen.', [0, 2, 0.05]),
  outputNumber('max_tokens', 512, 'Most tokens of an answer.', [1, 131072, 1]),
  outputNumber('top_p', 0.95, 'Share of likely words that is chosen from.', [0, 1, 0.01]),
  outputText('system_prompt', '', 'Said to the model before everything else.'),
];

/** Steps of workflows that compute without learning. Names and settings: SEMANTICS 5.10. */
const operators: readonly ModelType[] = [
  type(
    'concept-threshold',
    'Concept Thresholder',
    'Keeps concepts that pass their threshold.',
    ['concepts'],
    ['concepts'],
    {
      modelTypeFields: [shared.thresholds(), thresholdType()],
    },
  ),
  type(
    'region-threshold',
    'Region Thresholder',
    'Keeps regions with a concept that passes its threshold.',
    [regionConcepts],
    [regionConcepts, box],
    {
      modelTypeFields: [shared.thresholds(), thresholdType()],
    },
  ),
  type(
    'concept-synonym-mapper',
    'Concept Synonym Mapper',
    'Replaces concepts by their synonyms in a knowledge graph.',
    ['concepts'],
    ['concepts'],
    {
      modelTypeFields: [
        outputText(
          'knowledge_graph_id',
          '',
          'Knowledge graph whose synonyms count; empty means the whole app.',
        ),
      ],
    },
  ),
  type(
    'annotation-writer',
    'Annotation Writer',
    'Writes what comes in as annotations of the input.',
    anything,
    anything,
    {
      modelTypeFields: [
        outputChoice(
          'annotation_status',
          'ANNOTATION_SUCCESS',
          [
            'ANNOTATION_SUCCESS',
            'ANNOTATION_PENDING',
            'ANNOTATION_AWAITING_REVIEW',
            'ANNOTATION_AWAITING_CONSENSUS_REVIEW',
          ],
          'Status of the annotations.',
        ),
        field(
          'output_info.params.annotation_user_id',
          FieldType.COLLABORATORS,
          'annotation_user_id',
          'User in whose name the annotations are written.',
        ),
        field(
          'output_info.params.annotation_info',
          FieldType.JSON,
          'annotation_info',
          'Kept with each annotation.',
          { defaultValue: {} },
        ),
        outputText('task_id', '', 'Task that the annotations belong to.'),
      ],
    },
  ),
  type('random-sample', 'Random Sampler', 'Lets a random share of the inputs pass.', anything, anything, {
    modelTypeFields: [outputNumber('keep_fraction', 0.5, 'Share of the inputs that pass.', [0, 1, 0.01])],
  }),
  type(
    'image-crop',
    'Image Cropper',
    'Cuts the regions out of the picture.',
    ['image', box],
    ['regions[...].data.image', box],
    {
      modelTypeFields: [
        outputNumber(
          'margin',
          1,
          'Size of the cut relative to the region; 1 adds no margin.',
          [0.1, 10, 0.05],
        ),
      ],
    },
  ),
  type(
    'image-tiler',
    'Image Tiler',
    'Cuts the picture into overlapping tiles.',
    ['image'],
    ['regions[...].data.image', box],
    {
      modelTypeFields: [
        outputNumber('tile_width', 512, 'Width of a tile in pixels.', [32, 8192, 1]),
        outputNumber('tile_height', 512, 'Height of a tile in pixels.', [32, 8192, 1]),
        outputNumber('max_object_size', 64, 'Overlap of neighbouring tiles in pixels.', [0, 4096, 1]),
      ],
    },
  ),
  type(
    'regex-based-classifier',
    'Regex-Based Classifier',
    'Says a concept of texts that match a pattern.',
    ['text'],
    ['concepts'],
    {
      modelTypeFields: [outputText('regex', '', 'Regular expression.', true), shared.concepts()],
    },
  ),
  type(
    'language-id-operator',
    'Language Identification',
    'Says which language a text is in.',
    ['text'],
    ['concepts'],
    {
      modelTypeFields: [
        outputChoice('library', 'langdetect', ['langdetect', 'fastText'], 'Library that decides.'),
        outputNumber('topk', 1, 'Most languages.', [1, 100, 1]),
        outputNumber('threshold', 0, 'Languages below this value are left out.', [0, 1, 0.01]),
        outputFlag('lowercase', true, 'Whether the text is put in lower case first.'),
      ],
    },
  ),
  type(
    'barcode-operator',
    'Barcode Reader',
    'Reads bar codes and QR codes.',
    ['image'],
    ['regions[...].data.text.raw', box],
  ),
  type(
    'text-aggregation-operator',
    'Text Aggregator',
    'Joins the texts of regions in reading order.',
    ['regions[...].data.text.raw', box],
    ['text'],
  ),
  type(
    'object-counter',
    'Object Counter',
    'Counts the regions of each concept.',
    [regionConcepts],
    ['metadata'],
  ),
  type('prompter', 'Prompter', 'Puts a text into a prompt.', ['text'], ['text'], {
    modelTypeFields: [
      outputText('prompt_template', '{data.text.raw}', 'Prompt; {data.text.raw} stands for the text.', true),
    ],
  }),
  type(
    'rag-prompter',
    'RAG Prompter',
    'Puts a text and what a search of the app finds for it into a prompt.',
    ['text'],
    ['text'],
    {
      modelTypeFields: [
        outputText(
          'prompt_template',
          '{data.hits}\n{data.text.raw}',
          'Prompt; {data.text.raw} stands for the text, {data.hits} for what was found.',
          true,
        ),
        outputNumber('min_score', 0.95, 'Hits below this score are left out.', [0, 1, 0.01]),
        outputNumber('max_results', 5, 'Most hits.', [1, 100, 1]),
      ],
    },
  ),
  tracker('byte-tracker', 'BYTE Tracker', [
    ...trackerCommon(),
    outputNumber('new_track_confidence_thresh', 0.5, 'Value a region needs to begin a track.', [0, 1, 0.01]),
    outputNumber('confidence_thresh', 0.5, 'Regions above this value are matched first.', [0, 1, 0.01]),
    outputNumber(
      'high_confidence_match_thresh',
      0.8,
      'Distance up to which sure regions match.',
      [0, 1, 0.01],
    ),
    outputNumber(
      'low_confidence_match_thresh',
      0.5,
      'Distance up to which unsure regions match.',
      [0, 1, 0.01],
    ),
    outputNumber('unconfirmed_match_thresh', 0.7, 'Distance up to which new tracks match.', [0, 1, 0.01]),
  ]),
  tracker('centroid-tracker', 'Centroid Tracker', [
    ...trackerCommon(),
    outputNumber('max_distance', 0.2, 'Distance up to which regions match.', [0, 1, 0.01]),
  ]),
  tracker('kalman-filter-tracker', 'Kalman Filter Hungarian Tracker', kalmanCommon()),
  tracker('kalman-reid-tracker', 'Kalman Reid Tracker', [
    ...kalmanCommon(),
    outputNumber('max_emb_distance', 0.5, 'Distance of embeddings up to which regions match.', [0, 2, 0.01]),
  ]),
];

/** Types that wrap a network or a service; they are made, not trained. */
const networks: readonly ModelType[] = [
  type(
    'visual-keypointer',
    'Visual Keypointer',
    'Finds the joints or landmarks of what is in a picture.',
    ['image'],
    ['regions[...].region_info.keypoint_locations', box, regionConcepts],
  ),
  type(
    'image-color-recognizer',
    'Color Recognizer',
    'Names the colours of a picture.',
    ['image'],
    ['colors'],
  ),
  type(
    'optical-character-recognizer',
    'Optical Character Recognizer',
    'Reads the text in a picture.',
    ['image'],
    ['regions[...].data.text.raw', box],
    {
      evaluationType: EvaluationType.Generation,
      modelTypeFields: [
        outputChoice(
          'level',
          'line',
          ['line', 'word'],
          'Whether a region is a line of text or a single word.',
        ),
      ],
    },
  ),
  type(
    'knn-concept',
    'KNN Concept',
    'Tells concepts by the nearest labelled neighbours.',
    ['embeddings'],
    ['concepts'],
    { modelTypeFields: [shared.concepts(), outputNumber('k', 5, 'Neighbours that vote.', [1, 1000, 1])] },
  ),
  type('text-embedder', 'Text Embedder', 'Turns texts into vectors.', ['text'], ['embeddings']),
  type(
    'multimodal-embedder',
    'Multimodal Embedder',
    'Turns pictures and texts into vectors of one space.',
    ['image,text'],
    ['embeddings'],
  ),
  type('audio-embedder', 'Audio Embedder', 'Turns sounds into vectors.', ['audio'], ['embeddings']),
  type('audio-classifier', 'Audio Classifier', 'Tells concepts of sounds apart.', ['audio'], ['concepts'], {
    evaluationType: EvaluationType.Classification,
  }),
  type('audio-to-text', 'Audio to Text', 'Writes down what is said.', ['audio'], ['text'], {
    evaluationType: EvaluationType.Generation,
  }),
  type('text-to-audio', 'Text to Audio', 'Speaks a text.', ['text'], ['audio']),
  type('text-to-image', 'Text to Image', 'Draws what a text says.', ['text'], ['image']),
  type('image-to-image', 'Image to Image', 'Changes a picture.', ['image'], ['image']),
  type('image-to-text', 'Image to Text', 'Describes a picture.', ['image'], ['text'], {
    modelTypeFields: generation(),
    evaluationType: EvaluationType.Generation,
  }),
  type(
    'text-token-classifier',
    'Text Token Classifier',
    'Says of words what they are.',
    ['text'],
    ['regions[...].region_info.span', regionConcepts],
  ),
  type(
    'multimodal-to-text',
    'Multimodal to Text',
    'Answers pictures and texts with text.',
    ['image,text,audio,video'],
    ['text'],
    { modelTypeFields: generation(), evaluationType: EvaluationType.Generation },
  ),
  type('video-to-text', 'Video to Text', 'Describes a video.', ['video'], ['text'], {
    modelTypeFields: generation(),
  }),
  type('any-to-any', 'Any to Any', 'A model with methods of its own.', anything, anything),
  type('mcp', 'MCP Server', 'Tools of the Model Context Protocol.', anything, anything),
];

export const untrainedTypes: readonly ModelType[] = [...operators, ...networks];
