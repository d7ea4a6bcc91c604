import { template, trainChoice, trainCode, trainJson, trainNumber, trainNumbers } from './fields.ts';

// What trainings can be told, and the templates that official clients choose among. Names and defaults: SEMANTICS 5.10.

export const imageSize = (pixels: number) =>
  trainNumber(
    'image_size',
    pixels,
    'Side of the square that pictures are scaled to, in pixels.',
    [32, 1024, 16],
  );
const batchSize = (n: number) => trainNumber('batch_size', n, 'Inputs per training step.', [1, 256, 1]);
export const epochs = (n: number) =>
  trainNumber('num_epochs', n, 'Passes over the training data.', [1, 200, 1]);
const rate = (value: number) => trainNumber('per_item_lrate', value, 'Learning rate per input of a batch.');
const weightDecay = (value = 0.0001) =>
  trainNumber('weight_decay', value, 'Pull of the weights towards zero.');
const momentum = () => trainNumber('momentum', 0.9, 'Momentum of the optimiser.', [0, 1, 0.05]);
const pretrained = (value: string, choices: readonly string[]) =>
  trainChoice('pretrained_weights', value, choices, 'Weights that training starts from.');
export const seed = () =>
  trainNumber(
    'seed',
    -1,
    'Seed of the random numbers; -1 takes the usual one. Equal seeds give equal models.',
  );

/** What the training of a classifier's head can be told. */
export const headFields = () => [
  trainChoice(
    'class_weights',
    'none',
    ['none', 'balanced'],
    'balanced: concepts with few examples count as much as those with many.',
  ),
  trainNumber(
    'l2',
    -1,
    'Strength of the penalty on large weights, 0 or more; -1 tries several and keeps the best on held-out inputs.',
  ),
];
const gpus = () =>
  trainNumber('num_gpus', 1, 'Accelerators to train on; this server trains on the CPU.', [0, 8, 1]);
const flip = () => [
  trainNumber('flip_probability', 0.5, 'Chance that a picture is mirrored.', [0, 1, 0.05]),
  trainChoice(
    'flip_direction',
    'horizontal',
    ['horizontal', 'vertical', 'diagonal'],
    'How a picture is mirrored.',
  ),
];

/** Recipe of the templates that start from a frozen network and train a classifier on it. */
const transfer = () => [
  trainNumber('logreg', 1, '1 trains independent yes-or-no concepts, 0 one choice among all.', [0, 1, 1]),
  imageSize(256),
  batchSize(64),
  trainNumber('init_epochs', 25, 'Passes at the first learning rate.', [1, 200, 1]),
  trainNumber('step_epochs', 7, 'Passes after which the learning rate drops.', [1, 200, 1]),
  epochs(65),
  rate(7.8125e-5),
  trainNumber('num_items_per_epoch', 0, 'Inputs per pass; 0 means all.'),
];

const openMm = (
  weights: string,
  choices: readonly string[],
  pixels: number,
  batch: number,
  n: number,
  itemRate: number,
) => [
  seed(),
  gpus(),
  imageSize(pixels),
  batchSize(batch),
  epochs(n),
  rate(itemRate),
  weightDecay(),
  momentum(),
  pretrained(weights, choices),
  ...flip(),
];

const classifierConfig = `_base_ = '/mmpretrain/configs/resnet/resnet50_8xb32_in1k.py'
runner = dict(type='EpochBasedRunner', max_epochs=60)
data = dict(
    samples_per_gpu=60,
    workers_per_gpu=2,
    train=dict(
        type='ImageNet',
        data_prefix='',
        ann_file='',
        classes=''))
`;

const detectorConfig = `_base_ = '/mmdetection/configs/yolof/yolof_r50_c5_8x8_1x_coco.py'
model = dict(bbox_head=dict(num_classes=0))
runner = dict(type='EpochBasedRunner', max_epochs=60)
`;

const segmenterConfig = `_base_ = '/mmsegmentation/configs/segformer/segformer_mit-b0_8x1_1024x1024_160k_cityscapes.py'
runner = dict(type='IterBasedRunner', max_iters=20000)
`;

const angularMargin = () => [
  trainNumber('margin', 0.5, 'Angle kept between classes, in radians.', [0, 1.5, 0.05]),
  imageSize(224),
  batchSize(64),
  epochs(65),
  rate(7.8125e-5),
];

const huggingFace = (model: Record<string, string>, tokenizer: Record<string, number>) => [
  trainJson('model_config', model, 'Settings of the language model.'),
  trainJson('tokenizer_config', tokenizer, 'Settings of the tokenizer.'),
  trainJson(
    'trainer_config',
    { num_train_epochs: 1, auto_find_batch_size: true, output_dir: 'checkpoint' },
    'Settings of the trainer.',
  ),
];

const lora = () => [
  trainNumber('num_epochs', 1, 'Passes over the training data.', [1, 20, 1]),
  trainNumber('learning_rate', 0.0002, 'Learning rate.'),
  trainNumber('lora_r', 16, 'Rank of the adapters.', [1, 256, 1]),
  trainNumber('lora_alpha', 32, 'Scale of the adapters.', [1, 512, 1]),
];

