import { canonicalTypeId } from '../catalogue/index.ts';

const frozen =
  'the network itself is not fine-tuned, whatever the template is called, and hyper-parameters that only such a training has are kept but not used.';

const notes: Readonly<Record<string, string>> = {
  'visual-classifier': `Trained on this server as a classifier on the embeddings of a frozen network; ${frozen}`,
  'visual-embedder': `Trained on this server as a map of the embeddings of a frozen network, with an angular margin; ${frozen}`,
  'visual-detector': `Trained on this server as a small network on the feature maps of a frozen detector; ${frozen}`,
  'visual-segmenter': `Trained on this server as a small network on the feature maps of a frozen network; ${frozen}`,
  'text-classifier':
    'Trained on this server as a classifier on counts of words and groups of letters; the language model that the template names is not used.',
  'visual-anomaly-heatmap':
    'Trained on this server as a memory of patches of usual pictures, seen by a frozen network; the backbone that the settings name is not used.',
};

/** Said in the metadata of a version whose type or template promises more than this server does. */
export const trainingNote = (typeId: string): string | undefined => notes[canonicalTypeId(typeId)];
