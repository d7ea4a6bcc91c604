import { createHash } from 'node:crypto';

export interface Label {
  id: string;
  name: string;
}

/**
 * Concepts of the public vocabulary have ids like `ai_1a2b3c4d`. Ours are derived from the vocabulary's family
 * and the concept's name, so they are the same on every server and for ever.
 */
export function publicLabels(family: string, names: readonly string[]): Label[] {
  return names.map((name) => {
    const digest = createHash('sha256').update(`${family}/${name}`).digest().readBigUInt64BE();
    return { id: `ai_${digest.toString(36).padStart(8, '0').slice(-8)}`, name };
  });
}

/** The 80 classes of COCO in their usual order, which is the order of the detector's channels. */
export const cocoNames: readonly string[] = [
  ...['person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat', 'traffic light'],
  ...['fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog', 'horse', 'sheep', 'cow'],
  ...[
    'elephant',
    'bear',
    'zebra',
    'giraffe',
    'backpack',
    'umbrella',
    'handbag',
    'tie',
    'suitcase',
    'frisbee',
  ],
  ...[
    'skis',
    'snowboard',
    'sports ball',
    'kite',
    'baseball bat',
    'baseball glove',
    'skateboard',
    'surfboard',
  ],
  ...['tennis racket', 'bottle', 'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana', 'apple'],
  ...['sandwich', 'orange', 'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch'],
  ...['potted plant', 'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote', 'keyboard'],
  ...['cell phone', 'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book', 'clock', 'vase'],
  ...['scissors', 'teddy bear', 'hair drier', 'toothbrush'],
];

export const cocoLabels = publicLabels('coco', cocoNames);
export const personLabel = cocoLabels[0] as Label;
export const faceLabels = publicLabels('face', ['face']);
export const expressionLabels = publicLabels('expression', [
  ...['anger', 'disgust', 'fear', 'happiness', 'sadness', 'surprise', 'neutral'],
]);
export const genderLabels = publicLabels('gender', ['Masculine', 'Feminine']);
export const moderationLabels = publicLabels('moderation', ['safe', 'suggestive', 'explicit']);

/** First year of each age range; the last is open. */
export const ageRangeStarts = [0, 3, 10, 20, 30, 40, 50, 60, 70] as const;
export const ageLabels = publicLabels('age', [
  ...['0-2', '3-9', '10-19', '20-29', '30-39', '40-49', '50-59', '60-69', 'more than 70'],
]);

export const bodyPointNames: readonly string[] = [
  ...['nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder'],
  ...['left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip'],
  ...['left_knee', 'right_knee', 'left_ankle', 'right_ankle'],
];
