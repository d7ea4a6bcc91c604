import { WireWriter } from '@fovea/contract';
import { annotationKind } from '#domain/annotation-kinds.ts';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import type { JsonMap } from '#domain/patch.ts';
import type { PackedAnnotation } from './annotation.ts';
import type { FoundInput } from './deps.ts';
import { annotationFault } from './faults.ts';
import { checkInput } from './read-annotation.ts';

/**
 * A box and the name of what it shows, and nothing else: what most data sets say. It is stored as PostAnnotations
 * would store it, without becoming a message of the contract in between.
 */
export interface PlainBox {
  readonly id: string;
  readonly inputId: string;
  /** Parts of the picture, 0..1; left < right, top < bottom. */
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly concept: { readonly id: string; readonly name: string } | undefined;
  readonly annotationInfo: JsonMap | undefined;
}

/** Field numbers of the contract. */
const inData = { concepts: 3, regions: 11 } as const;
const inRegion = { id: 1, info: 2, data: 3 } as const;
const inInfo = { box: 1 } as const;
const inBox = { top: 1, left: 2, bottom: 3, right: 4 } as const;
const inConcept = { id: 1, value: 3 } as const;

const done = 24150;

/** @throws Fault saying what is wrong with it */
export function packedBox(box: PlainBox, input: FoundInput | undefined, grant: AppGrant): PackedAnnotation {
  checkInput(box.inputId, input);
  const { id, concept } = box;
  const trouble = idTrouble(id, 'annotation') ?? (concept && idTrouble(concept.id, 'concept'));
  if (trouble) throw annotationFault.invalid(trouble);
  return {
    id,
    inputKey: input.key,
    inputId: input.id,
    inputLevel: false,
    trusted: true,
    statusCode: done,
    worker: { userKey: grant.caller.userKey },
    taskId: '',
    annotationInfo: box.annotationInfo,
    consensusInfo: undefined,
    packed: packBox(box, newId()),
    kinds: annotationKind.box | (concept ? annotationKind.concepts : 0),
    labels: concept ? [{ conceptId: concept.id, value: 1 }] : [],
  };
}

/** The bytes of the Data message of a box. */
export function packBox({ left, top, right, bottom, concept }: PlainBox, regionId: string): Uint8Array {
  const writer = new WireWriter(128);
  const region = writer.open(inData.regions);
  writer.text(inRegion.id, regionId);
  const info = writer.open(inRegion.info);
  const place = writer.open(inInfo.box);
  writer.float(inBox.top, top);
  writer.float(inBox.left, left);
  writer.float(inBox.bottom, bottom);
  writer.float(inBox.right, right);
  writer.close(place);
  writer.close(info);
  const data = writer.open(inRegion.data);
  if (concept) {
    const named = writer.open(inData.concepts);
    writer.text(inConcept.id, concept.id);
    writer.float(inConcept.value, 1);
    writer.close(named);
  }
  writer.close(data);
  writer.close(region);
  return writer.taken();
}
