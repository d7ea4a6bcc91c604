import { create } from '@bufbuild/protobuf';
import {
  WorkflowVersionEvaluationMetric_DataType as DataType,
  WorkflowVersionEvaluationTemplate_TaskType as TaskType,
  WorkflowVersionEvaluationMetric_VisualisationType as Visual,
  type WorkflowVersionEvaluationTemplate,
  WorkflowVersionEvaluationTemplateSchema,
} from '@fovea/contract';

export type TemplateKind = 'classification' | 'detection' | 'text';

const metric = (
  id: string,
  summary: string,
  description: string,
  visualisationType: Visual = Visual.VISUALIZATION_TYPE_NOT_SET,
) => ({ id, summary, description, dataType: DataType.FLOAT, visualisationType });

/** How a node of a workflow may be judged. Every metric is a number from 0 to 1. */
export const templates: readonly (WorkflowVersionEvaluationTemplate & { id: string })[] = [
  create(WorkflowVersionEvaluationTemplateSchema, {
    id: 'classification',
    description: 'The concepts that the node predicts, held against the concepts that people labelled.',
    taskTypes: [TaskType.TEXT_CLASSIFICATION],
    workflowVersionEvaluationMetrics: [
      metric(
        'accuracy',
        'Accuracy',
        'Share of inputs whose surest concept is one that they have.',
        Visual.CONFUSION_MATRIX,
      ),
      metric(
        'macro_avg_precision',
        'Precision',
        'Mean over concepts, at a threshold of one half.',
        Visual.PRECISION_RECALL_CURVE,
      ),
      metric(
        'macro_avg_recall',
        'Recall',
        'Mean over concepts, at a threshold of one half.',
        Visual.PRECISION_RECALL_CURVE,
      ),
      metric('macro_avg_f1', 'F1', 'Mean over concepts, at a threshold of one half.'),
      metric(
        'macro_avg_roc_auc',
        'ROC AUC',
        'Mean area under the ROC curve over concepts.',
        Visual.ROC_AUC_CURVE,
      ),
    ],
  }),
  create(WorkflowVersionEvaluationTemplateSchema, {
    id: 'detection',
    description: 'The boxes that the node finds, held against the boxes that people drew.',
    workflowVersionEvaluationMetrics: [
      metric('mean_avg_precision_iou_50', 'mAP 50', 'Mean average precision at an overlap of one half.'),
      metric(
        'mean_avg_precision_iou_range',
        'mAP 50–95',
        'Mean average precision over overlaps of 0.50 to 0.95.',
      ),
    ],
  }),
  create(WorkflowVersionEvaluationTemplateSchema, {
    id: 'text',
    description: 'The text that the node writes, held against the text that people wrote.',
    workflowVersionEvaluationMetrics: [
      metric('exact_match', 'Exact match', 'Share of texts that are the same but for case and white space.'),
      metric('word_f1', 'Word F1', 'Mean F1 of the words of both texts.'),
    ],
  }),
];

export const findTemplate = (id: string): WorkflowVersionEvaluationTemplate | undefined =>
  templates.find((template) => template.id === id);
