import { classificationFigures } from './classification-figures.ts';
import { clusteringFigures } from './clustering-figures.ts';
import type { EvaluationKind } from './evaluation.ts';
import type { FigureParts, Figures } from './figure.ts';
import { objectFigures } from './object-figures.ts';
import { trackingFigures } from './tracking-figures.ts';

/** Works out what the answers are worth. @throws EvaluationTrouble for more than fits into memory */
export function figuresOf(kind: EvaluationKind, parts: FigureParts): Promise<Figures> {
  switch (kind) {
    case 'classification':
      return classificationFigures(parts);
    case 'detection':
    case 'segmentation':
      return objectFigures(kind, parts);
    case 'clustering':
      return clusteringFigures(parts);
    case 'tracking':
      return trackingFigures(parts);
  }
}
