import { recogniseColors } from './builtin/colors.ts';
import { embedPicture } from './builtin/embedding.ts';
import {
  detectFaces,
  embedFaces,
  estimateAges,
  estimateGenders,
  findFacePoints,
  readExpressions,
} from './builtin/faces.ts';
import {
  ageLabels,
  cocoLabels,
  expressionLabels,
  faceLabels,
  genderLabels,
  type Label,
  moderationLabels,
  personLabel,
} from './builtin/labels.ts';
import { moderate, moderationEdge } from './builtin/moderation.ts';
import { detectObjects, findBodies, recogniseObjects } from './builtin/objects.ts';
import type { ModelRun, Prediction } from './builtin/prediction.ts';
import { readText } from './builtin/text.ts';
import { projectionShape, type RecipeId } from './convert/recipes.ts';
import { languageSource } from './text-reading/index.ts';

/** What people should know before they trust a model; shown as its card. */
export interface ModelCard {
  /** What it cannot do, in plain words. */
  limits: string;
  /** Where the network comes from. */
  source: string;
  licence: string;
  /** What it was trained on. */
  data: string;
  /** How a picture is prepared for the network. */
  preprocessing: string;
}

/** Which part of a prediction a model fills. */
export type OutputKind = 'concepts' | 'regions' | 'embedding' | 'colors' | 'text';

/** A built-in model, as the rest of the server sees it. */
export interface BuiltinModel {
  id: string;
  /** Other ids that clients may know it by. */
  aliases: readonly string[];
  /** Id of the contract's model type. */
  typeId: string;
  name: string;
  description: string;
  card: ModelCard;
  labels: readonly Label[];
  /** Length of the embedding, where it makes one. */
  dims?: number;
  outputs: OutputKind;
  /** Its verdict is a hint for a person and no ground for a decision. */
  advisory: boolean;
  /** False until the operator opts in. */
  enabled: boolean;
  /** 16 hex digits that change with networks, projection and preparation: vectors of two of them do not mix. */
  fingerprint: string;
}

/** A model package: what it is, which networks it needs, and how it predicts. */
export interface ModelPackage extends Omit<BuiltinModel, 'enabled' | 'fingerprint'> {
  /** The opt-in that switches it on; always on when absent. */
  optIn?: 'faces';
  /** Set where it sees nothing of a picture but this square, in pixels: pictures are then decoded straight to it. */
  square?: number;
  recipes: readonly RecipeId[];
  /** SHA-256 of files that are used as they are, beside the networks. */
  files?: readonly string[];
  /** Longer side in pixels that pictures are scaled down to, where the usual one hides what the model looks for. */
  edgeMax?: number;
  predict(run: ModelRun): Promise<Prediction>;
}

const cocoLimits =
  'Knows the 80 everyday things of COCO and nothing else. A small, fast network: small, crowded or unusual ' +
  'objects are missed, and scores stay low (0.3 to 0.8) even where it is right.';
const centernet = {
  source:
    'CenterNet on MobileNetV3 (610265158/mobilenetv3_centernet), read from the npm package @vladmandic/human',
  licence:
    'The npm package is MIT; the repository of the weights states no licence. Nothing is redistributed: the ' +
    'weights come from your own installation.',
  data: 'COCO 2017; the author reports a mean average precision of 0.251 (0.423 at overlap 0.5).',
};
const blazeface = {
  source: 'BlazeFace, back camera (google/mediapipe), read from the npm package @vladmandic/human',
  licence: 'Apache-2.0',
  data: 'Not published by its authors.',
};
const faceres = {
  source: 'HSE-asavchenko/HSE_FaceRec_tf, read from the npm package @vladmandic/human',
  licence: 'Code Apache-2.0; trained on VGGFace2, whose pictures were for research only.',
  data: 'VGGFace2 for identity; sets of faces with age and gender labels.',
};
const biometric =
  'Biometric data: in many places you need consent or another legal ground. Off unless the operator opts in.';
const facePreparation =
  'Faces surer than 0.7 only; the face is turned until its eyes are level, cut out as a square 1.1 times its size, ' +
  'scaled to 224 x 224, BGR minus the training mean.';

