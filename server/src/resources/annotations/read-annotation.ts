import { create } from '@bufbuild/protobuf';
import { type Annotation, type Data, DataSchema } from '@fovea/contract';
import { idTrouble, newId } from '#domain/ids.ts';
import type { JsonMap } from '#domain/patch.ts';
import { isAnnotationStatus, type NewAnnotation, type WorkerKeys } from './annotation.ts';
import type { FoundInput } from './deps.ts';
import { annotationFault } from './faults.ts';
import { labelTrouble } from './labels.ts';
import { settleShape, shapeTrouble } from './place.ts';

const downloaded = 30000;
const success = 24150;

const nothing = create(DataSchema);

/** What an annotation says; the medium itself and what only answers carry are left out. */
export function readData(wire: Data | undefined): Data {
  const {
    concepts,
    metadata,
    geo,
    colors,
    clusters,
    embeddings,
    regions,
    frames,
    text,
    tracks,
    timeSegments,
    heatmaps,
  } = wire ?? nothing;
  return {
    ...nothing,
    concepts,
    metadata,
    geo,
    colors,
    clusters,
    embeddings,
    regions,
    frames,
    text,
    tracks,
    timeSegments,
    heatmaps,
  };
}

/** @throws Fault 24155 when the data cannot be stored. @returns it with coordinates inside 0..1 and ids for its parts. */
export function checkedData(data: Data): Data {
  const trouble = shapeTrouble(data) ?? labelTrouble(data);
  if (trouble) throw annotationFault.invalid(trouble);
  return settleShape(data, newId);
}

/** @throws Fault unless there is such an input, and it was processed. */
export function checkInput(inputId: string, input: FoundInput | undefined): asserts input is FoundInput {
  if (inputId === '') throw annotationFault.invalid('input_id is empty; an annotation is about an input.');
  if (!input) throw annotationFault.missingInput(inputId);
  if (input.statusCode !== downloaded) {
    throw annotationFault.invalid(
      `input_id: the input '${input.id}' is not processed yet (status ${input.statusCode}); wait for 30000.`,
    );
  }
}

/** @throws Fault saying what is wrong with one annotation of a batch. */
export function readAnnotation(
  wire: Annotation,
  input: FoundInput | undefined,
  worker: WorkerKeys,
): NewAnnotation {
  checkInput(wire.inputId, input);
  const trouble = idTrouble(wire.id, 'annotation');
  if (trouble) throw annotationFault.invalid(trouble);
  if (!wire.data) throw annotationFault.invalid('data is missing; say what is seen in the input.');
  return {
    id: wire.id || newId(),
    inputKey: input.key,
    inputId: input.id,
    inputLevel: false,
    trusted: worker.userKey !== undefined,
    statusCode: readStatus(wire) ?? success,
    worker,
    taskId: readTaskId(wire),
    annotationInfo: wire.annotationInfo as JsonMap | undefined,
    consensusInfo: wire.consensusInfo as JsonMap | undefined,
    data: checkedData(readData(wire.data)),
  };
}

/** The status asked for, undefined when none is. @throws Fault 24155 for codes that are not an annotation's. */
export function readStatus({ status }: Annotation): number | undefined {
  if (!status?.code) return undefined;
  if (isAnnotationStatus(status.code)) return status.code;
  throw annotationFault.invalid(`status.code is ${status.code}; an annotation has one of 24150 to 24159.`);
}

/** `task_id`, or its old place inside `annotation_info`. */
export function readTaskId({ taskId, annotationInfo }: Annotation): string {
  const legacy = annotationInfo?.task_id;
  return taskId || (typeof legacy === 'string' ? legacy : '');
}