const imagenet = ['ImageNet-1k', 'None'];
const coco = ['coco', 'None'];

export const visualClassifierTemplates = [
  template(
    'MMClassification_EfficientNet',
    'EfficientNet, fine-tuned.',
    openMm('ImageNet-1k', imagenet, 336, 4, 30, 0.000390625),
    true,
  ),
  template(
    'MMClassification_ResNet_50_RSB_A1',
    'ResNet-50, RSB A1 recipe.',
    openMm('ImageNet-1k', imagenet, 224, 64, 60, 1.953125e-5),
  ),
  template(
    'MMClassification_ResNet_50',
    'ResNet-50, fine-tuned.',
    openMm('ImageNet-1k', imagenet, 224, 64, 60, 0.000390625),
  ),
  template('MMClassification', 'A classifier from a configuration of your own.', [
    seed(),
    gpus(),
    trainCode(
      'custom_config',
      classifierConfig,
      'Configuration in Python; it names its base and what it changes.',
    ),
  ]),
  template(
    'Clarifai_InceptionTransferEmbedNorm',
    'Frozen Inception, normalised embeddings, a new classifier.',
    transfer(),
  ),
  template('Clarifai_ResNext', 'ResNeXt, trained in steps.', transfer()),
  template('Clarifai_InceptionV2', 'Inception v2, trained in steps.', transfer()),
  template('Clarifai_InceptionBatchNorm', 'Inception with batch normalisation.', transfer()),
  template('classification_inception_general_v1_3_transfer_embednorm', 'Older transfer recipe.', transfer()),
  template('classification_basemodel_v1', 'Older recipe on the general network.', transfer()),
  template('classification_cifar10_v1', 'Small pictures, few classes.', transfer()),
];

export const visualDetectorTemplates = [
  template('MMDetection_YoloF', 'YOLOF.', openMm('coco', coco, 640, 16, 30, 0.000390625), true),
  template('MMDetection_SSD', 'Single-shot detector.', openMm('coco', coco, 320, 24, 30, 6.25e-5)),
  template('MMDetection_FasterRCNN', 'Faster R-CNN.', openMm('coco', coco, 640, 4, 30, 0.000390625)),
  template('MMDetection_AdvancedConfig', 'A detector from a configuration of your own.', [
    trainCode(
      'custom_config',
      detectorConfig,
      'Configuration in Python; it names its base and what it changes.',
    ),
  ]),
  template('Clarifai_InceptionV2', 'Inception v2.', transfer()),
  template('Clarifai_InceptionV4', 'Inception v4.', transfer()),
  template('detection_msc10', 'Older recipe at several scales.', transfer()),
];

export const visualEmbedderTemplates = [
  template('Clarifai_ResNet_AngularMargin', 'ResNet with an angular margin.', angularMargin(), true),
  template('Clarifai_InceptionBatchNorm', 'Inception with batch normalisation.', transfer()),
  template('Clarifai_ResNext', 'ResNeXt, trained in steps.', transfer()),
  template('classification_angular_margin_embed', 'Older angular-margin recipe.', angularMargin()),
  template('classification_basemodel_v1_embed', 'Older recipe on the general network.', transfer()),
];

export const segmenterTemplates = [
  template(
    'MMSegmentation_SegFormer',
    'SegFormer.',
    [
      trainNumbers('image_size', [520], 'Side or sides that pictures are scaled to, in pixels.'),
      batchSize(2),
      trainNumber('num_epochs', 1, 'Passes over the training data.', [1, 200, 1]),
      rate(7.5e-6),
      pretrained('ade20k', ['ade20k', 'cityscapes', 'None']),
    ],
    true,
  ),
  template('MMSegmentation', 'A segmenter from a configuration of your own.', [
    trainCode(
      'custom_config',
      segmenterConfig,
      'Configuration in Python; it names its base and what it changes.',
    ),
  ]),
];

export const textClassifierTemplates = [
  template(
    'HuggingFace_AdvancedConfig',
    'A text model from a public hub.',
    huggingFace(
      {
        problem_type: 'multi_label_classification',
        pretrained_model_name_or_path: 'bert-base-cased',
        torch_dtype: 'torch.float32',
      },
      {},
    ),
    true,
  ),
];

export const textToTextTemplates = [
  template(
    'HuggingFace_AdvancedConfig',
    'A language model from a public hub.',
    huggingFace(
      { pretrained_model_name_or_path: 'facebook/opt-125m', torch_dtype: 'torch.float32' },
      { model_max_length: 512 },
    ),
    true,
  ),
  ...[
    'HF_GPTNeo_125m_lora',
    'HF_GPTNeo_2p7b_lora',
    'HF_Llama_2_7b_chat_GPTQ_lora',
    'HF_Llama_2_13b_chat_GPTQ_lora',
    'HF_Mistral_7b_instruct_GPTQ_lora',
  ].map((id) => template(id, 'A language model with low-rank adapters.', lora())),
];