/** The built-in models, as they stand under the public app. */
export const modelPackages: readonly ModelPackage[] = [
  {
    id: 'general-image-embedding',
    aliases: ['bbb5f41425b8468d9b7a554ff10f8581'],
    typeId: 'visual-embedder',
    name: 'General image embedding',
    description: `Turns a picture into ${projectionShape.dims} numbers, so that pictures that look alike lie close together.`,
    card: {
      limits:
        'Good for finding similar pictures and for training classifiers on a few examples. Far below CLIP or ' +
        'DINOv2: finer meaning, text in pictures and single persons are not captured. It does not understand words.',
      source:
        'Backbones of a CenterNet (MobileNetV3) and of MoveNet Lightning (MobileNetV2), averaged over the picture, ' +
        'with a projection made by this project; networks read from the npm package @vladmandic/human',
      licence: `${centernet.licence} MoveNet: Apache-2.0. The projection belongs to this project.`,
      data: 'COCO 2017 and data of Google; the projection is fitted on CC0 photographs of clothing.',
      preprocessing: 'Stretched to 224 x 224 and to 192 x 192 RGB.',
    },
    labels: [],
    dims: projectionShape.dims,
    outputs: 'embedding',
    advisory: false,
    recipes: ['general-embedding'],
    predict: embedPicture,
  },
  {
    id: 'general-image-detection',
    aliases: [],
    typeId: 'visual-detector',
    name: 'General image detection',
    description: 'Finds everyday things of 80 kinds (COCO) and where they are.',
    card: {
      ...centernet,
      limits: cocoLimits,
      preprocessing:
        'Fitted into 512 x 512 on grey (114), RGB. Boxes under 0.3 are left out unless asked for.',
    },
    labels: cocoLabels,
    outputs: 'regions',
    advisory: false,
    recipes: ['object-heads'],
    predict: detectObjects,
  },
  {
    id: 'general-image-recognition',
    aliases: ['aaa03c23b3724a16a56b629203edc62c'],
    typeId: 'visual-classifier',
    name: 'General image recognition',
    description: 'Says which everyday things of 80 kinds (COCO) are in a picture.',
    card: {
      ...centernet,
      limits: `${cocoLimits} It names objects only: no scenes, moods or materials.`,
      preprocessing: 'As general-image-detection; the value of a concept is its surest spot in the picture.',
    },
    labels: cocoLabels,
    outputs: 'concepts',
    advisory: false,
    recipes: ['object-heads'],
    predict: recogniseObjects,
  },
  {
    id: 'color-recognition',
    aliases: [],
    typeId: 'image-color-recognizer',
    name: 'Color recognition',
    description: 'The dominant colors of a picture, with the nearest named web color and their shares.',
    card: {
      limits: 'Counts pixels; it does not know what is foreground. Colors under 2.5 % are left out.',
      source: 'Made by this project: shades grouped in CIELAB. No network.',
      licence: 'Apache-2.0',
      data: 'None.',
      preprocessing: 'Scaled down to 96 pixels.',
    },
    labels: [],
    outputs: 'colors',
    advisory: false,
    recipes: [],
    predict: recogniseColors,
  },
  {
    id: 'face-detection',
    aliases: [],
    typeId: 'visual-detector',
    name: 'Face detection',
    description: 'Finds faces, each with six points: eyes, nose, mouth and ears.',
    card: {
      ...blazeface,
      limits: 'Faces narrower than about 5 % of the picture are missed; profiles and covered faces may be.',
      preprocessing:
        'Fitted into 256 x 256 on black, RGB. Each find is then confirmed by the face mesh network, which turns down ' +
        'animals and things.',
    },
    labels: faceLabels,
    outputs: 'regions',
    advisory: false,
    recipes: ['face-boxes', 'face-mesh'],
    predict: detectFaces,
  },
  {
    id: 'face-landmarks',
    aliases: [],
    typeId: 'visual-keypointer',
    name: 'Face landmarks',
    description: 'Finds faces, each with the 468 points of a face mesh.',
    card: {
      ...blazeface,
      source: 'BlazeFace and Face Mesh (google/mediapipe), read from the npm package @vladmandic/human',
      limits: 'Made for frontal and three-quarter faces; points of profiles are guesses.',
      preprocessing: 'Each face cut out as a square 1.5 times its size, scaled to 192 x 192 RGB.',
    },
    labels: faceLabels,
    outputs: 'regions',
    advisory: false,
    recipes: ['face-boxes', 'face-mesh'],
    predict: findFacePoints,
  },
  {
    id: 'body-pose-detection',
    aliases: [],
    typeId: 'visual-keypointer',
    name: 'Body pose',
    description: 'Finds persons, each with 17 points of the body.',
    card: {
      source: `${centernet.source}; MoveNet Lightning (TF Hub), from the same package`,
      licence: `${centernet.licence} MoveNet: Apache-2.0.`,
      data: 'COCO 2017; MoveNet also on data of Google.',
      limits:
        'Only persons that general-image-detection finds, at most 20. People who overlap may share a skeleton; ' +
        'skeletons with a mean score under 0.25 are left out.',
      preprocessing: 'Each person cut out as a square 1.25 times the box, scaled to 192 x 192 RGB.',
    },
    labels: [personLabel],
    outputs: 'regions',
    advisory: false,
    recipes: ['object-heads', 'body-points'],
    predict: findBodies,
  },
  {
    id: 'optical-character-recognizer',
    aliases: ['optical-character-recognition'],
    typeId: 'optical-character-recognizer',
    name: 'Optical character recognition',
    description: 'Reads English print: lines of text, or single words with the parameter level = "word".',
    card: {
      limits:
        'Clean print from 14 pixels on was read without a mistake, upright, upside down and on its side; blur, low contrast ' +
        'and white on black as well. Uneven light costs words, handwriting is garbage, and text on things in photographs ' +
        'is mostly missed. English letters only.',
      source:
        'Tesseract 5 as WebAssembly (npm package tesseract.js-core) with the data of @tesseract.js-data/eng (4.0.0_best_int)',
      licence: 'Apache-2.0 (Tesseract and its data); the package of the data is MIT.',
      data: 'English text rendered in about 4500 fonts, as its authors say.',
      preprocessing:
        'Scaled down to 3200 pixels where larger, turned to grey; what is read badly is tried upside down too.',
    },
    labels: [],
    outputs: 'text',
    advisory: false,
    recipes: [],
    files: [languageSource.sha256],
    edgeMax: 3200,
    predict: readText,
  },
  {
    id: 'moderation-recognition',
    aliases: ['d16f390eb32cad478c7ae150069bd2c6'],
    typeId: 'visual-classifier',
    name: 'Moderation',
    description: 'A hint whether a picture is explicit, suggestive or safe.',
    card: {
      limits:
        "Advisory only. Women's clothing is often called suggestive; only `explicit` deserves a threshold. How " +
        'much explicit material it misses was not measured.',
      source: 'nsfwjs MobileNetV2, read from the npm package nsfwjs',
      licence: 'MIT package; the rights in the training pictures are unknown.',
      data: 'Pictures collected from the web.',
      preprocessing: 'Stretched to 224 x 224 RGB.',
    },
    labels: moderationLabels,
    outputs: 'concepts',
    advisory: true,
    square: moderationEdge,
    recipes: ['moderation-scores'],
    predict: moderate,
  },
  {
    id: 'face-embedding',
    aliases: [],
    typeId: 'visual-embedder',
    name: 'Face embedding',
    description: 'A descriptor of 1024 numbers for each face; descriptors of one person lie close together.',
    card: {
      ...faceres,
      limits: `${biometric} Measured on 12 photographs of 5 persons only; a cosine above 0.62 suggests one person.`,
      preprocessing: facePreparation,
    },
    labels: faceLabels,
    dims: 1024,
    outputs: 'regions',
    advisory: false,
    optIn: 'faces',
    recipes: ['face-boxes', 'face-mesh', 'face-traits'],
    predict: embedFaces,
  },
  {
    id: 'age-demographics-recognition',
    aliases: ['age-demographics'],
    typeId: 'visual-detector',
    name: 'Age demographics',
    description: 'Estimates the apparent age of each face.',
    card: {
      ...faceres,
      limits: `${biometric} An estimate of looks, eight years off either way, with unmeasured bias.`,
      preprocessing: facePreparation,
    },
    labels: ageLabels,
    outputs: 'regions',
    advisory: true,
    optIn: 'faces',
    recipes: ['face-boxes', 'face-mesh', 'face-traits'],
    predict: estimateAges,
  },
  {
    id: 'gender-demographics-recognition',
    aliases: ['gender-demographics'],
    typeId: 'visual-detector',
    name: 'Gender demographics',
    description: 'Estimates whether each face looks masculine or feminine.',
    card: {
      ...faceres,
      limits: `${biometric} Says how a face looks to a network, not who somebody is; bias is unmeasured.`,
      preprocessing: facePreparation,
    },
    labels: genderLabels,
    outputs: 'regions',
    advisory: true,
    optIn: 'faces',
    recipes: ['face-boxes', 'face-mesh', 'face-traits'],
    predict: estimateGenders,
  },
  {
    id: 'face-sentiment-recognition',
    aliases: ['face-sentiment'],
    typeId: 'visual-detector',
    name: 'Face sentiment',
    description: 'Guesses the facial expression of each face, of seven kinds.',
    card: {
      source: 'oarriaga/face_classification, read from the npm package @vladmandic/human',
      licence: 'MIT; the terms of the training pictures are unclear.',
      data: 'FER-2013 and relatives.',
      limits:
        `${biometric} Weak: happiness and surprise are reliable, fear, disgust and sadness are not. The law of the ` +
        'European Union forbids reading emotions at work and in schools.',
      preprocessing: 'Faces surer than 0.7, cut out as a square 1.2 times the size, 64 x 64 grey.',
    },
    labels: expressionLabels,
    outputs: 'regions',
    advisory: true,
    optIn: 'faces',
    recipes: ['face-boxes', 'face-mesh', 'face-expression'],
    predict: readExpressions,
  },
];
